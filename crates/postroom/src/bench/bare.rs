//! What the disk and the engine give without a server: synced appends, a bare log, bare records.

use std::io::Write as _;
use std::path::Path;

use bytes::Bytes;
use postroom_embedded::raw::RawMessage;
use postroom_model::SeededRandom;
use tokio::task::JoinSet;

use super::raw::{RawLog, RawRows};
use super::recorded::RowBytes;
use super::stats::{Stopwatch, rate};
use crate::failure::Failure;

const SYNCS: usize = 200;
const SYNC_BYTES: usize = 4_096;
/// Messages for each conversation.
const MESSAGES_EACH: u64 = 5;

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::failed(format!("the disk cannot be measured: {error}"))
}

/// Appends of 4 KiB, each synced, a second.
pub(super) fn fsync_per_s(folder: &Path) -> Result<f64, Failure> {
    let mut file = std::fs::File::create(folder.join("synced")).map_err(broken)?;
    let block = [7; SYNC_BYTES];
    let watch = Stopwatch::start();
    for _ in 0..SYNCS {
        file.write_all(&block).and_then(|()| file.sync_data()).map_err(broken)?;
    }
    Ok(rate(SYNCS, watch.ns()))
}

/// Bodies stored a second when as many callers as there are connections wait for theirs.
pub(super) async fn publish_per_s(
    store: &RawLog,
    messages: usize,
    payload_bytes: usize,
    callers: usize,
) -> Result<f64, Failure> {
    let body = Bytes::from(vec![b'x'; payload_bytes]);
    let watch = Stopwatch::start();
    let mut running = JoinSet::new();
    for caller in 0..callers {
        let (store, body) = (store.clone(), body.clone());
        let share = messages / callers + usize::from(caller < messages % callers);
        running.spawn(async move {
            for _ in 0..share {
                store.append(body.clone()).await?;
            }
            Ok::<(), postroom_bus::BusError>(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.map_err(broken)??;
    }
    Ok(rate(messages, watch.ns()))
}

/// Messages recorded a second, three rows each, in batches as large as the product's were.
pub(super) async fn records_per_s(
    store: &RawRows,
    messages: usize,
    batch: usize,
    bytes: RowBytes,
) -> Result<f64, Failure> {
    let mut writer = Writer { random: SeededRandom::new(1), bytes, conversations: 0, messages: 0 };
    let mut ns = 0;
    let mut left = messages;
    while left > 0 {
        let count = left.min(batch.max(1));
        // Made before the watch runs: what is measured is storing.
        let batch = (0..count).map(|_| writer.message()).collect();
        let watch = Stopwatch::start();
        store.write(batch).await?;
        ns += watch.ns();
        left -= count;
    }
    Ok(rate(messages, ns))
}

struct Writer {
    random: SeededRandom,
    bytes: RowBytes,
    conversations: u64,
    messages: u64,
}

impl Writer {
    fn message(&mut self) -> RawMessage {
        let opens = self.conversations == 0 || self.random.below(MESSAGES_EACH) == 0;
        self.conversations += u64::from(opens);
        let conversation =
            if opens { self.conversations } else { self.random.below(self.conversations) + 1 };
        self.messages += 1;
        let mut entry = [0; 24];
        let (of, position) = entry.split_at_mut(16);
        of.copy_from_slice(&ordered(conversation));
        position.copy_from_slice(&self.messages.to_be_bytes());
        let data = |bytes: usize| Bytes::from(vec![b'x'; bytes]);
        RawMessage {
            timeline: (entry, data(self.bytes.timeline)),
            conversation: (ordered(conversation), data(self.bytes.conversation)),
            seen: (scattered(u64::MAX - self.messages), data(self.bytes.seen)),
        }
    }
}

/// A key in no order, as hashed ids are.
fn scattered(number: u64) -> [u8; 16] {
    postroom_model::digest::Digest::of(&number.to_be_bytes()).head()
}

/// A key in the order in which it was made, as ids made here are.
fn ordered(number: u64) -> [u8; 16] {
    u128::from(number).to_be_bytes()
}
