//! What is measured once, on the store that the last round left: an agent who looks on, the start with
//! many open conversations, and the records made anew.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::drive::{Pace, post_all};
use super::product::House;
use super::recorded;
use super::report::{Rebuild, Seen, Start};
use super::rounds::Product;
use super::seen;
use super::stats::{Stopwatch, float, percentile_ms, rounded};
use super::traffic::Mix;
use crate::failure::Failure;

/// Messages a second, and for how many seconds, while an agent looks on.
const SEEN_PER_S: u32 = 1_000;
const SEEN_SECONDS: u32 = 10;
/// Enough that one is free whenever a message is due.
const SEEN_CONNECTIONS: usize = 128;
/// Openings posted at once; they are signed for minutes only.
const FILL_STEP: usize = 25_000;

pub(super) async fn seen_by_agent(product: &mut Product) -> Result<Seen, Failure> {
    let count = (SEEN_PER_S * SEEN_SECONDS) as usize;
    let posts = product.traffic.posts(count, Mix::Day);
    let every = Duration::from_secs(1) / SEEN_PER_S;
    let pace = Pace { connections: SEEN_CONNECTIONS, every: Some(every) };
    let mut delays = seen::delays(&product.server, &product.token, posts, pace).await?;
    delays.sort_unstable();
    Ok(Seen {
        p50_ms: rounded(percentile_ms(&delays, 50)),
        p99_ms: rounded(percentile_ms(&delays, 99)),
        at_per_s: SEEN_PER_S,
    })
}

/// Opens conversations until there are as many.
pub(super) async fn fill(product: &mut Product, open: usize, pace: Pace) -> Result<(), Failure> {
    while let Some(missing) = open.checked_sub(product.traffic.open_count()).filter(|n| *n > 0) {
        let posts = Arc::new(product.traffic.posts(missing.min(FILL_STEP), Mix::Openings));
        post_all(product.server.address, &posts, pace, Stopwatch::start()).await?;
    }
    let store = product.house.store().await?;
    recorded::look(&store, &AtomicBool::new(true), Stopwatch::start()).await?;
    Ok(())
}

/// Stops the product and starts it twice; gives the memory that it then has in use, too.
pub(super) async fn start(product: Product) -> Result<(Start, u64, House), Failure> {
    let Product { house, server, traffic, .. } = product;
    server.stop().await?;
    let watch = Stopwatch::start();
    let server = house.serve().await?;
    let seconds = watch.seconds();
    let rss_bytes = server.rss_bytes()?;
    server.stop().await?;
    let snapshots = house.snapshots();
    std::fs::remove_dir_all(&snapshots).map_err(|error| {
        Failure::failed(format!("{} cannot be deleted: {error}", snapshots.display()))
    })?;
    let watch = Stopwatch::start();
    let server = house.serve().await?;
    let seconds_without_snapshot = watch.seconds();
    server.stop().await?;
    let start = Start {
        open_conversations: traffic.open_count() as u64,
        seconds: rounded(seconds),
        seconds_without_snapshot: rounded(seconds_without_snapshot),
    };
    Ok((start, rss_bytes, house))
}

pub(super) async fn rebuild(house: &House) -> Result<Rebuild, Failure> {
    let store = house.store().await?;
    let watch = Stopwatch::start();
    let (ledger, records) = (store.ledger.as_ref(), store.records.as_ref());
    let standing = postroom_router::rebuild(ledger, records, &|_, _| {}).await?;
    let events = standing.last_event;
    Ok(Rebuild { events_per_s: rounded(float(events) / watch.seconds()), events })
}
