//! Hints that a stream has grown, whoever wrote: the server pushes the headers of what it stored, and
//! every few seconds this asks where the stream ends, for what was missed.

use std::time::Duration;

use async_nats::{Message, Subscriber};
use futures_util::StreamExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::task::AbortOnDropHandle;
use tokio_util::task::TaskTracker;

use crate::answers::{ConsumerConfig, CreateConsumer};
use crate::api::Api;
use crate::connect::Connected;
use crate::entry::Place;
use crate::limits::{HEARTBEAT, LOOK_EVERY};
use crate::refusal::Failure;

/// Beats that may be missing before the consumer counts as dead.
const BEATS: u32 = 3;

/// Where a stream has come to. Only ever grows.
#[derive(Debug)]
pub(crate) struct Hints {
    reached: watch::Sender<u64>,
    /// Ends with the last who listens.
    _lookout: AbortOnDropHandle<()>,
}

impl Hints {
    /// Starts to look out, from where the stream stands now.
    pub(crate) fn start(
        api: Api,
        stream: &str,
        last: u64,
        connected: &Connected,
        tasks: &TaskTracker,
    ) -> Self {
        let reached = watch::Sender::new(last);
        let lookout = Lookout {
            api,
            stream: stream.to_owned(),
            reached: reached.clone(),
            times: connected.times.clone(),
        };
        let lookout = AbortOnDropHandle::new(tasks.spawn(lookout.run()));
        Self { reached, _lookout: lookout }
    }

    pub(crate) fn raise(&self, seq: u64) {
        raise(&self.reached, seq);
    }

    pub(crate) fn reached(&self) -> u64 {
        *self.reached.borrow()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.reached.subscribe()
    }
}

/// Wakes those who listen if it is new.
fn raise(reached: &watch::Sender<u64>, seq: u64) {
    reached.send_if_modified(|held| {
        let new = seq > *held;
        *held = seq.max(*held);
        new
    });
}

struct Lookout {
    api: Api,
    stream: String,
    reached: watch::Sender<u64>,
    times: watch::Receiver<u64>,
}

impl Lookout {
    async fn run(mut self) {
        loop {
            self.times.mark_unchanged();
            match self.listen().await {
                Ok(pushed) => self.follow(pushed).await,
                Err(error) => {
                    tracing::debug!(stream = self.stream, %error, "no hints are pushed");
                    self.pause().await;
                }
            }
            self.look().await;
        }
    }

    /// Has the server push, from now on.
    async fn listen(&self) -> Result<Subscriber, Failure> {
        let inbox = self.api.client.new_inbox();
        let name = inbox.rsplit('.').next().unwrap_or("lookout");
        let pushed = self.api.client.subscribe(inbox.clone()).await;
        let pushed = pushed.map_err(|error| Failure::Other(error.to_string()))?;
        let create = CreateConsumer {
            stream_name: &self.stream,
            action: "create",
            config: ConsumerConfig {
                name,
                deliver_subject: Some(&inbox),
                idle_heartbeat: Some(u64::try_from(HEARTBEAT.as_nanos()).unwrap_or(u64::MAX)),
                headers_only: true,
                ..ConsumerConfig::in_memory()
            },
        };
        let verb = format!("CONSUMER.CREATE.{}.{name}", self.stream);
        let _made: serde_json::Value = self.api.ask(&verb, &create).await?;
        // What was stored before the consumer was made.
        self.look().await;
        Ok(pushed)
    }

    /// Follows until the consumer is silent or the connection was made anew.
    async fn follow(&mut self, mut pushed: Subscriber) {
        let mut looks = tokio::time::interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let silence = HEARTBEAT * BEATS;
        let mut dead_at = Instant::now() + silence;
        loop {
            tokio::select! {
                message = pushed.next() => match message {
                    Some(message) => {
                        dead_at = Instant::now() + silence;
                        self.note(&message);
                    }
                    None => return self.pause().await,
                },
                () = tokio::time::sleep_until(dead_at) => return,
                _ = looks.tick() => self.look().await,
                changed = self.times.changed() => {
                    if changed.is_err() {
                        self.pause().await;
                    }
                    return;
                }
            }
        }
    }

    fn note(&self, message: &Message) {
        if let Some(place) = message.reply.as_deref().and_then(Place::parse) {
            raise(&self.reached, place.stream_seq);
        }
    }

    async fn look(&self) {
        match self.api.stream(&self.stream).await {
            Ok(Some(info)) => raise(&self.reached, info.state.last_seq),
            Ok(None) => tracing::warn!(stream = self.stream, "the stream is gone"),
            Err(error) => tracing::debug!(stream = self.stream, %error, "cannot look"),
        }
    }

    /// A while, or until the connection comes back.
    async fn pause(&mut self) {
        let back = tokio::time::timeout(LOOK_EVERY, self.times.changed()).await;
        if matches!(back, Ok(Err(_))) {
            // The client is gone; its end ends this task too.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}
