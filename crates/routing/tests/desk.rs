//! How work is handed out, case by case: offers, pauses, limits, silent customers, agents who go.
//! The form is told in `support/script.rs`.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support {
    pub(crate) mod model;
    pub(crate) mod script;
    pub(crate) mod words;
    pub(crate) mod world;
}

use support::script::check;

#[test]
fn an_offer_is_accepted_declined_or_runs_out_and_keeps_its_age() {
    check(
        r#"
        queue calls hand_out=offer offer_s=30 decline_s=60
        agent ada queues=calls
        agent bob queues=calls
        ada online               -> ada online
        bob online               -> bob online
        msg c1 "hello"           -> opened calls, offered to ada
        msg c2 "hello"           -> opened calls, offered to bob
        # Room is kept for what is offered; who accepts has it.
        accept ada c1            -> offer accepted ada, accepted by ada
        load ada                 -> 20
        # Who declines is passed over; the next is asked, in the old place of the line.
        decline bob c2           -> offer declined bob, offered to ada
        # Who does not answer in time gets nothing until they say that they are there.
        wait 40                  -> c2 offer expired ada, ada not_responding
        accept ada c2            -> offer_over the offer is over
        see c2                   -> open calls v6
        # The decline is forgotten after a while.
        wait 30                  -> c2 may be offered to bob again, c2 offered to bob
        ada online               -> ada online
        accept bob c2            -> offer accepted bob, accepted by bob
        "#,
    );
}

#[test]
fn of_several_who_are_asked_the_first_who_accepts_has_it() {
    check(
        r#"
        queue calls hand_out=offer offer_to=2
        agent ada queues=calls
        agent bob queues=calls
        agent cem queues=calls
        ada online               -> ada online
        bob online               -> bob online
        cem online               -> cem online
        msg c1 "hello"           -> opened calls, offered to ada bob
        accept cem c1            -> offer_over the offer is over
        accept bob c1            -> offer accepted ada bob, accepted by bob
        accept ada c1            -> offer_over the offer is over: Bob has the conversation
        # What somebody takes by hand, or what goes elsewhere, is withdrawn.
        msg c2 "hello"           -> opened calls, offered to cem ada
        claim bob c2             -> offer withdrawn cem ada, claimed by bob
        msg c3 "hello"           -> opened calls, offered to ada cem
        # Who goes away is no longer asked; the other still is.
        ada away                 -> c3 offer unavailable ada, ada away, c3 now offered to cem bob
        cem away                 -> c3 offer unavailable cem, cem away
        "#,
    );
}

#[test]
fn others_are_asked_in_the_place_of_those_who_decline() {
    check(
        r#"
        queue calls hand_out=offer offer_to=2 offer_s=30 decline_s=300
        agent ada queues=calls
        agent bob queues=calls
        agent cem queues=calls capacity=20
        agent dan queues=calls
        ada online               -> ada online
        bob online               -> bob online
        cem online               -> cem online
        msg c1 "hello"           -> opened calls, offered to ada bob
        msg c2 "hello"           -> opened calls, offered to cem ada
        wait 10                  -> nothing
        # Cem has no room, and Dan is not there: there is nobody to ask.
        decline ada c1           -> offer declined ada
        dan online               -> dan online
        decline bob c1           -> offer declined bob, offered to dan
        resolve boss c2          -> offer withdrawn cem ada, resolved
        # Whoever is asked later has the whole time, and so has who was asked before.
        msg c3 "hello"           -> opened calls, offered to bob ada
        wait 20                  -> nothing
        decline bob c3           -> offer declined bob, now offered to ada cem
        wait 12                  -> c1 offer expired dan, dan not_responding
        accept cem c3            -> offer accepted ada cem, accepted by cem
        "#,
    );
}

#[test]
fn a_queue_that_is_pulled_gives_nobody_anything() {
    check(
        r#"
        queue mail hand_out=pull
        agent ada queues=mail
        ada online               -> ada online
        msg c1 "hello"           -> opened mail
        claim ada c1             -> claimed by ada
        "#,
    );
}

#[test]
fn the_queue_says_which_agent_and_which_conversation_is_next() {
    check(
        r#"
        queue chat choose=least_loaded
        agent ada queues=chat capacity=40
        agent bob queues=chat capacity=100
        ada online               -> ada online
        bob online               -> bob online
        msg c1 "hello"           -> opened chat, assigned ada
        msg c2 "hello"           -> opened chat, assigned bob
        # A fifth of hers is less than half of his.
        msg c3 "hello"           -> opened chat, assigned bob
        "#,
    );
    check(
        r#"
        queue chat choose=round_robin
        agent ada queues=chat
        agent bob queues=chat
        ada online               -> ada online
        bob online               -> bob online
        msg c1 "hello"           -> opened chat, assigned ada
        msg c2 "hello"           -> opened chat, assigned bob
        # What they finish since does not count.
        resolve ada c1           -> resolved freeing ada
        msg c3 "hello"           -> opened chat, assigned ada
        "#,
    );
    check(
        r#"
        queue chat order=newest
        agent ada queues=chat capacity=20
        msg c1 "hello"           -> opened chat
        msg c2 "hello"           -> opened chat
        ada online               -> ada online, c2 assigned ada
        "#,
    );
}

#[test]
fn a_skill_that_is_preferred_only_says_who_goes_first() {
    check(
        r#"
        queue chat
        agent ada queues=chat
        agent bob queues=chat skills=french:3
        rule when="message.text == 'salut'" prefer=french:3
        ada online               -> ada online
        bob online               -> bob online
        msg c1 "salut"           -> opened chat by rule 1, assigned bob
        bob away                 -> bob away
        msg c2 "salut"           -> opened chat by rule 1, assigned ada
        "#,
    );
}

#[test]
fn limits_and_costs_hold_for_a_kind() {
    check(
        r#"
        queue chat costs=webhook:10
        agent ada queues=chat limits=webhook:1
        ada online               -> ada online
        msg c1 "hello"           -> opened chat, assigned ada
        load ada                 -> 10
        msg c2 "hello"           -> opened chat
        msg m1 "hello" channel=mail -> opened chat, assigned ada
        resolve ada c1           -> resolved freeing ada, c2 assigned ada
        "#,
    );
}

#[test]
fn who_is_done_wraps_up_and_who_comes_online_gets_portions() {
    check(
        r#"
        queue chat wrap_up_s=30
        agent ada queues=chat capacity=20
        ada online               -> ada online
        msg c1 "hello"           -> opened chat, assigned ada
        msg c2 "hello"           -> opened chat
        resolve ada c1           -> resolved freeing ada, ada pauses (wrap_up)
        wait 30                  -> ada ready, c2 assigned ada
        msg c3 "hello"           -> opened chat
        # Who is done early says so.
        resolve ada c2           -> resolved freeing ada, ada pauses (wrap_up)
        ada online               -> ada ready, c3 assigned ada
        "#,
    );
    check(
        r#"
        desk ramp=2:60:600
        queue chat
        agent ada queues=chat
        msg c1 "hello"           -> opened chat
        msg c2 "hello"           -> opened chat
        msg c3 "hello"           -> opened chat
        ada online               -> ada online, c1 assigned ada, c2 assigned ada, ada pauses (ramp_in)
        wait 60                  -> ada ready, c3 assigned ada
        "#,
    );
}

#[test]
fn a_silent_customer_frees_a_share_until_the_next_word() {
    check(
        r#"
        queue chat idle=600:50
        agent ada queues=chat capacity=30
        ada online               -> ada online
        msg c1 "hello"           -> opened chat, assigned ada
        msg c2 "hello"           -> opened chat
        reply ada c1 "yes?"      -> queued for site
        wait 600                 -> c1 idle, frees 10 of ada, c2 assigned ada
        load ada                 -> 30
        # Back at its full cost, which nobody is asked about.
        msg c1 "here I am"       -> takes 10 of ada again, received
        load ada                 -> 40
        resolve ada c1           -> resolved freeing ada
        load ada                 -> 20
        "#,
    );
}

#[test]
fn who_is_seen_no_more_is_offline_and_the_queue_says_what_becomes_of_it() {
    check(
        r#"
        desk grace_s=60
        queue kept
        queue given offline=reassign
        queue freed offline=queue
        agent ada queues=kept,given,freed
        agent bob queues=given capacity=20
        rule when="message.text == 'given'" queue=given
        rule when="message.text == 'freed'" queue=freed
        ada online               -> ada online
        msg c1 "hello"           -> opened kept, assigned ada
        msg c2 "given"           -> opened given by rule 1, assigned ada
        msg c3 "given"           -> opened given by rule 1, assigned ada
        msg c4 "freed"           -> opened freed by rule 2, assigned ada
        bob online               -> bob online
        # Nobody is watched who never opened an inbox.
        wait 100                 -> nothing
        present operator ada     -> seen ada
        wait 30                  -> nothing
        present operator ada     -> seen ada
        wait 50                  -> nothing
        wait 10                  -> ada offline, c2 released ada (offline), c2 assigned bob (taken over from ada), c4 released ada (offline)
        see c1                   -> open kept ada v3
        see c3                   -> open given ada v3
        "#,
    );
}

#[test]
fn a_status_of_the_teams_own_means_one_of_the_others() {
    check(
        r"
        desk statuses=lunch:away
        queue chat
        agent ada queues=chat
        ada online               -> ada online
        reason ada lunch         -> ada away
        reason ada holiday       -> invalid_command there is no status holiday
        status boss ada not_responding -> invalid_command not_responding is what routing finds, not what somebody says
        ",
    );
}
