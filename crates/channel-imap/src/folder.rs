//! One folder that is kept up with: connect, see what is new, take it, wait for news, and all of it again
//! whenever something breaks. Nothing is passed over for its flags or its date.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use postroom_channel::{AcceptError, Inlet, Known};
use postroom_channel_email::Letterbox;
use postroom_model::{ChannelId, Clock};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::ImapError;
use crate::connect::Way;
use crate::fetch::{Fetcher, Wanted};
use crate::give::{Given, Giver, rest};
use crate::limits::{
    ALARM, BATCHES_AHEAD_MAX, IDLE_RENEW, PAUSE, PAUSE_MAX, POLL_DEFAULT, REFUSED_PAUSE_MAX,
};
use crate::options::{After, Start};
use crate::place::{Place, Shown, Standing};
use crate::plan;
use crate::session::{News, Session};

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

    /// Takes what came since the place. `shown` is the folder as it was just opened.
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
        let wanted = Wanted {
            next: shown.and_then(|shown| shown.next),
            floor: place.since.map(|since| since.plus_millis(-DATES_APART_MS)),
            floor_upto: place.anew,
            from: place.clone(),
        };
        let giver = self.giver(inlet, memory.known.clone());
        let taken = self.take(session, &wanted, &mut memory.tries, &giver, &mut place).await;
        memory.blamed = taken.as_ref().is_err_and(ImapError::may_be_the_mail);
        // What was stored before something broke is not fetched again.
        memory.place = Some(place.clone());
        let given = taken?;
        if given.saved.is_some() {
            memory.saved = given.saved;
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

    /// Fetches what is wanted and gives it to the inlet, both at the same time. Where the place is kept,
    /// the mails that are stored are dealt with, too.
    pub(crate) async fn take(
        &self,
        session: &mut Session,
        wanted: &Wanted,
        tries: &mut BTreeMap<u32, u32>,
        giver: &Giver<'_>,
        place: &mut Place,
    ) -> Result<Given, ImapError> {
        let (tell, batches) = mpsc::channel(BATCHES_AHEAD_MAX);
        let (told, stored) = mpsc::unbounded_channel();
        let touches = giver.cursor.is_some() && self.way.options.after != After::Nothing;
        let fetcher = Fetcher::new(self, place.epoch, tries, tell);
        // Where fetching breaks, what came is still given; where giving does, nothing more is fetched.
        let fetching = async move {
            let stored = touches.then_some(stored);
            Ok(fetcher.run(session, wanted, stored).await)
        };
        let (fetched, given) = tokio::try_join!(fetching, giver.run(batches, place, told))?;
        fetched.map(|()| given)
    }

    /// What is done with mails that are stored. A courtesy: if it fails, they are stored all the same.
    pub(crate) async fn after(
        &self,
        session: &mut Session,
        stored: &[u32],
    ) -> Result<(), ImapError> {
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
