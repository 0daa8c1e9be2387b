//! One folder that is kept up with: connect, see what is new, take it, wait for news, and all of it again
//! whenever something breaks. Nothing is passed over for its flags or its date.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postroom_channel::{AcceptError, Inlet, Known};
use postroom_channel_email::Letterbox;
use postroom_model::{ChannelId, Clock};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::ImapError;
use crate::give::{Batch, Giver, Item, rest};
use crate::limits::{
    ALARM, BATCH_BYTES_MAX, BATCH_MESSAGES_MAX, BATCHES_AHEAD_MAX, IDLE_RENEW, PAUSE, PAUSE_MAX,
    POLL_DEFAULT, REFUSED_PAUSE_MAX, TRIES_MAX,
};
use crate::options::{After, Start};
use crate::place::{Place, Shown, Standing};
use crate::plan::{self, Listed, Part, Steps};
use crate::session::{News, Session, Way};

/// Between the date of a mail at one server and at another, for the zones and days that servers mean.
const DATES_APART_MS: i64 = 2 * 86_400_000;

pub(crate) struct Folder<'a> {
    pub(crate) channel: &'a ChannelId,
    pub(crate) name: &'a str,
    pub(crate) way: &'a Way,
    pub(crate) clock: &'a dyn Clock,
    /// Who fetches has one of these.
    pub(crate) turns: &'a Semaphore,
    pub(crate) letterbox: Option<&'a Arc<Letterbox>>,
}

/// What is remembered from one connection to the next.
#[derive(Default)]
struct Memory {
    place: Option<Place>,
    /// The place as the inlet has it.
    saved: Option<Place>,
    known: Option<Arc<Known>>,
    /// Mails that are asked for alone, since something broke where they were, and how often.
    tries: BTreeMap<u32, u32>,
    /// Whether that became more.
    blamed: bool,
    /// How often the folder was looked through.
    looks: u64,
}

impl Folder<'_> {
    /// Until `stop`. Whatever fails is tried again; only what the inlet refuses for good ends it.
    pub(crate) async fn run(
        &self,
        inlet: &dyn Inlet,
        stop: &CancellationToken,
    ) -> Result<(), AcceptError> {
        let mut memory = Memory::default();
        let (mut pause, mut good_at) = (PAUSE, Instant::now());
        loop {
            let before = memory.looks;
            let keeping = stop.run_until_cancelled(self.connection(inlet, &mut memory, stop));
            let error = match keeping.await {
                None | Some(Ok(())) => return Ok(()),
                Some(Err(ImapError::Accept(error))) => return Err(error),
                Some(Err(error)) => error,
            };
            if memory.looks > before {
                (pause, good_at) = (PAUSE, Instant::now());
            }
            // What a mail is to blame for is soon found out.
            if std::mem::take(&mut memory.blamed) {
                pause = PAUSE;
            }
            self.complain(&error, good_at.elapsed());
            let pause_max = if error.retryable() { PAUSE_MAX } else { REFUSED_PAUSE_MAX };
            let resting = async {
                tokio::time::sleep(self.spread(pause)).await;
                rest(&mut pause, pause_max).await;
            };
            if stop.run_until_cancelled(resting).await.is_none() {
                return Ok(());
            }
        }
    }

    fn complain(&self, error: &ImapError, since: Duration) {
        let (channel, folder, code) = (self.channel, self.name, error.code());
        if since < ALARM {
            tracing::warn!(%channel, folder, code, %error, "the mailbox is away");
        } else {
            let minutes = since.as_secs() / 60;
            tracing::error!(%channel, folder, code, %error, minutes, "the mailbox stays away");
        }
    }

    /// Mailboxes of one server do not all come back at once.
    fn spread(&self, pause: Duration) -> Duration {
        let name = self.channel.as_str().bytes().chain(self.name.bytes());
        let mixed =
            name.fold(7_u32, |mixed, byte| mixed.wrapping_mul(31).wrapping_add(u32::from(byte)));
        pause.mul_f64(f64::from(mixed % 256) / 256.0)
    }

    async fn connection(
        &self,
        inlet: &dyn Inlet,
        memory: &mut Memory,
        stop: &CancellationToken,
    ) -> Result<(), ImapError> {
        let mut session = Session::open(self.way).await?;
        let mut shown = Some(session.open_folder(self.name, false).await?);
        if let Some(shown) = &shown {
            self.settle(&mut session, inlet, memory, shown).await?;
        }
        self.move_left_over(&mut session, memory).await?;
        loop {
            self.look(&mut session, inlet, memory, shown.take()).await?;
            memory.looks += 1;
            let usual = if session.skills.idle { IDLE_RENEW } else { POLL_DEFAULT };
            let poll = self.way.options.poll;
            // Servers hang up on who idles for half an hour.
            let wait = poll.unwrap_or(usual).min(IDLE_RENEW.max(usual));
            match session.news(wait, stop).await? {
                News::Something => {}
                News::Nothing => {
                    let fresh = session.open_folder(self.name, false).await?;
                    self.settle(&mut session, inlet, memory, &fresh).await?;
                    shown = Some(fresh);
                }
                News::Shutdown => {
                    session.close().await;
                    return Ok(());
                }
            }
        }
    }

    /// Finds the place from which reading goes on in the folder as it is now.
    async fn settle(
        &self,
        session: &mut Session,
        inlet: &dyn Inlet,
        memory: &mut Memory,
        shown: &Shown,
    ) -> Result<(), ImapError> {
        let options = &self.way.options;
        if memory.place.is_none() {
            let reached = inlet.reached(self.channel, &options.cursor(self.name)).await?;
            memory.place = reached.as_deref().and_then(Place::read);
            memory.saved.clone_from(&memory.place);
        }
        let mut is_new = false;
        let place = match memory.place.take() {
            Some(place) => match place.standing(shown) {
                Standing::Good => place,
                standing => {
                    let (channel, folder) = (self.channel, self.name);
                    tracing::warn!(%channel, folder, ?standing, "the folder is taken anew");
                    memory.tries.clear();
                    Place::anew(shown, place.since)
                }
            },
            None => {
                is_new = true;
                let shown = Shown { next: shown.next.or(last(session).await?), ..*shown };
                match options.start {
                    Start::Everything => Place::anew(&shown, None),
                    Start::New => Place::behind(&shown, self.clock.now())
                        .unwrap_or_else(|| Place::anew(&shown, Some(self.clock.now()))),
                }
            }
        };
        if place.is_anew() && memory.known.is_none() {
            memory.known = Some(inlet.known().await?);
        }
        memory.place = Some(place);
        // What begins now must begin there after a crash, too.
        if is_new && options.start == Start::New {
            self.save(inlet, memory).await?;
        }
        Ok(())
    }

    /// The place, where it moved without a mail.
    async fn save(&self, inlet: &dyn Inlet, memory: &mut Memory) -> Result<(), ImapError> {
        let same =
            |place: &Place| memory.saved.as_ref().is_some_and(|saved| place.is_as_good_as(saved));
        if let Some(place) = memory.place.as_ref().filter(|place| !same(place)) {
            self.giver(inlet, None).place(place).await?;
            memory.saved = Some(place.clone());
        }
        Ok(())
    }

    pub(crate) fn giver<'a>(
        &'a self,
        inlet: &'a dyn Inlet,
        known: Option<Arc<Known>>,
    ) -> Giver<'a> {
        let cursor = Some(self.way.options.cursor(self.name));
        let letterbox = self.letterbox.map(Arc::clone);
        Giver { channel: self.channel, folder: self.name, inlet, cursor, known, letterbox }
    }

    /// Lists what came since the place and takes it. `shown` is the folder as it was just opened.
    async fn look(
        &self,
        session: &mut Session,
        inlet: &dyn Inlet,
        memory: &mut Memory,
        shown: Option<Shown>,
    ) -> Result<(), ImapError> {
        let Some(mut place) = memory.place.clone() else { return Ok(()) };
        if shown.is_some_and(|shown| place.is_unchanged(&shown)) {
            session.heard();
            return Ok(());
        }
        let next = shown.and_then(|shown| shown.next);
        let mut steps = Steps::above(place.top, next);
        let mut gaps = place.gaps().to_vec();
        loop {
            let step = steps.step();
            let dated = place.since.is_some() && place.is_anew();
            let mut seen = session.list(&step.set(&std::mem::take(&mut gaps)), dated).await?;
            let found = seen.len();
            seen.retain(|seen| step.holds(&place, seen.mail.uid));
            let end = seen.last().map_or(0, |seen| seen.mail.uid);
            let end = end.max(place.top).max(next.map_or(0, |next| next.saturating_sub(1)));
            if let Some(since) = place.since.filter(|_| dated) {
                let floor = since.plus_millis(-DATES_APART_MS);
                seen.retain(|seen| seen.at.is_none_or(|at| at >= floor));
            }
            let mails = seen.into_iter().map(|seen| seen.mail).collect();
            let part = Part { mails, upto: step.last.unwrap_or(end) };
            let giver = self.giver(inlet, memory.known.clone());
            let taken = self.take(session, &part, &mut memory.tries, &giver, &mut place);
            let taken = taken.await;
            memory.blamed = taken.as_ref().is_err_and(ImapError::may_be_the_mail);
            // What was stored before something broke is not fetched again.
            memory.place = Some(place.clone());
            let stored = taken?;
            if !stored.is_empty() {
                memory.saved = Some(place.clone());
            }
            self.after(session, &stored).await?;
            if step.last.is_none() {
                break;
            }
            steps.went(step, found);
        }
        if let Some(shown) = shown {
            place.changes = shown.changes;
        }
        if !place.is_anew() {
            memory.known = None;
        }
        memory.place = Some(place);
        self.save(inlet, memory).await
    }

    /// Fetches these mails and gives them to the inlet, both at the same time. Gives the UIDs that are
    /// stored.
    pub(crate) async fn take(
        &self,
        session: &mut Session,
        part: &Part,
        tries: &mut BTreeMap<u32, u32>,
        giver: &Giver<'_>,
        place: &mut Place,
    ) -> Result<Vec<u32>, ImapError> {
        let (tell, batches) = mpsc::channel(BATCHES_AHEAD_MAX);
        let mut fetcher =
            Fetcher { folder: self, epoch: place.epoch, tries, tell, batch: Batch::default() };
        // Where fetching breaks, what came is still given; where giving does, nothing more is fetched.
        let fetching = async move { Ok(fetcher.run(session, part).await) };
        let (fetched, stored) = tokio::try_join!(fetching, giver.run(batches, place))?;
        fetched.map(|()| stored)
    }

    /// What is done with mails that are stored. A courtesy: if it fails, they are stored all the same.
    async fn after(&self, session: &mut Session, stored: &[u32]) -> Result<(), ImapError> {
        for uids in stored.chunks(crate::limits::FETCH_MESSAGES_MAX) {
            let set = plan::set(uids);
            let done = match &self.way.options.after {
                After::Nothing => return Ok(()),
                After::Seen => session.mark(&set, "\\Seen").await,
                After::Keyword(keyword) => session.mark(&set, keyword).await,
                After::Move(folder) => session.move_to(&set, folder).await,
            };
            match done {
                Err(ImapError::Refused(words)) => {
                    let (channel, folder) = (self.channel, self.name);
                    tracing::warn!(%channel, folder, words, "stored mails stay as they are");
                }
                done => done?,
            }
        }
        Ok(())
    }

    /// Moves what was stored when something broke before it was moved.
    async fn move_left_over(
        &self,
        session: &mut Session,
        memory: &Memory,
    ) -> Result<(), ImapError> {
        let taken = memory.place.as_ref().and_then(|place| Some((place, place.taken()?)));
        let Some((place, (first, last))) = taken else { return Ok(()) };
        if !matches!(self.way.options.after, After::Move(_)) {
            return Ok(());
        }
        let mut left = session.present(&format!("{first}:{last}")).await?;
        let gaps = place.gaps();
        left.retain(|uid| {
            (first..=last).contains(uid)
                && !gaps.iter().any(|(first, last)| (*first..=*last).contains(uid))
        });
        self.after(session, &left).await
    }
}

/// One more than the largest UID that is there.
async fn last(session: &mut Session) -> Result<Option<u32>, ImapError> {
    let last = session.present("*").await?.last().copied();
    Ok(Some(last.unwrap_or(0).saturating_add(1)))
}

/// The header of a mail alone; none if it is gone.
async fn header_of(session: &mut Session, uid: u32) -> Result<Option<Bytes>, ImapError> {
    let asked = session.ask_for(&uid.to_string(), "HEADER").await?;
    let mut header = None;
    while let Some((_, bytes)) = session.body(&asked).await? {
        header = Some(bytes);
    }
    Ok(header)
}

/// Fetches mails that were listed, and hands them on in order.
struct Fetcher<'f, 'a> {
    folder: &'f Folder<'a>,
    epoch: u32,
    tries: &'f mut BTreeMap<u32, u32>,
    tell: mpsc::Sender<Batch>,
    batch: Batch,
}

/// Whoever took the batches has gone, with a reason of its own.
fn gone() -> ImapError {
    ImapError::Closed("nobody takes what is fetched".to_owned())
}

impl Fetcher<'_, '_> {
    async fn run(&mut self, session: &mut Session, part: &Part) -> Result<(), ImapError> {
        let mut left = part.mails.as_slice();
        while let Some(first) = left.first() {
            let _turn = self.folder.turns.acquire().await;
            let group = if self.is_odd(first) {
                left.get(..1).unwrap_or_default()
            } else {
                let plain = left.iter().take_while(|mail| !self.is_odd(mail)).count();
                plan::together(left.get(..plain).unwrap_or_default())
            };
            let fetched = self.group(session, group).await;
            if fetched.is_err() {
                drop(self.hand_on().await);
            }
            fetched?;
            left = left.get(group.len()..).unwrap_or_default();
        }
        self.batch.upto = part.upto;
        self.hand_on().await
    }

    /// Whether it is not fetched with others.
    fn is_odd(&self, mail: &Listed) -> bool {
        mail.bytes > self.folder.way.options.message_bytes_max || self.tries.contains_key(&mail.uid)
    }

    async fn group(&mut self, session: &mut Session, group: &[Listed]) -> Result<(), ImapError> {
        let options = &self.folder.way.options;
        if let [mail] = group {
            if self.tries.get(&mail.uid).is_some_and(|tries| *tries >= TRIES_MAX) {
                let detail = "it was asked for again and again, and did not come".to_owned();
                let raw = self.which(mail);
                self.tries.remove(&mail.uid);
                return self
                    .push(mail.uid, Item::Unfetched { raw, code: "mail_not_fetched", detail })
                    .await;
            }
            if mail.bytes > options.message_bytes_max {
                let (bytes, most) = (mail.bytes, options.message_bytes_max);
                let detail = format!("it has {bytes} bytes, and {most} are fetched at most");
                let header = header_of(session, mail.uid).await;
                self.blame(&header, &[mail.uid], 1);
                let header = header?;
                let raw = header.unwrap_or_else(|| self.which(mail));
                return self
                    .push(mail.uid, Item::Unfetched { raw, code: "mail_too_large", detail })
                    .await;
            }
        }
        let uids: Vec<u32> = group.iter().map(|mail| mail.uid).collect();
        let mut awaited: VecDeque<u32> = uids.iter().copied().collect();
        let mut early: BTreeMap<u32, Bytes> = BTreeMap::new();
        let asked = self.bodies(session, &uids, &mut awaited, &mut early).await;
        let missing: Vec<u32> =
            awaited.iter().copied().filter(|uid| !early.contains_key(uid)).collect();
        self.blame(&asked, &missing, group.len());
        asked?;
        for (uid, bytes) in early {
            self.push(uid, Item::Mail(bytes)).await?;
        }
        Ok(())
    }

    /// Hands on what comes, in order; what comes early waits for those before it.
    async fn bodies(
        &mut self,
        session: &mut Session,
        uids: &[u32],
        awaited: &mut VecDeque<u32>,
        early: &mut BTreeMap<u32, Bytes>,
    ) -> Result<(), ImapError> {
        let asked = session.ask_for(&plan::set(uids), "").await?;
        while let Some((uid, bytes)) = session.body(&asked).await? {
            if awaited.contains(&uid) {
                early.insert(uid, bytes);
            }
            while let Some(bytes) = awaited.front().and_then(|uid| early.remove(uid)) {
                let uid = awaited.pop_front().unwrap_or_default();
                self.tries.remove(&uid);
                self.push(uid, Item::Mail(bytes)).await?;
            }
        }
        Ok(())
    }

    /// Remembers which mails did not come. One that did not though nothing broke was removed, or else it
    /// is listed again, as a gap.
    fn blame<T>(&mut self, asked: &Result<T, ImapError>, missing: &[u32], group: usize) {
        if asked.as_ref().is_err_and(|error| !error.may_be_the_mail()) {
            return;
        }
        let alone = asked.is_ok() || group == 1;
        for uid in missing {
            let tries = self.tries.entry(*uid).or_default();
            *tries += u32::from(alone);
        }
        // What was removed is never asked for again; the list does not grow for it.
        while self.tries.len() > crate::limits::TRIES_REMEMBERED_MAX {
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
