//! `postroom token` and `postroom link`: new secrets, shown once, and the end of tokens. They work beside a
//! running server.

use std::process::ExitCode;

use postroom_access::{Credential, CredentialKind, Principal, Secret};
use postroom_config::{Config, nearest};
use postroom_model::digest::Digest;
use postroom_model::{
    AgentId, ChannelId, Clock as _, Random, Role, SystemClock, SystemRandom, Timestamp,
};
use serde::Serialize;

use crate::cli::{Holder, Link, Shared, Token};
use crate::failure::Failure;
use crate::store::Store;
use crate::{output, setup};

/// How long a sign-in link works.
pub(crate) const LINK_MS: i64 = 24 * 60 * 60 * 1_000;

pub(crate) async fn token(shared: &Shared, wanted: &Token) -> Result<ExitCode, Failure> {
    match wanted {
        Token::Create(holder) => new_token(shared, holder).await,
        Token::List => list(shared).await,
        Token::Revoke { id } => revoke(shared, id).await,
    }
}

async fn new_token(shared: &Shared, holder: &Holder) -> Result<ExitCode, Failure> {
    let config = setup::preview(shared)?;
    let principal = principal(&config, holder)?;
    let store = Store::open(&config).await?;
    let secret = create(&store, CredentialKind::Token, principal, &SystemRandom::new()).await?;
    if shared.json {
        output::json(&serde_json::json!({ "token": secret.reveal() }));
    } else {
        output::say(secret.reveal());
    }
    Ok(ExitCode::SUCCESS)
}

/// A token as it is listed.
#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    name: String,
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<AgentId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    channels: Vec<ChannelId>,
    created_at: Timestamp,
}

impl Listed {
    fn of(hash: Digest, credential: &Credential) -> Self {
        let Principal { role, agent, name, channels } = credential.principal.clone();
        let created_at = credential.created_at;
        Self { id: id_of(hash), name, role, agent, channels, created_at }
    }
}

/// Letters and digits of the hash that make the id of a token: enough to tell any number of them apart,
/// and of no use to whoever wants the secret.
const ID_CHARS: usize = 16;

fn id_of(hash: Digest) -> String {
    hash.to_string().chars().take(ID_CHARS).collect()
}

async fn list(shared: &Shared) -> Result<ExitCode, Failure> {
    let store = Store::open_existing(&setup::preview(shared)?).await?;
    let mut tokens = store.access.list(CredentialKind::Token).await?;
    tokens.sort_by_key(|(hash, credential)| (credential.created_at, *hash));
    let listed: Vec<Listed> = tokens.iter().map(|(hash, one)| Listed::of(*hash, one)).collect();
    if shared.json {
        output::json(&listed);
        return Ok(ExitCode::SUCCESS);
    }
    let row = |one: Listed| {
        let channels: Vec<&str> = one.channels.iter().map(ChannelId::as_str).collect();
        let agent = one.agent.map_or_else(|| "-".to_owned(), |agent| agent.to_string());
        let channels = if channels.is_empty() { "-".to_owned() } else { channels.join(" ") };
        vec![one.id, one.name, word(one.role), agent, channels, one.created_at.to_string()]
    };
    let head = ["ID", "NAME", "ROLE", "AGENT", "CHANNELS", "CREATED"];
    output::table(&head, listed.into_iter().map(row).collect());
    Ok(ExitCode::SUCCESS)
}

fn word(role: Role) -> String {
    format!("{role:?}").to_lowercase()
}

async fn revoke(shared: &Shared, id: &str) -> Result<ExitCode, Failure> {
    let store = Store::open_existing(&setup::preview(shared)?).await?;
    let tokens = store.access.list(CredentialKind::Token).await?;
    let found = tokens.into_iter().find(|(hash, _)| id_of(*hash) == id);
    let taken = match found {
        Some((hash, _)) => store.access.take(hash).await?.map(|credential| (hash, credential)),
        None => None,
    };
    let Some((hash, credential)) = taken else {
        let hint = "`postroom token list` shows those that there are";
        return Err(Failure::failed(format!("there is no token {id}; {hint}")));
    };
    if shared.json {
        output::json(&Listed::of(hash, &credential));
    } else {
        let Principal { name, role, .. } = &credential.principal;
        output::say(&format!("revoked {id}: {name} ({})", word(*role)));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn link(shared: &Shared, wanted: &Link) -> Result<ExitCode, Failure> {
    let Link::Create(holder) = wanted;
    let config = setup::preview(shared)?;
    let principal = principal(&config, holder)?;
    let store = Store::open(&config).await?;
    let secret = create(&store, CredentialKind::Link, principal, &SystemRandom::new()).await?;
    let link = sign_in_link(&config.server.public_url, &secret);
    if shared.json {
        output::json(&serde_json::json!({ "link": link }));
    } else {
        output::say(&link);
    }
    Ok(ExitCode::SUCCESS)
}

/// The address that signs in with `secret`.
pub(crate) fn sign_in_link(public_url: &str, secret: &Secret) -> String {
    format!("{public_url}/sign-in?token={}", secret.reveal())
}

/// Stores a new credential and gives its secret.
pub(crate) async fn create(
    store: &Store,
    kind: CredentialKind,
    principal: Principal,
    random: &dyn Random,
) -> Result<Secret, Failure> {
    let secret = Secret::generate(kind, random);
    let created_at = SystemClock.now();
    let expires_at = (kind == CredentialKind::Link).then(|| created_at.plus_millis(LINK_MS));
    let credential = Credential { kind, principal, created_at, expires_at };
    store.access.put(secret.hash(), credential).await?;
    Ok(secret)
}

fn principal(config: &Config, holder: &Holder) -> Result<Principal, Failure> {
    let role = Role::from(holder.role);
    let agent = holder.agent.as_deref().map(|id| known_agent(config, id)).transpose()?;
    if role == Role::Agent && agent.is_none() {
        return Err(Failure::usage("the role agent needs --agent ID"));
    }
    let mut channels = Vec::new();
    for id in &holder.channels {
        channels.push(known_channel(config, id)?);
    }
    match (role, channels.is_empty()) {
        (Role::Integrator, true) => {
            let hint = "an integrator sees its own channels only";
            return Err(Failure::usage(format!("the role integrator needs --channel ID; {hint}")));
        }
        (Role::Agent | Role::Supervisor | Role::Admin, false) => {
            return Err(Failure::usage("--channel is for the role integrator"));
        }
        _ => {}
    }
    let name = holder.name.clone().unwrap_or_else(|| match (&agent, role) {
        (Some(agent), _) => {
            let found = config.agents.iter().find(|one| one.id == *agent);
            found.map_or_else(|| agent.to_string(), |one| one.name.clone())
        }
        (None, Role::Supervisor) => "supervisor".to_owned(),
        (None, Role::Integrator) => "integrator".to_owned(),
        (None, _) => "admin".to_owned(),
    });
    Ok(Principal { role, agent, name, channels })
}

fn known_agent(config: &Config, id: &str) -> Result<AgentId, Failure> {
    let found = config.agents.iter().find(|agent| agent.id.as_str() == id);
    found
        .map(|agent| agent.id.clone())
        .ok_or_else(|| unknown("agent", id, config.agents.iter().map(|agent| agent.id.as_str())))
}

fn known_channel(config: &Config, id: &str) -> Result<ChannelId, Failure> {
    let found = config.channels.iter().find(|channel| channel.id.as_str() == id);
    found.map(|channel| channel.id.clone()).ok_or_else(|| {
        unknown("channel", id, config.channels.iter().map(|channel| channel.id.as_str()))
    })
}

fn unknown<'a>(what: &str, id: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let near = nearest(id, known).map(|near| format!("; did you mean {near}?"));
    Failure::usage(format!("there is no {what} {id}{}", near.unwrap_or_default()))
}
