//! Whole days of a large house: 500 agents in three shifts, 40 queues, 100,000 conversations each, with
//! absences. What people waited is set against Erlang's formula; more than 5 % off is a failure.
//!
//!     cargo run -p postroom-routing --example days -- [DAYS] [FIRST_SEED]

#![expect(clippy::expect_used, clippy::print_stdout, reason = "an example for the terminal")]

#[path = "../tests/support/day.rs"]
mod day;

use std::process::ExitCode;

use day::{House, Told, day};

/// The error of one day is some 5 %, of so many about 1 %.
const DAYS: u64 = 20;
const OFF_MAX: f64 = 0.05;

fn main() -> ExitCode {
    let mut given = std::env::args().skip(1).map(|text| text.parse().expect("a number"));
    let (days, first) = (given.next().unwrap_or(DAYS), given.next().unwrap_or(1));
    let mut all = Told::default();
    for seed in first..first + days {
        let told = day(House { queues: 40, reserves: 20, conversations: 100_000, seed });
        println!("day {seed}: {}", words(told));
        all.add(told);
    }
    println!("all: {}", words(all));
    if all.off().abs() <= OFF_MAX && all.share_off().abs() <= OFF_MAX {
        ExitCode::SUCCESS
    } else {
        println!("more than 5 % off");
        ExitCode::FAILURE
    }
}

fn words(told: Told) -> String {
    format!(
        "{} conversations, {} compared; mean wait {:.2} s of {:.2} s ({:+.1} %), {:.1} % of {:.1} % waited",
        told.conversations,
        told.compared,
        told.mean_wait_ms() / 1_000.0,
        told.expected_wait_ms / 1_000.0,
        told.off() * 100.0,
        told.share() * 100.0,
        told.expected_share * 100.0,
    )
}
