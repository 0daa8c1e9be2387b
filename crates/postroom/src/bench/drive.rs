//! Posts messages: as fast as a number of connections can, or at a fixed rate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::stats::Stopwatch;
use super::traffic::Post;
use super::wire::Connection;
use crate::failure::Failure;

/// When one post began and when it was answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    pub(super) index: usize,
    pub(super) begun_ns: u64,
    pub(super) answered_ns: u64,
}

/// How posts are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) connections: usize,
    /// The time from one post to the next; none posts as soon as the one before is answered.
    pub(super) every: Option<Duration>,
}

/// Posts all of them and gives their times by the watch, in the order of the posts. With a fixed rate
/// a post begins when it is due, not when a connection was free for it.
pub(super) async fn post_all(
    address: SocketAddr,
    posts: &Arc<Vec<Post>>,
    pace: Pace,
    watch: Stopwatch,
) -> Result<Vec<Timing>, Failure> {
    let next = Arc::new(AtomicUsize::new(0));
    let begin_ns = watch.ns();
    let mut running = JoinSet::new();
    for _ in 0..pace.connections.clamp(1, posts.len().max(1)) {
        let (posts, next) = (Arc::clone(posts), Arc::clone(&next));
        let due = move |index: usize| {
            let every = u64::try_from(pace.every?.as_nanos()).ok()?;
            Some(begin_ns + every * index as u64)
        };
        running.spawn(async move { post_some(address, &posts, &next, due, watch).await });
    }
    let mut timings = Vec::with_capacity(posts.len());
    while let Some(ended) = running.join_next().await {
        timings.extend(ended.map_err(|error| Failure::failed(error.to_string()))??);
    }
    timings.sort_unstable_by_key(|timing| timing.index);
    Ok(timings)
}

async fn post_some(
    address: SocketAddr,
    posts: &[Post],
    next: &AtomicUsize,
    due: impl Fn(usize) -> Option<u64>,
    watch: Stopwatch,
) -> Result<Vec<Timing>, Failure> {
    let broken = |error: std::io::Error| Failure::failed(format!("a post broke off: {error}"));
    let mut connection = Connection::open(address).await.map_err(broken)?;
    let mut timings = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(post) = posts.get(index) else { return Ok(timings) };
        let due_ns = due(index);
        if let Some(wait_ns) = due_ns.and_then(|at| at.checked_sub(watch.ns())) {
            tokio::time::sleep(Duration::from_nanos(wait_ns)).await;
        }
        let begun_ns = due_ns.unwrap_or_else(|| watch.ns());
        let status = connection.exchange(&post.request).await.map_err(broken)?;
        if status != 202 {
            return Err(Failure::failed(format!("a post was answered with {status}")));
        }
        timings.push(Timing { index, begun_ns, answered_ns: watch.ns() });
    }
}
