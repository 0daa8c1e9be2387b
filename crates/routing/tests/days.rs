//! What people wait in a large house, by the core, is what Erlang's formula says. `examples/days.rs` plays
//! whole days of 500 agents, 40 queues and 100,000 conversations.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod support {
    pub(crate) mod day;
}

use support::day::{House, Told, day};

/// The mean of such waits varies much: a line is forgotten only after some 1 / (c·(1 - √ρ)²) handling times,
/// in which 26 customers come, and more than half of all do not wait at all. So 65,000 of them are worth some
/// 1,250 that know nothing of each other, and each varies by 1.9 times the mean: an error of 5.4 %. A bit less
/// than three times that is allowed, and for the share that waits three times its own (3.3 %).
/// That an agent more or fewer served than are there would change the mean by -76 % or +1,130 %.
#[test]
fn waits_of_days_are_those_of_the_formula() {
    let mut all = Told::default();
    for seed in 1..=4 {
        all.add(day(House { queues: 10, reserves: 5, conversations: 25_000, seed }));
    }
    assert!(all.conversations.abs_diff(100_000) < 2_000, "{all:?}");
    assert!(all.compared > 60_000, "{all:?}");
    assert!(all.off().abs() < 0.15, "{:.3}: {all:?}", all.off());
    assert!(all.share_off().abs() < 0.10, "{:.3}: {all:?}", all.share_off());
}

#[test]
fn day_is_the_same_for_the_same_seed() {
    let house = House { queues: 2, reserves: 1, conversations: 2_000, seed: 3 };
    let told = || format!("{:?}", day(house));
    assert_eq!(told(), told());
}
