//! Every type of event as the timeline and the feed show it.

use crate::support::{
    ada, agent, at, bodies, contact_id, conversation, message_id, open, opened, queue, received,
    reply, site, uuid,
};
use postroom_model::digest::Digest;
use postroom_model::{
    AgentSettings, AgentStatus, CallId, CallLeg, CallRecorded, Climbed, Contact, Cursor, Event,
    EventBody, Freed, HostId, Input, InputBody, InputId, Kept, LegHeard, NoteId, OfferClosed,
    OfferEnd, OfferId, OfferMade, ParkedId, Pause, PauseCause, Reason, ReceiptStatus, SendResult,
    Settings, Target, TargetKind, TargetState, Unparsed, WorkspaceId,
};
use postroom_records::describe;

fn target() -> Target {
    Target {
        kind: TargetKind::FirstResponse,
        due_at: at(9),
        state: TargetState::Running,
        policy: "gold".parse().unwrap(),
        version: "0123456789abcdef".to_owned(),
        calendar: Some("office".parse().unwrap()),
        warn_at: Some(at(8)),
        warn_before_ms: Some(1_000),
        left_ms: None,
        met_at: None,
    }
}

fn settings() -> Settings {
    Settings {
        workspace: WorkspaceId::main(),
        timing: postroom_model::Timing::default(),
        channels: vec![],
        queues: vec![],
        rules: vec![],
        agents: vec![AgentSettings {
            id: agent("ada"),
            name: "Ada".to_owned(),
            email: Some("secret@example.com".to_owned()),
            queues: vec![],
            skills: std::collections::BTreeMap::new(),
            capacity: 100,
            limits: std::collections::BTreeMap::new(),
        }],
        costs: Settings::default_costs(),
        calendars: vec![],
        desk: postroom_model::DeskSettings::default(),
        contacts: postroom_model::ContactSettings::default(),
        answers: vec![],
    }
}

fn absorbed() -> EventBody {
    EventBody::ConversationAbsorbed {
        from: conversation(3),
        further: vec![conversation(4)],
        renamed: true,
        subject: Some("My order".to_owned()),
        by: ada(),
    }
}

fn of_conversations() -> Vec<EventBody> {
    let freed = || Some(Freed { agent: agent("ada"), cost: 20 });
    vec![
        open(),
        EventBody::ConversationReopened {
            opened: Box::new(opened()),
            reason: Reason::CustomerWrote,
        },
        EventBody::ConversationWoken { reason: Reason::SnoozeOver },
        EventBody::ConversationAssigned {
            agent: agent("ada"),
            cost: 20,
            reason: Reason::LongestIdle { queue: queue("support"), passed_over: vec![] },
        },
        EventBody::ConversationReleased {
            agent: agent("ada"),
            cost: 20,
            reason: Reason::Released { by: ada() },
        },
        EventBody::ConversationJoined { channel: site(), thread: Some("t".to_owned()) },
        EventBody::ConversationTransferred {
            queue: queue("billing"),
            reached: vec![queue("sales")],
            reason: Reason::Transferred { by: ada() },
        },
        EventBody::ConversationSnoozed {
            until: at(5),
            freed: freed(),
            reason: Reason::Asked { by: ada() },
        },
        EventBody::ConversationResolved { freed: None, reason: Reason::Asked { by: ada() } },
        EventBody::ConversationTagged { added: vec!["vip".to_owned()], removed: vec![], by: ada() },
        EventBody::ConversationPrioritised { priority: 7, by: ada() },
        EventBody::ConversationKept(Kept { agent: agent("ada"), until: at(60) }),
        EventBody::ConversationUnkept,
        EventBody::LadderClimbed(Box::new(Climbed {
            step: 2,
            priority: 7,
            skills: std::collections::BTreeMap::from([("english".to_owned(), 1)]),
            agents: vec![agent("ada")],
            queues: vec![queue("billing")],
            notified: vec![agent("ada")],
            skipped: true,
            skips: vec![],
        })),
        EventBody::TargetsChanged { targets: vec![target()] },
        EventBody::TargetWarned { kind: TargetKind::FirstResponse, due_at: target().due_at },
        EventBody::TargetBreached { kind: TargetKind::FirstResponse, due_at: target().due_at },
        EventBody::ConversationMerged {
            into: conversation(2),
            channel: site(),
            thread: Some("thread".to_owned()),
            freed: freed(),
            by: ada(),
        },
        absorbed(),
        received(10),
        EventBody::CallRecorded(Box::new(call(13))),
        EventBody::NoteAdded { id: NoteId(uuid(11)), by: ada() },
        reply(12),
    ]
}

fn of_offers() -> Vec<EventBody> {
    vec![
        EventBody::OfferMade(Box::new(OfferMade {
            offer: OfferId(uuid(20)),
            queue: queue("support"),
            agents: vec![agent("ada"), agent("bob")],
            cost: 20,
            expires_at: at(8_000),
            reason: Reason::RoundRobin { queue: queue("support"), passed_over: vec![] },
        })),
        EventBody::OfferExtended(Box::new(OfferMade {
            offer: OfferId(uuid(20)),
            queue: queue("support"),
            agents: vec![agent("ada"), agent("bob")],
            cost: 20,
            expires_at: at(8_000),
            reason: Reason::RoundRobin { queue: queue("support"), passed_over: vec![] },
        })),
        EventBody::OfferClosed(Box::new(OfferClosed {
            offer: OfferId(uuid(20)),
            agents: vec![agent("ada")],
            cost: 20,
            cause: OfferEnd::Declined,
            again_at: Some(at(9_000)),
            by: Some(ada()),
        })),
        EventBody::OfferForgotten { agent: agent("ada") },
        EventBody::ConversationIdled { agent: agent("bob"), cost: 10 },
        EventBody::ConversationRoused { agent: agent("bob"), cost: 10 },
    ]
}

/// A missed call.
fn call(n: u64) -> CallRecorded {
    let call = serde_json::json!({ "call_id": "c-1", "state": "ended", "direction": "in",
        "from": "+442079460011", "disposition": "no_answer", "started_at": at(1) });
    CallRecorded {
        id: CallId(uuid(n)),
        channel: site(),
        contact: Some(contact_id(1)),
        call: serde_json::from_value(call).unwrap(),
        report: None,
        leg: None,
        opens: None,
        attach: None,
        happened_at: None,
        waiting_since: None,
        waits: true,
        presumed_end: true,
        closes_at: None,
        leads_to: None,
        by: None,
    }
}

fn of_deliveries() -> Vec<EventBody> {
    let message = message_id(12);
    let (code, detail) = ("busy".to_owned(), "try later".to_owned());
    let settled = |result| EventBody::DeliverySettled { message, result };
    vec![
        EventBody::DeliveryAttempted { message, epoch: 4, attempt: 2 },
        settled(SendResult::Sent { external_id: Some("provider-1".to_owned()) }),
        settled(SendResult::Retry { retry_at: at(9), code: code.clone(), detail: detail.clone() }),
        settled(SendResult::Failed { code: code.clone(), detail: detail.clone() }),
        settled(SendResult::Uncertain { code, detail }),
        EventBody::DeliveryRequeued { message, channel: site(), attempts: 2, by: ada() },
        EventBody::ReceiptRecorded {
            message,
            status: ReceiptStatus::Delivered,
            at: at(8),
            code: None,
        },
    ]
}

fn of_contacts() -> Vec<EventBody> {
    let address = || "tel:+1".parse().unwrap();
    vec![
        EventBody::ConfigInstalled { settings: Box::new(settings()) },
        EventBody::ContactCreated {
            contact: Contact {
                id: contact_id(1),
                name: Some("Grace".to_owned()),
                addresses: vec![address()],
                dead: vec![],
                created_at: at(0),
                last_agent: None,
                conversations: 0,
                merged_into: None,
            },
        },
        EventBody::ContactUpdated {
            contact: contact_id(1),
            name: None,
            addresses: vec![address()],
        },
        EventBody::ContactServed { contact: contact_id(1), agent: agent("ada") },
        EventBody::ContactMerged {
            contact: contact_id(1),
            into: contact_id(2),
            name: Some("Grace".to_owned()),
            addresses: vec![address()],
            last_agent: None,
            conversations: 0,
            by: ada(),
        },
    ]
}

fn of_the_workspace() -> Vec<EventBody> {
    let raw = postroom_model::BlobRef { sha256: Digest::of(b"raw"), size_bytes: 3 };
    let unparsed = Unparsed {
        channel: site(),
        raw,
        code: "unparsed".to_owned(),
        detail: "no sender".to_owned(),
    };
    let input = Input { id: InputId(uuid(5)), at: at(0), body: InputBody::Unparsed(unparsed) };
    vec![
        EventBody::DeliveryOwned { channel: site(), host: HostId(uuid(9)), epoch: 4 },
        EventBody::DeliveryPresent { host: HostId(uuid(9)), asks: true },
        EventBody::AgentStatusChanged {
            agent: agent("ada"),
            status: AgentStatus::AwayAndReassign,
            reason: None,
            by: ada(),
        },
        EventBody::AgentPaused {
            agent: agent("ada"),
            pause: Pause { until: at(9_000), cause: PauseCause::WrapUp },
        },
        EventBody::AgentReady { agent: agent("ada") },
        EventBody::AgentsSeen { agents: vec![agent("ada"), agent("bob")] },
        EventBody::InputParked {
            id: ParkedId(uuid(6)),
            code: "unparsed".to_owned(),
            detail: "no sender".to_owned(),
            input: Box::new(input),
        },
        EventBody::InputUnparked { id: ParkedId(uuid(6)), dropped: true, by: ada() },
        EventBody::CallLeg(Box::new(LegHeard {
            id: CallId(uuid(13)),
            channel: site(),
            call_id: "k1".to_owned(),
            leg: CallLeg::default(),
            closes_at: None,
        })),
        EventBody::AddressDied {
            contact: crate::support::contact_id(9),
            address: "mailto:gone@example.com".parse().unwrap(),
            code: Some("5.1.1".to_owned()),
        },
        EventBody::AddressRevived {
            contact: crate::support::contact_id(9),
            address: "mailto:gone@example.com".parse().unwrap(),
        },
        EventBody::CursorMoved(Cursor {
            channel: site(),
            name: "file".to_owned(),
            value: "42".to_owned(),
        }),
    ]
}

#[test]
fn every_type_of_event_is_described() {
    let bodies = bodies(&[(10, "hello"), (11, "a note"), (12, "an answer")]);
    let on = |body| Event::on(conversation(1), body);
    let events = of_conversations().into_iter().chain(of_offers()).chain(of_deliveries()).map(on);
    let global = of_contacts().into_iter().chain(of_the_workspace());
    let events = events.chain(global.map(Event::global));
    let mut items = Vec::new();
    for (position, event) in (1..).zip(events) {
        let item = describe(position, at(0), &event, &bodies);
        let written = serde_json::to_value(&event).unwrap();
        assert_eq!(written["type"], *item.kind, "the type is the one that the ledger has");
        let flat = |value: &serde_json::Value| match value {
            serde_json::Value::Array(values) => values.iter().all(serde_json::Value::is_string),
            value => !value.is_object(),
        };
        assert!(item.details.values().all(flat), "{:?}", item.details);
        items.push(item);
    }
    let schema = schemars::schema_for!(EventBody);
    let types = schema.as_value()["oneOf"].as_array().map_or(0, Vec::len);
    items.dedup_by(|one, other| one.kind == other.kind);
    assert_eq!(items.len(), types, "each type of event is among them");
}

#[test]
fn descriptions_are_as_agreed() {
    let bodies = bodies(&[(10, "hello"), (11, "a note"), (12, "an answer")]);
    let describe = |(position, event)| describe(position, at(0), &event, &bodies);
    let on = |body| Event::on(conversation(1), body);
    let conversations: Vec<_> =
        (1..).zip(of_conversations().into_iter().map(on)).map(describe).collect();
    let deliveries: Vec<_> =
        (20..).zip(of_deliveries().into_iter().map(on)).map(describe).collect();
    let workspace: Vec<_> =
        (30..).zip(of_the_workspace().into_iter().map(Event::global)).map(describe).collect();
    insta::assert_json_snapshot!("conversations", conversations);
    insta::assert_json_snapshot!("deliveries", deliveries);
    insta::assert_json_snapshot!("workspace", workspace);
    let workspace = serde_json::to_string(&workspace).unwrap();
    assert!(!workspace.contains("secret"), "settings stay in the house");
}
