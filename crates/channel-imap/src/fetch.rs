//! What a folder holds, read ahead of the inlet: mails are listed in steps, asked for in groups and handed
//! on in the order of their UIDs. The next group is asked for before the one before it has come, so the
//! server never waits for us to have read or stored anything.
//!
//! What is asked for ahead is bounded by commands and by the bytes in each, and as long as nobody takes
//! what was read, nothing more is read. Where the connection breaks, only the mails whose turn it was are
//! suspected.

use std::collections::{BTreeMap, VecDeque};

use async_imap::imap_proto::RequestId;
use bytes::Bytes;
use postroom_model::Timestamp;
use tokio::sync::{SemaphorePermit, mpsc};

use crate::ImapError;
use crate::folder::Folder;
use crate::give::{Batch, Item};
use crate::limits::{
    ASKED_AHEAD_MAX, BATCH_BYTES_MAX, BATCH_MESSAGES_MAX, TRIES_MAX, TRIES_REMEMBERED_MAX,
};
use crate::place::Place;
use crate::plan::{self, Listed, Part, Step, Steps};
use crate::session::{Said, Session};

/// What is read of a folder.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// From there on, and what was missing below.
    pub(crate) from: Place,
    /// UIDNEXT, if the server tells it.
    pub(crate) next: Option<u32>,
    /// What came to the server before then is left out.
    pub(crate) floor: Option<Timestamp>,
    /// Above this UID nothing is left out.
    pub(crate) floor_upto: u32,
}

impl Wanted {
    /// The mails of one step. `gaps` says whether what was missing is looked for again.
    async fn list(
        &self,
        session: &mut Session,
        step: Step,
        gaps: bool,
    ) -> Result<(Part, usize), ImapError> {
        let gaps = if gaps { self.from.gaps() } else { &[] };
        let floor = self.floor.filter(|_| step.first <= self.floor_upto);
        let mut seen = session.list(&step.set(gaps), floor.is_some()).await?;
        let found = seen.len();
        seen.retain(|seen| step.holds(&self.from, seen.mail.uid));
        let end = seen.last().map_or(0, |seen| seen.mail.uid);
        let known = self.next.map_or(0, |next| next.saturating_sub(1));
        let end = end.max(self.from.top).max(known);
        if let Some(floor) = floor {
            seen.retain(|seen| seen.at.is_none_or(|at| at >= floor));
        }
        let mails = seen.into_iter().map(|seen| seen.mail).collect();
        Ok((Part { mails, upto: step.last.unwrap_or(end) }, found))
    }
}

/// Mails that were asked for together and have not all come.
struct Asked<'f> {
    id: RequestId,
    /// How many were asked for.
    count: usize,
    /// Those that are not handed on, in order.
    awaited: VecDeque<u32>,
    /// What came before what stands before it.
    early: BTreeMap<u32, Bytes>,
    has_ended: bool,
    _turn: Option<SemaphorePermit<'f>>,
}

impl Asked<'_> {
    fn missing(&self) -> Vec<u32> {
        let missing = self.awaited.iter().filter(|uid| !self.early.contains_key(uid));
        missing.copied().collect()
    }
}

/// Lists mails, fetches them, and hands them on in order.
pub(crate) struct Fetcher<'f, 'a> {
    folder: &'f Folder<'a>,
    epoch: u32,
    tries: &'f mut BTreeMap<u32, u32>,
    tell: mpsc::Sender<Batch>,
    batch: Batch,
    /// What the server was asked for, the first of it first.
    ahead: VecDeque<Asked<'f>>,
}

/// Whoever took the batches has gone, with a reason of its own.
fn gone() -> ImapError {
    ImapError::Closed("nobody takes what is fetched".to_owned())
}

impl<'f, 'a> Fetcher<'f, 'a> {
    pub(crate) fn new(
        folder: &'f Folder<'a>,
        epoch: u32,
        tries: &'f mut BTreeMap<u32, u32>,
        tell: mpsc::Sender<Batch>,
    ) -> Self {
        Self { folder, epoch, tries, tell, batch: Batch::default(), ahead: VecDeque::new() }
    }

    /// All that is wanted. Between two steps, `stored` are dealt with as far as they are told.
    pub(crate) async fn run(
        mut self,
        session: &mut Session,
        wanted: &Wanted,
        mut stored: Option<mpsc::UnboundedReceiver<Vec<u32>>>,
    ) -> Result<(), ImapError> {
        let mut steps = Steps::above(wanted.from.top, wanted.next);
        let mut is_first = true;
        loop {
            let step = steps.step();
            let (part, found) = wanted.list(session, step, std::mem::take(&mut is_first)).await?;
            let fetched = self.part(session, &part).await;
            if fetched.is_err() {
                drop(self.hand_on().await);
            }
            fetched?;
            if step.last.is_none() {
                break;
            }
            while let Some(uids) = stored.as_mut().and_then(|stored| stored.try_recv().ok()) {
                self.folder.after(session, &uids).await?;
            }
            steps.went(step, found);
        }
        let folder = self.folder;
        // Whoever takes the batches ends now, and then there is no more to be told.
        drop(self);
        while let Some(stored) = &mut stored
            && let Some(uids) = stored.recv().await
        {
            folder.after(session, &uids).await?;
        }
        Ok(())
    }

    async fn part(&mut self, session: &mut Session, part: &Part) -> Result<(), ImapError> {
        let mut left = part.mails.as_slice();
        while !left.is_empty() || !self.ahead.is_empty() {
            left = self.ask_ahead(session, left).await?;
            if !self.ahead.is_empty() {
                self.hear(session).await?;
            } else if let Some((odd, rest)) = left.split_first() {
                left = rest;
                self.alone(session, odd).await?;
            }
        }
        self.batch.upto = part.upto;
        self.hand_on().await
    }

    /// Whether it is not fetched with others.
    fn is_odd(&self, mail: &Listed) -> bool {
        mail.bytes > self.folder.way.options.message_bytes_max || self.tries.contains_key(&mail.uid)
    }

    /// Asks for as much as may be asked for, and gives what is left. It ends before an odd mail.
    async fn ask_ahead<'m>(
        &mut self,
        session: &mut Session,
        mut left: &'m [Listed],
    ) -> Result<&'m [Listed], ImapError> {
        while self.ahead.len() < ASKED_AHEAD_MAX {
            let plain = left.iter().take_while(|mail| !self.is_odd(mail)).count();
            let group = plan::together(left.get(..plain).unwrap_or_default());
            if group.is_empty() {
                break;
            }
            let turns = self.folder.turns;
            let turn = if self.ahead.is_empty() {
                turns.acquire().await.ok()
            } else {
                // Nobody is kept waiting for what is only asked for ahead.
                let Ok(turn) = turns.try_acquire() else { break };
                Some(turn)
            };
            self.ask(session, group, turn).await?;
            left = left.get(group.len()..).unwrap_or_default();
        }
        Ok(left)
    }

    async fn ask(
        &mut self,
        session: &mut Session,
        group: &[Listed],
        turn: Option<SemaphorePermit<'f>>,
    ) -> Result<(), ImapError> {
        let uids: Vec<u32> = group.iter().map(|mail| mail.uid).collect();
        let id = session.ask_for(&plan::set(&uids), "").await?;
        self.ahead.push_back(Asked {
            id,
            count: uids.len(),
            awaited: uids.into(),
            early: BTreeMap::new(),
            has_ended: false,
            _turn: turn,
        });
        Ok(())
    }

    /// Hears until the first of what was asked for has come, and hands it on.
    async fn hear(&mut self, session: &mut Session) -> Result<(), ImapError> {
        while self.ahead.front().is_some_and(|asked| !asked.has_ended) {
            match session.said().await {
                Ok(Said::Body(uid, bytes)) => self.came(uid, bytes).await?,
                Ok(Said::Ended(id, Ok(()))) => {
                    if let Some(asked) = self.ahead.iter_mut().find(|asked| asked.id == id) {
                        asked.has_ended = true;
                    }
                }
                Ok(Said::Ended(id, Err(error))) => {
                    let at = self.ahead.iter().position(|asked| asked.id == id);
                    return self.broken(at.unwrap_or(0), error);
                }
                Err(error) => return self.broken(0, error),
            }
        }
        let Some(asked) = self.ahead.pop_front() else { return Ok(()) };
        self.blame(None, &asked.missing(), asked.count);
        for (uid, bytes) in asked.early {
            self.push(uid, Item::Mail(bytes)).await?;
        }
        Ok(())
    }

    /// Hands on what comes, in order; what comes early waits for those before it.
    async fn came(&mut self, uid: u32, bytes: Bytes) -> Result<(), ImapError> {
        let asked = self.ahead.iter_mut().find(|asked| asked.awaited.contains(&uid));
        let Some(asked) = asked else { return Ok(()) };
        asked.early.insert(uid, bytes);
        while let Some(first) = self.ahead.front_mut()
            && let Some(bytes) = first.awaited.front().and_then(|uid| first.early.remove(uid))
        {
            let uid = first.awaited.pop_front().unwrap_or_default();
            self.tries.remove(&uid);
            self.push(uid, Item::Mail(bytes)).await?;
        }
        Ok(())
    }

    /// The connection is of no more use. What was asked for at this place may be to blame.
    fn broken(&mut self, at: usize, error: ImapError) -> Result<(), ImapError> {
        if let Some(asked) = self.ahead.get(at) {
            let (missing, count) = (asked.missing(), asked.count);
            self.blame(Some(&error), &missing, count);
        }
        Err(error)
    }

    /// A mail that is not fetched with others, or not at all.
    async fn alone(&mut self, session: &mut Session, mail: &Listed) -> Result<(), ImapError> {
        let turn = self.folder.turns.acquire().await.ok();
        let options = &self.folder.way.options;
        if self.tries.get(&mail.uid).is_some_and(|tries| *tries >= TRIES_MAX) {
            let detail = "it was asked for again and again, and did not come".to_owned();
            let raw = self.which(mail);
            self.tries.remove(&mail.uid);
            let item = Item::Unfetched { raw, code: "mail_not_fetched", detail };
            return self.push(mail.uid, item).await;
        }
        if mail.bytes > options.message_bytes_max {
            let (bytes, most) = (mail.bytes, options.message_bytes_max);
            let detail = format!("it has {bytes} bytes, and {most} are fetched at most");
            let header = session.header(mail.uid).await;
            if let Err(error) = &header {
                self.blame(Some(error), &[mail.uid], 1);
            }
            let raw = header?.unwrap_or_else(|| self.which(mail));
            self.tries.remove(&mail.uid);
            let item = Item::Unfetched { raw, code: "mail_too_large", detail };
            return self.push(mail.uid, item).await;
        }
        self.ask(session, std::slice::from_ref(mail), turn).await?;
        self.hear(session).await
    }

    /// Remembers which mails did not come. One that did not though nothing broke was removed, or else it
    /// is listed again, as a gap.
    fn blame(&mut self, broken: Option<&ImapError>, missing: &[u32], count: usize) {
        if broken.is_some_and(|error| !error.may_be_the_mail()) {
            return;
        }
        let alone = broken.is_none() || count == 1;
        for uid in missing {
            let tries = self.tries.entry(*uid).or_default();
            *tries += u32::from(alone);
        }
        // What was removed is never asked for again; the list does not grow for it.
        while self.tries.len() > TRIES_REMEMBERED_MAX {
            self.tries.pop_first();
        }
    }

    /// In words, where nothing of it can be had.
    fn which(&self, mail: &Listed) -> Bytes {
        let options = &self.folder.way.options;
        let Listed { uid, bytes } = mail;
        Bytes::from(format!(
            "The mail with UID {uid} and {bytes} bytes in the folder {} (UIDVALIDITY {}) of {} at {}.\n",
            self.folder.name, self.epoch, options.username, options.host
        ))
    }

    async fn push(&mut self, uid: u32, item: Item) -> Result<(), ImapError> {
        if let Item::Mail(bytes) = &item {
            self.batch.bytes += bytes.len();
        }
        self.batch.items.push((uid, item));
        self.batch.upto = uid;
        let full =
            self.batch.items.len() >= BATCH_MESSAGES_MAX || self.batch.bytes >= BATCH_BYTES_MAX;
        if full { self.hand_on().await } else { Ok(()) }
    }

    async fn hand_on(&mut self) -> Result<(), ImapError> {
        let batch = std::mem::take(&mut self.batch);
        self.tell.send(batch).await.map_err(|_| gone())
    }
}
