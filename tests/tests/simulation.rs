//! Thousands of short histories of a house in which everything fails that may fail, judged by the
//! promises P1 to P9; and that the judge sees mistakes that are built in on purpose.
//!
//! `POSTROOM_SIM_SEED=1234` plays that one history, `POSTROOM_SIM_SEEDS=100000` so many in all.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::let_underscore_must_use,
    reason = "a test fails by panicking, and writing to a string cannot fail"
)]

use std::fmt::Write as _;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use postroom_tests::sim::{Sabotage, Shelf, Tally, Verdict, play};

/// Histories in all, unless the environment says otherwise.
const SEEDS: u64 = 10_000;
/// Histories that break a promise and are named; one would do.
const BROKEN_MAX: usize = 5;
/// Within so many histories the judge must see a mistake that is built in.
const SEEDS_FOR_MISTAKE: u64 = 60;
/// Within so many everything must have happened that the simulation is for.
const SEEDS_FOR_REACH: u64 = 300;
/// So many are played twice.
const SEEDS_AGAIN: u64 = 40;

#[expect(clippy::disallowed_methods, reason = "a test asks which history to repeat")]
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

fn verdict(seed: u64, sabotage: Sabotage, shelf: &Shelf) -> Verdict {
    match play(seed, sabotage, shelf) {
        Ok(verdict) => verdict,
        Err(error) => panic!("history {seed} could not be played: {error}"),
    }
}

/// What is wrong with the history, and how to see it again.
fn broken(seed: u64, complaints: &[String]) -> String {
    let mut text = format!("history {seed} breaks a promise:\n");
    for complaint in complaints {
        let _ = writeln!(text, "  {complaint}");
    }
    let _ = writeln!(
        text,
        "to repeat it: POSTROOM_SIM_SEED={seed} cargo test -p postroom-tests --test simulation keeps"
    );
    text
}

/// Plays the histories on every core, each on one of its own.
fn play_all(seeds: std::ops::Range<u64>) -> Tally {
    let (next, tally, wrong) =
        (AtomicU64::new(seeds.start), Mutex::new(Tally::default()), Mutex::new(Vec::new()));
    let work = || {
        let shelf = Shelf::open().unwrap();
        let mut own = Tally::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || wrong.lock().unwrap().len() >= BROKEN_MAX {
                break;
            }
            let verdict = verdict(seed, Sabotage::None, &shelf);
            own.add(&verdict.tally);
            if !verdict.complaints.is_empty() {
                wrong.lock().unwrap().push(broken(seed, &verdict.complaints));
            }
        }
        tally.lock().unwrap().add(&own);
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.concat());
    tally.into_inner().unwrap()
}

#[test]
fn simulation_keeps_the_promises() {
    let seeds = match number("POSTROOM_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("POSTROOM_SIM_SEEDS").unwrap_or(SEEDS),
    };
    println!("{:#?}", play_all(seeds));
}

#[test]
fn simulation_reaches_what_it_is_for() {
    let tally = play_all(0..SEEDS_FOR_REACH);
    let missing: Vec<&str> = WANTED.into_iter().filter(|name| tally.of(name) == 0).collect();
    assert!(missing.is_empty(), "{missing:?} never happened in {tally:#?}");
}

/// What must have happened at least once, by its name in the tally.
const WANTED: [&str; 36] = [
    "crashed",
    "crashed for good",
    "stepped down",
    "stale append refused",
    "stale write refused",
    "records cleared",
    "records set back",
    "clock jumped",
    "held up",
    "failed",
    "landed late",
    "answer lost",
    "published again",
    "snapshot looked up",
    "snapshot of before",
    "live state compared",
    "routed",
    "duplicate",
    "parked",
    "rejected",
    "brought by time",
    "mail came first",
    "call.recorded",
    "call.leg",
    "contact.merged",
    "conversation.reopened",
    "conversation.woken",
    "conversation.assigned",
    "conversation.released",
    "conversation.merged",
    "conversation.transferred",
    "delivery.attempted",
    "delivery.settled",
    "delivery.requeued",
    "receipt.recorded",
    "input.unparked",
];

#[test]
fn same_seed_gives_the_same_verdict() {
    let (one, other) = (Shelf::open().unwrap(), Shelf::open().unwrap());
    for seed in 0..SEEDS_AGAIN {
        let first = verdict(seed, Sabotage::None, &one);
        assert!(!first.ledger_hash.is_empty(), "history {seed} is empty");
        assert_eq!(first, verdict(seed, Sabotage::None, &other), "history {seed}");
    }
}

/// The judge must complain in these words. That it does not without the mistake is what
/// [`simulation_keeps_the_promises`] shows.
fn judge_sees(sabotage: Sabotage, complaint: &str) {
    let shelf = Shelf::open().unwrap();
    let mut others = Vec::new();
    for seed in 0..SEEDS_FOR_MISTAKE {
        let complaints = verdict(seed, sabotage, &shelf).complaints;
        if complaints.iter().any(|one| one.starts_with(complaint)) {
            return;
        }
        others.extend(complaints);
    }
    panic!("{sabotage:?} went unseen in {SEEDS_FOR_MISTAKE} histories; seen: {others:#?}");
}

#[test]
fn judge_sees_ledger_without_fence() {
    judge_sees(Sabotage::LedgerWithoutFence, "P4: ");
}

#[test]
fn judge_sees_ledger_forgets_append() {
    judge_sees(Sabotage::LedgerForgetsAppend, "a router stopped: the ledger ends at");
}

#[test]
fn judge_sees_records_without_fence() {
    judge_sees(Sabotage::RecordsWithoutFence, "P5: ");
}

#[test]
fn judge_sees_records_torn() {
    judge_sees(Sabotage::RecordsTorn, "P5: ");
}

#[test]
fn judge_sees_records_forget_seen() {
    judge_sees(Sabotage::RecordsForgetSeen, "P2: ");
}

#[test]
fn judge_sees_records_forget_threads() {
    judge_sees(Sabotage::RecordsForgetThreads, "P3: ");
}

#[test]
fn judge_sees_inlet_skips_entry() {
    judge_sees(Sabotage::InletSkipsEntry, "P2: ");
}

#[test]
fn judge_sees_inlet_forgets_publish() {
    judge_sees(Sabotage::InletForgetsPublish, "P1: ");
}

#[test]
fn judge_sees_host_sends_ungranted() {
    judge_sees(Sabotage::HostSendsUngranted, "P7: ");
}

#[test]
fn judge_sees_ledger_loses_assignment() {
    judge_sees(Sabotage::LedgerLosesAssignment, "P6: ");
}

#[test]
fn judge_sees_records_forget_addresses() {
    judge_sees(Sabotage::RecordsForgetAddresses, "P3: ");
}
