//! Thousands of short histories of a house in which everything fails that may fail, judged by the
//! promises P1 to P9.
//!
//! `POSTROOM_SIM_SEED=1234` plays that one history, `POSTROOM_SIM_SEEDS=100000` so many in all.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::let_underscore_must_use,
    clippy::print_stdout,
    reason = "a test fails by panicking, and writing to a string cannot fail"
)]

use std::fmt::Write as _;

use postroom_tests::sim::{Sabotage, Shelf, Tally, Verdict, play};

/// Histories in all, unless the environment says otherwise.
const SEEDS: u64 = 10_000;
/// Test functions that share them, so that they run beside each other.
const PARTS: u64 = 4;

#[expect(clippy::disallowed_methods, reason = "a test asks which history to repeat")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn verdict(seed: u64, sabotage: Sabotage, shelf: &Shelf) -> Verdict {
    match play(seed, sabotage, shelf) {
        Ok(verdict) => verdict,
        Err(error) => panic!("history {seed} could not be played: {error}"),
    }
}

fn all_is_kept(seed: u64, shelf: &Shelf) -> Tally {
    let verdict = verdict(seed, Sabotage::None, shelf);
    if verdict.complaints.is_empty() {
        return verdict.tally;
    }
    let mut text = String::new();
    for complaint in &verdict.complaints {
        let _ = writeln!(text, "  {complaint}");
    }
    panic!(
        "history {seed} breaks a promise:\n{text}to repeat it: \
         POSTROOM_SIM_SEED={seed} cargo nextest run -p postroom-tests simulation"
    );
}

fn play_part(part: u64) {
    let shelf = Shelf::open().unwrap();
    if let Some(seed) = number("POSTROOM_SIM_SEED") {
        if part == 0 {
            all_is_kept(seed, &shelf);
        }
        return;
    }
    let seeds = number("POSTROOM_SIM_SEEDS").unwrap_or(SEEDS);
    let mut tally = Tally::default();
    for seed in (part..seeds).step_by(usize::try_from(PARTS).unwrap()) {
        tally.add(&all_is_kept(seed, &shelf));
    }
    println!("{tally:?}");
}

#[test]
fn simulation_keeps_the_promises_part_1() {
    play_part(0);
}

#[test]
fn simulation_keeps_the_promises_part_2() {
    play_part(1);
}

#[test]
fn simulation_keeps_the_promises_part_3() {
    play_part(2);
}

#[test]
fn simulation_keeps_the_promises_part_4() {
    play_part(3);
}
