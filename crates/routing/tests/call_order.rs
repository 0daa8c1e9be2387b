//! Calls count in the order in which they happened, not in that in which they are heard of.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support {
    pub(crate) mod model;
    pub(crate) mod script;
    pub(crate) mod words;
    pub(crate) mod world;
}

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use support::script::check;

#[test]
fn old_answered_call_leaves_what_waits_since_later() {
    check(
        r"
        queue support
        call k1 ended from=+4930901820 how=no_answer over=-60   -> opened support, call ended no_answer, waits
        # Calls of a log that is fetched again: both were before it.
        call k2 ended from=+4930901820 how=answered over=-600   -> k1 call ended answered
        call k3 ended direction=out to=+4930901820 how=answered over=-61 -> k1 call ended answered
        see k1                                                  -> open support v4
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
        see k1                                                  -> resolved support v5
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
        call k6 ended from=+4930901822 how=no_answer over=-604800 -> opened support, call ended no_answer, waits, targets first in -604208 & resolution in -599808; first breached, resolution breached
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

impl Told {
    fn thread(&self) -> String {
        format!("tel:{}", self.number())
    }

    fn number(&self) -> String {
        format!("+49309018{:02}", self.number)
    }

    fn is_talk(&self) -> bool {
        matches!(self.went, Went::Answered | Went::CalledBack)
    }

    /// What is told of it, as a line of a script.
    fn line(&self, id: usize, over: bool) -> String {
        let number = self.number();
        let way = match self.went {
            Went::Missed | Went::Answered => format!("from={number}"),
            Went::CalledBack | Went::NotReached => format!("direction=out to={number}"),
        };
        let how = if self.is_talk() { "answered" } else { "no_answer" };
        let end = if over { format!("how={how} over=-{}", self.ago_s) } else { String::new() };
        let state = if over { "ended" } else { "ringing" };
        let began = self.ago_s + 5;
        format!("call k{id} {state} channel=close {way} {end} began=-{began} -> *\n")
    }
}

/// Calls as they are heard of in this order.
fn script(calls: &[Told], order: &[usize], kind: &str) -> String {
    let mut lines = format!("channel close kind=phone sends=false calls={kind}\nqueue support\n");
    if kind == "attach" {
        lines.push_str("msg c1 \"hello\" from=tel:+4930901800 -> *\n");
    }
    for id in order {
        let call = &calls[*id];
        if call.rings {
            lines.push_str(&call.line(*id, false));
        }
        lines.push_str(&call.line(*id, true));
    }
    lines
}

/// From which second on who called waits, as it must be: since the first call that was missed after the
/// last that was answered.
fn since(calls: &[Told], thread: &str) -> Option<i64> {
    let theirs = || calls.iter().filter(|call| call.thread() == thread);
    let talked = theirs().filter(|call| call.is_talk()).map(|call| -call.ago_s).max();
    let missed = theirs().filter(|call| call.went == Went::Missed).map(|call| -call.ago_s);
    missed.filter(|at| Some(*at) > talked).min()
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
        let (mut right, mut other) = (script(&calls, &as_they_were, kind), script(&calls, &mixed, kind));
        for thread in ["tel:+4930901800", "tel:+4930901801"] {
            let since = since(&calls, thread);
            let words = since.map_or("waits for nothing".to_owned(), |since| format!("waits since {since}"));
            right = format!("{right}standing {thread} -> {words}\n");
            // Of several that were missed since, an odd order may leave a later one.
            let words = if since.is_some() { "waits" } else { "waits for nothing" };
            other = format!("{other}standing {thread} roughly -> {words}\n");
        }
        check(&right);
        check(&other);
    }
}
