//! People outside who write, answer and insist while the house is being broken, and a judge who
//! compares what they were told with what is stored and what left.
//!
//! They know nothing of what is broken when. Whoever is not answered tries again, at another door if
//! there is one, until they are.

mod feed;
mod judge;
mod people;
mod settle;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;
use tokio::sync::{Mutex, watch};

use crate::process::{Client, Reply, again};

pub use feed::{Follower, whole_feed};
pub use judge::judge;
pub use people::{agent, customer};
pub use settle::settle;

/// How long a run is or what it begins with, where somebody asks for another than the usual.
#[expect(clippy::disallowed_methods, reason = "how long a run is asked for by hand")]
pub fn wanted(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What the people outside know.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// External ids that were acknowledged, in order, by thread.
    pub messages: BTreeMap<String, Vec<String>>,
    /// Words of the replies that were acknowledged, by the id that they were given.
    pub replies: BTreeMap<String, String>,
    /// Messages that were posted again after they had been acknowledged, each post counted.
    pub repeated: u64,
    /// What was already wrong while it happened.
    pub wrong: Vec<String>,
}

impl Told {
    pub fn message_count(&self) -> usize {
        self.messages.values().map(Vec::len).sum()
    }
}

/// What is stored and what left.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// External ids on the timeline, in order, by thread.
    pub messages: BTreeMap<String, Vec<String>>,
    /// Id, words and state of delivery, of every reply.
    pub replies: Vec<(String, String, String)>,
    /// Ids that arrived at the callback, as often as they did.
    pub arrived: Vec<String>,
    /// What became of commands that are on no timeline: refused ones.
    pub refused: Vec<String>,
}

/// What is repeated until it is answered.
#[derive(Debug)]
pub enum Request<'a> {
    Event(&'a Value),
    Answer { path: &'a str, token: &'a str, key: &'a str, body: &'a Value },
}

/// Where the doors are, and what everybody was told.
#[derive(Debug, Clone)]
pub struct Street {
    doors: watch::Receiver<Vec<String>>,
    turn: Arc<AtomicUsize>,
    done: Arc<AtomicBool>,
    pub told: Arc<Mutex<Told>>,
}

impl Street {
    pub fn new(doors: watch::Receiver<Vec<String>>) -> Self {
        Self { doors, turn: Arc::default(), done: Arc::default(), told: Arc::default() }
    }

    pub fn open(&self) -> bool {
        !self.done.load(Ordering::SeqCst)
    }

    /// Everybody finishes what they are at and goes home.
    pub fn close(&self) {
        self.done.store(true, Ordering::SeqCst);
    }

    /// The next door in turn.
    pub fn client(&self) -> Client {
        let doors = self.doors.borrow();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        Client::new(&doors[turn % doors.len()])
    }

    /// Repeats until a door acknowledges or refuses, over as many deaths as it takes.
    pub async fn insist(&self, request: &Request<'_>) -> Reply {
        let mut again = again();
        loop {
            let client = self.client();
            let reply = match request {
                Request::Event(event) => client.event(event).await,
                Request::Answer { path, token, key, body } => {
                    client.change("POST", path, token, body, Some(key)).await
                }
            };
            if reply.status != 0 && reply.status != 429 && reply.status < 500 {
                return reply;
            }
            again.tick().await;
        }
    }
}
