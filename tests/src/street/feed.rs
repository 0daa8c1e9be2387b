//! Somebody who follows the event stream over every break, and what the whole of it should have been.

use tokio::sync::watch;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::Street;
use crate::process::{Client, WAIT, again};

/// Follows until it is dropped; each stream goes on where the one before broke off.
#[derive(Debug)]
pub struct Follower {
    /// Positions in the order in which they came, over as many streams as it took.
    seen: watch::Receiver<Vec<u64>>,
    _following: AbortOnDropHandle<()>,
}

impl Follower {
    pub fn start(street: Street, token: String) -> Self {
        let (sender, seen) = watch::channel(Vec::new());
        let following = TaskTracker::new().spawn(follow(street, token, sender));
        Self { seen, _following: AbortOnDropHandle::new(following) }
    }

    /// What it has seen once it has come to this position.
    pub async fn caught_up(&self, last: u64) -> Vec<u64> {
        let mut seen = self.seen.clone();
        let there = seen.wait_for(|seen| seen.last() >= Some(&last));
        let there = tokio::time::timeout(2 * WAIT, there).await.expect("the stream goes on");
        there.expect("it follows").clone()
    }
}

async fn follow(street: Street, token: String, seen: watch::Sender<Vec<u64>>) {
    let mut again = again();
    loop {
        let last = seen.borrow().last().map(u64::to_string);
        let query = if last.is_none() { "?after=0" } else { "" };
        let client = street.client();
        if let Some(mut stream) = client.try_stream(query, &token, last.as_deref()).await {
            while let Some((id, _)) = stream.try_next().await {
                let position = id.parse().expect("a position");
                seen.send_modify(|seen| seen.push(position));
            }
        }
        again.tick().await;
    }
}

/// Every position that the feed has, read page by page from its start.
pub async fn whole_feed(client: &Client, token: &str) -> Vec<u64> {
    let mut positions = Vec::new();
    let mut next = "/v1/events?after=0&limit=200".to_owned();
    loop {
        let page = client.get_json(&next, token).await.json();
        let items = page["items"].as_array().expect("a page");
        positions.extend(items.iter().filter_map(|item| item["position"].as_u64()));
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("/v1/events?cursor={cursor}&limit=200"),
            None => return positions,
        }
    }
}
