//! One call out of several reports of it, whatever their order: each field is that of the report for
//! which most speaks.
//!
//! A report of somebody who answered speaks louder than one of nobody; then the earlier one holds.
//! Where a telephone system names no times, those at which we heard stand in.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use postroom_model::{Call, CallState, Direction, Disposition, Timestamp};

/// The call that the reports tell of, each with the time at which it was heard; none if there is none.
pub(crate) fn join<'a>(reports: impl Iterator<Item = (Timestamp, &'a Call)>) -> Option<Call> {
    let mut reports: Vec<(Timestamp, &Call)> = reports.collect();
    if reports.len() > 1 {
        reports.sort_by_cached_key(|(_, call)| (moment(call), written(call)));
    }
    let (_, first) = *reports.first()?;
    let early: Vec<&Call> = reports.iter().map(|(_, call)| *call).collect();
    let mut loud = early.clone();
    loud.sort_by_key(|call| Reverse(is_answered(call)));
    let state = early.iter().map(|call| call.state).max_by_key(|state| stage(*state))?;
    let answered = early.iter().any(|call| is_answered(call));
    let told: Vec<&Call> =
        early.iter().copied().filter(|call| call.state == CallState::Ended).collect();
    let ended_at = told.iter().filter_map(|call| call.ended_at).max();
    let ended_at = ended_at.or_else(|| heard(&reports, CallState::Ended));
    let ended_at = ended_at.filter(|_| state == CallState::Ended);
    let answered_at = early.iter().filter_map(|call| call.answered_at).min();
    let answered_at = answered_at
        .or_else(|| heard(&reports, CallState::Answered))
        .filter(|_| answered)
        .map(|at| ended_at.map_or(at, |end| at.min(end)));
    let started_at = early.iter().filter_map(|call| call.started_at).min();
    let started_at = started_at
        .or_else(|| heard(&reports, CallState::Ringing))
        .map(|at| answered_at.or(ended_at).map_or(at, |end| at.min(end)));
    let spent = |from: Option<Timestamp>| u64::try_from(ended_at?.since(from?) / 1_000).ok();
    let talked = told.iter().filter(|call| is_answered(call)).filter_map(|call| call.talk_s);
    let talk_s = agreed(talked).or_else(|| spent(answered_at));
    let silent = (state == CallState::Ended && !answered).then_some(0);
    Some(Call {
        call_id: first.call_id.clone(),
        linked_id: text(&early, |call| &call.linked_id),
        state,
        direction: direction(&early),
        from: text(&early, |call| &call.from),
        from_name: text(&early, |call| &call.from_name),
        to: text(&loud, |call| &call.to),
        to_name: text(&loud, |call| &call.to_name),
        dialled: text(&early, |call| &call.dialled),
        started_at,
        answered_at,
        ended_at,
        duration_s: agreed(told.iter().filter_map(|call| call.duration_s))
            .or_else(|| spent(started_at)),
        talk_s: talk_s.or(silent),
        disposition: early
            .iter()
            .filter_map(|call| Some((strength(call)?, call.disposition?)))
            .max_by_key(|(strength, _)| *strength)
            .map(|(_, disposition)| disposition),
        cause: text(&loud, |call| &call.cause),
        agents: agents(&loud, answered),
        queue: text(&loud, |call| &call.queue),
        recording_url: text(&early, |call| &call.recording_url),
    })
}

/// By the clock of the telephone system; what names no time comes last.
fn moment(call: &Call) -> i64 {
    let told = call.answered_at.or(call.started_at).or(call.ended_at);
    told.map_or(i64::MAX, Timestamp::millis)
}

/// An order of reports for want of anything else that speaks for one.
fn written(call: &Call) -> String {
    serde_json::to_string(call).unwrap_or_default()
}

fn stage(state: CallState) -> u8 {
    match state {
        CallState::Ringing => 0,
        CallState::Answered => 1,
        CallState::Ended => 2,
    }
}

/// Somebody, or the answering machine, took it.
pub(crate) fn is_answered(call: &Call) -> bool {
    let taken = matches!(call.disposition, Some(Disposition::Answered | Disposition::Voicemail));
    taken || call.state == CallState::Answered
}

/// An end that merely says that somebody had talked does not say with whom: an answering machine
/// that was heard to answer is believed before it.
fn strength(call: &Call) -> Option<u8> {
    let heard = call.state != CallState::Ended || call.answered_at.is_some();
    Some(match call.disposition? {
        Disposition::Failed => 0,
        Disposition::Cancelled => 1,
        Disposition::NoAnswer => 2,
        Disposition::Busy => 3,
        Disposition::Answered if !heard => 4,
        Disposition::Voicemail => 5,
        Disposition::Answered => 6,
    })
}

/// When we first heard that the call had come so far.
fn heard(reports: &[(Timestamp, &Call)], state: CallState) -> Option<Timestamp> {
    reports.iter().filter(|(_, call)| call.state == state).map(|(at, _)| *at).min()
}

/// A report that names no direction says inwards, so what says anything else knows better.
fn direction(reports: &[&Call]) -> Direction {
    let told = reports.iter().map(|call| call.direction);
    told.into_iter().find(|one| *one != Direction::In).unwrap_or(Direction::In)
}

fn text(reports: &[&Call], field: impl Fn(&Call) -> &Option<String>) -> Option<String> {
    reports.iter().find_map(|call| field(call).clone())
}

/// A length that every report that names one tells alike; else none is that of the whole call.
fn agreed(mut lengths: impl Iterator<Item = u64>) -> Option<u64> {
    let first = lengths.next()?;
    lengths.all(|length| length == first).then_some(first)
}

/// Who answered, or, as long as nobody did, who was called.
fn agents(reports: &[&Call], answered: bool) -> Vec<String> {
    let named = |only_answered: bool| {
        let mut seen = BTreeSet::new();
        let heard = reports.iter().filter(|call| !only_answered || is_answered(call));
        let names = heard.flat_map(|call| &call.agents).filter(|name| seen.insert(name.as_str()));
        names.cloned().collect::<Vec<String>>()
    };
    let those = if answered { named(true) } else { vec![] };
    if those.is_empty() { named(false) } else { those }
}

#[cfg(test)]
mod tests {
    use postroom_model::{Call, CallState, Timestamp};
    use serde_json::{Value, json};

    use super::join;

    fn report(more: &Value) -> Call {
        let mut whole = json!({ "call_id": "k1", "state": "ringing", "direction": "in" });
        for (key, value) in more.as_object().into_iter().flatten() {
            whole[key] = value.clone();
        }
        serde_json::from_value(whole).unwrap()
    }

    /// Every order of the reports, each heard when it was heard.
    fn orders(reports: &[(Timestamp, Call)]) -> Vec<Vec<(Timestamp, Call)>> {
        let Some((first, rest)) = reports.split_first() else {
            return vec![vec![]];
        };
        let mut all = vec![];
        for order in orders(rest) {
            for at in 0..=order.len() {
                let mut with = order.clone();
                with.insert(at, first.clone());
                all.push(with);
            }
        }
        all
    }

    fn joined(told: &[Value]) -> Call {
        let heard = (0..).map(|second| Timestamp::from_millis(1_000_000 + second * 1_000));
        let reports: Vec<(Timestamp, Call)> = heard.zip(told.iter().map(report)).collect();
        let mut outcomes = orders(&reports).into_iter().map(|order| {
            let twice = order.iter().chain(order.first());
            join(twice.map(|(at, call)| (*at, call))).unwrap()
        });
        let first = outcomes.next().unwrap();
        assert!(outcomes.all(|other| other == first), "{first:?}");
        first
    }

    #[test]
    fn call_is_the_same_in_every_order_of_its_reports() {
        let call = joined(&[
            json!({ "from": "+4930901820", "to": "100", "agents": ["ada", "bob"] }),
            json!({ "state": "answered", "to": "202", "agents": ["bob"], "disposition": "answered" }),
            json!({ "state": "ended", "disposition": "no_answer", "talk_s": 0, "cause": "normal" }),
        ]);
        assert_eq!(call.state, CallState::Ended);
        assert_eq!(
            (call.to.as_deref(), call.agents.as_slice()),
            (Some("202"), &["bob".to_owned()][..])
        );
        assert_eq!(call.disposition, Some(postroom_model::Disposition::Answered));
        // No times were told, so those at which we heard count.
        assert_eq!((call.duration_s, call.talk_s), (Some(2), Some(1)));
    }

    #[test]
    fn times_that_are_told_are_believed_and_lengths_that_disagree_are_not() {
        let call = joined(&[
            json!({ "state": "ended", "disposition": "no_answer", "started_at": "2026-03-01T09:00:00Z",
                "ended_at": "2026-03-01T09:00:20Z", "duration_s": 20 }),
            json!({ "state": "ended", "disposition": "answered", "started_at": "2026-03-01T09:00:20Z",
                "answered_at": "2026-03-01T09:00:25Z", "ended_at": "2026-03-01T09:01:00Z",
                "duration_s": 40, "talk_s": 35 }),
        ]);
        assert_eq!((call.duration_s, call.talk_s), (Some(60), Some(35)));
    }

    #[test]
    fn answering_machine_is_believed_before_an_end_that_only_says_somebody_talked() {
        let call = joined(&[
            json!({ "state": "answered", "disposition": "voicemail" }),
            json!({ "state": "ended", "disposition": "answered" }),
        ]);
        assert_eq!(call.disposition, Some(postroom_model::Disposition::Voicemail));
        let out = joined(&[json!({ "direction": "out" }), json!({ "state": "ended" })]);
        assert_eq!(out.direction, postroom_model::Direction::Out);
    }
}
