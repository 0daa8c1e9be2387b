//! The state machine: any order and any repetition of the events of a call give the same call.

use postroom_channel_phone::{CallEvent, Dialect, Outcome, Stage};
use postroom_model::{
    CallLeg, CallState, Direction, Disposition, LegNote, LegStep, Side, Timestamp,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::{events, folded};

fn moment() -> impl Strategy<Value = Timestamp> {
    (0..90_i64).prop_map(|second| Timestamp::from_seconds(1_772_357_400 + second))
}

fn word() -> impl Strategy<Value = String> {
    select(vec!["201", "202", "Ada", "Lin", "+442079460011"]).prop_map(str::to_owned)
}

fn stage() -> impl Strategy<Value = Stage> {
    select(vec![Stage::Ringing, Stage::Answered, Stage::Ended])
}

fn outcome() -> impl Strategy<Value = Outcome> {
    select(vec![
        Outcome::Failed,
        Outcome::Cancelled,
        Outcome::NoAnswer,
        Outcome::Busy,
        Outcome::TalkEnded,
        Outcome::Voicemail,
        Outcome::Answered,
    ])
}

fn leg() -> impl Strategy<Value = CallLeg> {
    let steps = vec![
        LegStep::Start,
        LegStep::App,
        LegStep::Answer,
        LegStep::BridgeEnter,
        LegStep::BridgeExit,
        LegStep::Other,
        LegStep::Hangup,
        LegStep::End,
        LegStep::CallEnd,
    ];
    let channels = vec!["PJSIP/north-1", "PJSIP/201-2", "Local/x@y-1;1", "Local/x@y-1;2"];
    let notes = vec![
        LegNote::Incoming,
        LegNote::Outgoing,
        LegNote::Transfer,
        LegNote::Voicemail,
        LegNote::Queue { name: "support".to_owned() },
        LegNote::Room { name: "hall".to_owned() },
        LegNote::Target { number: Some("203".to_owned()), name: None },
        LegNote::Hangup { cause: 17, dial_status: "BUSY".to_owned() },
    ];
    let who = (option::of(word()), option::of(word()), option::of(word()));
    let side = || select(vec![Side::Outside, Side::Inside, Side::Own]);
    let who = (who, (side(), side()));
    (moment(), select(steps), 1..5_u8, select(channels), who, option::of(select(notes))).prop_map(
        |(at, step, leg, channel, ((number, name, exten), sides), note)| CallLeg {
            at,
            step,
            leg_id: format!("call.{leg}"),
            channel: channel.to_owned(),
            number_side: sides.0,
            number,
            name,
            exten_side: sides.1,
            exten,
            from_outside: false,
            note,
        },
    )
}

fn event() -> impl Strategy<Value = CallEvent> {
    let times =
        (option::of(moment()), option::of(moment()), option::of(moment()), option::of(moment()));
    let words = (option::of(word()), option::of(word()), option::of(word()), option::of(word()));
    let rest = (vec(word(), 0..3), option::of(0..99_u64), option::of(0..99_u64), option::of(leg()));
    let heads = (select(vec!["call.1", "call.2"]), option::of(stage()), option::of(outcome()));
    (heads, times, words, rest).prop_map(|(heads, times, words, rest)| CallEvent {
        call_id: heads.0.into(),
        stage: heads.1,
        outcome: heads.2,
        at: times.0,
        arrived_at: times.1,
        answered_at: times.2,
        ended_at: times.3,
        direction: Some(Direction::Out).filter(|_| words.0.is_some()),
        from: words.0.map(Into::into),
        to: words.1.map(Into::into),
        cause: words.2.map(Into::into),
        queue: words.3.map(Into::into),
        agents: rest.0.into_iter().map(Into::into).collect(),
        duration_s: rest.1,
        talk_s: rest.2,
        leg: rest.3.map(Box::new),
        ..CallEvent::default()
    })
}

proptest! {
    #[test]
    fn any_order_and_repetition_of_events_gives_the_same_calls(
        events in vec(event(), 1..14),
        order in vec(any::<prop::sample::Index>(), 0..30),
        shuffled in any::<u64>(),
    ) {
        let straight = folded(events.clone());
        let mut mixed: Vec<CallEvent> = order.iter().map(|index| index.get(&events).clone()).collect();
        // Each event at least once, begun anywhere and backwards.
        let turn = usize::try_from(shuffled % events.len() as u64).unwrap();
        let (end, begin) = events.split_at(turn);
        mixed.extend(begin.iter().chain(end).rev().cloned());
        prop_assert_eq!(folded(mixed), straight);
    }

    #[test]
    fn call_is_never_answered_before_its_start_or_after_its_end(events in vec(event(), 1..14)) {
        for call in folded(events) {
            let times = [call.started_at, call.answered_at, call.ended_at];
            let known: Vec<Timestamp> = times.into_iter().flatten().collect();
            prop_assert!(known.is_sorted(), "{:?}", call);
            prop_assert!(call.ended_at.is_none() || call.state == CallState::Ended);
            prop_assert!(call.disposition.is_some() || call.state == CallState::Ringing);
        }
    }
}

/// The events of one call in a dialect that tells of it piece by piece.
fn pieces(dialect: Dialect) -> Vec<CallEvent> {
    let bodies: &[&str] = match dialect {
        Dialect::TwilioVoice => &[
            "CallSid=C&CallStatus=initiated&Direction=inbound&From=%2B442079460011&Timestamp=Sun%2C+01+Mar+2026+09%3A30%3A00+%2B0000",
            "CallSid=C&CallStatus=ringing&Direction=inbound&From=%2B442079460011&Timestamp=Sun%2C+01+Mar+2026+09%3A30%3A01+%2B0000",
            "CallSid=C&CallStatus=in-progress&Direction=inbound&Timestamp=Sun%2C+01+Mar+2026+09%3A30%3A05+%2B0000",
            "CallSid=C&CallStatus=completed&CallDuration=20&Timestamp=Sun%2C+01+Mar+2026+09%3A30%3A25+%2B0000",
        ],
        Dialect::ZammadCti => &[
            "event=newCall&callId=C&direction=in&from=442079460011&to=4930901820&user=Lin,Mei",
            "event=answer&callId=C&direction=in&from=442079460011&to=4930901820&user=Mei",
            "event=hangup&callId=C&direction=in&cause=normalClearing",
        ],
        _ => &[
            "event=IncomingCall&call_id=C&from=030901820&to=022199998560",
            "event=CallAccepted&call_id=C&from=030901820&to=022199998560&peer=777abc",
            "event=HungUp&call_id=C&type=accepted",
        ],
    };
    bodies.iter().flat_map(|body| events(dialect, body.as_bytes())).collect()
}

/// Every order of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for shorter in orders(count - 1) {
        for place in 0..=shorter.len() {
            let mut longer = shorter.clone();
            longer.insert(place, count - 1);
            all.push(longer);
        }
    }
    all
}

#[test]
fn posts_of_a_call_in_every_order_and_twice_give_the_same_call() {
    for dialect in [Dialect::TwilioVoice, Dialect::ZammadCti, Dialect::Placetel] {
        let events = pieces(dialect);
        let straight = folded(events.clone());
        assert_eq!(straight.len(), 1);
        for order in orders(events.len()) {
            let mixed = order.iter().chain(&order).map(|index| events[*index].clone());
            assert_eq!(folded(mixed), straight, "{dialect:?} {order:?}");
        }
    }
}

#[test]
fn call_of_which_the_answer_was_not_heard_is_known_to_be_answered_by_its_end() {
    let mut events = pieces(Dialect::TwilioVoice);
    events.remove(2);
    let call = folded(events).remove(0);
    assert_eq!((call.state, call.disposition), (CallState::Ended, Some(Disposition::Answered)));
    assert_eq!((call.talk_s, call.answered_at), (Some(20), None));
}
