//! What is promised and what becomes of it, case by case, and how open time is counted.
//! Times are told in seconds from the line on; each line comes a second after the one before.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support {
    pub(crate) mod model;
    pub(crate) mod script;
    pub(crate) mod words;
    pub(crate) mod world;
}

use support::script::check;

#[test]
fn first_answer_meets_its_target_and_the_next_question_gets_a_new_one() {
    check(
        r#"
        queue support
        targets usual first=60 next=30 resolution=600
        queue support targets=usual
        agent ada queues=support
        ada online           -> ada online
        msg c1 "x"           -> opened support, targets first in 60 & resolution in 600, assigned ada
        # The same question again does not begin anew.
        msg c1 "well?"       -> received
        promised c1          -> first in 58 & resolution in 598
        wait 17              -> nothing
        reply ada c1 x id=r1 -> queued for site, targets first met & resolution paused with 580
        wait 1000            -> nothing
        msg c1 "more"        -> received, targets first met & next in 30 & resolution in 580
        msg c1 "soon?"       -> received
        reply ada c1 x id=r2 -> queued for site, targets first met & next met & resolution paused with 578
        msg c1 "thanks"      -> received, targets first met & next in 30 & resolution in 578
        resolve ada c1       -> resolved freeing ada, targets first met & next met & resolution met
        promised c1          -> first met & next met & resolution met
        # What opens it again is a question of its own.
        msg c1 "again"       -> reopened support (customer), received, targets next in 30 & resolution in 600, assigned ada
        "#,
    );
}

#[test]
fn people_are_warned_before_and_told_after() {
    check(
        r#"
        queue support
        targets usual first=60 resolution=100 warn=20
        queue support targets=usual
        msg c1 "x"            -> opened support, targets first in 60 & resolution in 100
        wait 39               -> nothing
        wait 1                -> c1 first warned
        wait 19               -> nothing
        wait 1                -> c1 first breached
        wait 20               -> c1 resolution warned
        reply boss c1 x id=r1 -> queued for site, targets first late & resolution paused with 19
        wait 500              -> nothing
        # Who was warned is not warned again.
        msg c1 "y"            -> received, targets first late & resolution soon in 19
        wait 19               -> c1 resolution breached
        resolve boss c1       -> resolved, targets first late & resolution late
        # Nobody was there to warn: the breach alone is told.
        msg c2 "x"            -> opened support, targets first in 60 & resolution in 100
        wait 1000             -> c2 first breached, c2 resolution breached
        "#,
    );
}

#[test]
fn rule_promises_more_than_its_queue_and_a_queue_without_targets_nothing() {
    check(
        r#"
        queue support
        queue sales
        targets usual first=60
        targets gold first=10 next=5
        queue support targets=usual
        rule when="message.text.contains('gold')" targets=gold
        rule when="message.text.contains('buy')" queue=sales
        msg c1 "x"             -> opened support, targets first in 60
        msg c2 "gold"          -> opened support by rule 1, targets first in 10
        msg c3 "buy"           -> opened sales by rule 2
        # What was promised stays promised in another queue; what comes later is by the new one.
        transfer boss c1 sales -> moved to sales (by boss)
        promised c1            -> first in 56
        reply boss c1 x id=r1  -> queued for site, targets first met
        msg c1 "y"             -> received
        reply boss c2 x id=r2  -> queued for site, targets first met
        msg c2 "y"             -> received, targets first met & next in 5
        "#,
    );
}

#[test]
fn new_configuration_leaves_promises_as_they_were_made() {
    check(
        r#"
        queue support
        targets usual first=60 next=40
        queue support targets=usual
        msg c1 "x"            -> opened support, targets first in 60
        targets usual first=10 next=20
        config                -> installed
        promised c1           -> first in 58
        msg c2 "x"            -> opened support, targets first in 10
        reply boss c1 x id=r1 -> queued for site, targets first met
        msg c1 "y"            -> received, targets first met & next in 20
        wait 8                -> c2 first breached
        "#,
    );
}

#[test]
fn snooze_stops_no_promise_and_a_merge_ends_it() {
    check(
        r#"
        queue support
        targets usual first=60 next=30 resolution=600
        queue support targets=usual
        msg c1 "x"          -> opened support, targets first in 60 & resolution in 600
        snooze boss c1 100  -> snoozed
        wait 58             -> nothing
        wait 1              -> c1 first breached
        wait 41             -> c1 woken (time)
        msg c2 "x"          -> opened support, targets first in 60 & resolution in 600
        merge boss c2 c1    -> merged into c1, c1 absorbed c2, targets first dropped & resolution dropped
        "#,
    );
}

#[test]
fn missed_call_is_to_be_called_back_in_time() {
    check(
        r"
        channel phone kind=phone sends=false calls=on
        queue support
        targets callback first=120
        queue support targets=callback
        call k1 ended from=+4930901820 how=no_answer channel=phone -> opened support, call ended no_answer, waits, targets first in 120
        wait 20 -> nothing
        call k2 ended direction=out to=+4930901820 how=answered channel=phone -> k1 call ended answered, k1 resolved, k1 targets first met
        # A second one that nobody calls back.
        call k3 ended from=+4930901821 how=no_answer channel=phone -> opened support, call ended no_answer, waits, targets first in 120
        wait 120 -> k3 first breached
        ",
    );
}

#[test]
fn hours_of_the_calendar_count_and_nights_do_not() {
    // It begins on Thursday the 1st of January 2026 at midnight; the office opens at nine.
    check(
        r#"
        queue support
        calendar office
        targets usual first=3600 resolution=36000 warn=1800 calendar=office
        queue support targets=usual
        msg c1 "x"            -> opened support, targets first in 35999 & resolution in 125999
        wait 34199            -> c1 first warned
        wait 1700             -> nothing
        reply boss c1 x id=r1 -> queued for site, targets first met & resolution paused with 32499
        # Early on Friday: what is left is more than the hours of that day, so the rest is for Monday.
        wait 79500            -> nothing
        msg c1 "y"            -> received, targets first met & resolution in 266297
        "#,
    );
}

#[test]
fn settings_that_promise_what_there_is_not_are_refused() {
    for (line, why) in [
        ("targets usual first=1 calendar=office", "the targets usual: no calendar office"),
        ("queue support targets=gold", "the queue support: no targets gold"),
        ("rule when=\"true\" targets=gold", "rule 1: no targets gold"),
    ] {
        check(&format!(
            "queue support\nconfig -> installed\n{line}\nconfig -> settings_invalid {why}"
        ));
    }
}
