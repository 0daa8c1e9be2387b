//! `postroom token` and `postroom link`: new secrets, shown once. They work beside a running server.

use std::process::ExitCode;

use postroom_access::{Credential, CredentialKind, Principal, Secret};
use postroom_config::{Config, nearest};
use postroom_model::{AgentId, ChannelId, Clock as _, Random, Role, SystemClock, SystemRandom};

use crate::cli::{Holder, Link, Shared, Token};
use crate::failure::Failure;
use crate::store::Store;
use crate::{output, setup};

/// How long a sign-in link works.
pub(crate) const LINK_MS: i64 = 24 * 60 * 60 * 1_000;

pub(crate) async fn token(shared: &Shared, wanted: &Token) -> Result<ExitCode, Failure> {
    let Token::Create(holder) = wanted;
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
    if !channels.is_empty() && role != Role::Integrator {
        return Err(Failure::usage("--channel is for the role integrator"));
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
