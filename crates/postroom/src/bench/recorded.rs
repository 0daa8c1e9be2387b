//! Sees from outside when messages stand in the records: looks at the same file as a process of its
//! own, and afterwards reads in the ledger which message came with which envelope.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postroom_bus::ReadLimits;
use postroom_model::{
    ChannelId, ConversationId, Envelope, InputId, MessageId, OutcomeKind, WorkspaceId,
};
use postroom_records::{Key, Row};

use super::stats::Stopwatch;
use super::traffic::{CHANNEL, Post};
use crate::failure::Failure;
use crate::store::Store;

/// How often the records are asked where they stand.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How long the router may take for what was accepted.
const PATIENCE: Duration = Duration::from_mins(3);
/// Messages whose rows are looked at.
const SAMPLE: usize = 200;

/// When the records came to hold which envelope.
pub(super) type Moments = Vec<(u64, u64)>;

/// Looks until `posted` is set and everything accepted is decided and recorded.
pub(super) async fn look(
    store: &Store,
    posted: &AtomicBool,
    watch: Stopwatch,
) -> Result<Moments, Failure> {
    let looking = async {
        let (mut moments, mut last) = (Moments::new(), None);
        loop {
            let over = posted.load(Ordering::Relaxed);
            let seq = store.records.standing().await?.seq;
            if moments.last().is_none_or(|(_, last)| *last < seq) {
                moments.push((watch.ns(), seq));
            } else if over {
                let accepted = match last {
                    Some(accepted) => accepted,
                    None => *last.insert(store.inlet.last().await?),
                };
                if decided(store).await? >= accepted {
                    return Ok(moments);
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let looked = tokio::time::timeout(PATIENCE, looking).await;
    looked.unwrap_or_else(|_| Err(Failure::failed("what was accepted was not all routed in time")))
}

/// How much of the inlet the records hold, by a row of theirs: looking at the ledger's last envelope all
/// the time would take processor from those who are measured.
async fn decided(store: &Store) -> Result<u64, Failure> {
    let rows = store.records.load(&[Key::Totals]).await?;
    Ok(match rows.first() {
        Some(Some(Row::Totals(totals))) => totals.inlet_seq,
        _ => 0,
    })
}

/// What the ledger says about a run of messages.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// By message: the envelope that holds it.
    envelope_of: BTreeMap<MessageId, u64>,
    /// The first messages with their conversations and the positions of their entries.
    sample: Vec<(MessageId, ConversationId, u64)>,
    pub(super) envelopes: usize,
    pub(super) events: usize,
}

/// Reads the ledger after `seq`.
pub(super) async fn told_after(store: &Store, mut seq: u64) -> Result<Told, Failure> {
    let mut told = Told::default();
    loop {
        let entries = store.ledger.read(seq, ReadLimits::default()).await?;
        let Some(last) = entries.last() else { return Ok(told) };
        seq = last.seq;
        for entry in &entries {
            let envelope = decoded(&entry.bytes)?;
            told.envelopes += 1;
            told.add(entry.seq, &envelope);
        }
    }
}

impl Told {
    fn add(&mut self, seq: u64, envelope: &Envelope) {
        let mut position = envelope.first_event;
        for transition in &envelope.transitions {
            // The message is the last event but those of an assignment; its own says where it stands.
            for event in &transition.events {
                if let (postroom_model::EventBody::MessageReceived { id, .. }, Some(conversation)) =
                    (&event.body, event.conversation)
                    && self.sample.len() < SAMPLE
                {
                    self.sample.push((*id, conversation, position));
                }
                position += 1;
            }
            self.events += transition.events.len();
            let outcome = transition.outcome.as_ref();
            let routed = outcome.filter(|outcome| outcome.kind == OutcomeKind::Routed);
            if let Some(message) = routed.and_then(|outcome| outcome.message) {
                self.envelope_of.insert(message, seq);
            }
        }
    }

    /// When each of the posts was recorded; fails if one was not routed.
    pub(super) fn times(&self, posts: &[Post], moments: &Moments) -> Result<Vec<u64>, Failure> {
        let workspace = WorkspaceId::main();
        let channel = ChannelId::new(CHANNEL)
            .map_err(|error| Failure::failed(format!("{CHANNEL}: {error}")))?;
        let time = |post: &Post| {
            let id = MessageId::of_external(&workspace, &channel, &post.external_id);
            let seq = *self.envelope_of.get(&id)?;
            let at = moments.partition_point(|(_, stands)| *stands < seq);
            moments.get(at).map(|(ns, _)| *ns)
        };
        let lost = |post: &Post| {
            Failure::failed(format!("{} was accepted and not routed", post.external_id))
        };
        posts.iter().map(|post| time(post).ok_or_else(|| lost(post))).collect()
    }

    /// Mean bytes of the rows that a message writes; fails if one is not there or has no queue.
    pub(super) async fn row_bytes(&self, store: &Store) -> Result<RowBytes, Failure> {
        let mut all = RowBytes::default();
        for (message, conversation, position) in &self.sample {
            let keys = [
                Key::Timeline(*conversation, *position),
                Key::Conversation(*conversation),
                Key::Seen(InputId(message.0)),
            ];
            let rows = store.records.load(&keys).await?;
            let [Some(timeline), Some(held), Some(seen)] = rows.as_slice() else {
                return Err(Failure::failed(format!("{message} is not in the records")));
            };
            if !matches!(held, Row::Conversation(row) if row.queue.is_some()) {
                return Err(Failure::failed(format!("{conversation} has no queue")));
            }
            all.timeline += json_bytes(timeline);
            all.conversation += json_bytes(held);
            all.seen += json_bytes(seen);
        }
        let count = self.sample.len().max(1);
        Ok(RowBytes {
            timeline: all.timeline / count,
            conversation: all.conversation / count,
            seen: all.seen / count,
        })
    }
}

/// Bytes in the rows that a message writes.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct RowBytes {
    pub(super) timeline: usize,
    pub(super) conversation: usize,
    pub(super) seen: usize,
}

fn json_bytes(row: &Row) -> usize {
    serde_json::to_vec(row).map_or(0, |bytes| bytes.len())
}

fn decoded(bytes: &[u8]) -> Result<Envelope, Failure> {
    let read = Envelope::decode(bytes);
    read.map(|(envelope, _)| envelope).map_err(|error| Failure::failed(error.to_string()))
}
