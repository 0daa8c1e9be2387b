//! How long it takes until an agent sees on the event stream what a customer has posted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::child::Server;
use super::drive::{Pace, post_all};
use super::stats::Stopwatch;
use super::traffic::Post;
use super::wire::Connection;
use crate::failure::Failure;

/// How long the last events may take.
const PATIENCE: Duration = Duration::from_secs(30);
const FIELD: &str = r#""external_id":""#;

/// Posts at this pace and gives, for each post, the nanoseconds from when it was due until its event
/// was read by the agent.
pub(super) async fn delays(
    server: &Server,
    token: &str,
    posts: Vec<Post>,
    pace: Pace,
) -> Result<Vec<u64>, Failure> {
    let broken = |error: std::io::Error| Failure::failed(format!("no event stream: {error}"));
    let mut stream = Connection::open(server.address).await.map_err(broken)?;
    // The older protocol has no chunks to be taken apart.
    let request = format!(
        "GET /v1/events HTTP/1.0\r\nhost: postroom\r\nauthorization: Bearer {token}\r\n\
         accept: text/event-stream\r\n\r\n"
    );
    stream.send(request.as_bytes()).await.map_err(broken)?;
    // The first bytes come when the stream has its place.
    stream.more().await.map_err(broken)?;
    let posts = Arc::new(posts);
    let watch = Stopwatch::start();
    let reading = tokio::time::timeout(PATIENCE + expected(&posts, pace), async {
        let mut seen = BTreeMap::new();
        while seen.len() < posts.len() {
            take_lines(&mut stream, watch.ns(), &mut seen);
            stream.more().await?;
        }
        Ok(seen)
    });
    let posting = post_all(server.address, &posts, pace, watch);
    let (seen, timings) = tokio::join!(reading, posting);
    let late = |_| Failure::failed("an agent did not see every message");
    let seen: BTreeMap<String, u64> = seen.map_err(late)?.map_err(broken)?;
    let delay = |(post, begun_ns): (&Post, u64)| {
        seen.get(&post.external_id).map(|at| at.saturating_sub(begun_ns))
    };
    let begun = timings?.into_iter().map(|timing| timing.begun_ns);
    Ok(posts.iter().zip(begun).filter_map(delay).collect())
}

fn expected(posts: &[Post], pace: Pace) -> Duration {
    let count = u32::try_from(posts.len()).unwrap_or(u32::MAX);
    pace.every.unwrap_or_default().saturating_mul(count)
}

/// Notes the messages in the lines that have come whole.
fn take_lines(stream: &mut Connection, now_ns: u64, seen: &mut BTreeMap<String, u64>) {
    let received = stream.received();
    while let Some(end) = received.iter().position(|byte| *byte == b'\n') {
        let line = received.split_to(end + 1);
        let text = std::str::from_utf8(&line).unwrap_or_default();
        let Some((_, rest)) = text.split_once(FIELD) else { continue };
        if let Some((id, _)) = rest.split_once('"') {
            seen.entry(id.to_owned()).or_insert(now_ns);
        }
    }
}
