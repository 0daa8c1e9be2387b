//! What is counted for staffing: arrivals by the hour of a zone, and the time in which agents worked.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use postroom_model::{
    Actor, AgentId, ConversationId, Event, EventBody, Message, MessageId, Opened, Reason,
    RuleTrace, Timestamp,
};
use postroom_routing::staffing::{Goal, Handling, QueueNeed, Staffing};
use uuid::Uuid;

const GOAL: Goal = Goal { share: 0.8, within_s: 20.0 };

/// A moment of Monday the 5th of January 2026 in UTC, which is an hour later in Berlin.
fn at(hour: i64, minute: i64, second: i64) -> Timestamp {
    let monday: Timestamp = "2026-01-05T00:00:00Z".parse().unwrap();
    monday.plus_millis((hour * 3_600 + minute * 60 + second) * 1_000)
}

fn id(number: u128) -> ConversationId {
    ConversationId(Uuid::from_u128(number))
}

fn ada() -> AgentId {
    "ada".parse().unwrap()
}

fn opened(number: u128, queue: &str) -> Event {
    let opened = Opened {
        channel: "site".parse().unwrap(),
        thread: None,
        contact: None,
        customer: None,
        subject: None,
        linked: None,
        queue: queue.parse().unwrap(),
        priority: 0,
        skills: BTreeMap::new(),
        preferred: BTreeMap::new(),
        cost: 20,
        tags: vec![],
        policy: None,
        route: RuleTrace::default(),
        waiting_since: None,
        settled_at: None,
        version: 0,
        message_version: 0,
    };
    Event::on(id(number), EventBody::ConversationOpened(Box::new(opened)))
}

fn assigned(number: u128) -> Event {
    let reason = Reason::Claimed { by: Actor::agent(&ada()) };
    Event::on(id(number), EventBody::ConversationAssigned { agent: ada(), cost: 20, reason })
}

fn replied(number: u128) -> Event {
    let body = EventBody::ReplyQueued {
        id: MessageId(Uuid::from_u128(number)),
        channel: "site".parse().unwrap(),
        by: Actor::agent(&ada()),
        message: Box::new(Message::default()),
    };
    Event::on(id(number), body)
}

fn needs(events: &[(Timestamp, Event)]) -> Vec<QueueNeed> {
    let mut staffing = Staffing::new("Europe/Berlin", at(0, 0, 0), at(24, 0, 0)).unwrap();
    for (at, event) in events {
        staffing.take(*at, event);
    }
    staffing.needs(GOAL, None)
}

#[test]
fn work_is_from_when_an_agent_has_it_until_the_reply_and_hours_are_local() {
    let needs = needs(&[
        (at(8, 0, 0), opened(1, "support")),
        (at(8, 10, 0), assigned(1)),
        (at(8, 13, 0), replied(1)),
        (at(8, 30, 0), opened(2, "support")),
        (at(8, 30, 0), assigned(2)),
        (at(8, 33, 0), replied(2)),
        // Nobody works on what was answered.
        (at(9, 0, 0), opened(3, "billing")),
    ]);
    assert_eq!(needs.len(), 2);
    let (billing, support) = (&needs[0], &needs[1]);
    assert_eq!((billing.queue.as_str(), billing.arrivals), ("billing", 1));
    assert_eq!((support.queue.as_str(), support.arrivals), ("support", 2));
    assert!((support.handling_s.unwrap() - 180.0).abs() < 0.001, "{support:?}");
    let hours: Vec<_> = support.hours.iter().map(|one| (one.weekday, one.hour)).collect();
    assert_eq!(hours, [(1, 9)]);
    assert!((support.hours[0].arrivals_per_h - 2.0).abs() < 0.001);
}

#[test]
fn several_at_once_share_the_time_and_a_long_silence_is_no_work() {
    let shared = needs(&[
        (at(8, 0, 0), opened(1, "support")),
        (at(8, 0, 0), opened(2, "support")),
        (at(8, 0, 0), assigned(1)),
        (at(8, 0, 0), assigned(2)),
        (at(8, 4, 0), replied(1)),
        (at(8, 6, 0), replied(2)),
    ]);
    // Six minutes of work for two of them.
    assert!((shared[0].handling_s.unwrap() - 180.0).abs() < 0.001, "{shared:?}");
    let silent = needs(&[
        (at(8, 0, 0), opened(1, "support")),
        (at(8, 0, 0), assigned(1)),
        (at(20, 0, 0), replied(1)),
    ]);
    assert!((silent[0].handling_s.unwrap() - 1_800.0).abs() < 0.001, "{silent:?}");
}

#[test]
fn two_hundred_in_an_hour_of_three_minutes_need_fourteen() {
    let mut events = Vec::new();
    for number in 0..200 {
        events.push((at(8, 0, 0), opened(number, "support")));
    }
    // One after the other, so that each takes its three minutes.
    for number in 0..200 {
        let begin = i64::try_from(number).unwrap() * 180;
        events.push((at(9, 0, begin), assigned(number)));
        events.push((at(9, 0, begin + 180), replied(number)));
    }
    let needs = needs(&events);
    let hour = &needs[0].hours[0];
    assert_eq!(hour.agents, Some(14), "{hour:?}");
    assert!((hour.in_time.unwrap() - 0.888).abs() < 0.001, "{hour:?}");
}

#[test]
fn queue_in_which_nothing_was_answered_has_no_number_unless_somebody_says_how_long_one_takes() {
    let mut staffing = Staffing::new("UTC", at(0, 0, 0), at(24, 0, 0)).unwrap();
    for number in 0..200 {
        staffing.take(at(8, 0, 0), &opened(number, "support"));
    }
    let unknown = &staffing.needs(GOAL, None)[0];
    assert_eq!((unknown.handling, unknown.handling_s), (Handling::Unknown, None));
    let hour = &unknown.hours[0];
    assert_eq!((hour.agents, hour.in_time, hour.mean_wait_s), (None, None, None));
    assert!((hour.arrivals_per_h - 200.0).abs() < 0.001);
    let assumed = &staffing.needs(GOAL, Some(180.0))[0];
    assert_eq!((assumed.handling, assumed.handling_s), (Handling::Assumed, Some(180.0)));
    assert_eq!(assumed.hours[0].agents, Some(14));
}

#[test]
fn zone_that_there_is_not_is_refused() {
    assert!(Staffing::new("Europe/Berln", at(0, 0, 0), at(1, 0, 0)).is_none());
}
