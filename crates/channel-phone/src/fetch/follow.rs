//! Follows a log that a telephone system writes and others rotate.
//!
//! Each line is a report of its own, the same however often and in whatever parts it is read, so that
//! reading again after a crash doubles nothing. The place moves with the calls, in one publish.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postroom_channel::{AcceptError, Inlet, PushRequest, Reached, Received};
use postroom_model::{Call, CallLeg, ChannelId, Timestamp};
use tokio_util::sync::CancellationToken;

use super::place::{Place, beside, identity, next_after, read_at};
use super::{PAUSE, give, rest};
use crate::Dialect;
use crate::desk::{Desk, Setting};
use crate::fold::Progress;
use crate::limits::{FOLLOW_BYTES_MAX, RECORD_BYTES_MAX};
use crate::options::Start;

/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// The name of the cursor.
const CURSOR: &str = "file";

#[derive(Debug)]
pub(crate) struct Follower<'a> {
    channel: ChannelId,
    dialect: Dialect,
    setting: &'a Setting,
    path: PathBuf,
}

/// What one part of a log holds.
#[derive(Debug, Default)]
struct Part {
    told: Told,
    /// Bytes that were read of it.
    bytes: u64,
    /// What is no record, with the reason.
    bad: Option<(Vec<u8>, &'static str, String)>,
}

/// What its lines say.
#[derive(Debug, Default)]
struct Told {
    calls: Vec<Call>,
    legs: Vec<(String, CallLeg)>,
}

/// A log that is open, and how far it was read.
#[derive(Debug)]
struct Log {
    file: File,
    place: Place,
    /// The line of names, if it begins with one.
    head: Vec<u8>,
}

impl Log {
    fn open(dialect: Dialect, file: File, place: Option<Place>) -> io::Result<Self> {
        let begin = read_at(&file, 0, RECORD_BYTES_MAX as u64)?;
        let head = begin.get(..dialect.head_bytes(&begin)).unwrap_or_default().to_vec();
        let place = match place {
            Some(place) => place,
            None => Place::at(&file, 0)?,
        };
        Ok(Self { file, place, head })
    }
}

impl<'a> Follower<'a> {
    pub(crate) fn new(
        channel: ChannelId,
        dialect: Dialect,
        setting: &'a Setting,
        path: &Path,
    ) -> Self {
        Self { channel, dialect, setting, path: path.to_owned() }
    }

    /// Until `shutdown`. What cannot be opened or read is tried again.
    pub(crate) async fn run(
        &self,
        start: Start,
        inlet: &dyn Inlet,
        shutdown: &CancellationToken,
    ) -> Result<(), AcceptError> {
        let reached = inlet.reached(&self.channel, CURSOR).await?;
        let mut place = reached.as_deref().and_then(Place::read);
        if place.is_none() && start == Start::New {
            place = self.first(inlet, shutdown).await?;
        }
        let mut log: Option<Log> = None;
        let mut pause = PAUSE;
        while !shutdown.is_cancelled() {
            match self.look(&mut log, &mut place, inlet, shutdown).await {
                Ok(()) => pause = PAUSE,
                Err(Trouble::Accept(error)) => return Err(error),
                Err(Trouble::Io(error)) => {
                    tracing::warn!(channel = %self.channel, %error, "the log cannot be read");
                    log = None;
                    if !rest(&mut pause, shutdown).await {
                        break;
                    }
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        Ok(())
    }

    /// Where a log begins of which only what is written from now on counts: at its end or, if it is not
    /// there yet, with its first line. That is kept, so that what is written while nobody looks counts.
    async fn first(
        &self,
        inlet: &dyn Inlet,
        shutdown: &CancellationToken,
    ) -> Result<Option<Place>, AcceptError> {
        let mut pause = PAUSE;
        while !shutdown.is_cancelled() {
            let place = match File::open(&self.path) {
                Ok(file) => Place::at_end(&file, RECORD_BYTES_MAX as u64),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Place::default()),
                Err(error) => Err(error),
            };
            match place {
                Ok(place) => {
                    let value = place.write();
                    let reached = Some(Reached { name: CURSOR.to_owned(), value });
                    let received = Received { reached, ..Received::default() };
                    let given = give(inlet, &self.channel, &received, shutdown).await?;
                    return Ok(given.then_some(place));
                }
                Err(error) => {
                    tracing::warn!(channel = %self.channel, %error, "the log cannot be read");
                    rest(&mut pause, shutdown).await;
                }
            }
        }
        Ok(None)
    }

    /// Reads what is new, and goes over to the next file where the log was rotated.
    async fn look(
        &self,
        log: &mut Option<Log>,
        place: &mut Option<Place>,
        inlet: &dyn Inlet,
        shutdown: &CancellationToken,
    ) -> Result<(), Trouble> {
        if log.is_none() {
            *log = self.begin(place.as_ref())?;
        }
        let Some(open) = log.as_mut() else {
            return Ok(());
        };
        // Asked before reading, so that what was written until it was renamed is read.
        let moved = match std::fs::metadata(&self.path) {
            Ok(metadata) => identity(&metadata) != identity(&open.file.metadata()?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error.into()),
        };
        if !open.place.is_in(&open.file)? {
            self.cut(open, inlet, shutdown).await?;
        }
        self.read(open, moved, inlet, shutdown).await?;
        *place = Some(open.place.clone());
        if moved && !shutdown.is_cancelled() {
            *log = Some(Log::open(self.dialect, next_after(&self.path, &open.file)?, None)?);
        }
        Ok(())
    }

    /// Where reading goes on: in the log, or in what it was renamed to or copied into.
    fn begin(&self, place: Option<&Place>) -> io::Result<Option<Log>> {
        let now = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(place) = place else {
            return Log::open(self.dialect, now, None).map(Some);
        };
        let same = place.file == identity(&now.metadata()?);
        if (same || place.offset > 0) && place.is_in(&now)? {
            let place = Place::at(&now, place.offset)?;
            return Log::open(self.dialect, now, Some(place)).map(Some);
        }
        if let Some(before) = place.find_beside(&self.path) {
            let place = Place::at(&before, place.offset)?;
            return Log::open(self.dialect, before, Some(place)).map(Some);
        }
        if place.offset > 0 {
            tracing::warn!(channel = %self.channel, "the log that was read is gone; the new one is read whole");
        }
        Log::open(self.dialect, now, None).map(Some)
    }

    /// The log was cut and is written anew. What was not read of it stands in its copy, if there is one.
    async fn cut(
        &self,
        open: &mut Log,
        inlet: &dyn Inlet,
        shutdown: &CancellationToken,
    ) -> Result<(), Trouble> {
        if let Some(copy) = open.place.find_beside(&self.path) {
            let place = Place::at(&copy, open.place.offset)?;
            let mut copy = Log::open(self.dialect, copy, Some(place))?;
            self.read(&mut copy, true, inlet, shutdown).await?;
            if shutdown.is_cancelled() {
                return Ok(());
            }
        }
        let file = open.file.try_clone()?;
        *open = Log::open(self.dialect, file, None)?;
        Ok(())
    }

    /// Reads to the end; the last line too, if nobody writes there any more.
    async fn read(
        &self,
        log: &mut Log,
        ended: bool,
        inlet: &dyn Inlet,
        shutdown: &CancellationToken,
    ) -> Result<(), Trouble> {
        loop {
            let part = self.part(log, ended)?;
            if part.bytes == 0 {
                return Ok(());
            }
            let next = Place::at(&log.file, log.place.offset + part.bytes)?;
            if let Some((raw, code, detail)) = part.bad {
                let channel = &self.channel;
                inlet.accept_unparsed(channel, raw.into(), code, &detail).await?;
            }
            let reached = Reached { name: CURSOR.to_owned(), value: next.write() };
            let Told { calls, legs } = part.told;
            let reached = Some(reached);
            let received = Received { calls, legs, reached, ..Received::default() };
            if !give(inlet, &self.channel, &received, shutdown).await? {
                return Ok(());
            }
            log.place = next;
        }
    }

    /// The next whole lines.
    fn part(&self, log: &Log, ended: bool) -> io::Result<Part> {
        let mut bytes = read_at(&log.file, log.place.offset, FOLLOW_BYTES_MAX)?;
        let all = bytes.len();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let full = u64::try_from(all).is_ok_and(|all| all >= FOLLOW_BYTES_MAX);
        if !ended || full {
            bytes.truncate(whole);
        }
        if bytes.is_empty() {
            if full {
                // One line without end is no record.
                let raw = read_at(&log.file, log.place.offset, FOLLOW_BYTES_MAX)?;
                return Ok(bad(raw, "log_record_too_long", "a line has no end".to_owned()));
            }
            return Ok(Part::default());
        }
        let (lines, head) = if log.place.offset == 0 {
            (bytes, 0)
        } else {
            ([log.head.as_slice(), bytes.as_slice()].concat(), log.head.len())
        };
        Ok(self.parse(&lines, head))
    }

    /// Reads the log and what it was rotated to once more, from the lines of `since` on.
    pub(crate) async fn backfill(
        &self,
        inlet: &dyn Inlet,
        since: Timestamp,
    ) -> Result<u64, AcceptError> {
        let mut count = 0;
        let mut paths = beside(&self.path);
        paths.push(self.path.clone());
        let never = CancellationToken::new();
        for path in paths {
            match self.reread(&path, inlet, since, &never).await {
                Ok(read) => count += read,
                Err(Trouble::Accept(error)) => return Err(error),
                Err(Trouble::Io(error)) => {
                    tracing::warn!(path = %path.display(), %error, "not read");
                }
            }
        }
        Ok(count)
    }

    async fn reread(
        &self,
        path: &Path,
        inlet: &dyn Inlet,
        since: Timestamp,
        shutdown: &CancellationToken,
    ) -> Result<u64, Trouble> {
        let mut log = Log::open(self.dialect, File::open(path)?, None)?;
        let mut count = 0;
        loop {
            let mut part = self.part(&log, false)?;
            if part.bytes == 0 {
                return Ok(count);
            }
            part.told.calls.retain(|call| call.started_at.is_none_or(|at| at >= since));
            part.told.legs.retain(|(_, leg)| leg.at >= since);
            let Told { calls, legs } = part.told;
            let found = calls.len() + legs.len();
            count += found as u64;
            if found > 0 {
                let received = Received { calls, legs, ..Received::default() };
                give(inlet, &self.channel, &received, shutdown).await?;
            }
            log.place = Place::at(&log.file, log.place.offset + part.bytes)?;
        }
    }
}

/// Why following stops for now.
enum Trouble {
    Io(io::Error),
    Accept(AcceptError),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<AcceptError> for Trouble {
    fn from(error: AcceptError) -> Self {
        Self::Accept(error)
    }
}

fn bad(raw: Vec<u8>, code: &'static str, detail: String) -> Part {
    Part { bytes: raw.len() as u64, told: Told::default(), bad: Some((raw, code, detail)) }
}

impl Follower<'_> {
    /// Each record by itself. `head` bytes of names stand before what is read.
    fn parse(&self, lines: &[u8], head: usize) -> Part {
        let bytes = lines.len().saturating_sub(head) as u64;
        let (mut told, wrong) = self.tell(lines);
        if wrong.is_none() {
            return Part { told, bytes, bad: None };
        }
        // One that cannot be read must not take others with it, so each line stands for itself now.
        let (names, lines) = lines.split_at_checked(head).unwrap_or((&[], lines));
        let mut raw = Vec::new();
        let mut wrongs = Vec::new();
        told = Told::default();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let (found, wrong) = self.tell(&[names, line].concat());
            told.calls.extend(found.calls);
            told.legs.extend(found.legs);
            if let Some(why) = wrong {
                wrongs.push(why);
                raw.extend_from_slice(line);
            }
        }
        let detail = match wrongs.as_slice() {
            [why] => (*why).to_owned(),
            _ => format!("{} lines; the first: {}", wrongs.len(), wrongs.first().unwrap_or(&"")),
        };
        let bad = (!wrongs.is_empty()).then_some((raw, "log_records_unreadable", detail));
        Part { told, bytes, bad }
    }

    /// What these lines say, and what is wrong with them, if anything is.
    fn tell(&self, lines: &[u8]) -> (Told, Option<&'static str>) {
        let headers = http::HeaderMap::new();
        let request =
            PushRequest { method: &http::Method::POST, uri: "", headers: &headers, body: lines };
        let desk = Desk::new(self.setting, None);
        let mut told = Told::default();
        let held = self.dialect.parse(&request, &desk, &mut |mut event| match event.take_leg() {
            Some(leg) => told.legs.push(leg),
            None => {
                let mut progress = Progress::new(event.call_id.clone());
                progress.apply(event);
                told.calls.push(progress.call(&self.setting.places));
            }
        });
        let wrong = match held {
            Err(_) => Some("no record"),
            Ok(held) => match held.unreadable.told.first() {
                Some((_, why)) => Some(*why),
                None => (held.whole_bytes != lines.len()).then_some("a record that breaks off"),
            },
        };
        (told, wrong)
    }
}
