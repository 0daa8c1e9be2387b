//! How fast a log of call detail records becomes events, beside the `csv` crate alone over the same
//! bytes, in turns and in one run. `cargo run --release -p postroom-channel-phone --example cdr_speed`
//! prints lines a second of both, the best of several rounds, and their ratio.

use std::fmt::Write as _;

use postroom_channel::{PushRequest, Refusal};
use postroom_channel_phone::{Desk, Dialect, Region, Rows, Setting, Zone};
use tokio::time::Instant;

const LINES: usize = 1_000_000;
const ROUNDS: usize = 5;
const DISPOSITIONS: [&str; 4] = ["ANSWERED", "NO ANSWER", "BUSY", "ANSWERED"];

/// Lines as `cdr_csv` writes them: a new caller in ten, a call a second.
fn log() -> String {
    let mut log = String::with_capacity(LINES * 300);
    for line in 0..LINES {
        let (minute, second) = (line / 60 % 60, line % 60);
        let (day, hour) = (1 + line / 86_400 % 28, line / 3_600 % 24);
        let caller = 901_000 + line / 10 % 90_000;
        let how = DISPOSITIONS.get(line % 4).copied().unwrap_or_default();
        let answer = if how == "ANSWERED" {
            format!("\"2026-03-{day:02} {hour:02}:{minute:02}:{second:02}\"")
        } else {
            String::new()
        };
        // Writing to a text does not fail.
        writeln!(
            log,
            "\"\",\"030{caller}\",\"200\",\"from-trunk\",\"\"\"Ada\"\" <030{caller}>\",\
             \"PJSIP/trunk-{line:08x}\",\"PJSIP/200-{line:08x}\",\"Dial\",\"PJSIP/200,30\",\
             \"2026-03-{day:02} {hour:02}:{minute:02}:{second:02}\",{answer},\
             \"2026-03-{day:02} {hour:02}:{minute:02}:{second:02}\",20,15,\"{how}\",\
             \"DOCUMENTATION\",\"1772357400.{line}\",\"\""
        )
        .unwrap_or_default();
    }
    log
}

fn bare(log: &[u8]) -> usize {
    let mut builder = csv::ReaderBuilder::new();
    let mut reader = builder.has_headers(false).flexible(true).from_reader(log);
    let mut record = csv::ByteRecord::new();
    let mut count = 0;
    while let Ok(true) = reader.read_byte_record(&mut record) {
        count += usize::from(record.len() > 15);
    }
    count
}

fn events(log: &[u8], setting: &Setting) -> Result<usize, Refusal> {
    let headers = http::HeaderMap::new();
    let request =
        PushRequest { method: &http::Method::POST, uri: "", headers: &headers, body: log };
    let desk = Desk::new(setting, None);
    let mut count = 0;
    Dialect::AsteriskCdr.parse(&request, &desk, &mut |event| {
        count += usize::from(!event.call_id.is_empty());
    })?;
    Ok(count)
}

/// Records with their times and their end, without a text of their own.
fn rows(log: &[u8], setting: &Setting) -> Result<usize, Refusal> {
    let desk = Desk::new(setting, None);
    let mut rows = Rows::new(log, &desk)?;
    let mut count = 0;
    while let Some(row) = rows.read()? {
        count += usize::from(row.is_ok_and(|row| row.started_at.is_some()));
    }
    Ok(count)
}

#[expect(clippy::cast_precision_loss, reason = "a rate is told to three digits")]
fn per_s(took: std::time::Duration) -> f64 {
    LINES as f64 / took.as_secs_f64()
}

#[expect(clippy::print_stdout, reason = "what it is for")]
fn main() -> Result<(), Refusal> {
    let log = log();
    let setting = Setting {
        zone: Zone::parse("Europe/Berlin").unwrap_or_default(),
        region: Region::parse("DE").map(Region::prepared),
        ..Setting::default()
    };
    let (mut csv_best, mut rows_best, mut ours_best) = (0.0_f64, 0.0_f64, 0.0_f64);
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let bare = bare(log.as_bytes());
        csv_best = csv_best.max(per_s(started.elapsed()));
        let started = Instant::now();
        let rows = rows(log.as_bytes(), &setting)?;
        rows_best = rows_best.max(per_s(started.elapsed()));
        let started = Instant::now();
        let events = events(log.as_bytes(), &setting)?;
        ours_best = ours_best.max(per_s(started.elapsed()));
        println!("{bare} records, {rows} rows, {events} events");
    }
    println!("csv alone {csv_best:.0}/s");
    println!("rows {rows_best:.0}/s, ratio {:.2}", rows_best / csv_best);
    println!("events {ours_best:.0}/s, ratio {:.2}", ours_best / csv_best);
    Ok(())
}
