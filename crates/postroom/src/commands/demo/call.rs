//! The missed call of the day: it comes in at the door of a phone channel, waits in its queue, an agent
//! takes it up, calls back, and logs that call by hand.

use http::Method;
use postroom_channel::signature;
use postroom_config::{ChannelConfig, Config};
use postroom_model::{ChannelKind, Clock as _, SystemClock};
use serde_json::{Value, json};

use super::{Desk, Told};
use crate::failure::Failure;

const NAME: &str = "Hugo Lindqvist";
const NUMBER: &str = "+442079460011";
/// How long the agent then talks.
const TALK_S: u64 = 95;

/// A phone channel to which a call can be posted as one posts a chat message.
pub(super) fn channel(config: &Config) -> Option<(&ChannelConfig, signature::Secret)> {
    let generic = |channel: &&ChannelConfig| {
        let dialect = channel.dialect.as_deref().unwrap_or("generic");
        channel.kind == ChannelKind::Phone && dialect == "generic"
    };
    let channel = config.channels.iter().find(generic)?;
    let secret = channel.options.get("secret").and_then(Value::as_str)?;
    Some((channel, signature::Secret::parse(secret).ok()?))
}

impl Desk<'_> {
    /// The call rings, nobody answers, and it is called back.
    pub(super) async fn miss_a_call(
        &self,
        channel: &ChannelConfig,
        secret: &signature::Secret,
    ) -> Result<Told, Failure> {
        const RANG_MS: i64 = 25_000;
        let call = format!("demo-{}-call", self.run);
        let now = SystemClock.now();
        let mut taken = Value::Null;
        for (state, at, more) in [
            ("ringing", now.plus_millis(-RANG_MS), json!({})),
            ("ended", now, json!({ "disposition": "no_answer" })),
        ] {
            let mut body = json!({ "call_id": call, "state": state, "at": at, "direction": "in",
                "from": NUMBER, "from_name": NAME, "to": "200" });
            if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
                body.extend(more);
            }
            let id = format!("{call}-{state}");
            taken = self.client.post_event(channel.id.as_str(), secret, &id, &body).await?;
        }
        let report = taken["id"].as_str().unwrap_or_default().to_owned();
        let conversation = self.routed(&report).await?;
        let mut told = Told {
            customer: NAME,
            said: "(a missed call)",
            queue: conversation["queue"].as_str().unwrap_or_default().to_owned(),
            agent: conversation["assignee"].as_str().unwrap_or_default().to_owned(),
            why: self.why(&conversation).await?,
            answered: None,
            answer: None,
        };
        self.call_back(&conversation, &mut told).await?;
        Ok(told)
    }

    /// Whoever serves the queue takes it up if nobody was given it.
    async fn call_back(&self, conversation: &Value, told: &mut Told) -> Result<(), Failure> {
        let path = format!("/v1/conversations/{}", conversation["id"].as_str().unwrap_or_default());
        for (agent, secret) in &self.agents {
            if !told.agent.is_empty() && told.agent != *agent {
                continue;
            }
            if told.agent.is_empty() {
                let claim = format!("{path}/claim");
                let empty = json!({});
                let claimed =
                    self.client.ask(Method::POST, &claim, secret.reveal(), Some(&empty)).await;
                // Somebody who does not serve the queue.
                if claimed.is_err() {
                    continue;
                }
                told.agent.clone_from(agent);
            }
            let logged = json!({ "disposition": "answered", "talk_s": TALK_S });
            let calls = format!("{path}/calls");
            let after =
                self.client.ask(Method::POST, &calls, secret.reveal(), Some(&logged)).await?;
            if after["status"] == "resolved" {
                told.answer = Some("called back");
            }
            return Ok(());
        }
        Ok(())
    }
}
