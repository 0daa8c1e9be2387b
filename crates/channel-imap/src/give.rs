//! From fetched bytes to the inlet: mails are read on other threads, accepted in the order of the folder,
//! and the place moves in the same publish, behind them (P1).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use postroom_channel::{AcceptError, Arrival, Inlet, Known, Reached, Received};
use postroom_channel_email::{Envelope, Letterbox};
use postroom_model::{ChannelId, Receipt};
use tokio::sync::mpsc;

use crate::ImapError;
use crate::limits::{BATCHES_AHEAD_MAX, PAUSE, PAUSE_MAX};
use crate::place::Place;

/// The attribute that names the folder.
const FOLDER: &str = "folder";

/// What came of one mail that was listed.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Mail(Bytes),
    /// It cannot be had. `raw` is what there is of it, or says which it is.
    Unfetched {
        raw: Bytes,
        code: &'static str,
        detail: String,
    },
}

/// Mails in the order of their UIDs, and up to where the folder is dealt with when they are stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    pub(crate) items: Vec<(u32, Item)>,
    pub(crate) upto: u32,
    pub(crate) bytes: usize,
}

/// A batch that was read.
#[derive(Debug, Default)]
struct Letters {
    arrivals: Vec<Arrival>,
    receipts: Vec<Receipt>,
    unread: Vec<(Bytes, &'static str, String)>,
    /// The bytes that each arrival came of.
    raw: Vec<Bytes>,
    uids: Vec<u32>,
    upto: u32,
}

/// What was given until there was no more.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) mails: u64,
    /// The place as the inlet has it, if it moved.
    pub(crate) saved: Option<Place>,
}

/// Gives to an inlet what a folder holds.
pub(crate) struct Giver<'a> {
    pub(crate) channel: &'a ChannelId,
    pub(crate) folder: &'a str,
    pub(crate) inlet: &'a dyn Inlet,
    /// The name of the place; none where it stays where it is.
    pub(crate) cursor: Option<String>,
    /// What is stored already, where much of the folder may be.
    pub(crate) known: Option<Arc<Known>>,
    /// Says whose thread a mail claims, where it is known whose mail it is.
    pub(crate) letterbox: Option<Arc<Letterbox>>,
}

impl Giver<'_> {
    /// Until there are no more batches. Tells which UIDs are stored as soon as they are.
    pub(crate) async fn run(
        &self,
        mut batches: mpsc::Receiver<Batch>,
        place: &mut Place,
        told: mpsc::UnboundedSender<Vec<u32>>,
    ) -> Result<Given, ImapError> {
        let batches = stream::poll_fn(move |cx| batches.poll_recv(cx));
        let folder: Arc<str> = Arc::from(self.folder);
        let read = batches.map(|batch| {
            let (folder, letterbox) = (Arc::clone(&folder), self.letterbox.clone());
            tokio::task::spawn_blocking(move || read(batch, &folder, letterbox.as_deref()))
        });
        let mut read = read.buffered(BATCHES_AHEAD_MAX);
        let mut given = Given::default();
        while let Some(letters) = read.next().await {
            let broken = |_| AcceptError::Unavailable("reading a mail broke off".to_owned());
            let uids = self.give(letters.map_err(broken)?, place).await?;
            if !uids.is_empty() {
                given.mails += uids.len() as u64;
                given.saved = Some(place.clone());
                // Nobody may want to know.
                drop(told.send(uids));
            }
        }
        Ok(given)
    }

    async fn give(&self, letters: Letters, place: &mut Place) -> Result<Vec<u32>, AcceptError> {
        let Letters { mut arrivals, receipts, unread, mut raw, uids, upto } = letters;
        for (raw, code, detail) in unread {
            self.set_aside(raw, code, &detail).await?;
        }
        if let Some(known) = &self.known {
            let is_new =
                |arrival: &Arrival| !known.holds(self.channel, &arrival.message.external_id);
            let new: Vec<bool> = arrivals.iter().map(is_new).collect();
            let mut keep = new.iter().copied();
            arrivals.retain(|_| keep.next().unwrap_or(true));
            let mut keep = new.iter().copied();
            raw.retain(|_| keep.next().unwrap_or(true));
        }
        let mut next = place.clone();
        next.advance(&uids, upto);
        if !uids.is_empty() {
            let received = Received { arrivals, receipts, ..Received::default() };
            self.accept(received, &raw, Some(&next)).await?;
        }
        *place = next;
        Ok(uids)
    }

    /// The place alone.
    pub(crate) async fn place(&self, place: &Place) -> Result<(), AcceptError> {
        self.accept(Received::default(), &[], Some(place)).await
    }

    async fn accept(
        &self,
        mut received: Received,
        raw: &[Bytes],
        place: Option<&Place>,
    ) -> Result<(), AcceptError> {
        let reached = self.cursor.clone().zip(place);
        let reached = reached.map(|(name, place)| Reached { name, value: place.write() });
        received.reached = reached.clone();
        let is_empty = received.arrivals.is_empty() && received.receipts.is_empty();
        if is_empty && reached.is_none() {
            return Ok(());
        }
        match self.taken(|| self.inlet.accept(self.channel, received.clone())).await {
            Err(error) if !error.retryable() => {}
            done => return done.map(drop),
        }
        // One of them is too large; it must not take the others with it.
        for (arrival, raw) in received.arrivals.into_iter().zip(raw) {
            let one = Received { arrivals: vec![arrival], ..Received::default() };
            match self.taken(|| self.inlet.accept(self.channel, one.clone())).await {
                Err(error) if !error.retryable() => {
                    self.set_aside(raw.clone(), error.code(), &error.to_string()).await?;
                }
                done => drop(done?),
            }
        }
        let rest = Received { receipts: received.receipts, reached, ..Received::default() };
        self.taken(|| self.inlet.accept(self.channel, rest.clone())).await.map(drop)
    }

    async fn set_aside(&self, raw: Bytes, code: &str, detail: &str) -> Result<(), AcceptError> {
        let channel = self.channel;
        self.taken(|| self.inlet.accept_unparsed(channel, raw.clone(), code, detail)).await
    }

    /// Asks again and again, until the inlet has it or never will.
    async fn taken<T, F: Future<Output = Result<T, AcceptError>>>(
        &self,
        mut ask: impl FnMut() -> F,
    ) -> Result<T, AcceptError> {
        let mut pause = PAUSE;
        loop {
            match ask().await {
                Err(error) if error.retryable() => {
                    let (channel, code) = (self.channel, error.code());
                    tracing::warn!(%channel, code, "mails wait to be stored");
                }
                done => return done,
            }
            rest(&mut pause, PAUSE_MAX).await;
        }
    }
}

/// Waits, longer each time.
pub(crate) async fn rest(pause: &mut Duration, pause_max: Duration) {
    tokio::time::sleep(*pause).await;
    *pause = pause.saturating_mul(2).min(pause_max);
}

fn read(batch: Batch, folder: &str, letterbox: Option<&Letterbox>) -> Letters {
    let mut letters = Letters { upto: batch.upto, ..Letters::default() };
    for (uid, item) in batch.items {
        letters.uids.push(uid);
        let raw = match item {
            Item::Mail(raw) => raw,
            Item::Unfetched { raw, code, detail } => {
                letters.unread.push((raw, code, detail));
                continue;
            }
        };
        let received = match letterbox {
            Some(letterbox) => letterbox.receive(&raw, &Envelope::default()),
            None => postroom_channel_email::parse(&raw),
        };
        match received {
            Ok(received) => {
                letters.receipts.extend(received.receipts);
                for mut arrival in received.arrivals {
                    arrival.message.attributes.insert(FOLDER.to_owned(), folder.into());
                    letters.arrivals.push(arrival);
                    letters.raw.push(raw.clone());
                }
            }
            Err(error) => letters.unread.push((raw, error.code(), error.to_string())),
        }
    }
    letters
}
