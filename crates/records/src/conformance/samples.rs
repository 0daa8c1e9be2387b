//! Rows of every kind, with fields set and with fields left out.

use std::collections::BTreeMap;

use postroom_model::{
    Actor, AgentId, AgentStatus, Attachment, Automation, AutomationClass, Body, Call, CallId,
    CallRecorded, CallState, ChannelId, ChannelKind, ChannelSettings, Contact, ContactId,
    Conversation, ConversationId, DeliveryState, Direction, Disposition, Event, EventBody, Inbound,
    Input, InputBody, InputId, Message, MessageId, MessageKind, Outbound, Outcome, OutcomeKind,
    ParkedId, Party, Position, Presence, QueueId, QueueSettings, Reason, RuleTrace, Settings,
    Status, Timestamp, WorkspaceId,
};
use serde_json::json;
use uuid::Uuid;

use crate::{DeliveryNote, Key, OutboundRow, Parked, Row, Seen, TimelineItem, Totals};

/// Texts that a backend must neither cut nor mix up.
const NAMES: [&str; 8] = ["42", "4", "a:b", "a b\n%_'\"{}", "\u{e4}\u{1f600}", "a\0b", "*", "a"];

pub(super) fn uuid(n: u64) -> Uuid {
    Uuid::from_u64_pair(0x0190_0000_0000_7000, 0x8000_0000_0000_0000 | n)
}

pub(super) fn id(n: u64) -> ConversationId {
    ConversationId(uuid(n))
}

/// A moment in November 2023, `n` seconds later.
pub(super) fn moment(n: u64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000).plus_millis(1_000 * i64::try_from(n).unwrap())
}

pub(super) fn channel(text: &str) -> ChannelId {
    ChannelId::new(text).unwrap()
}

pub(super) fn queue(text: &str) -> QueueId {
    QueueId::new(text).unwrap()
}

pub(super) fn agent(text: &str) -> AgentId {
    AgentId::new(text).unwrap()
}

/// An open conversation of queue `support` without an owner, whose newest message is `n` seconds old.
pub(super) fn conversation(n: u64) -> Conversation {
    Conversation {
        id: id(n),
        status: Status::Open,
        subject: Some(format!("Order {n}")),
        channel: channel("site"),
        thread: Some(format!("thread-{n}")),
        queue: Some(queue("support")),
        assignee: None,
        contact: None,
        customer: None,
        linked: None,
        mails: vec![],
        priority: 0,
        skills: BTreeMap::new(),
        preferred: BTreeMap::new(),
        cost: 20,
        tags: Vec::new(),
        targets: Vec::new(),
        policy: None,
        climbed: None,
        kept: None,
        resolved_at: None,
        settled_at: None,
        opened_at: moment(0),
        last_message_at: moment(n),
        waiting_since: Some(moment(n)),
        snoozed_until: None,
        merged_into: None,
        merged_from: Vec::new(),
        version: 2,
        message_version: 2,
        route: RuleTrace::default(),
        offer: None,
        declined: Vec::new(),
        assignment: None,
    }
}

pub(super) fn message() -> Message {
    let party = Party {
        address: Some("mailto:ada@example.com".parse().unwrap()),
        name: Some("Ada \u{1f600}".to_owned()),
        username: None,
    };
    let attachment = Attachment { name: Some("a.pdf".to_owned()), ..Attachment::default() };
    let automation = Automation { class: AutomationClass::List, may_answer: false };
    Message {
        kind: MessageKind::Email,
        external_id: "a@example.com".to_owned(),
        thread: Some("t".to_owned()),
        from: Some(party.clone()),
        to: vec![party],
        sent_at: Some(moment(1)),
        subject: Some("A\u{300}".to_owned()),
        text: Some("one\ntwo \0".to_owned()),
        references: vec!["1@x".to_owned(), "2@x".to_owned()],
        attachments: vec![attachment],
        automation: Some(automation),
        attributes: BTreeMap::from([("n".to_owned(), json!([1, -2, "x", null, true, {"a": 1}]))]),
        ..Message::default()
    }
}

pub(super) fn outbound(n: u64, state: DeliveryState) -> OutboundRow {
    let message = message();
    let outbound = Outbound {
        id: MessageId(uuid(n)),
        channel: channel("site"),
        conversation: id(1),
        thread: message.thread.clone(),
        to: message.to.clone(),
        message,
        state,
        attempts: 3,
        next_at: moment(9),
        queued_at: moment(8),
        epoch: (state == DeliveryState::Sending).then_some(4),
    };
    OutboundRow { outbound, position: 1_000 - n }
}

/// A bare entry; `full` fills every field.
pub(super) fn entry(conversation: ConversationId, position: u64, full: bool) -> TimelineItem {
    let note = DeliveryNote {
        state: DeliveryState::Waiting,
        attempts: 2,
        updated_at: moment(3),
        code: Some("busy".to_owned()),
        detail: Some("try later".to_owned()),
        next_at: Some(moment(4)),
    };
    let details = json!({"agent": "ada", "tags": ["a", "b"], "n": 7, "yes": true});
    TimelineItem {
        position,
        conversation: Some(conversation),
        at: moment(position),
        kind: "reply.queued".to_owned(),
        id: full.then(|| uuid(position)),
        message: full.then(|| Box::new(message())),
        call: None,
        text: full.then(|| "words".to_owned()),
        by: full.then(Actor::operator),
        reason: full.then_some(Reason::CustomerWrote),
        delivery: full.then_some(note),
        details: details.as_object().filter(|_| full).cloned().unwrap_or_default(),
    }
}

pub(super) fn seen(n: u64, at: Timestamp) -> (Key, Row) {
    let input = InputId(uuid(n));
    let outcome = Outcome {
        position: Position { seq: n, index: 3 },
        input,
        kind: OutcomeKind::Rejected,
        code: Some("unknown_queue".to_owned()),
        detail: Some("There is no such queue.".to_owned()),
        conversation: Some(id(n)),
        message: Some(MessageId(uuid(n))),
        version: Some(7),
        prints: vec![],
    };
    (Key::Seen(input), Row::Seen(Box::new(Seen { at, outcome })))
}

pub(super) fn parked(n: u64) -> (Key, Row) {
    let inbound = Inbound { channel: channel("site"), message: message() };
    let parked = Parked {
        id: ParkedId(uuid(n)),
        at: moment(n),
        code: "unparsed".to_owned(),
        detail: "The message has no sender.".to_owned(),
        input: Input {
            id: InputId(uuid(n)),
            at: moment(n),
            body: InputBody::Inbound(Box::new(inbound)),
        },
    };
    (Key::Parked(parked.id), Row::Parked(Box::new(parked)))
}

pub(super) fn presence(name: &str) -> (Key, Row) {
    let presence = Presence {
        agent: agent(name),
        status: AgentStatus::AwayAndReassign,
        status_since: moment(1),
        load: 40,
        conversations: 2,
        idle_since: moment(2),
        reason: None,
        pause: None,
        offers: vec![],
        over: vec![],
    };
    (Key::Presence(presence.agent.clone()), Row::Presence(presence))
}

pub(super) fn settings() -> Settings {
    Settings {
        workspace: WorkspaceId::main(),
        timing: postroom_model::Timing::default(),
        channels: vec![ChannelSettings {
            id: channel("site"),
            kind: ChannelKind::Webhook,
            dialect: Some("generic".to_owned()),
            queue: None,
            sends: true,
            calls: None,
        }],
        queues: vec![QueueSettings::new(queue("support"), "Support".to_owned())],
        rules: Vec::new(),
        agents: Vec::new(),
        costs: Settings::default_costs(),
        calendars: vec![],
        desk: postroom_model::DeskSettings::default(),
        contacts: postroom_model::ContactSettings::default(),
        answers: vec![],
    }
}

/// A row of each kind, some in several forms.
pub(super) fn rows() -> Vec<(Key, Row)> {
    let mut full = conversation(2);
    full.assignee = Some(agent("ada"));
    full.skills = BTreeMap::from([("english".to_owned(), 5)]);
    full.merged_from = vec![id(8), id(9)];
    full.customer = message().from;
    full.assignment = Some(Reason::Claimed { by: Actor::operator() });
    full.route.failed = vec![(2, "no such field".to_owned())];
    let contact = Contact {
        id: ContactId(uuid(3)),
        name: Some("Ada".to_owned()),
        addresses: vec!["tel:+8613800138000".parse().unwrap()],
        dead: vec![],
        created_at: moment(5),
        last_agent: None,
        conversations: 0,
        merged_into: None,
    };
    let totals =
        Totals { routed: 1, duplicate: 2, parked: 3, rejected: 4, events: 5, inlet_seq: 6, seq: 7 };
    let mut rows = vec![
        (Key::Conversation(id(1)), Row::Conversation(Box::new(conversation(1)))),
        (Key::Conversation(id(2)), Row::Conversation(Box::new(full))),
        (Key::Timeline(id(1), 256), Row::Timeline(Box::new(entry(id(1), 256, true)))),
        (Key::Timeline(id(1), 9), Row::Timeline(Box::new(entry(id(1), 9, false)))),
        (Key::Contact(contact.id), Row::Contact(contact)),
        (Key::Address("tel:+1".parse().unwrap()), Row::Address(ContactId(uuid(3)))),
        (Key::Address("telegram:\u{e4} 1".parse().unwrap()), Row::Address(ContactId(uuid(4)))),
        seen(6, moment(6)),
        presence("ada"),
        presence("bo-b_1"),
        parked(7),
        live_call(12),
        (Key::Settings, Row::Settings(Box::new(settings()))),
        (Key::Totals, Row::Totals(totals)),
    ];
    for (n, state) in (20..).zip([DeliveryState::Sending, DeliveryState::Read]) {
        let row = Row::Outbound(Box::new(outbound(n, state)));
        rows.push((Key::Outbound(MessageId(uuid(n))), row));
    }
    for (n, name) in (30..).zip(NAMES) {
        let name = name.to_owned();
        rows.push((Key::Thread(channel("site"), name.clone()), Row::Thread(id(n))));
        rows.push((Key::Thread(channel("site-2"), name.clone()), Row::Thread(id(n + 50))));
        rows.push((Key::Cursor(channel("site"), name.clone()), Row::Cursor(name.clone())));
        rows.push((Key::Sent(channel("site"), name), Row::Sent(MessageId(uuid(n)))));
    }
    rows
}

/// A call that rings.
pub(super) fn live_call(n: u64) -> (Key, Row) {
    let mut call = recorded(n, false);
    call.call.state = CallState::Ringing;
    let told = Event::global(EventBody::CallRecorded(Box::new(call)));
    let item = crate::describe(n, moment(n), &told, &postroom_model::Bodies::new());
    (Key::Call(CallId(uuid(n))), Row::Call(Box::new(item)))
}

/// What became known of a call that is over.
pub(super) fn recorded(n: u64, waits: bool) -> CallRecorded {
    CallRecorded {
        id: CallId(uuid(n)),
        channel: channel("site"),
        contact: Some(ContactId(uuid(n % 4))),
        call: Call {
            call_id: n.to_string(),
            linked_id: None,
            state: CallState::Ended,
            direction: Direction::In,
            from: Some("+442079460011".to_owned()),
            from_name: Some("林小雨".to_owned()),
            to: None,
            to_name: None,
            dialled: None,
            started_at: Some(moment(n)),
            answered_at: None,
            ended_at: None,
            duration_s: Some(20),
            talk_s: None,
            disposition: Some(Disposition::NoAnswer),
            cause: None,
            agents: vec!["ada".to_owned()],
            queue: None,
            recording_url: None,
        },
        report: None,
        leg: None,
        opens: None,
        attach: None,
        waits,
        happened_at: None,
        waiting_since: None,
        presumed_end: !waits,
        closes_at: None,
        leads_to: None,
        by: None,
    }
}

pub(super) fn body(text: &str) -> Body {
    Body { text: Some(text.to_owned()), ..Body::default() }
}
