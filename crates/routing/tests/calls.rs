//! What the core makes of calls, case by case. The form is told in `support/script.rs`.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support {
    pub(crate) mod model;
    pub(crate) mod script;
    pub(crate) mod words;
    pub(crate) mod world;
}

use support::script::check;

#[test]
fn missed_call_waits_and_an_answered_one_resolves_it() {
    check(
        r"
        queue support
        agent ada queues=support capacity=200
        ada online                                        -> ada online
        call k1 ringing from=+4930901820                  -> call ringing
        call k1 ended from=+4930901820 how=no_answer      -> opened support, call ended no_answer, waits, assigned ada
        contacts                                          -> - tel:+4930901820
        load ada                                          -> 100
        # The same report and one that says the same are nothing new.
        again                                             -> duplicate
        call k1 ended from=+4930901820 how=no_answer      -> nothing
        # A second missed call joins, and calling back ends it.
        call k2 ended from=+4930901820 how=cancelled      -> k1 call ended cancelled, waits
        call k3 ended direction=out to=+4930901820 how=no_answer -> k1 call ended no_answer
        see k1                                            -> open support ada v5
        call k4 ended direction=out to=+4930901820 how=answered  -> k1 call ended answered, k1 resolved freeing ada
        load ada                                          -> 0
        # It is one conversation for all calls with a number.
        call k5 ended from=+4930901820 how=answered       -> k1 call ended answered
        see k1                                            -> resolved support ada v8
        call k6 ended from=+4930901820 how=voicemail      -> k1 reopened support (called), k1 call ended voicemail, waits, k1 assigned ada
        ",
    );
}

#[test]
fn call_ends_the_same_in_whatever_order_it_is_told() {
    for case in [
        r"
        call k1 ringing agents=ada,bob from=+4930901820            -> call ringing
        call k1 answered agents=bob how=answered from=+4930901820  -> call answered answered
        call k1 ended how=answered from=+4930901820                -> opened support, call ended answered, resolved
        see k1                                                     -> resolved support v3
        ",
        r"
        call k1 ended how=answered from=+4930901820                -> opened support, call ended answered, resolved
        call k1 ringing agents=ada,bob from=+4930901820            -> call ended answered
        call k1 answered agents=bob how=answered from=+4930901820  -> call ended answered
        see k1                                                     -> resolved support v5
        ",
        r"
        call k1 answered agents=bob how=answered from=+4930901820  -> call answered answered
        call k1 ended how=answered from=+4930901820                -> opened support, call ended answered, resolved
        call k1 ringing agents=ada,bob from=+4930901820            -> call ended answered
        see k1                                                     -> resolved support v4
        ",
    ] {
        check(&format!("queue support\n{case}"));
    }
}

#[test]
fn call_is_told_leg_by_leg() {
    check(
        r"
        queue support
        agent ada queues=support capacity=200
        ada online                                        -> ada online
        leg k1 k1 start number=+4930901820 exten=200      -> call ringing
        leg k1 201 start at=1 number=201                  -> heard of 201
        again                                             -> duplicate
        leg k1 201 answer at=4 number=201                 -> call answered answered
        leg k1 k1 bridge_enter at=4                       -> heard of k1
        leg k1 201 bridge_enter at=4                      -> heard of 201
        leg k1 201 end at=9                               -> heard of 201
        leg k1 k1 end at=9                                -> opened support, call ended answered, resolved
        leg k1 k1 call_end at=9                           -> heard of k1
        # Nobody takes the next one, and it is told from its end to its begin.
        leg k2 k2 call_end at=99                          -> call ended no_answer
        leg k2 k2 end at=99                               -> heard of k2
        leg k2 202 start at=62 number=202                 -> call ended no_answer
        leg k2 k2 start at=61 number=+4930901821 exten=200 -> opened support, call ended no_answer, waits, assigned ada
        ",
    );
}

#[test]
fn call_whose_last_leg_is_never_told_is_closed() {
    check(
        r"
        queue support
        leg k1 k1 start number=+4930901820 exten=200      -> call ringing
        leg k1 201 start at=1 number=201                  -> heard of 201
        wait 14398                                        -> nothing
        wait 10                                           -> c1 opened support, c1 call ended no_answer, waits, no end came
        # A call that began before anybody listened is known by its number only.
        leg k1 k1 end at=9                                -> c1 call ended no_answer
        ",
    );
}

#[test]
fn end_that_comes_before_the_answer_is_put_right() {
    check(
        r"
        queue support
        call k1 ended from=+4930901820 how=no_answer      -> opened support, call ended no_answer, waits
        call k1 answered from=+4930901820 how=answered    -> call ended answered, resolved
        ",
    );
}

#[test]
fn call_whose_end_never_comes_is_closed_and_marked() {
    check(
        r"
        queue support
        call k1 ringing from=+4930901820                  -> call ringing
        call k2 answered from=+4930901821 how=answered    -> call answered answered
        wait 14398                                        -> nothing
        wait 10                                           -> c1 opened support, c1 call ended no_answer, waits, no end came; c2 opened support, c2 call ended answered, no end came, c2 resolved
        # What comes after all is taken.
        call k1 ended from=+4930901820 how=answered       -> c1 call ended answered, c1 resolved
        call k3 ended from=+4930901820 how=busy           -> c1 reopened support (called), c1 call ended busy, waits
        ",
    );
}

#[test]
fn calls_of_nobody_outside_open_nothing() {
    check(
        r"
        queue support
        call k1 ended direction=internal from=201 to=202 how=no_answer -> call ended no_answer
        call k2 ended how=no_answer                       -> call ended no_answer
        call k3 ended from=anonymous how=answered         -> call ended answered
        # Zeros stand for nobody: strangers would share a conversation.
        call z1 ended from=0 how=no_answer                -> call ended no_answer
        call z2 ended from=0000 how=voicemail             -> opened support, call ended voicemail, waits
        call z3 ended from=0000 how=voicemail             -> opened support, call ended voicemail, waits
        # Who left words is heard.
        call k4 ended from=anonymous how=voicemail        -> opened support, call ended voicemail, waits
        # Another leg of a call that was answered is not missed.
        call k5 ended from=+4930901820 how=answered       -> opened support, call ended answered, resolved
        call k6 ended from=+4930901820 linked=k5 how=no_answer -> k5 call ended no_answer
        ",
    );
}

#[test]
fn fork_of_which_one_leg_is_answered_is_never_a_missed_call() {
    // In whatever order its legs are told, and whichever of them gives the others their name.
    for case in [
        r"
        call k1 ended from=+4930901820 linked=k2 how=no_answer   -> opened support, call ended no_answer, waits
        call k2 answered from=+4930901820 linked=k2 how=answered -> call answered answered, k1 resolved
        call k3 ended from=+4930901820 linked=k2 how=cancelled   -> k1 call ended cancelled
        call k2 ended from=+4930901820 linked=k2 how=answered    -> k1 call ended answered
        ",
        r"
        call k1 ringing from=+4930901820 linked=k9               -> call ringing
        call k2 ringing from=+4930901820 linked=k9               -> call ringing
        call k3 ringing from=+4930901820 linked=k9               -> call ringing
        # As long as another one rings, nobody knows.
        call k1 ended from=+4930901820 linked=k9 how=no_answer   -> call ended no_answer
        call k2 answered from=+4930901820 linked=k9              -> call answered
        call k3 ended from=+4930901820 linked=k9 how=cancelled   -> opened support, call ended cancelled, resolved
        call k2 ended from=+4930901820 linked=k9 how=answered    -> k3 call ended answered
        ",
        r"
        call k2 ended from=+4930901820 linked=k9 how=answered    -> opened support, call ended answered, resolved
        call k1 ended from=+4930901820 linked=k9 how=no_answer   -> k2 call ended no_answer
        ",
    ] {
        check(&format!("queue support\n{case}"));
    }
}

#[test]
fn fork_that_nobody_answers_waits_once_its_last_leg_ends() {
    check(
        r"
        queue support
        call k1 ringing from=+4930901820 linked=k9               -> call ringing
        call k2 ringing from=+4930901820 linked=k9               -> call ringing
        call k3 ringing from=+4930901820 linked=k9               -> call ringing
        call k1 ended from=+4930901820 linked=k9 how=no_answer   -> call ended no_answer
        call k2 ended from=+4930901820 linked=k9 how=no_answer   -> call ended no_answer
        # The end of the last is never told.
        wait 14410                                               -> c1 opened support, c1 call ended no_answer, waits, no end came
        # A leg of the house that rings on is nobody who waits.
        call k4 ringing direction=internal from=201 linked=k5    -> call ringing
        call k5 ended from=+4930901821 linked=k5 how=no_answer   -> opened support, call ended no_answer, waits
        ",
    );
}

#[test]
fn answered_leg_withdraws_only_what_its_fork_made_wait() {
    check(
        r"
        channel plain kind=phone sends=false calls=keep
        queue support
        call k1 ended channel=plain from=+4930901820 how=no_answer           -> opened support, call ended no_answer, waits
        call k2 ended channel=plain from=+4930901820 linked=k3 how=no_answer -> k1 call ended no_answer, waits
        # They had called before, and that channel leaves it to agents what is done.
        call k3 answered channel=plain from=+4930901820 how=answered         -> call answered answered
        call k3 ended channel=plain from=+4930901820 how=answered            -> k1 call ended answered
        see k1                                                               -> open support v4
        call k4 ended channel=plain from=+4930901821 linked=k5 how=no_answer -> opened support, call ended no_answer, waits
        call k5 ended channel=plain from=+4930901821 how=answered            -> k4 call ended answered, k4 resolved
        ",
    );
}

#[test]
fn channel_says_what_becomes_of_its_calls() {
    check(
        r#"
        channel plain kind=phone sends=false calls=off
        channel close kind=phone sends=false calls=attach
        queue support
        call k1 ended channel=plain from=+4930901820 how=no_answer -> opened support, call ended no_answer, resolved
        msg c1 "hello" from=tel:+4930901821               -> opened support
        call k2 ended channel=close from=+4930901821 how=answered -> c1 call ended answered
        call k3 ended channel=close from=+4930901821 how=busy -> opened support, call ended busy, waits
        call k4 ended channel=close from=+4930901821 how=answered -> k3 call ended answered, k3 resolved
        "#,
    );
}

#[test]
fn rules_see_a_call_as_a_message() {
    check(
        r#"
        queue support
        queue loud
        rule when="message.kind == 'call' && message.attributes.disposition == 'voicemail'" queue=loud priority=7
        call k1 ended from=+4930901820 how=voicemail      -> opened loud priority 7 by rule 1, call ended voicemail, waits
        call k2 ended from=+4930901821 how=no_answer      -> opened support, call ended no_answer, waits
        "#,
    );
}

#[test]
fn rules_are_asked_of_a_call_that_time_closes() {
    check(
        r#"
        queue support
        queue loud
        rule when="message.kind == 'call' && message.attributes.disposition == 'no_answer'" queue=loud priority=7
        call k1 ringing from=+4930901820                  -> call ringing
        call k2 answered from=+4930901821 how=answered    -> call answered answered
        wait 14410                                        -> c1 opened loud priority 7 by rule 1, c1 call ended no_answer, waits, no end came; c2 opened support, c2 call ended answered, no end came, c2 resolved
        # A queue that has gone meanwhile.
        call k3 ringing from=+4930901822                  -> call ringing
        without loud
        without rules
        wait 14410                                        -> c3 opened support priority 7 by rule 1, c3 call ended no_answer, waits, no end came
        "#,
    );
}

#[test]
fn calls_of_one_number_that_time_closes_stand_together() {
    check(
        r"
        queue support
        agent ada queues=support capacity=200
        call k1 ringing from=+4930901820                  -> call ringing
        call k2 ringing from=+4930901820                  -> call ringing
        wait 14410                                        -> c1 opened support, c1 call ended no_answer, waits, no end came; c1 call ended no_answer, waits, no end came
        ",
    );
}

#[test]
fn call_that_time_closes_counts_from_when_it_began() {
    check(
        r#"
        queue support
        agent ada queues=support capacity=200
        call k1 ended from=+4930901820 how=no_answer      -> opened support, call ended no_answer, waits
        call k2 ringing from=+4930901820                  -> call ringing
        call k3 ringing from=+4930901820                  -> call ringing
        call k4 answered from=+4930901820 how=answered    -> call answered answered
        claim ada k1                                      -> claimed by ada
        resolve ada k1                                    -> resolved freeing ada
        # They began before it was resolved, and when they ended nobody knows.
        wait 14410                                        -> k1 call ended no_answer, no end came; k1 call ended no_answer, no end came; k1 call ended answered, no end came
        call k7 ringing from=+4930901820                  -> call ringing
        wait 14410                                        -> k1 reopened support (called), k1 call ended no_answer, waits, no end came
        resolve ada k1                                    -> resolved
        # An answered one is noted where nothing waits, and leaves it resolved.
        call k5 answered from=+4930901820 how=answered    -> call answered answered
        wait 14410                                        -> k1 call ended answered, no end came
        # What it was merged into is where the calls of the number are.
        call k6 ringing from=+4930901820                  -> call ringing
        msg c2 "hello"                                    -> opened support
        reopen ada k1                                     -> reopened support (by ada)
        merge ada k1 c2                                   -> merged into c2, c2 absorbed k1
        resolve ada c2                                    -> resolved
        # It began before that was resolved.
        wait 14410                                        -> c2 call ended no_answer, no end came
        "#,
    );
}

#[test]
fn answered_call_joins_another_open_conversation_of_its_contact_where_a_rule_says_so() {
    check(
        r#"
        queue support
        rule when="message.kind == 'call' && message.attributes.disposition == 'answered'" attach=true
        msg c1 "hello" from=tel:+4930901821               -> opened support
        call k1 ended from=+4930901821 how=answered       -> c1 call ended answered
        call k2 ended from=+4930901821 how=busy           -> opened support, call ended busy, waits
        call k3 ended from=+4930901821 how=answered       -> k2 call ended answered, k2 resolved
        # The conversation of the number is known and done; that of the chat is open.
        call k4 ended from=+4930901821 how=answered       -> c1 call ended answered
        call k5 answered from=+4930901821 how=answered    -> call answered answered
        wait 14410                                        -> c1 call ended answered, no end came
        call k6 ended from=+4930901822 how=answered       -> opened support by rule 1, call ended answered, resolved
        "#,
    );
}

#[test]
fn rule_goes_before_the_channel_in_what_it_says_of_joining() {
    check(
        r#"
        channel close kind=phone sends=false calls=attach
        queue support
        rule when="message.kind == 'call' && message.attributes.direction == 'out'" attach=false
        msg c1 "hello" from=tel:+4930901821               -> opened support
        call k1 ended channel=close from=+4930901821 how=answered -> c1 call ended answered
        call k2 ended channel=close direction=out to=+4930901821 how=answered -> opened support by rule 1, call ended answered, resolved
        "#,
    );
}

#[test]
fn conversation_that_a_call_opened_is_about_what_is_written_in_it() {
    check(
        r#"
        queue support
        call k1 ended from=+4930901820 how=no_answer      -> opened support, call ended no_answer, waits
        msg c1 "hello" subject="My order"                 -> opened support
        merge boss c1 k1                                  -> merged into k1, k1 absorbed c1 about My order
        # It has a subject now.
        msg c2 "hello" subject="Another"                  -> opened support
        merge boss c2 k1                                  -> merged into k1, k1 absorbed c2
        # A chat has none, and then the customer's name says enough.
        call k2 ended from=+4930901821 how=no_answer      -> opened support, call ended no_answer, waits
        msg c3 "hello"                                    -> opened support
        merge boss c3 k2                                  -> merged into k2, k2 absorbed c3 about nothing
        "#,
    );
}

#[test]
fn agent_logs_a_call_by_hand() {
    check(
        r"
        queue support
        agent ada queues=support capacity=200
        agent bob
        call k1 ended from=+4930901820 how=no_answer      -> opened support, call ended no_answer, waits
        claim ada k1                                      -> claimed by ada
        log ada k1 ended direction=out how=no_answer      -> call ended no_answer
        log bob k1 ended direction=out how=answered       -> not_in_queue the conversation is in a queue that you do not serve
        log ada k1 ringing direction=out                  -> invalid_command only a call that is over is logged
        log ada k1 ended direction=out how=answered resolve=false -> call ended answered
        log ada k1 ended direction=out how=answered       -> call ended answered, resolved freeing ada
        ",
    );
}

#[test]
fn call_of_an_unknown_channel_is_parked_and_decided_once_there_is_one() {
    check(
        r"
        queue support
        call k1 ended channel=new from=+4930901820 how=no_answer -> parked channel_not_found no channel new is configured
        retry root first                                  -> still_parked the channel new is still not configured
        channel new kind=phone sends=false
        retry root first                                  -> opened support, call ended no_answer, waits, unparked
        ",
    );
}

#[test]
fn place_up_to_which_a_log_was_read_is_told() {
    check("queue support\nread log file 42 -> read to 42\nread log file 17 -> read to 17");
}
