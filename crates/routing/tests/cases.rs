//! What the core decides, case by case: one operation a line, with what it brings.
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
fn the_first_rule_that_matches_decides() {
    check(
        r#"
        channel shop queue=sales
        queue support
        queue sales
        queue billing
        rule when="message.text.contains('refund')" queue=billing priority=5 tags=money,back
        rule when="channel.id == 'site' && message.text.contains('Deutsch')" skills=german:3
        rule when="message.text.contains('re')" queue=support priority=9

        msg c1 "a refund please"           -> opened billing priority 5 #money #back by rule 1
        msg c2 "auf Deutsch, refund"       -> opened billing priority 5 #money #back by rule 1
        msg c3 "auf Deutsch"               -> opened support needs german 3 by rule 2
        msg c4 "dearest"                   -> opened support priority 9 by rule 3
        # Nothing matches: the channel's queue, else the first.
        msg c5 "hello" channel=shop        -> opened sales
        msg c6 "hello"                     -> opened support
        # A rule without a queue leaves it to the channel.
        rule when="message.text == 'hi'" priority=1
        msg c7 "hi" channel=shop           -> opened sales priority 1 by rule 4
        # Rules are asked where a conversation is opened, not on what goes on.
        msg c6 "a refund please"           -> received
        see c6                             -> open support v3
        "#,
    );
}

#[test]
fn a_rule_that_fails_is_skipped_and_named() {
    check(
        r#"
        queue support
        queue vip
        rule when="message.attributes.tier == 'gold'" queue=vip
        rule when="message.attributes" queue=vip
        rule when="true" priority=2
        msg c1 "x" -> opened support priority 2 by rule 3 (rule 1 failed: No such key: tier) (rule 2 failed: did not give true or false)
        "#,
    );
}

#[test]
fn settings_that_cannot_be_decided_by_are_refused_and_the_old_stay() {
    check("queue support\nconfig -> installed\nconfig -> nothing");
    for (line, why) in [
        ("rule when=\"x\"", "rule 1: `x` is not known"),
        ("rule when=\"true\" queue=nowhere", "rule 1: no queue nowhere"),
        ("rule when=\"true\" priority=100", "rule 1: a priority is 0 to 99"),
        ("queue support", "the queue support is named twice"),
        ("channel mail", "the channel mail is named twice"),
        ("agent ada\nagent ada twice=yes", "the agent ada is named twice"),
        ("without support", "at least one queue is needed"),
    ] {
        check(&format!(
            "queue support\nconfig -> installed\n{line}\nconfig -> settings_invalid {why}\n\
             msg c1 x -> opened support"
        ));
    }
}

#[test]
fn waiting_goes_by_priority_then_age_and_is_served_in_that_order() {
    check(
        r#"
        queue support
        queue sales
        rule when="message.text == 'urgent'" priority=5
        rule when="message.text == 'sales'" queue=sales
        agent ada queues=support,sales capacity=40
        msg c1 "slow"     -> opened support
        msg c2 "sales"    -> opened sales by rule 2
        msg c3 "urgent"   -> opened support priority 5 by rule 1
        msg c4 "slow"     -> opened support
        waiting           -> c3 c1 c2 c4
        # The oldest comes first across the queues of an agent.
        ada online        -> ada online, c3 assigned ada, c1 assigned ada
        load ada          -> 40
        resolve ada c3    -> resolved freeing ada, c2 assigned ada
        prioritise boss c4 7 -> priority 7
        msg c5 "urgent"   -> opened support priority 5 by rule 1
        waiting           -> c4 c5
        resolve ada c1    -> resolved freeing ada, c4 assigned ada
        "#,
    );
}

#[test]
fn an_agent_is_chosen_by_status_skill_room_and_idleness() {
    check(
        r#"
        queue support
        queue sales
        rule when="message.text == 'deutsch'" skills=german:3
        rule when="message.text == 'sales'" queue=sales
        agent ada queues=support skills=english:5 capacity=40
        agent bob queues=support skills=german:3,english:2 capacity=40
        agent cem queues=support,sales skills=german:2 capacity=20
        agent dan queues=support skills=german:9
        ada online        -> ada online
        bob online        -> bob online
        cem online        -> cem online
        dan away          -> dan away
        # Nobody had one yet: in the order of the settings.
        msg c1 "x"        -> opened support, assigned ada
        msg c2 "x"        -> opened support, assigned bob
        # Only Bob speaks enough German, though Cem has been idle for longer.
        msg c3 "deutsch"  -> opened support needs german 3 by rule 1, assigned bob
        msg c4 "sales"    -> opened sales by rule 2, assigned cem
        # Cem and Bob are full.
        msg c5 "x"        -> opened support, assigned ada
        msg c6 "x"        -> opened support
        msg c7 "deutsch"  -> opened support needs german 3 by rule 1
        resolve ada c1    -> resolved freeing ada, c6 assigned ada
        resolve bob c2    -> resolved freeing bob, c7 assigned bob
        # A mail costs 5, a call 100.
        resolve cem c4    -> resolved freeing cem
        msg c8 "x" channel=log  -> opened support
        msg c9 "x" channel=mail -> opened support, assigned cem
        load cem          -> 5
        dan online        -> dan online, c8 assigned dan
        "#,
    );
}

#[test]
fn the_longest_idle_is_whoever_was_given_or_freed_of_one_last() {
    check(
        r#"
        queue support
        agent ada queues=support
        agent bob queues=support
        ada online        -> ada online
        bob online        -> bob online
        msg c1 "x"        -> opened support, assigned ada
        msg c2 "x"        -> opened support, assigned bob
        msg c3 "x"        -> opened support, assigned ada
        resolve bob c2    -> resolved freeing bob
        msg c4 "x"        -> opened support, assigned ada
        msg c5 "x"        -> opened support, assigned bob
        "#,
    );
}

#[test]
fn the_second_of_two_claims_learns_who_was_first() {
    check(
        r#"
        queue support
        queue sales
        agent ada queues=support capacity=20
        agent bob queues=support
        agent eve queues=sales
        msg c1 "x"        -> opened support
        claim ada c1      -> claimed by ada
        claim bob c1      -> already_claimed Ada has it already
        claim ada c1      -> nothing
        claim eve c1      -> not_in_queue the conversation is in a queue that you do not serve
        claim boss c1     -> agent_required only an agent can claim
        claim bob c0      -> conversation_not_found no such conversation
        claim zoe c1      -> agent_not_found the agent is not configured
        # By hand there is no capacity to keep to.
        msg c2 "x"        -> opened support
        claim ada c2      -> claimed by ada
        load ada          -> 40
        resolve ada c1    -> resolved freeing ada
        claim bob c1      -> conversation_resolved the conversation is resolved
        "#,
    );
}

#[test]
fn what_is_released_or_moved_keeps_its_age() {
    check(
        r#"
        queue support
        queue sales
        agent ada queues=support
        agent bob queues=sales capacity=20
        msg c1 "x"             -> opened support
        msg c2 "x"             -> opened support
        claim ada c2           -> claimed by ada
        claim ada c1           -> claimed by ada
        msg c3 "x"             -> opened support
        release ada c1         -> released ada (by ada)
        release ada c1         -> not_owned nobody has the conversation
        release ada c2         -> released ada (by ada)
        waiting                -> c1 c2 c3
        transfer ada c3 sales  -> moved to sales (by ada)
        transfer ada c2 sales  -> moved to sales (by ada)
        transfer boss c2 sales -> nothing
        transfer boss c2 nope  -> queue_not_found no queue nope
        bob online             -> bob online, c2 assigned bob
        # The owner stays behind, and gets what comes next.
        transfer bob c2 support -> moved to support (by bob), released bob (by bob), c3 assigned bob
        waiting                -> c1 c2
        "#,
    );
}

#[test]
fn somebody_can_give_a_conversation_to_an_agent() {
    check(
        r#"
        queue support
        agent ada queues=support capacity=20
        agent bob queues=support capacity=20
        bob online           -> bob online
        msg c1 "x"           -> opened support, assigned bob
        msg c2 "x"           -> opened support
        msg c3 "x"           -> opened support
        assign boss c2 bob   -> assigned bob (by boss)
        load bob             -> 40
        # Bob has room again only when both are gone.
        assign boss c2 ada   -> released bob (by boss), assigned ada (by boss)
        assign boss c2 ada   -> nothing
        assign boss c1 ada   -> released bob (by boss), assigned ada (by boss), c3 assigned bob
        assign boss c1 zoe   -> agent_not_found no agent zoe
        load ada             -> 40
        "#,
    );
}

#[test]
fn what_is_done_opens_again_by_a_command_or_by_the_customer() {
    check(
        r#"
        queue support
        queue sales
        rule when="message.text == 'sales'" queue=sales priority=3 tags=new
        agent ada queues=support,sales
        msg c1 "sales"      -> opened sales priority 3 #new by rule 1
        claim ada c1        -> claimed by ada
        reply ada c1 "hi"   -> queued for site
        see c1              -> pending sales ada priority 3 #new v4
        resolve ada c1      -> resolved freeing ada
        resolve ada c1      -> nothing
        release ada c1      -> conversation_resolved the conversation is resolved
        see c1              -> resolved sales ada priority 3 #new v5
        reopen ada c1       -> reopened sales (by ada)
        reopen ada c1       -> nothing
        waiting             -> c1
        see c1              -> open sales priority 3 #new v6
        resolve boss c1     -> resolved
        tag ada c1 add=late -> tagged +late
        without rules
        without sales
        agent ada queues=support
        # It keeps what it has; its queue is gone, so it goes to the first.
        msg c1 "again"      -> reopened support (customer), received
        see c1              -> open support priority 3 #new #late v10
        "#,
    );
}

#[test]
fn a_snooze_ends_by_time_by_the_customer_or_by_hand() {
    check(
        r#"
        queue support
        agent ada queues=support capacity=20
        agent bob queues=support capacity=20
        ada online            -> ada online
        msg c1 "x"            -> opened support, assigned ada
        snooze ada c1 60      -> snoozed freeing ada
        load ada              -> 0
        snooze ada c1 0       -> invalid_command the time to wake has passed
        wait 30               -> nothing
        snooze ada c1 60      -> snoozed
        wait 40               -> nothing
        wait 30               -> c1 woken (time), c1 returned to ada
        snooze ada c1 60      -> snoozed freeing ada
        msg c1 "are you there" -> woken (customer), returned to ada, received
        snooze ada c1 60      -> snoozed freeing ada
        # Somebody else has filled the owner's room meanwhile.
        msg c2 "x"            -> opened support, assigned ada
        wait 60               -> c1 woken (time)
        snooze boss c1 60     -> snoozed
        claim bob c1          -> woken (by bob), claimed by bob
        snooze bob c1 60      -> snoozed freeing bob
        # Bob is offline, so it is anybody's.
        reopen boss c1        -> woken (by boss)
        snooze boss c1 60     -> snoozed
        assign boss c1 bob    -> woken (by boss), assigned bob (by boss)
        snooze bob c1 60      -> snoozed freeing bob
        bob online            -> bob online
        reopen bob c1         -> woken (by bob), returned to bob
        snooze bob c1 60      -> snoozed freeing bob
        resolve bob c1        -> resolved
        wait 100              -> nothing
        snooze bob c1 60      -> conversation_resolved the conversation is resolved
        "#,
    );
}

#[test]
fn two_that_wake_at_once_do_not_overfill_their_owner() {
    check(
        r#"
        queue support
        agent ada queues=support capacity=20
        msg c1 "x"          -> opened support
        msg c2 "x"          -> opened support
        claim ada c1        -> claimed by ada
        claim ada c2        -> claimed by ada
        snooze ada c1 60    -> snoozed freeing ada
        snooze ada c2 59    -> snoozed freeing ada
        ada online          -> ada online
        wait 100            -> c1 woken (time), c1 returned to ada; c2 woken (time)
        load ada            -> 20
        "#,
    );
}

#[test]
fn a_reply_waits_for_the_customer_and_the_first_one_makes_an_owner() {
    check(
        r#"
        queue support
        agent ada queues=support capacity=0
        agent bob queues=support capacity=200
        msg c1 "x"                         -> opened support
        reply ada c1 "hi"                  -> first reply of ada, queued for site
        see c1                             -> pending support ada v4
        # A colleague may answer; the owner stays.
        reply bob c1 "hi too" id=r2        -> queued for site
        see c1                             -> pending support ada v5
        reply ada c1 "early" if_version=6 id=r3 -> invalid_version if_version is 6, the conversation has version 5
        msg c1 "thanks"                    -> received
        see c1                             -> open support ada v6
        reply ada c1 "late" if_version=5 id=r3 -> conversation_changed a message came after version 5
        reply ada c1 "late" if_version=6 id=r3 -> queued for site
        # The caller's own reply counts too.
        reply ada c1 "twice" if_version=6 id=r4 -> conversation_changed a message came after version 6
        note bob c1 "look"                 -> noted
        reply ada c1 "ok" if_version=7 id=r4 -> queued for site
        resolve ada c1                     -> resolved freeing ada
        reply ada c1 "more" id=r5 -> conversation_resolved the conversation is resolved; reopen it to reply
        msg c2 "call" channel=log          -> opened support
        reply ada c2 "x" id=r6             -> channel_cannot_send the channel log has no way out
        # A supervisor who is no agent owns nothing.
        msg c3 "x"                         -> opened support
        reply boss c3 "x" id=r7            -> queued for site
        see c3                             -> pending support v3
        msg c3 "y"                         -> received
        waiting                            -> c2 c3
        # Who answers what was set aside takes it up.
        snooze boss c3 60                  -> snoozed
        reply boss c3 "x" id=r8            -> woken (by boss), queued for site
        see c3                             -> pending support v7
        wait 100                           -> nothing
        snooze boss c3 60                  -> snoozed
        reply bob c3 "x" id=r9             -> woken (by bob), first reply of bob, queued for site
        see c3                             -> pending support bob v11
        # It goes back to its owner, if that one could take it.
        bob online                         -> bob online, c2 assigned bob
        snooze bob c3 60                   -> snoozed freeing bob
        reply ada c3 "x" id=r10            -> woken (by ada), returned to bob, queued for site
        bob away                           -> bob away
        snooze bob c3 60                   -> snoozed freeing bob
        reply ada c3 "x" id=r11            -> woken (by ada), first reply of ada, queued for site
        load ada                           -> 20
        without site
        reply bob c3 "x" id=r12            -> channel_not_found the channel site is no longer configured
        "#,
    );
}

#[test]
fn what_agents_write_is_bounded() {
    check(
        r#"
        queue support
        agent ada queues=support
        msg c1 "x"                     -> opened support
        reply ada c1 "x" times=262145  -> invalid_command a reply has at most 262144 bytes of text and of HTML
        note ada c1 "x" times=262145   -> invalid_command a note has at most 262144 bytes
        note ada c1 "x" times=262144   -> noted
        tag ada c1 add=a,a,b           -> tagged +a +b
        tag ada c1 add=a,c remove=b,b,x -> tagged +c -b
        tag ada c1 add=a remove=b      -> nothing
        see c1                         -> open support #a #c v5
        prioritise ada c1 99           -> priority 99
        prioritise ada c1 99           -> nothing
        prioritise ada c1 100          -> invalid_command a priority is 0 to 99
        "#,
    );
    let tags = |count: usize| (0..count).map(|one| format!("t{one}")).collect::<Vec<_>>().join(",");
    let long = "x".repeat(65);
    check(&format!(
        "queue support\nmsg c1 x -> opened support\n\
         tag boss c1 add={} -> invalid_command a conversation has at most 50 tags\n\
         tag boss c1 add={long} -> invalid_command a tag has 1 to 64 characters\n\
         tag boss c1 add=a -> tagged +a",
        tags(51)
    ));
}

#[test]
fn a_merge_ends_one_conversation_and_its_thread_follows() {
    check(
        r#"
        queue support
        queue sales
        agent ada queues=support capacity=20
        agent eve queues=sales
        ada online         -> ada online
        msg c1 "x"         -> opened support, assigned ada
        msg c2 "x"         -> opened support
        msg c3 "x"         -> opened support
        merge boss c1 c1   -> invalid_command a conversation cannot be merged into itself
        merge boss c1 c9   -> conversation_not_found no such conversation
        merge eve c1 c2    -> not_in_queue the conversation is in a queue that you do not serve
        merge ada c1 c2    -> merged into c2 freeing ada, c2 absorbed c1, c2 assigned ada
        claim ada c1       -> conversation_merged the conversation was merged into ID
        merge boss c3 c1   -> conversation_merged the other conversation was merged into ID
        msg c1 "more"      -> c2 received
        # A customer who waits is not forgotten in what is done or set aside.
        resolve ada c2     -> resolved freeing ada, c3 assigned ada
        msg c4 "x"         -> opened support
        merge ada c4 c2    -> merged into c2, c2 reopened support (by ada), c2 absorbed c4
        waiting            -> c2
        snooze ada c2 60   -> snoozed
        msg c5 "x"         -> opened support
        merge ada c5 c2    -> merged into c2, c2 woken (by ada), c2 absorbed c5
        # The thread of what was merged twice leads to the last.
        msg c6 "x"         -> opened support
        merge ada c2 c6    -> merged into c6, c6 absorbed c2 with c1 with c4 with c5
        msg c4 "more"      -> c6 received
        msg c2 "more"      -> c6 received
        waiting            -> c6
        resolve boss c6    -> resolved
        msg c5 "more"      -> c6 reopened support (customer), c6 received
        resolve boss c6    -> resolved
        # What waits for the customer opens nothing.
        reply ada c3 "hi"  -> queued for site
        merge ada c3 c6    -> merged into c6 freeing ada, c6 absorbed c3
        see c6             -> resolved support v10
        "#
        .replace("ID", &second_conversation())
        .as_str(),
    );
}

#[test]
fn so_many_conversations_become_one_and_no_more() {
    let merged =
        |number| format!("msg c{number} x -> opened support\n merge boss c{number} c0 -> ");
    let mut case = "queue support\n msg c0 x -> opened support\n".to_owned();
    for number in 1..=postroom_model::limits::MERGED_MAX {
        case = format!("{case}{}merged into c0, c0 absorbed c{number}\n", merged(number));
    }
    case += &merged(99);
    case += "invalid_command at most 50 conversations can be merged into one\n";
    check(&case);
}

/// The id that the second conversation of that case gets: ids come from time and position alone.
fn second_conversation() -> String {
    let at = postroom_model::Timestamp::from_millis(support::world::BEGIN + 3_000);
    postroom_model::ids::decided(at, "conversation", &[4, 0, 1]).to_string()
}

#[test]
fn an_agent_who_goes_away_keeps_or_gives_back() {
    check(
        r#"
        queue support
        agent ada queues=support capacity=100
        agent bob queues=support capacity=40
        msg c1 "x"               -> opened support
        msg c2 "x"               -> opened support
        msg c3 "x"               -> opened support
        msg c4 "x"               -> opened support
        ada online               -> ada online, c1 assigned ada, c2 assigned ada, c3 assigned ada, c4 assigned ada
        prioritise ada c3 5      -> priority 5
        reply ada c4 "hi"        -> queued for site
        ada away                 -> ada away
        ada away                 -> nothing
        load ada                 -> 80
        msg c5 "x"               -> opened support
        bob online               -> bob online, c5 assigned bob
        # What is given back waits with its age: the urgent one first.
        ada away_and_reassign    -> ada away_and_reassign, c1 released ada (away), c2 released ada (away), c3 released ada (away), c4 released ada (away), c3 assigned bob
        load ada                 -> 0
        waiting                  -> c1 c2
        msg c4 "and?"            -> received
        # It waits since the customer wrote again.
        waiting                  -> c1 c2 c4
        status bob ada online    -> role_not_allowed only a supervisor may do this
        status boss zoe online   -> agent_not_found no agent zoe
        status boss ada online   -> ada online, c1 assigned ada, c2 assigned ada, c4 assigned ada
        # Given by hand to somebody who is away: asking once more gives it back.
        ada away_and_reassign    -> ada away_and_reassign, c1 released ada (away), c2 released ada (away), c4 released ada (away)
        assign boss c1 ada       -> assigned ada (by boss)
        ada away_and_reassign    -> c1 released ada (away)
        "#,
    );
}

#[test]
fn a_new_configuration_moves_what_it_leaves_behind() {
    check(
        r#"
        queue support
        queue sales
        rule when="message.text == 'sales'" queue=sales
        agent ada queues=support,sales
        agent bob queues=support capacity=0
        ada online          -> ada online
        bob online          -> bob online
        msg c1 "sales"      -> opened sales by rule 1, assigned ada
        msg c2 "sales"      -> opened sales by rule 1, assigned ada
        snooze ada c2 600   -> snoozed freeing ada
        msg c3 "sales"      -> opened sales by rule 1, assigned ada
        reply ada c3 "hi"   -> queued for site

        # A queue goes: its conversations move, whoever has them keeps them.
        without rules
        without sales
        agent ada queues=support
        config              -> installed; c1 moved to support (sales is gone); c2 moved to support (sales is gone); c3 moved to support (sales is gone)
        see c1              -> open support ada v4
        see c2              -> snoozed support ada v5
        load ada            -> 40

        # An agent goes: what they hold waits, with its age; what they set aside stays so.
        without ada
        config              -> ada offline, installed; c1 released ada (gone); c3 released ada (gone)
        see c2              -> snoozed support ada v5
        waiting             -> c1

        # Room is made, and it is taken at once.
        agent bob queues=support capacity=20
        config              -> installed, c1 assigned bob
        wait 700            -> c2 woken (time)

        # Who comes back is offline, and new.
        agent ada queues=support
        config              -> installed
        ada online          -> ada online, c2 assigned ada
        claim ada c3        -> claimed by ada
        load ada            -> 40
        "#,
    );
}

#[test]
fn what_is_open_keeps_its_cost_when_costs_change() {
    check(
        r#"
        queue support
        agent ada queues=support capacity=40
        ada online          -> ada online
        msg c1 "x"          -> opened support, assigned ada
        msg c2 "x"          -> opened support, assigned ada
        msg c3 "x"          -> opened support
        msg c4 "x"          -> opened support
        cost webhook 40
        config              -> installed
        resolve ada c1      -> resolved freeing ada, c3 assigned ada
        load ada            -> 40
        # It is opened again at the new cost; the next in turn still fits at the old one.
        msg c1 "y"          -> reopened support (customer), received
        resolve ada c3      -> resolved freeing ada, c4 assigned ada
        # The channel is gone and with it its cost, which no channel has: it still counts.
        without site
        cost webhook 3
        resolve ada c2      -> resolved freeing ada
        resolve ada c4      -> resolved freeing ada, c1 assigned ada
        reopen boss c4      -> reopened support (by boss)
        agent ada queues=support capacity=59
        config              -> installed
        agent ada queues=support capacity=60
        config              -> installed, c4 assigned ada
        "#,
    );
}

#[test]
fn what_costs_nothing_is_taken_even_by_who_is_full() {
    check(
        r#"
        queue support
        cost email 0
        agent ada queues=support capacity=20
        ada online               -> ada online
        msg c1 "x"               -> opened support, assigned ada
        msg c2 "x"               -> opened support
        msg c3 "x" channel=mail  -> opened support, assigned ada
        "#,
    );
}

#[test]
fn a_reply_leaves_once() {
    check(
        r#"
        queue support
        agent ada queues=support
        msg c1 "x"                        -> opened support
        reply ada c1 "hi" id=r1           -> first reply of ada, queued for site
        attempt r1                        -> stale_owner another process sends for the channel now
        own nowhere h1                    -> channel_not_found no channel nowhere is configured
        own site h1                       -> site owned, epoch 1
        own site h1                       -> nothing
        attempt r1                        -> attempt 1
        attempt r1                        -> delivery_not_waiting the reply is not due
        settle r1 retry 60                -> waiting
        attempt r1                        -> delivery_not_waiting the reply is not due
        wait 60                           -> nothing
        attempt r1                        -> attempt 2
        settle r1 sent x1 attempt=1       -> stale_owner another process sends for the channel now
        settle r1 sent x1 attempt=2       -> sent
        attempt r1                        -> delivery_not_waiting the reply does not wait to leave
        resend ada c1 r1                  -> delivery_not_waiting only a reply that failed or is uncertain can be sent again
        resend ada c1 r7                  -> message_not_found the conversation has no such reply

        # The owner is lost while it sends: nobody knows, so nobody sends again unasked.
        reply ada c1 "two" id=r2          -> queued for site
        attempt r2                        -> attempt 1
        own site h2                       -> site owned, epoch 2, c1 uncertain owner_lost
        attempt r2 epoch=2                -> delivery_not_waiting the reply does not wait to leave
        attempt r2                        -> delivery_not_waiting the reply does not wait to leave
        resend ada c1 r2                  -> queued again
        attempt r2                        -> stale_owner another process sends for the channel now
        attempt r2 epoch=2                -> attempt 2
        # The first attempt reports late; the second one is under way.
        settle r2 sent x2                 -> stale_owner another process sends for the channel now
        settle r2 failed epoch=2 attempt=2 -> failed provider_said
        resend ada c1 r2                  -> queued again
        attempt r2 epoch=2                -> attempt 3
        settle r2 uncertain epoch=2 attempt=3 -> uncertain provider_said
        reply-state r2                    -> uncertain

        # A lost owner that reports late knows better than "uncertain".
        reply ada c1 "three" id=r3        -> queued for site
        attempt r3 epoch=2                -> attempt 1
        own site h3                       -> site owned, epoch 3, c1 uncertain owner_lost
        settle r3 retry 1 epoch=2         -> stale_owner another process sends for the channel now
        settle r3 sent x3 epoch=2         -> sent
        settle r3 sent x3 epoch=2         -> stale_owner another process sends for the channel now
        reply-state r3                    -> sent
        without site
        resend ada c1 r2                  -> channel_not_found the channel site is no longer configured
        "#,
    );
}

#[test]
fn receipts_only_move_a_reply_forward() {
    check(
        r#"
        queue support
        agent ada queues=support
        msg c1 "x"                   -> opened support
        reply ada c1 "hi" id=r1      -> first reply of ada, queued for site
        receipt site x1 delivered    -> receipt_unknown no reply with this id has left through the channel
        own site h1                  -> site owned, epoch 1
        attempt r1                   -> attempt 1
        settle r1 sent x1            -> sent
        receipt mail x1 delivered    -> receipt_unknown no reply with this id has left through the channel
        receipt site x1 sent         -> nothing
        receipt site x1 failed       -> receipt failed
        receipt site x1 sent         -> nothing
        # What has arrived has arrived, also if it was given up before.
        receipt site x1 delivered    -> receipt delivered
        receipt site x1 failed       -> nothing
        receipt site x1 read         -> receipt read
        receipt site x1 delivered    -> nothing
        receipt site x1 failed       -> nothing

        # What arrived must not leave again, whatever the host knows of it.
        reply ada c1 "two" id=r2     -> queued for site
        receipt site r2 failed       -> nothing
        attempt r2                   -> attempt 1
        receipt site r2 delivered    -> receipt delivered
        settle r2 retry 1            -> waiting
        reply-state r2               -> delivered
        wait 5                       -> nothing
        attempt r2 attempt=2         -> delivery_not_waiting the reply does not wait to leave

        reply ada c1 "three" id=r3   -> queued for site
        attempt r3                   -> attempt 1
        settle r3 uncertain          -> uncertain provider_said
        resend ada c1 r3             -> queued again
        receipt site r3 delivered    -> receipt delivered
        attempt r3                   -> delivery_not_waiting the reply does not wait to leave

        reply ada c1 "four" id=r4    -> queued for site
        attempt r4                   -> attempt 1
        settle r4 uncertain          -> uncertain provider_said
        receipt site r4 failed       -> receipt failed
        resend ada c1 r4             -> queued again

        # An agent must not send again what did arrive.
        reply ada c1 "five" id=r5    -> queued for site
        attempt r5                   -> attempt 1
        settle r5 failed             -> failed provider_said
        receipt site r5 delivered    -> receipt delivered
        reply-state r5               -> delivered
        resend ada c1 r5             -> delivery_not_waiting only a reply that failed or is uncertain can be sent again
        "#,
    );
}

#[test]
fn the_same_input_changes_nothing_the_second_time() {
    check(
        r#"
        queue support
        agent ada queues=support
        msg c1 "x"             -> opened support
        again                  -> duplicate
        claim ada c1           -> claimed by ada
        again                  -> duplicate
        claim zoe c1           -> agent_not_found the agent is not configured
        again                  -> duplicate
        see c1                 -> open support ada v3
        "#,
    );
}

#[test]
fn what_cannot_be_taken_is_set_aside_whole() {
    check(
        r#"
        raw msg c1 "too early"       -> parked not_configured no configuration is in force
        queue support
        agent ada queues=support
        msg c2 "x" channel=gone      -> parked channel_not_found no channel gone is configured
        again                        -> duplicate
        retry boss first             -> role_not_allowed only an admin may retry it
        drop ada first               -> role_not_allowed only an admin may drop it
        retry root nothing           -> parked_not_found no input is set aside under this id
        drop root nothing            -> parked_not_found no input is set aside under this id
        retry root first             -> opened support, unparked
        see c1                       -> open support v2
        retry root first             -> still_parked the channel gone is still not configured
        channel gone
        retry root first             -> opened support, unparked
        # A retry is decided as if it had just come: its thread goes on.
        see c2                       -> open support v2
        unparsed site bad_json       -> parked bad_json cannot be read
        retry root first             -> parked_unreadable it could not be read, and reading it again needs its channel
        drop root first              -> dropped
        drop root first              -> parked_not_found no input is set aside under this id
        "#,
    );
}

#[test]
fn contacts_are_found_by_any_of_their_addresses() {
    check(
        r#"
        queue support
        msg c1 "x" from=tel:+4930123             -> opened support
        msg c2 "x" from=tel:+4930123 name=Ann    -> contact name Ann, opened support
        msg c2 "x" from=tel:+4930123 name=Anna   -> received
        msg c3 "x" from=mailto:ann@example.com also=tel:+4930123 -> contact +mailto:ann@example.com, opened support
        msg c4 "x" from=telegram:42 name=Bo      -> opened support
        # Two who are known stay two: joining them is for people.
        msg c5 "x" from=telegram:42 also=tel:+4930123 -> opened support
        msg c6 "x"                               -> opened support
        contacts                                 -> Ann tel:+4930123 mailto:ann@example.com; Bo telegram:42
        "#,
    );
}

#[test]
fn two_contacts_become_one_by_a_command() {
    check(
        r#"
        queue support
        agent ada queues=support
        msg c1 "x" from=tel:+491 also=chat:1     -> opened support
        msg c2 "x" from=tel:+492 name=Ann        -> opened support
        msg c3 "x" from=tel:+493 name=Bo         -> opened support
        msg c4 "x" from=tel:+494                 -> opened support
        join ada k1 k1   -> contact_merge_loop a contact cannot be merged into itself, also not by way of earlier merges
        join ada k1 k9   -> contact_not_found no such contact
        join ada k9 k1   -> contact_not_found no such contact
        join bot k1 k2   -> role_not_allowed an integrator does not act on contacts
        join ann k1 k2   -> agent_not_found the agent is not configured
        join ada k2 k1   -> joined name Ann +tel:+492
        # Asked again, nothing is left to do.
        join ada k2 k1   -> nothing
        join ada k1 k2   -> contact_merge_loop a contact cannot be merged into itself, also not by way of earlier merges
        join ada k2 k3   -> contact_merged the contact was merged into ID
        # A name that is there stays, and earlier merges are followed.
        join boss k3 k2  -> joined +tel:+493
        join root k1 k4  -> joined name Ann +tel:+491 +chat:1 +tel:+492 +tel:+493
        join ada k4 k3   -> contact_merge_loop a contact cannot be merged into itself, also not by way of earlier merges
        msg c1 "x" from=tel:+493 also=tel:+495   -> contact +tel:+495, received
        contacts         -> Ann tel:+494 tel:+491 chat:1 tel:+492 tel:+493 tel:+495
        "#
        .replace("ID", &first_contact())
        .as_str(),
    );
}

/// The id that the first contact of that case gets.
fn first_contact() -> String {
    let at = postroom_model::Timestamp::from_millis(support::world::BEGIN + 1_000);
    postroom_model::ids::decided(at, "contact", &[2, 0, 1]).to_string()
}

#[test]
fn contact_with_too_many_addresses_takes_in_no_other() {
    let many: Vec<String> = (0..50).map(|number| format!("tel:+{number}")).collect();
    let case = r#"
        queue support
        msg c1 "x" from=chat:1 also=MANY -> opened support
        msg c2 "x" from=chat:2           -> opened support
        join boss k2 k1                  -> invalid_command a contact has at most 50 addresses
        # A message brings no further one, and is taken all the same; whoever writes from there alone is
        # somebody else until people say otherwise.
        msg c1 "x" from=chat:1 also=chat:9 -> received
        msg c3 "x" from=chat:9 name=Nina   -> opened support
        contacts -> KEPT; - chat:2; Nina chat:9
    "#;
    // Already the first message names more than a contact has.
    let kept = many.iter().take(49).map(String::as_str);
    let kept: Vec<&str> = std::iter::once("chat:1").chain(kept).collect();
    check(&case.replace("MANY", &many.join(",")).replace("KEPT", &format!("- {}", kept.join(" "))));
}

#[test]
fn roles_bound_what_one_may_do() {
    check(
        r#"
        queue support
        queue sales
        agent ada queues=support
        agent eve queues=sales
        msg c1 "x"             -> opened support
        resolve eve c1         -> not_in_queue the conversation is in a queue that you do not serve
        resolve bot c1         -> role_not_allowed an integrator does not act on conversations
        # Given to somebody from elsewhere, it is theirs to work on.
        assign ada c1 eve      -> assigned eve (by ada)
        note eve c1 "mine"     -> noted
        resolve root c1        -> resolved freeing eve
        note eve c1 "was mine" -> noted
        status bot ada online  -> role_not_allowed only a supervisor may do this
        "#,
    );
}
