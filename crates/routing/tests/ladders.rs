//! What is done for those who wait for long, step by step.
//! Times are told in seconds; each line comes a second after the one before.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support {
    pub(crate) mod model;
    pub(crate) mod script;
    pub(crate) mod words;
    pub(crate) mod world;
}

use support::script::check;

#[test]
fn skills_are_relaxed_and_then_agents_of_other_queues_get_it() {
    check(
        r#"
        queue support
        queue sales
        rule when="message.text.contains('deutsch')" skills=german:3
        ladder support after=60 relax=german:1
        ladder support after=120 widen=sales priority=7 notify=ada
        agent ada queues=support skills=german:1 capacity=20
        agent bob queues=sales skills=german:2 capacity=20
        ada online           -> ada online
        bob online           -> bob online
        msg c1 "deutsch"     -> opened support needs german 3 by rule 1
        wait 58              -> nothing
        msg c2 "deutsch"     -> opened support needs german 3 by rule 1
        wait 1               -> c1 step 1 needs german 1, c1 assigned ada
        wait 58              -> nothing
        wait 1               -> c2 step 1 needs german 1
        wait 59              -> nothing
        wait 1               -> c2 step 2 priority 7 needs german 1 with sales tells ada, c2 assigned bob
        see c2               -> open support bob priority 7 v5
        "#,
    );
}

#[test]
fn named_agent_is_asked_first_and_then_the_others() {
    check(
        r#"
        queue support
        ladder support after=0 agents=ada skip=true
        ladder support after=30
        agent ada queues=support capacity=20
        agent bob queues=support capacity=20
        bob online       -> bob online
        # She is not there, so the others get it at once.
        msg c1 "x"       -> opened support, step 1 only ada skipped, step 2, assigned bob
        resolve bob c1   -> resolved freeing bob
        ada online       -> ada online
        msg c2 "x"       -> opened support, step 1 only ada, assigned ada
        # She is there and busy: it waits for her, and then for anybody.
        msg c3 "x"       -> opened support, step 1 only ada
        wait 29          -> nothing
        wait 1           -> c3 step 2, c3 assigned bob
        "#,
    );
}

#[test]
fn another_queue_takes_over_with_the_time_that_has_passed() {
    check(
        r#"
        queue support
        queue night
        ladder support after=60 queue=night
        ladder night after=90 priority=9
        ladder night after=100 priority=5
        agent cho queues=night capacity=100
        msg c1 "x"      -> opened support
        wait 60         -> c1 step 1, c1 moved to night (step 1)
        wait 30         -> c1 step 1 priority 9
        # A ladder is monotone: a lower priority takes nothing back.
        wait 10         -> c1 step 2 priority 9
        wait 900        -> nothing
        cho online      -> cho online, c1 assigned cho
        # What is given back has not lost its step.
        release cho c1  -> released cho (by cho), assigned cho
        "#,
    );
}

#[test]
fn queues_that_were_added_stay_so_where_a_ladder_moves_it() {
    check(
        r#"
        queue support
        queue sales
        queue night
        queue last
        ladder support after=60 widen=sales priority=3
        # Those whom it leaves get it still where the step says so.
        ladder support after=120 queue=night widen=support
        ladder night after=180 queue=last
        ladder last after=240 priority=9
        agent ada queues=support capacity=20
        agent bob queues=sales capacity=20
        msg c1 "x"        -> opened support
        msg c2 "x"        -> opened support
        msg c3 "x"        -> opened support
        wait 58           -> c1 step 1 priority 3 with sales
        wait 60           -> c2 step 1 priority 3 with sales; c3 step 1 priority 3 with sales; c1 step 2 priority 3 with sales with support, c1 moved to night with sales with support (step 2)
        bob online        -> bob online, c1 assigned bob; c2 step 2 priority 3 with sales with support, c2 moved to night with sales with support (step 2)
        ada online        -> ada online, c2 assigned ada; c3 step 2 priority 3 with sales with support, c3 moved to night with sales with support (step 2)
        wait 60           -> c3 step 1 priority 3 with sales with support, c3 moved to last with sales with support (step 1)
        resolve bob c1    -> resolved freeing bob, c3 assigned bob
        # By hand it goes to the agents of the queue alone.
        msg c4 "x"        -> opened support
        wait 130          -> c4 step 1 priority 3 with sales, c4 step 2 priority 3 with sales with support, c4 moved to night with sales with support (step 2)
        transfer boss c4 last -> moved to last (by boss)
        resolve bob c3    -> resolved freeing bob
        "#,
    );
}

#[test]
fn agents_of_added_queues_take_by_hand_what_nobody_is_given() {
    check(
        r#"
        queue mail hand_out=pull
        queue sales
        ladder mail after=60 widen=sales
        agent ada queues=mail
        agent bob queues=sales
        bob online        -> bob online
        msg c1 "x"        -> opened mail
        claim bob c1      -> not_in_queue the conversation is in a queue that you do not serve
        wait 59           -> c1 step 1 with sales
        claim bob c1      -> claimed by bob
        claim ada c1      -> already_claimed Bob has it already
        "#,
    );
}

#[test]
fn times_of_a_ladder_count_while_its_queue_works() {
    check(
        r#"
        calendar office zone=Europe/Berlin
        queue support calendar=office
        ladder support after=7200 priority=3
        ladder support after=7260 clock=wall priority=5
        ladder support after=28800 priority=9
        agent ada queues=support
        # A Friday before the clocks go forward, at 16:00 in Berlin, an hour before the office closes.
        wait 7398000      -> nothing
        msg c1 "x"        -> opened support
        wait 3599         -> nothing
        # On Monday at nine o'clock, an hour earlier by the sun, the second hour begins.
        wait 226800       -> nothing
        wait 3599         -> nothing
        wait 2            -> c1 step 1 priority 3, c1 step 2 priority 5
        # Eight hours of work are over at four o'clock.
        wait 21599        -> nothing
        wait 1            -> c1 step 3 priority 9
        "#,
    );
}

#[test]
fn step_that_comes_at_once_comes_as_the_queue_begins_to_work() {
    check(
        r#"
        calendar office
        queue support calendar=office
        ladder support after=0 priority=3
        # 2026-01-01 is a Thursday: at nine o'clock it opens.
        msg c1 "x"        -> opened support
        wait 32396        -> nothing
        wait 5            -> c1 step 1 priority 3
        msg c2 "x"        -> opened support, step 1 priority 3
        "#,
    );
}

#[test]
fn whoever_has_an_owner_climbs_no_further_and_whoever_waits_anew_begins_anew() {
    check(
        r#"
        queue support
        ladder support after=60 priority=9
        ladder support after=120 priority=12
        agent ada queues=support
        msg c1 "x"           -> opened support
        wait 60              -> c1 step 1 priority 9
        claim ada c1         -> claimed by ada
        wait 500             -> nothing
        snooze ada c1 100    -> snoozed freeing ada
        wait 100             -> c1 woken (time)
        wait 60              -> c1 step 1 priority 9
        wait 60              -> c1 step 2 priority 12
        "#,
    );
}

#[test]
fn ladders_by_which_nothing_can_be_decided_are_refused() {
    for (line, why) in [
        ("ladder support after=1 queue=support", "the queue support: its ladder leads back to it"),
        ("ladder support after=1 widen=sales", "the queue support: no queue sales"),
        ("ladder support after=1 agents=ada", "the queue support: no agent ada"),
        ("queue support calendar=office", "the queue support: no calendar office"),
        (
            "ladder support after=2\nladder support after=1",
            "the queue support: the steps are not in the order of time",
        ),
    ] {
        check(&format!(
            "queue support\nconfig -> installed\n{line}\nconfig -> settings_invalid {why}"
        ));
    }
}
