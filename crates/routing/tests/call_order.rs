//! Calls count in the order in which they happened, not in that in which they are heard of.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support {
    pub(crate) mod model;
    pub(crate) mod script;
    pub(crate) mod words;
    pub(crate) mod world;
}

use std::fmt::Write as _;

use postroom_model::{Status, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use support::script::{check, play};
use support::world::BEGIN;

#[test]
fn old_answered_call_leaves_what_waits_since_later() {
    check(
        r"
        queue support
        call k1 ended from=+4930901820 how=no_answer over=-60   -> opened support, call ended no_answer, waits
        # Calls of a log that is fetched again: both were before it.
        call k2 ended from=+4930901820 how=answered over=-600   -> k1 call ended answered
        call k3 ended direction=out to=+4930901820 how=answered over=-61 -> k1 call ended answered
        see k1                                                  -> open support - v4
        call k4 ended direction=out to=+4930901820 how=answered over=-30 -> k1 call ended answered, k1 resolved
        ",
    );
}

#[test]
fn old_missed_call_opens_nothing_that_was_settled_since() {
    check(
        r"
        queue support
        agent ada queues=support capacity=200
        ada online                                              -> ada online
        # Answered since, in a conversation that is found by its number.
        call k1 ended from=+4930901820 how=answered over=-60    -> opened support, call ended answered, resolved
        call k2 ended from=+4930901820 how=no_answer over=-90   -> k1 call ended no_answer
        call k3 ended from=+4930901820 how=no_answer over=-60   -> k1 call ended no_answer
        see k1                                                  -> resolved support - v5
        call k4 ended from=+4930901820 how=no_answer over=-59   -> k1 reopened support (called), k1 call ended no_answer, waits, k1 assigned ada
        # Closed by somebody since.
        resolve ada k1                                          -> resolved freeing ada
        call k5 ended from=+4930901820 how=no_answer over=1     -> k1 call ended no_answer
        call k6 ended from=+4930901820 how=no_answer            -> k1 reopened support (called), k1 call ended no_answer, waits, k1 assigned ada
        # Opened again by hand after the call: what it is about is not known to be done.
        resolve ada k1                                          -> resolved freeing ada
        reopen ada k1                                           -> reopened support (by ada), assigned ada
        call k7 ended from=+4930901820 how=answered over=9      -> k1 call ended answered
        # An agent who tells late of a call that was before the last one.
        call k8 ended from=+4930901820 how=busy                 -> k1 call ended busy, waits
        log ada k1 ended direction=out how=answered over=9      -> call ended answered
        log ada k1 ended direction=out how=answered             -> call ended answered, resolved freeing ada
        ",
    );
}

#[test]
fn talk_that_was_noted_elsewhere_settles_what_was_missed_before() {
    check(
        r#"
        channel close kind=phone sends=false calls=attach
        queue support
        msg c1 "hello" from=tel:+4930901821                     -> opened support
        call k1 ended channel=close from=+4930901821 how=answered over=-60 -> c1 call ended answered
        call k2 ended channel=close from=+4930901821 how=no_answer over=-90 -> c1 call ended no_answer
        call k3 ended channel=close from=+4930901821 how=no_answer over=-30 -> opened support, call ended no_answer, waits
        "#,
    );
}

#[test]
fn wait_begins_when_the_customer_called() {
    check(
        r"
        queue support
        targets usual first=600 next=300 resolution=5000
        queue support targets=usual
        call k1 ended from=+4930901820 how=no_answer over=-100  -> opened support, call ended no_answer, waits, targets first in 499 & resolution in 4899
        call k2 ended from=+4930901821 how=no_answer over=-400  -> opened support, call ended no_answer, waits, targets first in 198 & resolution in 4598
        # They stand in the order in which they called.
        waiting                                                 -> k2 k1
        # Heard of later and missed earlier: they wait for longer than was known.
        call k3 ended from=+4930901820 how=busy over=-200       -> k1 call ended busy, waits, k1 targets first in 396 & resolution in 4896
        call k4 ended from=+4930901820 how=busy over=-10        -> k1 call ended busy, waits
        # Answered between the two: they wait since the later one.
        call k5 ended from=+4930901820 how=answered over=-50    -> k1 call ended answered, k1 targets first met & next in 284 & resolution in 4894
        waiting                                                 -> k2 k1
        # Who called last week is overdue.
        call k6 ended from=+4930901822 how=no_answer over=-604800 -> opened support, call ended no_answer, waits, targets first in -604208 & resolution in -599808; k6 first breached; k6 resolution breached
        waiting                                                 -> k6 k2 k1
        # A clock that goes ahead makes nobody wait in the future.
        call k7 ended from=+4930901823 how=no_answer over=86400 -> opened support, call ended no_answer, waits, targets first in 600 & resolution in 5000
        ",
    );
}

#[test]
fn call_that_was_missed_too_long_ago_waits_for_nobody() {
    check(
        r"
        channel close kind=phone sends=false calls=on age_s=3600
        queue support
        call k1 ended channel=close from=+4930901820 how=no_answer over=-3601 -> opened support, call ended no_answer, resolved
        call k2 ended channel=close from=+4930901820 how=no_answer over=-3500 -> k1 reopened support (called), k1 call ended no_answer, waits
        call k3 ended from=+4930901821 how=no_answer over=-1209601 -> opened support, call ended no_answer, resolved
        ",
    );
}

#[test]
fn call_that_turns_out_to_be_answered_takes_back_its_own_wait() {
    check(
        r"
        queue support
        call k1 ended from=+4930901820 how=no_answer            -> opened support, call ended no_answer, waits
        # Its end is told late, and was before it was heard of.
        call k1 answered from=+4930901820 how=answered over=-5  -> call ended answered, resolved
        ",
    );
}

/// How a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Went {
    Missed,
    Answered,
    CalledBack,
    NotReached,
}

#[derive(Debug, Clone)]
struct Told {
    number: usize,
    went: Went,
    /// Seconds before the script begins at which it was over.
    ago_s: i64,
    rings: bool,
}

fn told() -> impl Strategy<Value = (usize, Went, bool)> {
    let went = select(vec![Went::Missed, Went::Answered, Went::CalledBack, Went::NotReached]);
    (0..2_usize, went, any::<bool>())
}

fn line(call: &Told, id: usize, state: &str) -> String {
    let number = format!("+49309018{:02}", call.number);
    let (way, how) = match call.went {
        Went::Missed => (format!("from={number}"), "no_answer"),
        Went::Answered => (format!("from={number}"), "answered"),
        Went::CalledBack => (format!("direction=out to={number}"), "answered"),
        Went::NotReached => (format!("direction=out to={number}"), "no_answer"),
    };
    let how =
        if state == "ended" { format!("how={how} over=-{}", call.ago_s) } else { String::new() };
    format!("call k{id} {state} channel=close {way} {how} began=-{}\n", call.ago_s + 5)
}

/// Who waits since when after the calls were heard of in this order, by number.
fn standing(calls: &[Told], order: &[usize], kind: &str) -> Vec<Option<Timestamp>> {
    let mut lines = format!("channel close kind=phone sends=false calls={kind}\nqueue support\n");
    if kind == "attach" {
        lines.push_str("msg c1 \"hello\" from=tel:+4930901800\n");
    }
    for id in order {
        let call = &calls[*id];
        if call.rings {
            let _ = write!(lines, "{}", line(call, *id, "ringing"));
        }
        let _ = write!(lines, "{}", line(call, *id, "ended"));
    }
    let world = play(&lines);
    let of = |number: usize| {
        let thread = format!("tel:+49309018{number:02}");
        let mut rows = world.model.conversations.values();
        let row = rows.find(|row| row.thread.as_ref() == Some(&thread))?;
        row.waiting_since.filter(|_| row.status == Status::Open)
    };
    vec![of(0), of(1)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn calls_end_the_same_in_whatever_order_they_are_heard_of(
        kinds in vec(told(), 1..8),
        seed in vec(any::<u32>(), 8),
        kind in select(vec!["on", "attach"]),
    ) {
        let calls: Vec<Told> = (1_i64..)
            .zip(kinds)
            .map(|(place, (number, went, rings))| Told { number, went, ago_s: 10_000 - place * 60, rings })
            .collect();
        let as_they_were: Vec<usize> = (0..calls.len()).collect();
        let mut mixed = as_they_were.clone();
        mixed.sort_by_key(|id| seed[*id]);
        let (right, found) = (standing(&calls, &as_they_were, kind), standing(&calls, &mixed, kind));
        for number in 0..2 {
            let theirs = || calls.iter().filter(|call| call.number == number);
            let at = |call: &Told| Timestamp::from_millis(BEGIN - call.ago_s * 1_000);
            let talked = theirs()
                .filter(|call| matches!(call.went, Went::Answered | Went::CalledBack))
                .map(at)
                .max();
            let since: Vec<Timestamp> = theirs()
                .filter(|call| call.went == Went::Missed)
                .map(at)
                .filter(|at| Some(*at) > talked)
                .collect();
            prop_assert_eq!(right[number], since.first().copied(), "{:?}", calls);
            prop_assert_eq!(found[number].is_some(), !since.is_empty(), "{:?} {:?}", calls, mixed);
            // Of several that were missed since, an odd order may leave the last.
            if let Some(found) = found[number] {
                prop_assert!(since.contains(&found), "{:?} {:?}", calls, mixed);
            }
        }
    }
}
