//! How fast a log of call detail records becomes events, beside the `csv` crate alone over the same
//! file, in turns and in one run. `cargo run --release -p postroom-channel-phone --example cdr_speed`
//! prints lines a second of each, the best of several rounds, and the median of the rounds' ratios:
//! what else the machine does then falls on all of them.
//!
//! The `csv` crate reads each record into one that is kept: `ByteRecord`, the fastest that it can do,
//! and `StringRecord`, which is text, as ours is. Ours reads a part of the file after the other, as a
//! log that is followed, and makes of each line an event with its texts, numbers and times.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use postroom_channel::PushRequest;
use postroom_channel_phone::{Desk, Dialect, Region, Rows, Setting, Zone};
use tokio::time::Instant;

const LINES: u64 = 1_000_000;
const ROUNDS: usize = 15;
/// Bytes of the file that are read at once.
const PART_BYTES: usize = 128 * 1024;
/// Callers who call again and again, and all others.
const REGULARS: u64 = 20_000;
const STRANGERS: u64 = 400_000;
const NAMES: [&str; 6] = ["Ada Byron", "ACME GmbH", "", "Lin", "J. Okafor", ""];
const ENDS: [&str; 5] = ["ANSWERED", "ANSWERED", "ANSWERED", "NO ANSWER", "BUSY"];

type Outcome<T> = Result<T, Box<dyn Error>>;
/// One way to read the file, which says how many records it found.
type Way<'a> = &'a dyn Fn() -> Outcome<u64>;

/// Numbers that look thrown, the same in each run.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn choose(&mut self, words: &[&'static str]) -> &'static str {
        let which = self.throw(words.len() as u64);
        usize::try_from(which).ok().and_then(|which| words.get(which)).copied().unwrap_or_default()
    }

    /// Half of the calls are of regulars; a few are with other countries.
    fn number(&mut self) -> String {
        let regular = self.throw(2) == 0;
        let who = self.throw(if regular { REGULARS } else { STRANGERS });
        match who % 50 {
            0 => format!("004420794{:05}", 60_000 + who % 10_000),
            1..=20 => format!("0151{:08}", 10_000_000 + who * 97 % 89_999_999),
            21..=24 => format!("+4989{:07}", 2_000_000 + who),
            _ => format!("030{:07}", 2_000_000 + who),
        }
    }
}

/// A line as `cdr_csv` writes it with the id of the call and the newer columns; a call each 20 s.
fn line(number: u64, dice: &mut Dice) -> String {
    let begin = number * 20;
    let (rang, talked) = (2 + dice.throw(20), 5 + dice.throw(400));
    let how = dice.choose(&ENDS);
    let answered = how == "ANSWERED";
    let length = rang + if answered { talked } else { 0 };
    let answer = if answered { format!("\"{}\"", moment(begin + rang)) } else { String::new() };
    let (outside, inside) = (dice.number(), 200 + dice.throw(80));
    let name = dice.choose(&NAMES);
    let (trunk, desk) =
        (format!("PJSIP/trunk-{number:08x}"), format!("PJSIP/{inside}-{number:08x}"));
    let (app, data) = match dice.throw(4) {
        0 => ("Queue", "support,tT,,,60".to_owned()),
        _ => ("Dial", format!("PJSIP/{inside},30,tT")),
    };
    let (from, to, context, first, second) = match dice.throw(10) {
        0..=6 => (outside, inside.to_string(), "from-trunk", trunk, desk),
        7..=8 => (inside.to_string(), outside, "from-internal", desk, trunk),
        _ => (inside.to_string(), "205".to_owned(), "from-internal", desk, trunk),
    };
    let id = format!("{}.{}", 1_772_357_400 + begin, number * 2);
    let mut line = String::with_capacity(320);
    // Writing to a text does not fail.
    write!(
        line,
        "\"\",\"{from}\",\"{to}\",\"{context}\",\"\"\"{name}\"\" <{from}>\",\"{first}\",\"{second}\",\
         \"{app}\",\"{data}\",\"{}\",{answer},\"{}\",{length},{},\"{how}\",\"DOCUMENTATION\",\
         \"{id}\",\"\",\"\",\"{id}\",{number}",
        moment(begin),
        moment(begin + length),
        length - rang,
    )
    .unwrap_or_default();
    line.push('\n');
    line
}

/// Seconds after the first of January, in months of 28 days.
fn moment(second: u64) -> String {
    let (days, clock) = (second / 86_400, second % 86_400);
    let (year, month, day) = (2025 + days / 336, 1 + days / 28 % 12, 1 + days % 28);
    format!(
        "{year}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        clock / 3600,
        clock / 60 % 60,
        clock % 60
    )
}

fn reader(path: &Path) -> csv::Result<csv::Reader<File>> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).from_path(path)
}

fn bytes_alone(path: &Path) -> Outcome<u64> {
    let (mut reader, mut record) = (reader(path)?, csv::ByteRecord::new());
    let mut count = 0;
    while reader.read_byte_record(&mut record)? {
        count += u64::from(record.len() > 15);
    }
    Ok(count)
}

fn text_alone(path: &Path) -> Outcome<u64> {
    let (mut reader, mut record) = (reader(path)?, csv::StringRecord::new());
    let mut count = 0;
    while reader.read_record(&mut record)? {
        count += u64::from(record.len() > 15);
    }
    Ok(count)
}

/// Gives `take` one part of the file after the other; it says how much of it was whole.
fn parts(path: &Path, mut take: impl FnMut(&[u8]) -> Outcome<usize>) -> Outcome<()> {
    let mut file = File::open(path)?;
    let (mut part, mut held) = (vec![0; PART_BYTES], 0);
    loop {
        let read = file.read(&mut part[held..])?;
        held += read;
        let whole = take(&part[..held])?;
        part.copy_within(whole..held, 0);
        held -= whole;
        if read == 0 {
            return Ok(());
        }
    }
}

fn events(path: &Path, setting: &Setting) -> Outcome<u64> {
    let headers = http::HeaderMap::new();
    let desk = Desk::new(setting, None);
    let mut count = 0;
    parts(path, |body| {
        let request = PushRequest { method: &http::Method::POST, uri: "", headers: &headers, body };
        let held = Dialect::AsteriskCdr.parse(&request, &desk, &mut |event| {
            let known = event.from.is_some() && event.to.is_some() && event.started_at.is_some();
            count += u64::from(known && !event.call_id.is_empty());
        });
        Ok(held.map_err(|refusal| refusal.detail)?.whole_bytes)
    })?;
    Ok(count)
}

/// Records with their times and their end, without a text of their own.
fn rows(path: &Path, setting: &Setting) -> Outcome<u64> {
    let desk = Desk::new(setting, None);
    let mut count = 0;
    parts(path, |body| {
        let mut rows = Rows::new(body, &desk).map_err(|refusal| refusal.detail)?;
        while let Some(row) = rows.read().map_err(|refusal| refusal.detail)? {
            count += u64::from(row.is_ok_and(|row| row.started_at.is_some()));
        }
        Ok(rows.whole_bytes())
    })?;
    Ok(count)
}

#[expect(clippy::cast_precision_loss, reason = "a rate is told to three digits")]
fn per_s(took: Duration) -> f64 {
    LINES as f64 / took.as_secs_f64()
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

#[expect(clippy::print_stdout, reason = "what it is for")]
fn main() -> Outcome<()> {
    let mut log = tempfile::NamedTempFile::new()?;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for number in 0..LINES {
        log.write_all(line(number, &mut dice).as_bytes())?;
    }
    let setting = Setting {
        zone: Zone::parse("Europe/Berlin").unwrap_or_default(),
        region: Region::parse("DE").map(Region::prepared),
        ..Setting::default()
    };
    let path = log.path();
    let ways: [(&str, Way<'_>); 4] = [
        ("csv alone, bytes", &|| bytes_alone(path)),
        ("csv alone, text", &|| text_alone(path)),
        ("rows", &|| rows(path, &setting)),
        ("events", &|| events(path, &setting)),
    ];
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let mut round = Vec::new();
        for (name, way) in &ways {
            let started = Instant::now();
            let count = way()?;
            round.push(per_s(started.elapsed()));
            if count != LINES {
                return Err(format!("{name}: {count} of {LINES}").into());
            }
        }
        rounds.push(round);
    }
    for ((name, _), way) in ways.iter().zip(0..) {
        let of = |round: &Vec<f64>, way: usize| round.get(way).copied().unwrap_or_default();
        let best = rounds.iter().map(|round| of(round, way)).fold(0.0, f64::max);
        let ratio = |to| median(rounds.iter().map(|one| of(one, way) / of(one, to)).collect());
        println!("{name}: {best:.0}/s, {:.2} of bytes, {:.2} of text", ratio(0), ratio(1));
    }
    Ok(())
}
