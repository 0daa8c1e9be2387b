//! What the outbox asks for, event by event.

use std::collections::{BTreeMap, BTreeSet};

use postroom_model::{
    Actor, ChannelId, DeliveryState, Event, EventBody, HostId, InputId, Message, Outbound, Outcome,
    OutcomeKind, Position, SendResult, Settings, Timestamp, Transition, WorkspaceId,
};
use uuid::Uuid;

use super::{CONCURRENT_SENDS_MAX, HELD_MAX, Outbox, Question, RETRY_MS, Work};
use crate::testing::{Router, channel, conversation, message};

const NOW: Timestamp = Timestamp::EPOCH;
const ME: HostId = HostId(Uuid::from_u128(1));
const OTHER: HostId = HostId(Uuid::from_u128(2));

fn at(millis: i64) -> Timestamp {
    NOW.plus_millis(millis)
}

fn site() -> ChannelId {
    channel("site")
}

fn row(number: u128, state: DeliveryState) -> Outbound {
    Outbound {
        id: message(number),
        channel: site(),
        conversation: conversation(number),
        thread: None,
        to: vec![],
        message: Message::default(),
        state,
        attempts: 3,
        next_at: NOW,
        queued_at: NOW,
        epoch: None,
    }
}

fn fold(outbox: &mut Outbox, events: Vec<Event>) {
    fold_with(outbox, events, None);
}

fn fold_with(outbox: &mut Outbox, events: Vec<Event>, outcome: Option<Outcome>) {
    let transition = Transition { outcome, at: NOW, events };
    let mut envelope = Router::default().envelope(NOW, vec![transition]);
    let seq = outbox.seq() + 1;
    outbox.take(seq, &envelope.encode().unwrap().bytes, NOW).unwrap();
}

fn owned(host: HostId, epoch: u64) -> Event {
    Event::global(EventBody::DeliveryOwned { channel: site(), host, epoch })
}

fn queued(number: u128, line: u128) -> Event {
    let body = EventBody::ReplyQueued {
        id: message(number),
        channel: site(),
        by: Actor::operator(),
        message: Box::default(),
    };
    Event::on(conversation(line), body)
}

fn attempted(number: u128, epoch: u64, attempt: u32) -> Event {
    Event::global(EventBody::DeliveryAttempted { message: message(number), epoch, attempt })
}

fn settled(number: u128, result: SendResult) -> Event {
    Event::global(EventBody::DeliverySettled { message: message(number), result })
}

fn retry(millis: i64) -> SendResult {
    SendResult::Retry { retry_at: at(millis), code: "busy".to_owned(), detail: String::new() }
}

fn uncertain() -> SendResult {
    SendResult::Uncertain { code: "lost".to_owned(), detail: String::new() }
}

fn outcome(input: InputId, kind: OutcomeKind, code: &str) -> Outcome {
    Outcome {
        position: Position::default(),
        input,
        kind,
        code: Some(code.to_owned()),
        detail: None,
        conversation: None,
        message: None,
        version: None,
        prints: vec![],
    }
}

fn ask(number: u128, epoch: u64) -> Work {
    Work::Attempt { message: message(number), epoch }
}

/// A host that owns `site` with epoch 4 and has asked for nothing yet.
fn owner(rows: Vec<Outbound>) -> Outbox {
    let mut outbox = Outbox::restore(ME, 0, rows);
    outbox.set_channels(&BTreeSet::from([site()]));
    assert_eq!(outbox.due(NOW), [Work::Own(site())]);
    fold(&mut outbox, vec![owned(ME, 4)]);
    outbox
}

fn grants(outbox: &mut Outbox) -> Vec<(u32, u32)> {
    let work = outbox.due(NOW).into_iter();
    work.filter_map(|work| match work {
        Work::Send(grant) => Some((grant.attempt, grant.attempt_since_queued)),
        _ => None,
    })
    .collect()
}

#[test]
fn nothing_is_asked_for_on_a_channel_that_is_not_owned_or_has_no_adapter() {
    let mut outbox = Outbox::restore(ME, 7, vec![row(1, DeliveryState::Queued)]);
    assert_eq!(outbox.due(NOW), []);
    assert_eq!(outbox.next_deadline(), None);
    outbox.set_channels(&BTreeSet::from([site()]));
    assert_eq!(outbox.due(NOW), [Work::Own(site())]);
    assert_eq!(outbox.due(NOW), []);
    fold(&mut outbox, vec![owned(OTHER, 3)]);
    assert_eq!(outbox.due(NOW), []);
    fold(&mut outbox, vec![owned(ME, 4)]);
    outbox.set_channels(&BTreeSet::new());
    assert_eq!(outbox.due(NOW), []);
    outbox.set_channels(&BTreeSet::from([site()]));
    assert_eq!(outbox.due(NOW), [ask(1, 4)]);
}

#[test]
fn only_what_waits_is_asked_for_and_only_when_it_is_due() {
    let states = [
        DeliveryState::Queued,
        DeliveryState::Waiting,
        DeliveryState::Sending,
        DeliveryState::Sent,
        DeliveryState::Delivered,
        DeliveryState::Read,
        DeliveryState::Failed,
        DeliveryState::Uncertain,
    ];
    let rows = (1..).zip(states).map(|(number, state)| row(number, state));
    let mut outbox = owner(rows.collect());
    assert_eq!(outbox.due(NOW), [ask(1, 4), ask(2, 4)]);
    fold(&mut outbox, vec![attempted(1, 4, 1), settled(1, retry(5_000))]);
    assert_eq!(outbox.due(at(4_999)), []);
    assert_eq!(outbox.next_deadline(), Some(at(5_000)));
    assert_eq!(outbox.due(at(5_000)), [ask(1, 4)]);
}

#[test]
fn grant_of_this_host_is_handed_out_once_and_one_of_another_never() {
    for (event, expected) in [
        (attempted(1, 4, 2), vec![(2, 2)]),
        (attempted(1, 3, 2), vec![]),
        (attempted(1, 5, 2), vec![]),
        (attempted(9, 4, 2), vec![]),
    ] {
        let mut outbox = owner(vec![row(1, DeliveryState::Waiting)]);
        assert_eq!(outbox.due(NOW), [ask(1, 4)]);
        fold(&mut outbox, vec![event]);
        assert_eq!(grants(&mut outbox), expected);
        assert_eq!(grants(&mut outbox), []);
    }
}

#[test]
fn grant_is_worth_nothing_once_another_host_came() {
    let mut outbox = owner(vec![row(1, DeliveryState::Queued)]);
    assert_eq!(outbox.due(NOW), [ask(1, 4)]);
    fold(
        &mut outbox,
        vec![attempted(1, 4, 4), owned(OTHER, 5), settled(1, uncertain()), queued(2, 2)],
    );
    assert_eq!(outbox.due(NOW), []);
    assert_eq!(outbox.take_lost(), [site()]);
    assert_eq!(outbox.take_lost(), []);
    assert!(outbox.queues().is_empty());
}

#[test]
fn replies_of_a_conversation_go_one_at_a_time_in_their_order() {
    let mut outbox = owner(vec![]);
    fold(&mut outbox, vec![queued(1, 1), queued(2, 1), queued(3, 2), queued(4, 1)]);
    assert_eq!(outbox.due(NOW), [ask(1, 4), ask(3, 4)]);
    fold(&mut outbox, vec![attempted(1, 4, 1), settled(1, retry(1_000))]);
    assert_eq!(outbox.due(NOW), []);
    assert_eq!(outbox.due(at(1_000)), [ask(1, 4)]);
    fold(&mut outbox, vec![attempted(1, 4, 2), settled(1, uncertain())]);
    assert_eq!(outbox.due(at(1_000)), [ask(2, 4)]);
    let requeued = EventBody::DeliveryRequeued {
        message: message(1),
        channel: site(),
        attempts: 2,
        by: Actor::operator(),
    };
    fold(
        &mut outbox,
        vec![
            Event::on(conversation(1), requeued),
            attempted(2, 4, 1),
            settled(2, SendResult::Sent { external_id: None }),
        ],
    );
    assert_eq!(outbox.due(at(1_000)), [ask(4, 4)]);
    fold(&mut outbox, vec![attempted(4, 4, 1), settled(4, SendResult::Sent { external_id: None })]);
    assert_eq!(outbox.due(at(1_000)), [ask(1, 4)]);
    fold(&mut outbox, vec![attempted(1, 4, 3)]);
    assert_eq!(grants(&mut outbox), [(3, 1)]);
}

#[test]
fn no_more_than_the_limit_is_under_way() {
    let rows = (0..20).map(|number| row(number, DeliveryState::Queued));
    let mut outbox = owner(rows.collect());
    assert_eq!(outbox.due(NOW).len(), CONCURRENT_SENDS_MAX);
    assert_eq!(outbox.next_deadline(), None);
    fold(&mut outbox, vec![attempted(0, 4, 4)]);
    assert_eq!(outbox.due(NOW).len(), 1);
    fold(&mut outbox, vec![settled(0, uncertain())]);
    assert_eq!(outbox.due(NOW), [ask(CONCURRENT_SENDS_MAX as u128, 4)]);
}

#[test]
fn refusal_is_looked_up_in_records_that_are_new_enough() {
    let input = InputId(Uuid::from_u128(50));
    for (found, expected) in [
        (Some(row(1, DeliveryState::Queued)), vec![ask(1, 4)]),
        (Some(row(1, DeliveryState::Sending)), vec![]),
        (Some(row(1, DeliveryState::Sent)), vec![ask(2, 4)]),
        (None, vec![ask(2, 4)]),
    ] {
        let mut outbox = owner(vec![]);
        fold(&mut outbox, vec![queued(1, 1), queued(2, 1)]);
        assert_eq!(outbox.due(NOW), [ask(1, 4)]);
        outbox.ask(input, Question::Attempt(message(1)));
        assert!(!outbox.is_idle());
        let refused = outcome(input, OutcomeKind::Rejected, "delivery_not_waiting");
        fold_with(&mut outbox, vec![], Some(refused));
        assert!(outbox.is_idle());
        let mut now = at(RETRY_MS);
        assert_eq!(outbox.due(now), [Work::Lookup(message(1))]);
        outbox.found(message(1), outbox.seq() - 1, None, now);
        now = now.plus_millis(RETRY_MS);
        assert_eq!(outbox.next_deadline(), Some(now));
        assert_eq!(outbox.due(now), [Work::Lookup(message(1))]);
        outbox.found(message(1), outbox.seq(), found.as_ref(), now);
        assert_eq!(outbox.due(now.plus_millis(RETRY_MS)), expected);
    }
}

#[test]
fn stale_owner_asks_for_nothing_more_and_a_refused_owner_asks_again() {
    let input = InputId(Uuid::from_u128(50));
    let mut outbox = owner(vec![row(1, DeliveryState::Queued)]);
    assert_eq!(outbox.due(NOW), [ask(1, 4)]);
    outbox.ask(input, Question::Attempt(message(1)));
    let stale = outcome(input, OutcomeKind::Rejected, "stale_owner");
    fold_with(&mut outbox, vec![queued(2, 2)], Some(stale));
    assert_eq!(outbox.due(NOW), []);
    assert_eq!(outbox.take_lost(), [site()]);

    let mut outbox = Outbox::restore(ME, 0, vec![]);
    outbox.set_channels(&BTreeSet::from([site()]));
    assert_eq!(outbox.due(NOW), [Work::Own(site())]);
    outbox.ask(input, Question::Own(site()));
    let refused = outcome(input, OutcomeKind::Rejected, "channel_not_found");
    fold_with(&mut outbox, vec![], Some(refused));
    let again = outbox.next_deadline().unwrap();
    assert!(again > NOW);
    assert_eq!(outbox.due(again), [Work::Own(site())]);
}

#[test]
fn new_settings_let_a_refused_owner_ask_at_once_and_refusals_come_ever_slower() {
    let mut outbox = Outbox::restore(ME, 0, vec![]);
    outbox.set_channels(&BTreeSet::from([site()]));
    let mut now = NOW;
    for expected_ms in [1_000, 2_000, 4_000] {
        assert_eq!(outbox.due(now), [Work::Own(site())]);
        let input = InputId(Uuid::from_u128(50));
        outbox.ask(input, Question::Own(site()));
        let refused = outcome(input, OutcomeKind::Rejected, "channel_not_found");
        fold_with(&mut outbox, vec![], Some(refused));
        now = at(expected_ms);
        assert_eq!(outbox.next_deadline(), Some(now));
    }
    let settings = Settings {
        workspace: WorkspaceId::main(),
        timing: postroom_model::Timing::default(),
        channels: vec![],
        queues: vec![],
        rules: vec![],
        agents: vec![],
        costs: BTreeMap::new(),
        calendars: vec![],
        desk: postroom_model::DeskSettings::default(),
        contacts: postroom_model::ContactSettings::default(),
        answers: vec![],
    };
    let settings = Box::new(settings);
    fold(&mut outbox, vec![Event::global(EventBody::ConfigInstalled { settings })]);
    assert_eq!(outbox.due(NOW), [Work::Own(site())]);
}

#[test]
fn what_is_folded_twice_changes_nothing() {
    // The rows were read when the ledger was further than the standing said.
    let mut waiting = row(1, DeliveryState::Waiting);
    waiting.next_at = at(9_000);
    let mut outbox = owner(vec![waiting]);
    fold(&mut outbox, vec![queued(1, 1)]);
    fold(&mut outbox, vec![attempted(1, 2, 1)]);
    fold(&mut outbox, vec![settled(1, retry(9_000))]);
    assert_eq!(outbox.due(at(8_999)), []);
    assert_eq!(outbox.due(at(9_000)), [ask(1, 4)]);
    fold(&mut outbox, vec![queued(2, 2), settled(2, uncertain())]);
    assert_eq!(outbox.due(at(9_000)), []);
}

#[test]
fn stopping_host_asks_for_nothing_and_still_hands_out_grants() {
    let mut outbox = owner(vec![row(1, DeliveryState::Queued)]);
    assert_eq!(outbox.due(NOW), [ask(1, 4)]);
    outbox.stop();
    fold(&mut outbox, vec![queued(2, 2), attempted(1, 4, 4)]);
    assert!(!outbox.is_idle());
    assert_eq!(grants(&mut outbox), [(4, 1)]);
    assert_eq!(outbox.due(NOW), []);
    assert_eq!(outbox.next_deadline(), None);
    assert!(outbox.is_idle());
}

#[test]
fn what_does_not_fit_waits_in_the_records_without_being_overtaken() {
    let rows = |from: u128, to: u128| -> Vec<Outbound> {
        (from..to).map(|number| row(number, DeliveryState::Queued)).collect()
    };
    let full = HELD_MAX as u128;
    let mut outbox = owner(rows(0, full));
    assert!(outbox.overflowing());
    fold(&mut outbox, vec![queued(full, 1)]);
    let half = full / 2;
    fold(&mut outbox, (0..half).map(|number| settled(number, uncertain())).collect());
    assert_eq!(outbox.queues()[&site()].length, HELD_MAX / 2);
    let work = outbox.due(NOW);
    assert_eq!(work.first(), Some(&Work::Refill));
    assert!(!outbox.due(NOW).contains(&Work::Refill));
    // Records that lag behind the fold would bring back what has left.
    outbox.refill(outbox.seq() - 1, rows(0, full), NOW);
    assert!(outbox.overflowing());
    assert_eq!(outbox.next_deadline(), Some(at(RETRY_MS)));
    assert!(outbox.due(at(RETRY_MS)).contains(&Work::Refill));
    outbox.refill(outbox.seq(), rows(half, full + 1), NOW);
    assert!(!outbox.overflowing());
    assert_eq!(outbox.queues()[&site()].length, HELD_MAX / 2 + 1);
}
