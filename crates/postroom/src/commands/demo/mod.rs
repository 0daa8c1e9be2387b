//! `postroom demo`: plays a short day of customers into a running server, over its real doors, and tells
//! what became of each message.

mod call;
mod callback;
mod client;
mod mail;
mod script;

use std::process::ExitCode;
use std::time::Duration;

use http::Method;
use postroom_access::{CredentialKind, Principal, Secret};
use postroom_channel::signature;
use postroom_config::{ChannelConfig, Config};
use postroom_model::{ChannelKind, IdSource, Role, SystemClock, SystemRandom};
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use self::callback::Callback;
use self::client::Client;
use self::script::{DAY, Line};
use crate::cli::Shared;
use crate::commands::token;
use crate::failure::Failure;
use crate::store::Store;
use crate::{output, setup};

/// The pause between two customers, so that one can watch.
const PAUSE: Duration = Duration::from_millis(600);
/// How long the server may take to route a message, and an answer to arrive.
const WAIT: Duration = Duration::from_secs(10);

/// What became of one line.
#[derive(Debug, Serialize)]
struct Told {
    customer: &'static str,
    said: &'static str,
    queue: String,
    agent: String,
    why: String,
    answered: Option<&'static str>,
    /// `arrived`, `queued` (no way to see it arrive), `called back`, or none.
    answer: Option<&'static str>,
}

pub(crate) async fn run(shared: &Shared) -> Result<ExitCode, Failure> {
    postroom_channel::install_crypto();
    let config = setup::preview(shared)?;
    let store = Store::open_existing(&config).await?;
    let mut secrets = Vec::new();
    let played = play(&config, &store, &mut secrets).await;
    // The demo's tokens are of no use to anybody afterwards.
    for secret in &secrets {
        store.access.take(secret.hash()).await?;
    }
    let (told, totals, way_out) = played?;
    report(shared, &told, &totals, &way_out);
    let lost = totals["unaccounted"].as_u64() != Some(0);
    let silent = told.iter().any(|line| line.queue.is_empty());
    Ok(if lost || silent { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Who takes part, on the server's side.
struct Desk<'a> {
    client: Client,
    channel: &'a ChannelConfig,
    secret: signature::Secret,
    admin: Secret,
    agents: Vec<(String, Secret)>,
    callback: Option<Callback>,
    run: String,
}

async fn play(
    config: &Config,
    store: &Store,
    secrets: &mut Vec<Secret>,
) -> Result<(Vec<Told>, Value, String), Failure> {
    let desk = prepare(config, store, secrets).await?;
    for (id, secret) in &desk.agents {
        let status = json!({ "status": "online" });
        desk.client.ask(Method::PUT, "/v1/me/status", secret.reveal(), Some(&status)).await?;
        tracing::debug!(agent = id, "online");
    }
    let bar = output::progress("a day at the desk");
    bar.set_length(DAY.len() as u64);
    let mut told = Vec::with_capacity(DAY.len());
    for (index, line) in DAY.iter().enumerate() {
        told.push(desk.tell(index, line).await?);
        bar.inc(1);
        tokio::time::sleep(PAUSE).await;
    }
    if let Some((channel, secret)) = call::channel(config) {
        told.push(desk.miss_a_call(channel, &secret).await?);
    }
    if let Some(door) = mail::door(config) {
        told.extend(desk.write_a_mail(&door).await?);
    }
    bar.finish_and_clear();
    desk.wait_for_answers(&mut told).await;
    let totals = verify(store).await?;
    let way_out = desk.way_out(&told);
    Ok((told, totals, way_out))
}

async fn prepare<'a>(
    config: &'a Config,
    store: &Store,
    secrets: &mut Vec<Secret>,
) -> Result<Desk<'a>, Failure> {
    let webhook = |channel: &&ChannelConfig| channel.kind == ChannelKind::Webhook;
    let channel = config.channels.iter().find(webhook);
    let channel = channel.ok_or_else(|| Failure::usage("the demo needs a webhook channel"))?;
    let text = channel.options.get("secret").and_then(Value::as_str).unwrap_or_default();
    let secret = signature::Secret::parse(text)
        .map_err(|error| Failure::usage(format!("the channel's secret: {error}")))?;
    let random = SystemRandom::new();
    let mut make = async |role: Role, agent: Option<&postroom_model::AgentSettings>| {
        let principal = Principal {
            role,
            agent: agent.map(|agent| agent.id.clone()),
            name: agent.map_or("demo", |agent| agent.name.as_str()).to_owned(),
            channels: Vec::new(),
        };
        let made = token::create(store, CredentialKind::Token, principal, &random).await?;
        secrets.push(made.clone());
        Ok::<Secret, Failure>(made)
    };
    let admin = make(Role::Admin, None).await?;
    let mut agents = Vec::new();
    for agent in &config.agents {
        agents.push((agent.id.to_string(), make(Role::Agent, Some(agent)).await?));
    }
    let ids =
        IdSource::new(std::sync::Arc::new(SystemClock), std::sync::Arc::new(SystemRandom::new()));
    let run = ids.next().simple().to_string();
    Ok(Desk {
        client: Client::new(&format!("http://{}", config.server.listen))?,
        callback: listen(channel, &secret).await,
        channel,
        secret,
        admin,
        agents,
        run,
    })
}

/// Answers arrive here if the channel's callback is an address of this machine whose port is free.
async fn listen(channel: &ChannelConfig, secret: &signature::Secret) -> Option<Callback> {
    let option = |key: &str| channel.options.get(key).and_then(Value::as_str);
    let url: url::Url = option("callback_url")?.parse().ok()?;
    let address = url.socket_addrs(|| None).ok()?.into_iter().find(|at| at.ip().is_loopback())?;
    let mut secrets = vec![secret.clone()];
    secrets.extend(option("callback_secret").and_then(|s| signature::Secret::parse(s).ok()));
    Callback::listen(address, secrets, &TaskTracker::new()).await
}

impl Desk<'_> {
    /// Posts one line, waits until it is routed, and answers it if the script says so.
    async fn tell(&self, index: usize, line: &Line) -> Result<Told, Failure> {
        let id = format!("demo-{}-{index}", self.run);
        let body = json!({
            "id": id,
            "thread": format!("demo-{}-{}", self.run, line.customer),
            "from": { "id": format!("demo-{}", line.customer), "name": line.name },
            "text": line.text,
        });
        let channel = self.channel.id.as_str();
        let taken = self.client.post_event(channel, &self.secret, &id, &body).await?;
        let message = taken["id"].as_str().unwrap_or_default().to_owned();
        let conversation = self.routed(&message).await?;
        let id = conversation["id"].as_str().unwrap_or_default().to_owned();
        let agent = conversation["assignee"].as_str().unwrap_or_default().to_owned();
        let mut told = Told {
            customer: line.name,
            said: line.text,
            queue: conversation["queue"].as_str().unwrap_or_default().to_owned(),
            agent,
            why: self.why(&conversation).await?,
            answered: None,
            answer: None,
        };
        if let Some(secret) = self.agents.iter().find(|(name, _)| *name == told.agent) {
            self.answer(&id, line, &secret.1, &mut told).await?;
        }
        Ok(told)
    }

    async fn why(&self, conversation: &Value) -> Result<String, Failure> {
        let id = conversation["id"].as_str().unwrap_or_default();
        let path = format!("/v1/conversations/{id}/explanation");
        let explained = self.client.ask(Method::GET, &path, self.admin.reveal(), None).await?;
        let summary = explained["summary"].as_array().into_iter().flatten();
        Ok(summary.filter_map(Value::as_str).collect::<Vec<_>>().join(" "))
    }

    /// Waits until the message is on the timeline of a conversation.
    async fn routed(&self, message: &str) -> Result<Value, Failure> {
        let path = format!("/v1/commands/{message}");
        let token = self.admin.reveal();
        let started = tokio::time::Instant::now();
        while started.elapsed() < WAIT {
            if let Ok(found) = self.client.ask(Method::GET, &path, token, None).await
                && let Some(id) = found["outcome"]["conversation"].as_str()
            {
                let path = format!("/v1/conversations/{id}");
                return self.client.ask(Method::GET, &path, token, None).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(Failure::failed(format!("message {message} was not routed within {WAIT:?}")))
    }

    async fn answer(
        &self,
        conversation: &str,
        line: &Line,
        agent: &Secret,
        told: &mut Told,
    ) -> Result<(), Failure> {
        let path = format!("/v1/conversations/{conversation}");
        let can_send = self.channel.options.contains_key("callback_url");
        if let Some(text) = line.answer.filter(|_| can_send) {
            let body = json!({ "text": text });
            let replies = format!("{path}/replies");
            self.client.ask(Method::POST, &replies, agent.reveal(), Some(&body)).await?;
            told.answered = Some(text);
            told.answer = Some("queued");
        }
        if line.resolve {
            let resolve = format!("{path}/resolve");
            self.client.ask(Method::POST, &resolve, agent.reveal(), Some(&json!({}))).await?;
        }
        Ok(())
    }

    /// Where the answers went, in words.
    fn way_out(&self, told: &[Told]) -> String {
        let id = &self.channel.id;
        let Some(url) = self.channel.options.get("callback_url").and_then(Value::as_str) else {
            return format!(
                "No answers were sent: channel {id} has no callback_url. Write one, such as \
                 \"http://127.0.0.1:9000/out\", and allow = [\"127.0.0.1/32\"] in [outgoing]."
            );
        };
        let url = url.split(['?', '#']).next().unwrap_or_default();
        if self.callback.is_none() {
            return format!(
                "Answers go to {url}, where the demo cannot listen: it is not an address of this \
                 machine, or its port is taken."
            );
        }
        let answered = told.iter().filter(|line| line.answered.is_some()).count();
        let arrived = told.iter().filter(|line| line.answer == Some("arrived")).count();
        format!(
            "{arrived} of {answered} answers arrived at {url}, signed; the demo listened there."
        )
    }

    /// Answers that arrived at the callback, each with a right signature.
    async fn wait_for_answers(&self, told: &mut [Told]) {
        let Some(callback) = &self.callback else { return };
        let wanted = told.iter().filter(|line| line.answer == Some("queued")).count();
        let mut arrived = callback.arrived.clone();
        let all = arrived.wait_for(|all| all.len() >= wanted);
        drop(tokio::time::timeout(WAIT, all).await);
        let texts: Vec<String> = arrived
            .borrow()
            .values()
            .filter_map(|body| body["text"].as_str().map(str::to_owned))
            .collect();
        for line in told {
            if line.answered.is_some_and(|text| texts.iter().any(|one| one == text)) {
                line.answer = Some("arrived");
            }
        }
    }
}

/// Every input has an outcome, and the records are the fold of the ledger.
async fn verify(store: &Store) -> Result<Value, Failure> {
    let (inlet, ledger) = (store.inlet.as_ref(), store.ledger.as_ref());
    let report = postroom_router::verify(inlet, ledger, store.records.as_ref(), &|_, _| {}).await?;
    Ok(serde_json::to_value(report).unwrap_or_default())
}

fn report(shared: &Shared, told: &[Told], totals: &Value, way_out: &str) {
    if shared.json {
        output::json(&json!({ "day": told, "totals": totals, "way_out": way_out }));
        return;
    }
    let row = |line: &Told| {
        vec![
            line.customer.to_owned(),
            line.said.to_owned(),
            line.queue.clone(),
            if line.agent.is_empty() { "waits".to_owned() } else { line.agent.clone() },
            line.answer.unwrap_or("-").to_owned(),
        ]
    };
    let head = ["CUSTOMER", "SAID", "QUEUE", "AGENT", "ANSWER"];
    output::table(&head, told.iter().map(row).collect());
    output::say("\nWhy each is where it is:");
    for line in told {
        output::say(&format!("  {}: {}", line.customer, line.why));
    }
    output::say(&format!("\n{way_out}"));
    output::say(&format!(
        "\n{} messages, {} inputs decided, {} unaccounted.",
        told.len(),
        totals["inputs"],
        totals["unaccounted"]
    ));
}
