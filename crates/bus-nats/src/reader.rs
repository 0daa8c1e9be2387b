//! Reads a stream by sequence, many entries at a time.
//!
//! A consumer on the server is warm for whoever reads on from where they stopped; for another place
//! there is another. It is thrown away at the first sign of anything but the next messages: a gap in
//! what it delivered, silence, an answer that says it is gone. Where the next read begins is told by
//! the caller, so nothing is lost with it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use async_nats::{Message, StatusCode, Subscriber};
use futures_util::StreamExt as _;
use postroom_bus::{BusError, ReadLimits};

use crate::answers::{ConsumerConfig, CreateConsumer, Pull, Which};
use crate::api::Api;
use crate::entry::Stored;
use crate::limits::{
    CLUSTER_LOOKS, CLUSTER_PAUSE, CONSUMER_IDLE, CURSORS_MAX, DEAF_LOOKS, HEADERS_BYTES_MAX,
    LOOK_AGAIN, PULL_ENTRIES_MAX, PULL_WAIT,
};
use crate::refusal::Failure;

/// Reads one stream.
#[derive(Debug)]
pub(crate) struct Reader {
    api: Api,
    stream: String,
    /// Whether every sequence is there, from the first.
    gapless: bool,
    /// Those that wait for the next read, the last used at the end.
    cursors: Mutex<Vec<Cursor>>,
}

/// A consumer, and what it has delivered already.
#[derive(Debug)]
struct Cursor {
    consumer: String,
    inbox: String,
    answers: Subscriber,
    pulls: u64,
    /// Messages that it delivered.
    delivered: u64,
    /// The sequence of the last one, or what it was started after.
    pulled: u64,
    /// Delivered, and not yet read.
    held: VecDeque<Stored>,
    /// Up to where it was read.
    read: u64,
}

impl Reader {
    pub(crate) fn new(api: Api, stream: &str, gapless: bool) -> Self {
        Self { api, stream: stream.to_owned(), gapless, cursors: Mutex::default() }
    }

    /// Entries after `after`. `known` is a sequence that the stream has reached, if it is later: then
    /// a consumer that gives nothing is not believed.
    pub(crate) async fn read(
        &self,
        after: u64,
        known: u64,
        limits: ReadLimits,
    ) -> Result<Vec<Stored>, BusError> {
        if after == u64::MAX {
            return Ok(Vec::new());
        }
        if limits.entries_max <= 1 {
            return self.read_one(after).await;
        }
        if let Some(cursor) = self.take(after) {
            match self.read_on(cursor, known, limits).await {
                Ok(entries) if !entries.is_empty() || known <= after => return Ok(entries),
                Ok(_) => tracing::debug!(stream = self.stream, "a consumer is deaf"),
                // It may be gone with a server that was restarted, or stalled.
                Err(error) => tracing::debug!(stream = self.stream, %error, "a consumer is lost"),
            }
        }
        let entries = self.read_anew(after, known, limits).await?;
        if !entries.is_empty() || known <= after {
            return Ok(entries);
        }
        self.read_what_must_be_there(after, limits).await
    }

    /// One entry is asked for by its sequence.
    async fn read_one(&self, after: u64) -> Result<Vec<Stored>, BusError> {
        let seq = after.saturating_add(1);
        let which =
            if self.gapless { Which::At { seq } } else { Which::From { seq, next_by_subj: ">" } };
        Ok(self.api.message(&self.stream, which).await?.into_iter().collect())
    }

    /// A consumer may stand on a server that lags behind the leader.
    async fn read_what_must_be_there(
        &self,
        after: u64,
        limits: ReadLimits,
    ) -> Result<Vec<Stored>, BusError> {
        for _ in 0..DEAF_LOOKS {
            let state = self.api.stream(&self.stream).await?.map(|info| info.state);
            let Some(state) = state.filter(|s| s.messages > 0 && s.last_seq > after) else {
                return Ok(Vec::new());
            };
            tokio::time::sleep(LOOK_AGAIN).await;
            let entries = self.read_anew(after, state.last_seq, limits).await?;
            if !entries.is_empty() {
                return Ok(entries);
            }
        }
        Err(BusError::Unavailable(format!("{} does not give what it has", self.stream)))
    }

    async fn read_anew(
        &self,
        after: u64,
        known: u64,
        limits: ReadLimits,
    ) -> Result<Vec<Stored>, BusError> {
        let cursor = self.open(after).await?;
        self.read_on(cursor, known, limits).await
    }

    /// Reads with a cursor, and keeps it for the next read unless it failed. A consumer that stands on
    /// a server which lags is asked again for the rest of what is known to be there.
    async fn read_on(
        &self,
        mut cursor: Cursor,
        known: u64,
        limits: ReadLimits,
    ) -> Result<Vec<Stored>, BusError> {
        let mut looks = 0;
        while !enough(&cursor.held, limits) {
            let room = room(&cursor.held, limits);
            let pulled = self.pull(&mut cursor, room).await?;
            let lags = pulled == Pulled::WhatIsThere && cursor.pulled < known;
            if !lags || cursor.held.is_empty() || looks == CLUSTER_LOOKS {
                break;
            }
            looks += 1;
            tokio::time::sleep(CLUSTER_PAUSE).await;
        }
        let entries = take_limited(&mut cursor.held, limits);
        if let Some(last) = entries.last() {
            cursor.read = last.seq;
        }
        self.keep(cursor).await;
        Ok(entries)
    }

    fn take(&self, after: u64) -> Option<Cursor> {
        let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        let at = cursors.iter().rposition(|cursor| cursor.read == after)?;
        Some(cursors.remove(at))
    }

    /// Keeps a cursor; one too many is forgotten, here and on the server.
    async fn keep(&self, cursor: Cursor) {
        let forgotten = {
            let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
            cursors.push(cursor);
            (cursors.len() > CURSORS_MAX).then(|| cursors.remove(0))
        };
        if let Some(cursor) = forgotten {
            let subject = format!("$JS.API.CONSUMER.DELETE.{}.{}", self.stream, cursor.consumer);
            // If that is lost, the server forgets it after a while by itself.
            drop(self.api.client.publish(subject, bytes::Bytes::new()).await);
        }
    }

    async fn open(&self, after: u64) -> Result<Cursor, BusError> {
        let inbox = self.api.client.new_inbox();
        let consumer = inbox.rsplit('.').next().unwrap_or("reader").to_owned();
        let answers = self.api.client.subscribe(format!("{inbox}.*")).await;
        let answers = answers.map_err(|error| BusError::Unavailable(error.to_string()))?;
        let create = CreateConsumer {
            stream_name: &self.stream,
            action: "create",
            config: ConsumerConfig {
                name: &consumer,
                deliver_policy: "by_start_sequence",
                opt_start_seq: Some(after.saturating_add(1)),
                ..ConsumerConfig::in_memory()
            },
        };
        let verb = format!("CONSUMER.CREATE.{}.{consumer}", self.stream);
        let _made: serde_json::Value = self.api.ask(&verb, &create).await?;
        Ok(Cursor {
            consumer,
            inbox,
            answers,
            pulls: 0,
            delivered: 0,
            pulled: after,
            held: VecDeque::new(),
            read: after,
        })
    }

    /// Fetches what is there, up to about the room.
    async fn pull(&self, cursor: &mut Cursor, room: ReadLimits) -> Result<Pulled, BusError> {
        let batch = room.entries_max.clamp(1, PULL_ENTRIES_MAX);
        // The server counts subject and headers too, and gives nothing of what alone is over it.
        let least = self.api.entry_bytes_max() + 2 * HEADERS_BYTES_MAX;
        let pull =
            Pull { batch, no_wait: true, max_bytes: Some(room.bytes_max.clamp(least, 2 * least)) };
        let mut pulled = self.pull_once(cursor, &pull).await?;
        let mut looks = 0;
        while pulled == Pulled::NobodyThere && cursor.delivered == 0 && looks < CLUSTER_LOOKS {
            // Just made, on a server of the cluster that ours does not know as its place yet.
            tokio::time::sleep(CLUSTER_PAUSE).await;
            pulled = self.pull_once(cursor, &pull).await?;
            looks += 1;
        }
        if pulled == Pulled::TooLarge {
            // Stored when the server took larger ones.
            let one = Pull { batch: 1, no_wait: true, max_bytes: None };
            pulled = self.pull_once(cursor, &one).await?;
        }
        match pulled {
            Pulled::WhatIsThere | Pulled::Full | Pulled::TooLarge => Ok(pulled),
            Pulled::NobodyThere => Err(BusError::Unavailable("the consumer is gone".to_owned())),
        }
    }

    async fn pull_once(&self, cursor: &mut Cursor, pull: &Pull) -> Result<Pulled, BusError> {
        cursor.pulls += 1;
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", self.stream, cursor.consumer);
        let reply = format!("{}.{}", cursor.inbox, cursor.pulls);
        let unavailable = |detail: String| BusError::Unavailable(detail);
        let body = serde_json::to_vec(pull).map_err(|error| unavailable(error.to_string()))?;
        let sent = self.api.client.publish_with_reply(subject, reply, body.into()).await;
        sent.map_err(|error| unavailable(error.to_string()))?;
        let mut received = 0;
        while received < pull.batch {
            let message = match tokio::time::timeout(PULL_WAIT, cursor.answers.next()).await {
                Ok(Some(message)) => message,
                Ok(None) => return Err(unavailable("the connection is closed".to_owned())),
                Err(_) => return Err(Failure::TimedOut.into()),
            };
            if let Some(status) = message.status {
                return ended(status, &message, received);
            }
            self.receive(cursor, message)?;
            received += 1;
        }
        Ok(Pulled::Full)
    }

    fn receive(&self, cursor: &mut Cursor, message: Message) -> Result<(), BusError> {
        let (stored, place) = Stored::delivered(message)?;
        if place != cursor.delivered + 1 || stored.seq <= cursor.pulled {
            return Err(BusError::Unavailable("messages were lost on the way".to_owned()));
        }
        if self.gapless && stored.seq != cursor.pulled + 1 {
            let (stream, pulled, seq) = (&self.stream, cursor.pulled, stored.seq);
            return Err(BusError::Damaged(format!("after {pulled}, {stream} goes on with {seq}")));
        }
        cursor.delivered = place;
        cursor.pulled = stored.seq;
        cursor.held.push_back(stored);
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Pulled {
    /// All that the consumer sees.
    WhatIsThere,
    /// As much as was asked for.
    Full,
    /// Nothing, because the next entry alone is over the limit of bytes.
    TooLarge,
    /// Nothing, because no server knows the consumer.
    NobodyThere,
}

/// What the words of the server at the end of a pull mean.
fn ended(status: StatusCode, message: &Message, received: usize) -> Result<Pulled, BusError> {
    let words = message.description.as_deref().unwrap_or_default();
    match status {
        StatusCode::NOT_FOUND | StatusCode::TIMEOUT => Ok(Pulled::WhatIsThere),
        StatusCode::NO_RESPONDERS if received == 0 => Ok(Pulled::NobodyThere),
        StatusCode::REQUEST_TERMINATED if words.contains("Exceeds MaxBytes") => {
            Ok(if received == 0 { Pulled::TooLarge } else { Pulled::Full })
        }
        other => Err(BusError::Unavailable(format!("the consumer ended: {other} {words}"))),
    }
}

/// What a read may still add to what is held.
fn room(held: &VecDeque<Stored>, limits: ReadLimits) -> ReadLimits {
    let bytes: usize = held.iter().map(|stored| stored.bytes.len()).sum();
    ReadLimits {
        entries_max: limits.entries_max.saturating_sub(held.len()),
        bytes_max: limits.bytes_max.saturating_sub(bytes),
    }
}

/// Whether what is held fills a read.
fn enough(held: &VecDeque<Stored>, limits: ReadLimits) -> bool {
    let bytes: usize = held.iter().map(|stored| stored.bytes.len()).sum();
    !held.is_empty() && (held.len() >= limits.entries_max || bytes > limits.bytes_max)
}

/// The first entries, as many as the limits let through, but one at least.
fn take_limited(held: &mut VecDeque<Stored>, limits: ReadLimits) -> Vec<Stored> {
    let mut taken: Vec<Stored> = Vec::new();
    let mut bytes = 0_usize;
    while let Some(next) = held.front() {
        bytes = bytes.saturating_add(next.bytes.len());
        let over = taken.len() >= limits.entries_max || bytes > limits.bytes_max;
        if over && !taken.is_empty() {
            break;
        }
        taken.extend(held.pop_front());
    }
    taken
}

impl ConsumerConfig<'_> {
    /// A consumer that begins with what is stored from now on, and is pulled.
    pub(crate) fn in_memory() -> Self {
        Self {
            name: "",
            deliver_policy: "new",
            opt_start_seq: None,
            ack_policy: "none",
            replay_policy: "instant",
            inactive_threshold: u64::try_from(CONSUMER_IDLE.as_nanos()).unwrap_or(u64::MAX),
            mem_storage: true,
            num_replicas: 1,
            deliver_subject: None,
            idle_heartbeat: None,
            headers_only: false,
            durable_name: None,
            filter_subject: None,
            ack_wait: None,
            max_ack_pending: None,
        }
    }
}
