//! Calls: what is known of one grows with each report; once it is over, it stands with the calls of
//! its number, and one that nobody answered waits there to be called back.

use postroom_model::{
    Actor, Call, CallId, CallRecorded, CallSettings, CallState, ChannelId, Conversation,
    ConversationId, Direction, Disposition, Event, EventBody, Freed, Inbound, InboundCall, Input,
    InputBody, InputId, LegHeard, Opened, Reason, Status, Timestamp, ids,
};

use super::{Decision, Lookups, Past, inbound, park};
use crate::called::{
    group_of, id_of, if_nothing_comes, is_answered, is_missed, is_taken, message_of, moment_of,
    thread_of, whole,
};
use crate::state::{Known, Open, ended_by_time};
use crate::{Made, State, codes, matching};

pub(super) fn decide(
    state: &State,
    id: InputId,
    at: Timestamp,
    inbound: InboundCall,
    lookups: &Lookups<'_>,
    made: &mut Made,
) -> Decision {
    if state.channel(&inbound.channel).is_none() {
        let (code, detail) = inbound::no_channel(state, &inbound.channel);
        let input = Input { id, at, body: InputBody::Call(Box::new(inbound)) };
        return park(input, code.to_owned(), detail, made);
    }
    accept(state, at, inbound, lookups, made)
}

/// Takes a report whose channel is configured.
pub(super) fn accept(
    state: &State,
    at: Timestamp,
    inbound: InboundCall,
    lookups: &Lookups<'_>,
    made: &mut Made,
) -> Decision {
    let Some(id) = id_of(state, &inbound.channel, &inbound.call.call_id) else {
        return Decision::rejected(codes::NOT_CONFIGURED, "no configuration is in force");
    };
    let known = state.calls.get(id);
    if known.is_some_and(|known| known.has(&inbound)) {
        return Decision::routed(known.and_then(|known| known.conversation), vec![]);
    }
    let call = whole(state, &inbound, at);
    let settings = settings_of(state, &inbound.channel);
    let over = call.state == CallState::Ended;
    let closes_at = (!over).then(|| at.plus_millis(settings.close_after_ms));
    if let Some(leg) = inbound.leg.as_deref().filter(|_| !is_news(known, &call)) {
        let (channel, call_id) = (inbound.channel.clone(), call.call_id);
        let heard = LegHeard { id, channel, call_id, leg: leg.clone(), closes_at };
        let placed = known.and_then(|known| known.conversation);
        let event = Event::global(EventBody::CallLeg(Box::new(heard)));
        return Decision::routed(placed, vec![event]);
    }
    let message = Inbound { channel: inbound.channel.clone(), message: message_of(&call) };
    let mut events = Vec::with_capacity(4);
    let name = message.message.from.as_ref().and_then(|from| from.name.clone());
    let contact = inbound::contact_of(name, at, lookups, made, &mut events);
    let report = (inbound.leg.is_none() && call != inbound.call).then_some(inbound.call);
    let mut recorded = CallRecorded {
        id,
        channel: inbound.channel.clone(),
        contact,
        report: report.map(Box::new),
        leg: inbound.leg,
        waits: false,
        happened_at: None,
        waiting_since: None,
        presumed_end: known.is_some_and(|known| known.presumed_end) && call.ended_at.is_none(),
        call,
        closes_at,
        leads_to: lookups.thread.filter(|_| !over),
        opens: None,
        attach: None,
        by: None,
    };
    let told = lookups.routed.and_then(|routed| routed.attach);
    let desk = Desk { state, at, settings, known, attach: told.unwrap_or(settings.attach) };
    if !over {
        let call = if_nothing_comes(recorded.call.clone());
        let message = Inbound { channel: recorded.channel.clone(), message: message_of(&call) };
        recorded.opens = Some(Box::new(inbound::opened(state, &message, contact, lookups)));
        recorded.attach = told;
        let placed = known.and_then(|known| known.conversation);
        let taken = is_taken(&recorded.call);
        let kin = desk.kin(&recorded);
        events.push(recorded_on(placed, recorded));
        events.extend(desk.withdrawn(&kin).filter(|_| taken));
        return Decision::routed(placed, events);
    }
    let opened = || inbound::opened(state, &message, contact, lookups);
    let (place, further) =
        desk.over(recorded, lookups, opened, || ConversationId(made.next("conversation")));
    events.extend(further);
    Decision::routed(place, events)
}

/// Most of what happens to a leg changes nothing of the call. What counts is who calls, how far it
/// has come and, in the end, all of it.
fn is_news(known: Option<&Known>, call: &Call) -> bool {
    match known.and_then(Known::call) {
        None => call.from.is_some() || call.state == CallState::Ended,
        Some(before) => {
            let over = call.state == CallState::Ended;
            before.state != call.state || before.from != call.from || over && before != *call
        }
    }
}

/// A call whose end did not come in time is over; when it ended nobody knows. `past` is what the
/// records hold of a conversation.
pub(crate) fn closed(state: &State, id: CallId, now: Timestamp, past: Past<'_, '_>) -> Vec<Event> {
    let Some(known) = state.calls.get(id) else {
        return vec![];
    };
    let Some(call) = known.call().map(ended_by_time) else {
        return vec![];
    };
    let message = Inbound { channel: known.channel.clone(), message: message_of(&call) };
    let recorded = CallRecorded {
        id,
        channel: known.channel.clone(),
        contact: known.contact,
        call,
        report: None,
        leg: None,
        waits: false,
        happened_at: None,
        waiting_since: None,
        presumed_end: true,
        closes_at: None,
        leads_to: None,
        opens: None,
        attach: None,
        by: None,
    };
    // Where the calls of its number are now, and what the rules said of it when it was heard of last.
    let row = known.leads_to.and_then(past);
    let thread = row.map(|row| row.id).or(known.leads_to);
    let lookups = Lookups { thread, conversation: row, ..Lookups::default() };
    let settings = settings_of(state, &known.channel);
    let attach = known.attach.unwrap_or(settings.attach);
    let desk = Desk { state, at: now, settings, known: Some(known), attach };
    let opened = || {
        let mut opened = match &known.opens {
            Some(opened) => still_good(state, opened),
            None => inbound::opened(state, &message, known.contact, &lookups),
        };
        // The number is that of a conversation which nobody finds: this one stands beside it.
        opened.thread = opened.thread.filter(|_| known.leads_to.is_none());
        opened
    };
    let (high, low) = id.0.as_u64_pair();
    let new = || ConversationId(ids::decided(now, "call-closed", &[high, low]));
    desk.over(recorded, &lookups, opened, new).1
}

/// The queue may have gone meanwhile.
fn still_good(state: &State, opened: &Opened) -> Opened {
    let queue = state.queue_or_default(Some(&opened.queue));
    Opened { queue: queue.unwrap_or_else(inbound::default_queue), ..opened.clone() }
}

/// A call that an agent had and tells of.
pub(super) fn logged(
    state: &State,
    (actor, at): (&Actor, Timestamp),
    row: &Conversation,
    id: CallId,
    mut call: Call,
    resolve: Option<bool>,
) -> Decision {
    if call.state != CallState::Ended {
        return Decision::rejected(codes::INVALID_COMMAND, "only a call that is over is logged");
    }
    let customer = row.customer.as_ref().and_then(|customer| {
        let number = customer.address.as_ref().filter(|address| address.scheme() == "tel");
        number.map(|number| number.name().to_owned()).or_else(|| customer.username.clone())
    });
    match call.direction {
        Direction::In => call.from = call.from.or(customer),
        Direction::Out | Direction::Internal => call.to = call.to.or(customer),
    }
    let settings = settings_of(state, &row.channel);
    let desk = Desk { state, at, settings, known: None, attach: false };
    let open = state.conversations.get(&row.id);
    let answered = settings.resolve && is_answered(&call);
    let moment = moment_of(&call, at);
    let resolves = resolve.unwrap_or(answered && open.is_some_and(|open| open.asked_at <= moment));
    let mut recorded = CallRecorded {
        id,
        channel: row.channel.clone(),
        contact: row.contact,
        call,
        report: None,
        leg: None,
        waits: false,
        happened_at: None,
        waiting_since: None,
        presumed_end: false,
        closes_at: None,
        leads_to: None,
        opens: None,
        attach: None,
        by: Some(actor.clone()),
    };
    recorded.happened_at = desk.told_late(moment);
    recorded.waiting_since = open.and_then(|open| still_waits(open, &recorded.call, moment));
    let mut events = vec![recorded_on(Some(row.id), recorded)];
    if let Some(open) = open.filter(|_| resolves) {
        let reason = Reason::Asked { by: actor.clone() };
        events.push(resolved(state, row.id, Some(open), reason));
    }
    Decision::routed(Some(row.id), events)
}

fn settings_of(state: &State, channel: &ChannelId) -> CallSettings {
    state.channel(channel).and_then(|channel| channel.calls).unwrap_or_default()
}

fn recorded_on(conversation: Option<ConversationId>, recorded: CallRecorded) -> Event {
    Event { conversation, body: EventBody::CallRecorded(Box::new(recorded)) }
}

fn resolved(state: &State, id: ConversationId, open: Option<&Open>, reason: Reason) -> Event {
    let held = open.filter(|open| open.holds_capacity());
    let freed = held.and_then(|open| {
        let agent = state.owner_of(open)?.id.clone();
        Some(Freed { agent, cost: open.charge() })
    });
    Event::on(id, EventBody::ConversationResolved { freed, reason })
}

/// Since when the customer waits after a call that was answered before they last called or wrote; none
/// if the call changes nothing of that.
fn still_waits(open: &Open, call: &Call, moment: Timestamp) -> Option<Timestamp> {
    let answers = is_answered(call) && open.waiting_since.is_some_and(|since| since <= moment);
    (answers && moment < open.asked_at).then_some(open.asked_at)
}

/// A call that is over, and what the channel makes of it.
struct Desk<'a> {
    state: &'a State,
    at: Timestamp,
    settings: CallSettings,
    known: Option<&'a Known>,
    /// An answered call joins another open conversation of its contact.
    attach: bool,
}

/// Where the calls of a number stand, with what the records hold of it.
type Found<'a> = Option<(ConversationId, Option<&'a Conversation>)>;

impl Desk<'_> {
    /// Where it goes, and what follows.
    fn over(
        &self,
        mut recorded: CallRecorded,
        lookups: &Lookups<'_>,
        opened: impl FnOnce() -> Opened,
        new: impl FnOnce() -> ConversationId,
    ) -> (Option<ConversationId>, Vec<Event>) {
        let call = &recorded.call;
        if let Some(id) = self.known.and_then(|known| known.conversation) {
            return (Some(id), self.further(id, recorded));
        }
        let thread = thread_of(call);
        let spoken = call.disposition == Some(Disposition::Voicemail);
        let missed = is_missed(call);
        if call.direction == Direction::Internal || !(thread.is_some() || missed && spoken) {
            return (None, vec![recorded_on(None, recorded)]);
        }
        let moment = moment_of(call, self.at);
        let found = lookups.thread.map(|id| inbound::end_of_merges(id, lookups));
        let old = self.at.since(moment) > self.settings.missed_max_age_ms
            || self.settled_until(&recorded.channel, thread.as_deref(), found) >= Some(moment);
        let kin = self.kin(&recorded);
        let taken_up = kin.iter().any(|other| other.taken);
        // The last of several legs that ring says that nobody answered.
        let rings = missed && kin.iter().any(|other| other.inward && other.closes_at.is_some());
        if rings && !taken_up && found.is_none() && !self.attach {
            return (None, vec![recorded_on(None, recorded)]);
        }
        recorded.waits = missed && self.settings.missed && !taken_up && !rings && !old;
        recorded.happened_at = self.told_late(moment);
        let opened = || Opened { waiting_since: self.told_late(moment), ..opened() };
        let (id, events) = if recorded.waits {
            self.wait(recorded, moment, found, opened, new)
        } else {
            self.note(recorded, moment, found, opened, new)
        };
        (Some(id), events)
    }

    /// The moment of what is heard of only now; none if that is now.
    fn told_late(&self, moment: Timestamp) -> Option<Timestamp> {
        Some(moment).filter(|moment| *moment < self.at)
    }

    /// Until when we talked to the customer, or somebody closed what it is about: calls count in the
    /// order in which they happened.
    fn settled_until(
        &self,
        channel: &ChannelId,
        thread: Option<&str>,
        found: Found<'_>,
    ) -> Option<Timestamp> {
        let talked = thread.and_then(|thread| self.state.calls.talked_until(channel, thread));
        let closed = found.and_then(|(id, row)| match self.state.conversations.get(&id) {
            Some(open) => open.settled_at,
            None => row.and_then(|row| row.settled_at),
        });
        talked.max(closed)
    }

    /// The other legs of a fork, and whatever else the telephone system says belongs to the call.
    fn kin(&self, recorded: &CallRecorded) -> Vec<&Known> {
        let group = group_of(self.state, recorded.id, &recorded.channel, &recorded.call);
        self.state.calls.kin(group, recorded.id).collect()
    }

    /// Somebody took another leg of the call: what waits for nothing but those that nobody took does
    /// not wait.
    fn withdrawn(&self, kin: &[&Known]) -> Option<Event> {
        let waited = kin.iter().filter_map(|other| Some((other.conversation?, other.waits_from?)));
        let waited: Vec<(ConversationId, Timestamp)> = waited.collect();
        let (id, _) = *waited.first()?;
        let open = self.state.conversations.get(&id)?;
        let all =
            waited.contains(&(id, open.waiting_since?)) && waited.contains(&(id, open.asked_at));
        all.then(|| resolved(self.state, id, Some(open), Reason::CallAnswered))
    }

    /// The customer waits: in the conversation of the number, opened or opened again if need be.
    fn wait(
        &self,
        mut recorded: CallRecorded,
        moment: Timestamp,
        found: Found<'_>,
        opened: impl FnOnce() -> Opened,
        new: impl FnOnce() -> ConversationId,
    ) -> (ConversationId, Vec<Event>) {
        let mut events = Vec::with_capacity(3);
        let reason = Reason::CustomerCalled;
        let id = match found {
            Some((id, row)) => match (self.state.conversations.get(&id), row) {
                (Some(open), _) => {
                    recorded.waiting_since = self.waits_longer(open, moment);
                    if open.status == Status::Snoozed {
                        events.push(Event::on(id, EventBody::ConversationWoken { reason }));
                        events.extend(matching::returned(self.state, id, open));
                    }
                    id
                }
                (None, Some(row)) => {
                    let waiting_since = self.told_late(moment);
                    let again = Opened { waiting_since, ..inbound::reopened(self.state, row) };
                    let body = EventBody::ConversationReopened { opened: Box::new(again), reason };
                    events.push(Event::on(id, body));
                    id
                }
                (None, None) => open_new(opened, new, &mut events),
            },
            None => open_new(opened, new, &mut events),
        };
        events.push(recorded_on(Some(id), recorded));
        (id, events)
    }

    /// Since when they wait, where that is earlier than it was known to be.
    fn waits_longer(&self, open: &Open, moment: Timestamp) -> Option<Timestamp> {
        let known = open.waiting_since.unwrap_or(self.at);
        Some(moment).filter(|moment| *moment < known)
    }

    /// Nobody waits: it stands with the calls of its number, or in an open conversation of its
    /// contact, and what waited there to be called back is done.
    fn note(
        &self,
        mut recorded: CallRecorded,
        moment: Timestamp,
        found: Found<'_>,
        opened: impl FnOnce() -> Opened,
        new: impl FnOnce() -> ConversationId,
    ) -> (ConversationId, Vec<Event>) {
        let answered = is_answered(&recorded.call);
        let kin = self.kin(&recorded);
        let open = found.and_then(|(id, _)| Some((id, self.state.conversations.get(&id)?)));
        if let Some((id, open)) = open {
            recorded.waiting_since = still_waits(open, &recorded.call, moment);
            let back = || self.called_back(id, moment).or_else(|| self.withdrawn(&kin));
            let back = answered.then(back).flatten();
            let mut events = vec![recorded_on(Some(id), recorded)];
            events.extend(back);
            return (id, events);
        }
        let other = recorded.contact.filter(|_| self.attach);
        if let Some(id) = other.and_then(|contact| self.state.talks.of(contact)) {
            return (id, vec![recorded_on(Some(id), recorded)]);
        }
        if let Some((id, Some(_))) = found {
            return (id, vec![recorded_on(Some(id), recorded)]);
        }
        let mut events = Vec::with_capacity(3);
        let id = open_new(opened, new, &mut events);
        events.push(recorded_on(Some(id), recorded));
        events.push(resolved(self.state, id, None, Reason::CallAnswered));
        (id, events)
    }

    /// One more report of a call that has its place.
    fn further(&self, id: ConversationId, mut recorded: CallRecorded) -> Vec<Event> {
        let before = self.known.and_then(Known::call);
        let turned =
            before.is_some_and(|before| !is_answered(&before)) && is_answered(&recorded.call);
        // What was taken for a wait was none, even if it now turns out to have been over earlier.
        let mistaken = self.known.and_then(|known| known.waits_from).filter(|_| turned);
        let moment = moment_of(&recorded.call, self.at).max(mistaken.unwrap_or(Timestamp::EPOCH));
        recorded.happened_at = self.told_late(moment);
        let open = self.state.conversations.get(&id);
        recorded.waiting_since = open.and_then(|open| still_waits(open, &recorded.call, moment));
        let mut events = vec![recorded_on(Some(id), recorded)];
        events.extend(self.called_back(id, moment).filter(|_| turned));
        events
    }

    /// It is done, if its customer was last heard of before that call was over.
    fn called_back(&self, id: ConversationId, moment: Timestamp) -> Option<Event> {
        let open = self.state.conversations.get(&id).filter(|_| self.settings.resolve)?;
        let done = open.asked_at <= moment;
        done.then(|| resolved(self.state, id, Some(open), Reason::CallAnswered))
    }
}

fn open_new(
    opened: impl FnOnce() -> Opened,
    new: impl FnOnce() -> ConversationId,
    events: &mut Vec<Event>,
) -> ConversationId {
    let id = new();
    events.push(Event::on(id, EventBody::ConversationOpened(Box::new(opened()))));
    id
}
