//! Customers who come back: to whom they go, whether what was done is opened again, and contacts that
//! are found to be one person.
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
fn customer_who_returns_waits_for_the_last_agent_and_then_for_all() {
    check(
        r#"
        queue support sticky_s=60
        agent ada queues=support capacity=20
        agent bob queues=support capacity=20
        ada online                 -> ada online
        msg c1 "x" from=chat:1     -> opened support, assigned ada
        resolve ada c1             -> resolved freeing ada
        bob online                 -> bob online
        msg c2 "x" from=chat:2     -> opened support, assigned bob
        msg c3 "x" from=chat:3     -> opened support, assigned ada
        # She is busy, and it waits for her though Bob becomes free.
        msg c4 "x" from=chat:1     -> opened support, kept for ada
        resolve bob c2             -> resolved freeing bob
        wait 58                    -> nothing
        wait 1                     -> c4 for all, c4 assigned bob
        # She becomes free in time.
        resolve bob c4             -> resolved freeing bob
        msg c5 "x" from=chat:1     -> opened support, kept for bob, assigned bob
        "#,
    );
}

#[test]
fn customer_of_an_agent_who_is_offline_or_elsewhere_goes_to_the_queue_at_once() {
    check(
        r#"
        queue support sticky_s=60
        queue sales sticky_s=60
        rule when="message.text.contains('sale')" queue=sales
        rule when="message.text.contains('deutsch')" skills=german:1
        agent ada queues=support capacity=20
        agent bob queues=support,sales skills=german:1
        ada online                     -> ada online
        msg c1 "x" from=chat:1         -> opened support, assigned ada
        resolve ada c1                 -> resolved freeing ada
        bob online                     -> bob online
        msg c2 "sale" from=chat:1      -> opened sales by rule 1, assigned bob
        release bob c2                 -> released bob (by bob), assigned bob
        # What somebody else holds of the customer counts before what was.
        msg c3 "x" from=chat:1         -> opened support, kept for bob, assigned bob
        resolve bob c2                 -> resolved freeing bob
        resolve bob c3                 -> resolved freeing bob
        bob offline                    -> bob offline
        msg c4 "x" from=chat:1         -> opened support, assigned ada
        "#,
    );
}

#[test]
fn nobody_waits_for_an_agent_who_is_away_unless_the_queue_does() {
    check(
        r#"
        queue support sticky_s=60
        agent ada queues=support capacity=20
        agent bob queues=support
        ada online                 -> ada online
        msg c1 "x" from=chat:1     -> opened support, assigned ada
        resolve ada c1             -> resolved freeing ada
        ada away                   -> ada away
        bob online                 -> bob online
        msg c2 "x" from=chat:1     -> opened support, assigned bob
        resolve bob c2             -> resolved freeing bob
        ada online                 -> ada online
        bob away                   -> bob away
        msg c3 "x" from=chat:2     -> opened support, assigned ada
        resolve ada c3             -> resolved freeing ada
        msg c4 "x" from=chat:3     -> opened support, assigned ada
        bob online                 -> bob online
        # She is busy, and then goes away: it waits for her no longer.
        msg c5 "x" from=chat:2     -> opened support, kept for ada
        ada away                   -> ada away, c5 for all, c5 assigned bob
        "#,
    );
    check(
        r#"
        queue support sticky_s=60 sticky_away_s=30
        agent ada queues=support capacity=20
        agent bob queues=support
        ada online                 -> ada online
        msg c1 "x" from=chat:1     -> opened support, assigned ada
        resolve ada c1             -> resolved freeing ada
        ada away                   -> ada away
        bob online                 -> bob online
        msg c2 "x" from=chat:1     -> opened support, kept for ada
        ada online                 -> ada online, c2 assigned ada
        resolve ada c2             -> resolved freeing ada
        ada away                   -> ada away
        msg c3 "x" from=chat:1     -> opened support, kept for ada
        wait 29                    -> nothing
        wait 1                     -> c3 for all, c3 assigned bob
        resolve bob c3             -> resolved freeing bob
        bob away                   -> bob away
        ada online                 -> ada online
        msg c4 "x" from=chat:1     -> opened support, kept for bob
        # Who goes offline is waited for in no case.
        bob offline                -> bob offline, c4 for all, c4 assigned ada
        "#,
    );
}

#[test]
fn what_is_done_is_opened_again_as_its_channel_says() {
    check(
        r#"
        reopens site within=60 owner=keep
        reopens mail within=0
        queue support
        agent ada queues=support
        agent bob queues=support
        ada online         -> ada online
        msg c1 "x"         -> opened support, assigned ada
        bob online         -> bob online
        resolve ada c1     -> resolved freeing ada
        msg c1 "again"     -> reopened support (customer), assigned ada (kept), received
        resolve ada c1     -> resolved freeing ada
        ada offline        -> ada offline
        msg c1 "again"     -> reopened support (customer), received, assigned bob
        resolve bob c1     -> resolved freeing bob
        wait 60            -> nothing
        msg c1 "late"      -> opened support, assigned bob
        "#,
    );
}

#[test]
fn what_would_open_another_conversation_goes_on_in_the_one_that_is_open() {
    check(
        r#"
        joins site within=60
        queue support
        queue billing
        rule when="message.text.contains('refund')" queue=billing
        agent ada queues=support,billing
        ada online                   -> ada online
        msg c1 "x" from=chat:1       -> opened support, assigned ada
        msg c2 "x" from=chat:1       -> goes on here, received
        # What comes on that thread later goes there, too, and so does a word after an answer.
        msg c2 "y" from=chat:1       -> received
        reply ada c1 "z"             -> queued for site
        msg c3 "x" from=chat:1       -> goes on here, received
        see c1                       -> open support ada v9
        snooze ada c1 100            -> snoozed freeing ada
        msg c4 "x" from=chat:1       -> woken (customer), returned to ada, goes on here, received
        # Another queue, customer or channel is another matter, and so is what was long ago.
        msg c5 "refund" from=chat:1  -> opened billing by rule 1, assigned ada
        msg c6 "x" from=chat:2       -> opened support, assigned ada
        msg c7 "x" from=chat:1 channel=mail -> opened support, assigned ada
        msg c8 "x" from=chat:1       -> goes on here, received
        wait 60                      -> nothing
        msg c9 "x" from=chat:1       -> opened support, assigned ada
        resolve ada c9               -> resolved freeing ada
        msg c10 "x" from=chat:1      -> opened support, assigned ada
        "#,
    );
}

#[test]
fn rules_know_who_writes_and_what_went_before() {
    check(
        r#"
        reopens site within=0
        queue support
        queue regulars
        queue again
        rule when="conversation.follow_up && conversation.queue == 'regulars'" queue=again
        rule when="contact.open > 1" priority=9
        rule when="contact.known && contact.conversations >= 2" queue=regulars
        rule when="now.getFullYear() == 2026 && !contact.known" tags=new
        agent ada queues=support,regulars,again
        msg c1 "x" from=chat:1      -> opened support #new by rule 4
        msg c2 "x" from=chat:1      -> opened support
        msg c3 "x" from=chat:1      -> opened support priority 9 by rule 2
        resolve boss c1             -> resolved
        resolve boss c2             -> resolved
        msg c4 "x" from=chat:1      -> opened regulars by rule 3
        msg c5 "x" from=chat:2      -> opened support #new by rule 4
        # What is done is not opened again here: the rules are asked anew, and know what it follows.
        resolve boss c4             -> resolved
        msg c4 "again" from=chat:1  -> opened again by rule 1
        "#,
    );
}

/// Two contacts that are one have had as many conversations as both.
#[test]
fn conversations_of_contacts_that_are_joined_are_counted_together() {
    check(
        r#"
        queue support
        queue regulars
        rule when="contact.conversations >= 3 && contact.open == 2" queue=regulars
        msg c1 "x" from=chat:1      -> opened support
        msg c2 "x" from=chat:2      -> opened support
        msg c3 "x" from=chat:2      -> opened support
        resolve boss c3             -> resolved
        join boss k1 k2             -> joined +chat:1
        msg c4 "x" from=chat:1      -> opened regulars by rule 1
        "#,
    );
}

#[test]
fn queue_by_targets_serves_what_is_due_first_and_then_by_priority() {
    check(
        r#"
        queue support order=targets
        targets quick first=100
        targets slow first=1000
        rule when="message.text.contains('gold')" targets=quick
        rule when="message.text.contains('silver')" targets=slow
        agent ada queues=support capacity=20
        msg c1 "plain"          -> opened support
        msg c2 "silver"         -> opened support by rule 2, targets first in 1000
        msg c3 "plain"          -> opened support
        msg c4 "gold"           -> opened support by rule 1, targets first in 100
        prioritise boss c3 9    -> priority 9
        ada online              -> ada online, c4 assigned ada
        resolve ada c4          -> resolved freeing ada, targets first met, c2 assigned ada
        resolve ada c2          -> resolved freeing ada, targets first met, c3 assigned ada
        resolve ada c3          -> resolved freeing ada, c1 assigned ada
        "#,
    );
}

#[test]
fn contacts_are_joined_by_a_message_from_addresses_of_both() {
    check(
        r#"
        desk merge_by=mailto,tel
        queue support
        msg c1 "x" from=chat:1 name=Ann              -> opened support
        msg c2 "x" from=mailto:ann@example.com       -> opened support
        msg c3 "x" from=telegram:7                   -> opened support
        # An address of a kind that is not named joins nobody.
        msg c3 "x" from=telegram:7 also=chat:1       -> received
        contacts                                     -> Ann chat:1; - mailto:ann@example.com; - telegram:7
        msg c1 "x" from=chat:1 also=mailto:ann@example.com -> joined +mailto:ann@example.com, received
        contacts                                     -> Ann chat:1 mailto:ann@example.com; - telegram:7
        # What is found later follows to the end.
        msg c4 "x" from=telegram:7 also=mailto:ann@example.com -> joined name Ann +chat:1 +mailto:ann@example.com, opened support
        contacts                                     -> Ann telegram:7 chat:1 mailto:ann@example.com
        msg c5 "x" from=tel:+491                     -> opened support
        msg c1 "x" from=chat:1 also=tel:+491         -> joined +tel:+491, received
        contacts                                     -> Ann telegram:7 chat:1 mailto:ann@example.com tel:+491
        # Whichever of the two the message names first.
        msg c6 "x" from=chat:9                       -> opened support
        msg c6 "x" from=mailto:ann@example.com also=chat:9 -> joined +chat:9, received
        "#,
    );
}
