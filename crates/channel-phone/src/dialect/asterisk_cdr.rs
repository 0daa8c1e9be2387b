//! Call detail records of Asterisk, as `cdr_csv` and `cdr_custom` write them: one line a leg that
//! was dialled, several lines for a call that was forked or transferred.
//!
//! Without configuration the columns are those of `cdr_csv`, whose ends can be switched off and on;
//! a first line of names is believed. Local times are read in the zone of the channel.

use postroom_channel::Refusal;
use postroom_model::digest::Digest;
use postroom_model::legs::endpoint;
use postroom_model::{Direction, Timestamp};
use smol_str::{SmolStr, format_smolstr};

use crate::desk::{Desk, Held, Sink, short, trimmed, web_address};
use crate::event::{Agents, CallEvent, Outcome, Stage};
use crate::limits::TEXT_CHARS_MAX;
use crate::table::{Piece, Record, TOO_LONG, Table};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Source,
    Destination,
    Context,
    CallerId,
    Channel,
    DestinationChannel,
    Application,
    Data,
    Start,
    Answer,
    End,
    Duration,
    Talk,
    Disposition,
    UniqueId,
    LinkedId,
    Did,
    CallerName,
    Recording,
}

const COLUMNS: usize = 19;

/// Where the length that is told and that of the two times differ by so much, a clock was put back.
const SPAN_DOUBTED_MS: u64 = 1_200_000;

/// The columns that `cdr_csv` always writes.
const HEAD: [&str; 16] = [
    "accountcode",
    "src",
    "dst",
    "dcontext",
    "clid",
    "channel",
    "dstchannel",
    "lastapp",
    "lastdata",
    "start",
    "answer",
    "end",
    "duration",
    "billsec",
    "disposition",
    "amaflags",
];

/// Where each column stands.
#[derive(Debug, Clone, Copy)]
struct Layout {
    places: [Option<u16>; COLUMNS],
    /// The last place that a record must have.
    last: u16,
}

impl Layout {
    fn of_names<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let mut layout = Self { places: [None; COLUMNS], last: 0 };
        for (index, name) in names.enumerate() {
            let (Some(column), Ok(index)) = (column(name), u16::try_from(index)) else {
                continue;
            };
            if let Some(place) = layout.places.get_mut(column as usize) {
                layout.last = layout.last.max(*place.get_or_insert(index));
            }
        }
        layout
    }

    /// `cdr_csv` has sixteen columns, then the unique id and the user field where they are switched
    /// on, then peer account, linked id and sequence in the newer form.
    fn of_record(record: &Record<'_>) -> Self {
        let tail: &[&str] = match record.columns() {
            17 if is_unique_id(record.get(16)) => &["uniqueid"],
            18 => &["uniqueid", "userfield"],
            19 => &["peeraccount", "linkedid", "sequence"],
            20 => &["uniqueid", "peeraccount", "linkedid", "sequence"],
            21.. => &["uniqueid", "userfield", "peeraccount", "linkedid", "sequence"],
            _ => &[],
        };
        Self::of_names(HEAD.into_iter().chain(tail.iter().copied()))
    }

    fn has(&self, column: Column) -> bool {
        self.places.get(column as usize).is_some_and(Option::is_some)
    }
}

/// The column of a name in `cdr_csv`, in `cdr_custom` or in a table of a database.
fn column(name: &str) -> Option<Column> {
    Some(match plain(name).as_str() {
        "src" | "source" | "cnum" => Column::Source,
        "dst" | "destination" => Column::Destination,
        "dcontext" | "destinationcontext" => Column::Context,
        "clid" | "callerid" => Column::CallerId,
        "channel" => Column::Channel,
        "dstchannel" | "destinationchannel" => Column::DestinationChannel,
        "lastapp" | "lastapplication" => Column::Application,
        "lastdata" => Column::Data,
        "start" | "calldate" | "starttime" => Column::Start,
        "answer" | "answertime" => Column::Answer,
        "end" | "endtime" => Column::End,
        "duration" => Column::Duration,
        "billsec" | "billableseconds" => Column::Talk,
        "disposition" => Column::Disposition,
        "uniqueid" => Column::UniqueId,
        "linkedid" => Column::LinkedId,
        "did" => Column::Did,
        "cnam" => Column::CallerName,
        "recordingfile" | "recordingurl" => Column::Recording,
        _ => return None,
    })
}

/// Columns that a log may have beside those that are read.
const OTHERS: [&str; 5] = ["userfield", "uniqueid", "peeraccount", "linkedid", "sequence"];
/// Those that only tables and mappings have.
const FURTHER: [&str; 5] = ["calldate", "did", "cnum", "cnam", "recordingfile"];

/// The usual names of columns, to suggest one.
pub(super) fn column_names() -> impl Iterator<Item = &'static str> {
    HEAD.into_iter().chain(OTHERS).chain(FURTHER)
}

/// The first column that every record must have and that is not among these.
pub(super) fn missing_column(columns: &[String]) -> Option<&'static str> {
    let has = |wanted| columns.iter().any(|name| column(name) == Some(wanted));
    let needed =
        [("src", Column::Source), ("start", Column::Start), ("disposition", Column::Disposition)];
    needed.into_iter().find(|(_, wanted)| !has(*wanted)).map(|(name, _)| name)
}

/// Whether such a log may have a column of this name.
pub(super) fn is_column(name: &str) -> bool {
    let plain = plain(name);
    column(name).is_some() || HEAD.into_iter().chain(OTHERS).any(|known| known == plain)
}

/// A name without case and punctuation, also out of `${CDR(src)}` or `CDR(src)`.
fn plain(name: &str) -> String {
    let inner = name.rsplit_once('(').map_or(name, |(_, inner)| inner);
    let letters = inner.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Seconds and a count, a name of the system in front where it has one: `pbx-1772357400.16`.
fn is_unique_id(field: &str) -> bool {
    let numbers = field.rsplit('-').next().unwrap_or(field);
    let mut halves = numbers.split('.');
    let digits = |half: Option<&str>| {
        half.is_some_and(|half| !half.is_empty() && half.bytes().all(|byte| byte.is_ascii_digit()))
    };
    digits(halves.next()) && digits(halves.next()) && halves.next().is_none()
}

/// Reads a log, or a part of one.
pub(super) fn parse(log: &[u8], desk: &Desk<'_>, sink: Sink<'_>) -> Result<Held, Refusal> {
    let mut rows = Rows::new(log, desk)?;
    let mut held = Held::default();
    while let Some(row) = rows.read()? {
        match row {
            Ok(row) => {
                if row.skipped {
                    let Record { raw, .. } = row.record;
                    held.unreadable.add(row.record.line(), TIME_SKIPPED, raw);
                }
                sink(row.event(desk));
            }
            Err(BadLine { line, why, raw }) => held.unreadable.add(line, why, raw),
        }
    }
    held.whole_bytes = rows.table.whole_bytes;
    Ok(held)
}

/// Why a record is told that is taken all the same.
pub(super) const TIME_SKIPPED: &str = "a local time that never was, since the clocks had been put \
                                       forward; is it the right time zone?";

/// The records of a log, read one by one without keeping any.
#[derive(Debug)]
pub struct Rows<'a, 'd> {
    table: Table<'a>,
    desk: &'d Desk<'d>,
    /// By configuration or by a line of names; else each record tells by how many columns it has.
    layout: Option<Layout>,
    /// The layout of the last record, and what told it: how many columns it had, and whether an id
    /// stood last.
    guessed: Option<((usize, bool), Layout)>,
}

/// What is no record: where, what is wrong, and what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadLine<'a> {
    pub line: u64,
    pub why: &'static str,
    pub raw: &'a [u8],
}

impl<'a, 'd> Rows<'a, 'd> {
    pub fn new(log: &'a [u8], desk: &'d Desk<'d>) -> Result<Self, Refusal> {
        let configured = &desk.setting.columns;
        let columns = if configured.is_empty() { HEAD.len() } else { configured.len() };
        let mut table = Table::new(log, columns)?;
        let mut layout = None;
        if !configured.is_empty() {
            layout = Some(Layout::of_names(configured.iter().map(String::as_str)));
        }
        if let Some(named) = named_columns(log)? {
            layout = layout.or(Some(named));
            table.first();
        }
        Ok(Self { table, desk, layout, guessed: None })
    }

    /// Bytes up to the end of the last whole record.
    pub fn whole_bytes(&self) -> usize {
        self.table.whole_bytes
    }

    /// The next record; none at the end of what is whole.
    pub fn read(&mut self) -> Result<Option<Result<Row<'_>, BadLine<'_>>>, Refusal> {
        let record = match self.table.read()? {
            None => return Ok(None),
            Some(Piece::TooLong(line, raw)) => {
                return Ok(Some(Err(BadLine { line, why: TOO_LONG, raw })));
            }
            Some(Piece::Record(record)) => record,
        };
        let layout = match &self.layout {
            Some(layout) => layout,
            None => {
                let columns = record.columns();
                let shape = (columns, columns == 17 && is_unique_id(record.get(16)));
                if self.guessed.as_ref().is_none_or(|(known, _)| *known != shape) {
                    self.guessed = None;
                }
                &self.guessed.get_or_insert_with(|| (shape, Layout::of_record(&record))).1
            }
        };
        let row = Row::new(record, layout, self.desk);
        Ok(Some(row.map_err(|why| BadLine { line: record.line(), why, raw: record.raw })))
    }
}

/// The columns that the first line names; none if it is a record already.
fn named_columns(log: &[u8]) -> Result<Option<Layout>, Refusal> {
    const NAMES_MIN: usize = 4;
    let line = log.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut table = Table::new(line, 0)?;
    let Some(record) = table.first() else {
        return Ok(None);
    };
    let known = record.fields().filter(|name| column(name).is_some()).count();
    Ok((known >= NAMES_MIN).then(|| Layout::of_names(record.fields())))
}

/// Whether a line names the columns.
pub(super) fn names_columns(line: &[u8]) -> bool {
    matches!(named_columns(line), Ok(Some(_)))
}

/// Who called whom.
struct Parties<'a> {
    /// The name of the caller id.
    name: &'a str,
    source: &'a str,
    from: Option<SmolStr>,
    to: Option<SmolStr>,
    direction: Direction,
}

/// One record, its times and its end read.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    record: Record<'a>,
    layout: &'a Layout,
    pub started_at: Option<Timestamp>,
    pub answered_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub duration_s: Option<u64>,
    pub talk_s: Option<u64>,
    pub outcome: Option<Outcome>,
    /// One of its times never was.
    skipped: bool,
}

impl<'a> Row<'a> {
    fn new(record: Record<'a>, layout: &'a Layout, desk: &Desk<'_>) -> Result<Self, &'static str> {
        let mut row = Self {
            record,
            layout,
            started_at: None,
            answered_at: None,
            ended_at: None,
            duration_s: None,
            talk_s: None,
            outcome: None,
            skipped: false,
        };
        if !layout.has(Column::Disposition) || !layout.has(Column::Source) {
            return Err("the columns of the log are not known");
        }
        if record.columns() <= usize::from(layout.last) {
            return Err("a column is missing");
        }
        row.outcome = outcome(row.text(Column::Disposition));
        if row.outcome.is_none() {
            return Err("the disposition is not one of Asterisk's");
        }
        row.started_at = desk.clockwork.read(row.text(Column::Start));
        if row.started_at.is_none() {
            return Err("the start is not a time");
        }
        row.duration_s = seconds(row.text(Column::Duration));
        row.talk_s = seconds(row.text(Column::Talk));
        row.read_times(desk);
        row.skipped = desk.clockwork.take_skipped();
        if row.outcome == Some(Outcome::Answered) && is_voicemail(row.text(Column::Application)) {
            row.outcome = Some(Outcome::Voicemail);
        }
        if row.outcome == Some(Outcome::Answered) && row.reached_nobody(desk) {
            row.outcome = Some(Outcome::NoAnswer);
            (row.answered_at, row.talk_s) = (None, None);
        }
        Ok(row)
    }

    /// Only a log that has the column can say that nobody was rung.
    fn reached_nobody(&self, desk: &Desk<'_>) -> bool {
        self.layout.has(Column::DestinationChannel)
            && trimmed(self.text(Column::DestinationChannel)).is_empty()
            && !is_conference(self.text(Column::Application))
            && self.parties(desk).direction == Direction::In
    }

    fn parties(&self, desk: &Desk<'_>) -> Parties<'a> {
        let (name, number) = caller(self.text(Column::CallerId));
        let source = self.text(Column::Source);
        let source = if trimmed(source).is_empty() { number } else { source };
        let (destination, did) = (self.text(Column::Destination), self.text(Column::Did));
        let word = !destination.bytes().any(|byte| byte.is_ascii_digit() || byte == b'*');
        let from = desk.dialled(source);
        let to = desk.dialled(if word && !did.is_empty() { did } else { destination });
        let context = self.text(Column::Context);
        let direction = desk.setting.places.direction(context, from.as_deref(), to.as_deref());
        Parties { name, source, from, to, direction }
    }

    /// Start and end stand as they were written; where the clocks were put back between them, or in the
    /// hour that comes twice, the length says which of two readings it is.
    fn settle_span(&mut self, desk: &Desk<'_>) {
        let (Some(start), Some(end), Some(seconds)) =
            (self.started_at, self.ended_at, self.duration_s)
        else {
            return;
        };
        let told_ms = i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
        if end.since(start).abs_diff(told_ms) < SPAN_DOUBTED_MS {
            return;
        }
        let (start, end) = (self.text(Column::Start), self.text(Column::End));
        if let Some((start, end)) = desk.clockwork.span(start, end, seconds) {
            self.started_at = Some(start);
            self.ended_at = Some(end);
        }
    }

    /// A table of a database has the start and two lengths; the other moments follow from them.
    fn read_times(&mut self, desk: &Desk<'_>) {
        let read = |text: &str, after| desk.clockwork.read_after(text, after);
        self.ended_at = read(self.text(Column::End), self.started_at);
        self.settle_span(desk);
        let later = |start: Option<Timestamp>, seconds: Option<u64>| {
            let millis = i64::try_from(seconds?.checked_mul(1_000)?).ok()?;
            Some(start?.plus_millis(millis))
        };
        self.answered_at = read(self.text(Column::Answer), self.started_at);
        // An answer in the hour that comes twice may say more of the end than the start does.
        if self.answered_at.is_some_and(|answer| self.ended_at.is_some_and(|end| end < answer)) {
            self.ended_at = read(self.text(Column::End), self.answered_at);
        }
        if self.ended_at.is_none() && !self.layout.has(Column::End) {
            self.ended_at = later(self.started_at, self.duration_s);
        }
        let answered = self.outcome == Some(Outcome::Answered);
        if answered && !self.layout.has(Column::Answer) {
            let rang = self.duration_s.unwrap_or(0).saturating_sub(self.talk_s.unwrap_or(0));
            self.answered_at = later(self.started_at, Some(rang));
        }
        if !answered {
            self.answered_at = None;
        }
    }

    fn text(&self, column: Column) -> &'a str {
        let index = self.layout.places.get(column as usize).copied().flatten();
        index.map_or("", |index| self.record.get(usize::from(index)))
    }

    /// As [`short`], which need not look at what was seen to be plain.
    fn short(&self, text: &str) -> Option<SmolStr> {
        let text = trimmed(text);
        if self.record.plain && text.len() <= TEXT_CHARS_MAX {
            return (!text.is_empty()).then(|| SmolStr::new(text));
        }
        short(text)
    }

    /// What it says about its call.
    pub fn event(&self, desk: &Desk<'_>) -> CallEvent {
        let Parties { name, source, from, to, direction } = self.parties(desk);
        let told = self.text(Column::CallerName);
        let name = if trimmed(told).is_empty() { name } else { told };
        let did = self.text(Column::Did);
        CallEvent {
            call_id: self.call_id(),
            linked_id: self.short(self.text(Column::LinkedId)),
            stage: Some(Stage::Ended),
            direction: Some(direction),
            from_name: self.short(name).filter(|name| *name != trimmed(source)),
            dialled: desk.dialled(did).or_else(|| to.clone()),
            started_at: self.started_at,
            answered_at: self.answered_at,
            ended_at: self.ended_at,
            duration_s: self.duration_s,
            talk_s: self.talk_s,
            outcome: self.outcome,
            agents: self.agent(direction, from.as_deref()),
            queue: self.queue(),
            recording_url: web_address(self.text(Column::Recording)),
            from,
            to,
            ..CallEvent::default()
        }
    }

    /// The unique id of Asterisk or, where the log has none, a hash of the line.
    fn call_id(&self) -> SmolStr {
        self.short(self.text(Column::UniqueId))
            .unwrap_or_else(|| format_smolstr!("generated:{}", Digest::of(self.record.raw)))
    }

    /// The telephone of our side: who was rung or, of a call outwards, who rang.
    fn agent(&self, direction: Direction, from: Option<&str>) -> Agents {
        let column = match direction {
            Direction::Out => Column::Channel,
            Direction::In | Direction::Internal => Column::DestinationChannel,
        };
        let telephone = endpoint(self.text(column)).and_then(|telephone| self.short(telephone));
        let caller = from.filter(|_| direction == Direction::Out);
        telephone.or_else(|| caller.map(SmolStr::new)).into_iter().collect()
    }

    fn queue(&self) -> Option<SmolStr> {
        if !self.text(Column::Application).eq_ignore_ascii_case("queue") {
            return None;
        }
        let data = self.text(Column::Data);
        self.short(data.split([',', '|']).next().unwrap_or_default())
    }
}

/// Name and number of `"Ada" <201>`, of `<201>` and of `201`.
pub(super) fn caller(caller_id: &str) -> (&str, &str) {
    let caller_id = trimmed(caller_id);
    let open = caller_id.bytes().rposition(|byte| byte == b'<');
    let Some((name, number)) = open.and_then(|at| caller_id.split_at_checked(at)) else {
        return ("", caller_id);
    };
    let name = trimmed(name);
    let quoted = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    (quoted.unwrap_or(name), number.trim_matches(['<', '>']))
}

fn seconds(field: &str) -> Option<u64> {
    trimmed(field).parse().ok()
}

pub(super) fn outcome(disposition: &str) -> Option<Outcome> {
    let word = trimmed(disposition);
    let is = |known: &str| word.eq_ignore_ascii_case(known);
    if is("ANSWERED") || is("ANSWER") {
        Some(Outcome::Answered)
    } else if is("NO ANSWER") || is("NOANSWER") || is("NO_ANSWER") {
        Some(Outcome::NoAnswer)
    } else if is("BUSY") {
        Some(Outcome::Busy)
    } else if is("FAILED") || is("CONGESTION") {
        Some(Outcome::Failed)
    } else {
        None
    }
}

pub(super) fn is_voicemail(application: &str) -> bool {
    let application = trimmed(application);
    application.eq_ignore_ascii_case("voicemail") || application.eq_ignore_ascii_case("minivm")
}

/// Who is in a conference talks, although no channel was rung for it.
pub(super) fn is_conference(application: &str) -> bool {
    let application = trimmed(application);
    ["confbridge", "meetme"].iter().any(|known| application.eq_ignore_ascii_case(known))
}
