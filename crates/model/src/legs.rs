//! Reads a call out of what happened to its legs, as Asterisk logs it.
//!
//! A call has an origin, the leg that gave it its id. Each telephone or trunk that is rung is a leg
//! more. Legs named `Local/` are corridors of the dialplan with nobody in them: they come in pairs
//! and vanish as soon as the real legs are joined.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::leg::{CallLeg, LegNote as Note, LegStep, Side};
use crate::{Call, CallState, Direction, Disposition, Timestamp};

/// Things that happened to the legs of one call and are remembered; the earliest stay.
pub const LEGS_MAX: usize = 5_000;

/// A leg that is moved from a vanishing corridor leaves one bridge and enters the next at once.
const SWAP_MS: i64 = 1_000;

/// All that happened to the legs of one call, each thing once, in the order of time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Legs(BTreeSet<CallLeg>);

impl Legs {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, event: &CallLeg) -> bool {
        self.0.contains(event)
    }

    pub fn apply(&mut self, event: CallLeg) {
        self.0.insert(event);
        if self.0.len() > LEGS_MAX {
            self.0.pop_last();
        }
    }

    /// The call as its legs tell it; none if there are none. What they leave open, such as how a call
    /// went that is over, is none.
    pub fn read(&self, call_id: &str) -> Option<Call> {
        let story = Story::new(&self.0, call_id)?;
        Some(story.tell(call_id))
    }
}

/// One leg, and what happened to it.
#[derive(Debug)]
struct Leg<'a> {
    channel: &'a str,
    events: Vec<&'a CallLeg>,
}

impl<'a> Leg<'a> {
    fn is_corridor(&self) -> bool {
        self.channel.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("local/"))
    }

    fn of(&self, step: LegStep) -> impl Iterator<Item = &'a CallLeg> {
        self.events.iter().copied().filter(move |event| event.step == step)
    }

    fn first(&self, step: LegStep) -> Option<&'a CallLeg> {
        self.of(step).next()
    }

    fn begins_at(&self) -> Timestamp {
        self.events.first().map_or(Timestamp::EPOCH, |event| event.at)
    }

    fn ends_at(&self) -> Option<Timestamp> {
        let end = self.of(LegStep::End).last().or_else(|| self.of(LegStep::Hangup).last());
        end.map(|event| event.at)
    }

    /// Who is rung at this leg: the name belongs to the number with which it stands.
    fn callee(&self) -> (Option<&'a str>, Option<&'a str>) {
        let known = self.events.iter().find(|event| event.number.is_some());
        let known = known.or_else(|| self.events.iter().find(|event| event.name.is_some()));
        let name = known.and_then(|event| event.name.as_deref());
        (known.and_then(|event| event.number.as_deref()), name)
    }

    /// Number or telephone, for the list of agents.
    fn agent(&self) -> Option<&'a str> {
        self.callee().0.or_else(|| endpoint(self.channel))
    }
}

/// Somebody whom the call was meant for.
#[derive(Debug, Clone, Copy)]
struct Target<'a> {
    at: Timestamp,
    number: Option<&'a str>,
    name: Option<&'a str>,
}

/// The legs of a call, sorted by what they are in it.
#[derive(Debug)]
struct Story<'a> {
    events: &'a BTreeSet<CallLeg>,
    origin: Leg<'a>,
    /// The leg at which the caller really is, where the origin is a corridor.
    caller: Option<Leg<'a>>,
    callees: Vec<Leg<'a>>,
}

impl<'a> Story<'a> {
    fn new(events: &'a BTreeSet<CallLeg>, call_id: &str) -> Option<Self> {
        let mut by_id: BTreeMap<&str, Leg<'a>> = BTreeMap::new();
        for event in events.iter().filter(|event| !event.leg_id.is_empty()) {
            let leg = by_id
                .entry(event.leg_id.as_str())
                .or_insert(Leg { channel: &event.channel, events: Vec::new() });
            leg.events.push(event);
        }
        let first =
            by_id.iter().min_by_key(|(id, leg)| (leg.begins_at(), **id)).map(|(id, _)| *id)?;
        let origin_id = if by_id.contains_key(call_id) { call_id } else { first };
        let origin = by_id.remove(origin_id)?;
        let mut others: Vec<(&str, Leg<'a>)> = by_id.into_iter().collect();
        others.sort_by_key(|(id, leg)| (leg.begins_at(), *id));
        let mut real = Vec::new();
        let mut corridors = Vec::new();
        for (_, leg) in others {
            if leg.is_corridor() { corridors.push(leg) } else { real.push(leg) }
        }
        let caller = (origin.is_corridor() && !real.is_empty()).then(|| real.remove(0));
        if real.is_empty() && !origin.is_corridor() {
            real = corridors;
        }
        Some(Self { events, origin, caller, callees: real })
    }

    fn caller(&self) -> &Leg<'a> {
        self.caller.as_ref().unwrap_or(&self.origin)
    }

    fn notes(&self) -> impl Iterator<Item = (&'a CallLeg, &'a Note)> {
        self.events.iter().filter_map(|event| Some((event, event.note.as_ref()?)))
    }

    fn tell(&self, call_id: &str) -> Call {
        let answerer = self.answerer();
        let voicemail_at = self.voicemail_at();
        let answered_at = self.answered_at(answerer).or(voicemail_at);
        let ended_at = self.ended_at();
        let (from, from_name) = self.who_calls();
        let targets = self.targets();
        let reached = match answerer {
            Some(leg) => Some(leg.callee()),
            None => targets.last().map(|target| (target.number, target.name)),
        };
        let dialled = self.dialled().or_else(|| self.callees.iter().find_map(|leg| leg.callee().0));
        let room = self.room();
        let (to, to_name) = match (reached, room) {
            (Some(who), _) => who,
            (None, Some(name)) => (dialled, Some(name)),
            (None, None) => (dialled, None),
        };
        let state = match (ended_at, answered_at) {
            (Some(_), _) => CallState::Ended,
            (None, Some(_)) => CallState::Answered,
            (None, None) => CallState::Ringing,
        };
        let direction = if self.stays_inside(from, to.or(dialled)) {
            Direction::Internal
        } else {
            self.direction(from, dialled)
        };
        let (cause, failed) = self.hangup(answered_at.is_some());
        let disposition = match (answered_at, voicemail_at) {
            (Some(answered), Some(voicemail)) if answered >= voicemail => {
                Some(Disposition::Voicemail)
            }
            (Some(_), _) => Some(Disposition::Answered),
            (None, _) => failed,
        };
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Call {
            call_id: call_id.to_owned(),
            linked_id: Some(call_id.to_owned()),
            state,
            direction,
            from_name: owned(from_name.filter(|name| Some(*name) != from)),
            from: owned(from),
            to_name: owned(to_name.filter(|name| Some(*name) != to)),
            to: owned(to.or(dialled)),
            dialled: owned(dialled),
            started_at: Some(self.events.first().map_or(self.origin.begins_at(), |first| first.at)),
            answered_at,
            ended_at,
            duration_s: None,
            talk_s: None,
            disposition,
            cause,
            agents: self.agents(direction, answerer),
            queue: self.queue(),
            recording_url: None,
        }
    }

    /// Number and name of the caller: as the dialplan had set them when it first did something with
    /// the call, else as they came.
    fn who_calls(&self) -> (Option<&'a str>, Option<&'a str>) {
        let apps = self.origin.of(LegStep::App);
        let stages = apps.chain(self.origin.of(LegStep::Start));
        let stages: Vec<&CallLeg> = stages.chain(self.origin.events.iter().copied()).collect();
        let number = stages.iter().find_map(|event| event.number.as_deref());
        let name = stages
            .iter()
            .find_map(|event| event.name.as_deref().filter(|name| Some(*name) != number));
        (number, name)
    }

    /// What the caller dialled. The extension of a corridor is where its own half was sent.
    fn dialled(&self) -> Option<&'a str> {
        let start = self.origin.first(LegStep::Start).filter(|_| !self.origin.is_corridor())?;
        start.exten.as_deref().filter(|exten| is_dialled(exten))
    }

    fn bridges(&self) -> bool {
        self.events.iter().any(|event| event.step == LegStep::BridgeEnter)
    }

    /// The first of those who were rung who answered and, where that is logged, was joined.
    fn answerer(&self) -> Option<&Leg<'a>> {
        let answered = |leg: &&Leg<'a>| leg.first(LegStep::Answer).is_some();
        let joined = |leg: &&Leg<'a>| leg.first(LegStep::BridgeEnter).is_some();
        let both = self.callees.iter().find(|leg| answered(leg) && joined(leg));
        // Before version 12 only the caller's leg tells of the bridge.
        both.or_else(|| self.callees.iter().find(answered))
            .or_else(|| self.callees.iter().find(joined))
            .filter(|_| !self.bridges() || self.joined_at(None).is_some())
    }

    /// When the caller was joined with somebody: at or after `from`, if that is given.
    fn joined_at(&self, from: Option<Timestamp>) -> Option<Timestamp> {
        let mut entered = self.origin.of(LegStep::BridgeEnter).map(|event| event.at);
        entered.find(|at| from.is_none_or(|from| *at >= from))
    }

    fn answered_at(&self, answerer: Option<&Leg<'a>>) -> Option<Timestamp> {
        let Some(leg) = answerer else {
            let alone = self.callees.is_empty() && self.room().is_some();
            return self.joined_at(None).filter(|_| alone);
        };
        let answered = leg.first(LegStep::Answer).map(|event| event.at);
        if !self.bridges() {
            return answered;
        }
        if self.caller.is_some() {
            return swapped_in(leg).or(answered);
        }
        self.joined_at(answered).or_else(|| self.joined_at(None)).or(answered)
    }

    fn voicemail_at(&self) -> Option<Timestamp> {
        let mut notes = self.notes().filter(|(_, note)| **note == Note::Voicemail);
        notes.next().map(|(event, _)| event.at)
    }

    /// The end of the caller's leg; of the whole call, where it went on without that leg.
    fn ended_at(&self) -> Option<Timestamp> {
        let whole = self.events.iter().find(|event| event.step == LegStep::CallEnd);
        let whole = whole.map(|event| event.at);
        if self.is_transferred() {
            let all_ended =
                self.callees.iter().chain([&self.origin]).all(|leg| leg.ends_at().is_some());
            let last = self.callees.iter().chain([&self.origin]).filter_map(Leg::ends_at).max();
            return whole.or(last.filter(|_| all_ended));
        }
        self.caller().ends_at().or(whole)
    }

    fn is_transferred(&self) -> bool {
        self.notes().any(|(_, note)| matches!(note, Note::Transfer | Note::HandedOver { .. }))
    }

    /// Everyone whom the call was meant for, in the order in which it was tried.
    fn targets(&self) -> Vec<Target<'a>> {
        let rung = self.callees.iter().map(|leg| {
            let (number, name) = leg.callee();
            Target { at: leg.begins_at(), number, name }
        });
        let told = self.notes().filter_map(|(event, note)| match note {
            Note::Target { number, name } => {
                Some(Target { at: event.at, number: number.as_deref(), name: name.as_deref() })
            }
            _ => None,
        });
        let mut targets: Vec<Target<'a>> = rung.chain(told).collect();
        targets.retain(|target| target.number.is_some() || target.name.is_some());
        targets.sort_by_key(|target| target.at);
        targets
    }

    fn room(&self) -> Option<&'a str> {
        self.notes().find_map(|(_, note)| match note {
            Note::Room { name } => Some(name.as_str()),
            _ => None,
        })
    }

    /// Who else talked after the call was transferred: who was joined with it, in the order of time, and
    /// to whom it was handed over. Of a call outwards the customer is none of them.
    fn taken_over(&self, direction: Direction) -> Vec<&'a str> {
        let ours = |leg: &&Leg<'a>| {
            let number = leg.callee().0;
            direction != Direction::Out
                || number.is_some_and(|number| self.side(number) != Side::Outside)
        };
        let joined = self.callees.iter().filter(ours).filter_map(|leg| {
            let joined = leg.first(LegStep::BridgeEnter).or_else(|| leg.first(LegStep::Answer))?;
            Some((joined.at, leg.agent()?))
        });
        let told = self.notes().filter_map(|(event, note)| match note {
            Note::HandedOver { to } => Some((event.at, to.as_str())),
            _ => None,
        });
        let mut all: Vec<(Timestamp, &str)> = joined.chain(told).collect();
        all.sort_by_key(|(at, _)| *at);
        all.into_iter().map(|(_, agent)| agent).collect()
    }

    fn queue(&self) -> Option<String> {
        self.notes().find_map(|(_, note)| match note {
            Note::Queue { name } => Some(name.clone()),
            _ => None,
        })
    }

    /// By what the dialplan says before anybody is rung, then by where the call came in, then by
    /// the numbers.
    fn direction(&self, from: Option<&str>, dialled: Option<&str>) -> Direction {
        let first_rung = self.targets().first().map(|target| target.at);
        let in_time = |at: Timestamp| first_rung.is_none_or(|rung| at <= rung);
        for (event, note) in self.notes() {
            match note {
                Note::Incoming => return Direction::In,
                Note::Outgoing if in_time(event.at) => return Direction::Out,
                _ => {}
            }
        }
        let start = self.origin.first(LegStep::Start);
        let from_outside = start.is_some_and(|event| event.from_outside);
        direction(from_outside, from.map(|from| self.side(from)), dialled.map(|to| self.side(to)))
    }

    /// Both of them are of the house, and one of them is a public number.
    fn stays_inside(&self, from: Option<&str>, to: Option<&str>) -> bool {
        let (Some(from), Some(to)) = (from.map(|from| self.side(from)), to.map(|to| self.side(to)))
        else {
            return false;
        };
        is_internal(from, to)
    }

    /// Where a number is that was heard at any of the legs.
    fn side(&self, number: &str) -> Side {
        let at = |event: &CallLeg| {
            if event.number.as_deref() == Some(number) {
                return Some(event.number_side);
            }
            (event.exten.as_deref() == Some(number)).then_some(event.exten_side)
        };
        self.events.iter().find_map(at).unwrap_or_default()
    }

    /// The cause at the caller's leg, and how a call went that nobody answered.
    fn hangup(&self, answered: bool) -> (Option<String>, Option<Disposition>) {
        let legs = [Some(&self.origin), self.caller.as_ref()];
        let notes = legs.into_iter().flatten().flat_map(|leg| leg.events.iter());
        let mut found = (None, None);
        for note in notes.filter_map(|event| event.note.as_ref()) {
            if let Note::Hangup { cause, dial_status } = note {
                found.0 = cause_name(*cause).map(str::to_owned).or(found.0);
                found.1 = outcome_of(dial_status, *cause).or(found.1);
            }
        }
        (found.0, found.1.filter(|_| !answered))
    }

    fn agents(&self, direction: Direction, answerer: Option<&Leg<'a>>) -> Vec<String> {
        let mut ours: Vec<&str> = match (direction, answerer) {
            (Direction::Out, _) => self.who_calls().0.into_iter().collect(),
            (_, Some(leg)) => leg.agent().into_iter().collect(),
            (_, None) => self.callees.iter().filter_map(Leg::agent).collect(),
        };
        if self.is_transferred() && (direction == Direction::Out || answerer.is_some()) {
            ours.extend(self.taken_over(direction));
        }
        let mut named = Vec::new();
        for name in ours {
            if !named.iter().any(|known| known == name) {
                named.push(name.to_owned());
            }
        }
        named
    }
}

/// When a callee was joined with the real caller: after the last of the swaps by which the
/// corridors between the two vanished.
fn swapped_in(leg: &Leg<'_>) -> Option<Timestamp> {
    let mut joined = leg.first(LegStep::BridgeEnter)?.at;
    let mut left: Option<Timestamp> = None;
    for event in &leg.events {
        match event.step {
            LegStep::BridgeExit => left = Some(event.at),
            LegStep::BridgeEnter if event.at > joined => {
                let swapped = left.is_some_and(|left| event.at.since(left) < SWAP_MS)
                    && event.at.since(joined) < SWAP_MS;
                if !swapped {
                    break;
                }
                joined = event.at;
            }
            _ => {}
        }
    }
    Some(joined)
}

/// Something that can be dialled, not a word of the dialplan.
fn is_dialled(exten: &str) -> bool {
    !exten.is_empty() && exten.bytes().all(|byte| byte.is_ascii_digit() || b"*#+".contains(&byte))
}

/// How dialling ended, in the words of Asterisk or by the cause of Q.850.
fn outcome_of(dial_status: &str, cause: u16) -> Option<Disposition> {
    match dial_status.to_ascii_uppercase().as_str() {
        "BUSY" => Some(Disposition::Busy),
        "NOANSWER" => Some(Disposition::NoAnswer),
        "CANCEL" => Some(Disposition::Cancelled),
        "CONGESTION" | "CHANUNAVAIL" | "INVALIDARGS" => Some(Disposition::Failed),
        _ => match cause {
            17 | 21 => Some(Disposition::Busy),
            18 | 19 => Some(Disposition::NoAnswer),
            1..=3 | 20 | 22 | 27 | 28 | 34 | 38 | 41 | 42 => Some(Disposition::Failed),
            _ => None,
        },
    }
}

/// The usual names of the causes of Q.850.
fn cause_name(cause: u16) -> Option<&'static str> {
    Some(match cause {
        1 => "UNALLOCATED_NUMBER",
        2 => "NO_ROUTE_TRANSIT_NET",
        3 => "NO_ROUTE_DESTINATION",
        16 => "NORMAL_CLEARING",
        17 => "USER_BUSY",
        18 => "NO_USER_RESPONSE",
        19 => "NO_ANSWER",
        20 => "SUBSCRIBER_ABSENT",
        21 => "CALL_REJECTED",
        22 => "NUMBER_CHANGED",
        26 => "ANSWERED_ELSEWHERE",
        27 => "DESTINATION_OUT_OF_ORDER",
        28 => "INVALID_NUMBER_FORMAT",
        31 => "NORMAL_UNSPECIFIED",
        34 => "NORMAL_CIRCUIT_CONGESTION",
        38 => "NETWORK_OUT_OF_ORDER",
        41 => "NORMAL_TEMPORARY_FAILURE",
        42 => "SWITCH_CONGESTION",
        127 => "INTERWORKING",
        _ => return None,
    })
}

/// The direction of a call by whether it came in where calls from outside do and, where that says
/// nothing, by the sides of its two numbers.
pub fn direction(from_outside: bool, from: Option<Side>, to: Option<Side>) -> Direction {
    if from.zip(to).is_some_and(|(from, to)| is_internal(from, to)) {
        return Direction::Internal;
    }
    if from_outside || !matches!(from, Some(Side::Inside | Side::Own)) {
        return Direction::In;
    }
    match to {
        Some(Side::Inside) | None => Direction::Internal,
        Some(Side::Outside | Side::Own) => Direction::Out,
    }
}

/// Whether a call stays in the house although a public number is dialled or shown.
fn is_internal(from: Side, to: Side) -> bool {
    let any_own = from == Side::Own || to == Side::Own;
    any_own && from != Side::Outside && to != Side::Outside
}

/// The telephone that a line of Asterisk is: `200` of `PJSIP/200-0000001d`.
pub fn endpoint(channel: &str) -> Option<&str> {
    let (technology, rest) = channel.split_once('/')?;
    if technology.eq_ignore_ascii_case("local") {
        return None;
    }
    let name = rest.rsplit_once('-').map_or(rest, |(name, _)| name);
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    Some(name).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::endpoint;

    #[test]
    fn endpoint_is_the_telephone_of_a_line() {
        for (channel, name) in [
            ("PJSIP/200-0000001d", Some("200")),
            ("SIP/north-trunk-0000001d", Some("north-trunk")),
            ("IAX2/box@site-77", Some("box")),
            ("Local/200@queue-0001;1", None),
            ("PJSIP/", None),
            ("", None),
        ] {
            assert_eq!(endpoint(channel), name, "{channel}");
        }
    }
}
