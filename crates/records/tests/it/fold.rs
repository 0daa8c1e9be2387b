//! What each event means for each row.

use crate::support::{
    ada, agent, at, bodies, contact_id, conversation, folded, folded_all, message_id, open, opened,
    queue, received, reply, site, uuid,
};
use postroom_model::{
    AgentStatus, Bodies, Contact, Event, EventBody, Freed, InputId, NoteId, ParkedId, QueueId,
    Reason, Timestamp,
};
use postroom_model::{ChannelId, Conversation, Input, InputBody, Settings, WorkspaceId};
use postroom_records::{Key, Row, Sheet, TimelineItem};

fn assigned(name: &str) -> EventBody {
    let reason = Reason::LongestIdle { queue: queue("support"), passed_over: vec![] };
    EventBody::ConversationAssigned { agent: agent(name), cost: 20, reason }
}

fn released(name: &str) -> EventBody {
    let reason = Reason::Released { by: ada() };
    EventBody::ConversationReleased { agent: agent(name), cost: 20, reason }
}

fn freed(name: &str) -> Freed {
    Freed { agent: agent(name), cost: 20 }
}

fn resolved() -> EventBody {
    EventBody::ConversationResolved { freed: None, reason: Reason::Asked { by: ada() } }
}

fn snoozed() -> EventBody {
    let reason = Reason::Asked { by: ada() };
    EventBody::ConversationSnoozed { until: at(9_000), freed: None, reason }
}

fn woken() -> EventBody {
    EventBody::ConversationWoken { reason: Reason::SnoozeOver }
}

fn reopened(version: u64) -> EventBody {
    let mut opened = opened();
    opened.version = version;
    opened.queue = queue("billing");
    let opened = Box::new(opened);
    EventBody::ConversationReopened { opened, reason: Reason::CustomerWrote }
}

fn merged() -> EventBody {
    EventBody::ConversationMerged {
        into: conversation(2),
        channel: site(),
        thread: Some("thread".to_owned()),
        freed: Some(freed("ada")),
        by: ada(),
    }
}

fn tagged(added: &[&str], removed: &[&str]) -> EventBody {
    let texts = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect();
    EventBody::ConversationTagged { added: texts(added), removed: texts(removed), by: ada() }
}

/// Milliseconds after the start of the test.
fn millis(time: Option<Timestamp>) -> String {
    time.map_or("-".to_owned(), |time| time.since(at(0)).to_string())
}

/// Status, queue, owner and why, waiting since, newest message at, version/message version.
fn line(row: &Conversation) -> String {
    let owner = row.assignee.as_ref().map_or("-", |owner| owner.as_str());
    let why = match &row.assignment {
        None => "-",
        Some(Reason::LongestIdle { .. }) => "idle",
        Some(Reason::Released { .. }) => "released",
        Some(Reason::CustomerWrote) => "wrote",
        Some(Reason::SnoozeOver) => "over",
        Some(_) => "other",
    };
    let queue = row.queue.as_ref().map_or("-", QueueId::as_str);
    let (waits, newest) = (millis(row.waiting_since), millis(Some(row.last_message_at)));
    let (status, version, newest_version) = (row.status, row.version, row.message_version);
    format!("{status:?} {queue} {owner} {why} {waits} {newest} {version}/{newest_version}")
}

#[test]
fn conversation_follows_its_events() {
    let cases: Vec<(Vec<EventBody>, &str)> = vec![
        (vec![], "Open support - - 1 1 1/0"),
        (vec![received(1)], "Open support - - 1 2 2/2"),
        (vec![received(1), received(2)], "Open support - - 1 3 3/3"),
        (vec![assigned("ada")], "Open support ada idle 1 1 2/0"),
        (vec![assigned("ada"), released("ada")], "Open support - released 1 1 3/0"),
        (vec![reply(1)], "Pending support - - - 2 2/2"),
        (vec![reply(1), received(2)], "Open support - - 3 3 3/3"),
        (vec![snoozed()], "Snoozed support - - - 1 2/0"),
        (vec![snoozed(), reply(1)], "Snoozed support - - - 3 3/3"),
        (vec![snoozed(), received(1)], "Snoozed support - - - 3 3/3"),
        (vec![snoozed(), woken()], "Open support - - 3 1 3/0"),
        (vec![assigned("ada"), snoozed()], "Snoozed support ada idle - 1 3/0"),
        (vec![assigned("ada"), snoozed(), woken()], "Open support - over 4 1 4/0"),
        (vec![assigned("ada"), resolved()], "Resolved support ada idle - 1 3/0"),
        (vec![resolved(), received(1)], "Resolved support - - - 3 3/3"),
        (vec![resolved(), reopened(2)], "Open billing - - 3 1 3/0"),
        (vec![assigned("ada"), resolved(), reopened(3)], "Open billing - wrote 4 1 4/0"),
        (vec![received(1), resolved(), reopened(9)], "Open billing - - 4 2 10/2"),
        (vec![merged()], "Resolved support - - - 1 2/0"),
        (vec![EventBody::NoteAdded { id: NoteId(uuid(1)), by: ada() }], "Open support - - 1 1 2/0"),
        (
            vec![EventBody::ConversationTransferred {
                queue: queue("billing"),
                reached: vec![],
                reason: Reason::Transferred { by: ada() },
            }],
            "Open billing - - 1 1 2/0",
        ),
    ];
    for (events, expected) in cases {
        let events: Vec<_> = std::iter::once(open()).chain(events).collect();
        let sheet = folded(events.clone());
        let row = sheet.conversation(conversation(1)).unwrap();
        assert_eq!(line(row), expected, "{events:?}");
    }
}

#[test]
fn conversation_takes_what_opened_says_and_keeps_the_rest() {
    let sheet = folded(vec![
        open(),
        tagged(&["vip", "new"], &[]),
        tagged(&["late"], &["new", "none"]),
        EventBody::ConversationPrioritised { priority: 9, by: ada() },
        absorbed(3, &[2]),
        absorbed(3, &[]),
        absorbed(5, &[4, 2]),
        snoozed(),
    ]);
    let row = sheet.conversation(conversation(1)).unwrap();
    assert_eq!((row.id, row.cost, row.priority), (conversation(1), 20, 9));
    assert_eq!((row.contact, row.subject.as_deref()), (Some(contact_id(1)), Some("Order 7")));
    assert_eq!((row.skills.get("english"), row.route.matched), (Some(&5), Some(2)));
    assert_eq!(row.tags, ["vip", "late"]);
    assert_eq!(row.merged_from, [3, 4, 2, 5].map(conversation), "each once");
    assert_eq!((row.snoozed_until, row.opened_at), (Some(at(9_000)), at(1)));

    let sheet = folded(vec![open(), tagged(&["vip"], &[]), merged(), reopened(3)]);
    let row = sheet.conversation(conversation(1)).unwrap();
    assert_eq!((row.merged_into, row.opened_at), (None, at(1)));
    assert_eq!((&row.tags[..], row.priority), (&["new".to_owned()][..], 3));
}

#[test]
fn conversation_of_which_nothing_is_known_is_made_by_its_reopening_only() {
    let sheet = folded(vec![received(1), reopened(6), received(2)]);
    let row = sheet.conversation(conversation(1)).unwrap();
    assert_eq!(line(row), "Open billing - - 2 3 8/8");
    assert_eq!(folded(vec![received(1), resolved()]).conversation(conversation(1)), None);
}

#[test]
fn thread_leads_to_whoever_holds_it() {
    let leads = |events| folded(events).thread(&site(), "thread");
    assert_eq!(leads(vec![open()]), Some(conversation(1)));
    assert_eq!(leads(vec![open(), merged()]), Some(conversation(2)));
    assert_eq!(leads(vec![merged(), reopened(1)]), Some(conversation(1)));
    assert_eq!(leads(vec![received(1)]), None);
    let sheet = folded(vec![open()]);
    assert_eq!(sheet.thread(&ChannelId::new("other").unwrap(), "thread"), None);
}

#[test]
fn presence_carries_what_the_agent_holds() {
    let status = |status| EventBody::AgentStatusChanged {
        agent: agent("ada"),
        status,
        reason: None,
        by: ada(),
    };
    let snoozed_freed = EventBody::ConversationSnoozed {
        until: at(9_000),
        freed: Some(freed("ada")),
        reason: Reason::Asked { by: ada() },
    };
    let resolved_freed = EventBody::ConversationResolved {
        freed: Some(freed("ada")),
        reason: Reason::Asked { by: ada() },
    };
    let twice = || vec![assigned("ada"), assigned("ada")];
    let after = |event| [twice(), vec![event]].concat();
    // Status and since when, load, conversations, idle since.
    let cases: Vec<(Vec<EventBody>, &str)> = vec![
        (vec![assigned("ada")], "Offline 1 20 1 1"),
        (twice(), "Offline 1 40 2 2"),
        (after(released("ada")), "Offline 1 20 1 3"),
        (after(snoozed_freed), "Offline 1 20 1 3"),
        (after(resolved_freed), "Offline 1 20 1 3"),
        (after(merged()), "Offline 1 20 1 3"),
        (after(snoozed()), "Offline 1 40 2 2"),
        (after(assigned("bob")), "Offline 1 40 2 2"),
        (after(status(AgentStatus::Online)), "Online 3 40 2 2"),
        (vec![status(AgentStatus::Away)], "Away 1 0 0 1"),
        (vec![released("ada")], "Offline 1 0 0 1"),
    ];
    for (events, expected) in cases {
        let sheet = folded(events.clone());
        let row = sheet.presence(&agent("ada")).unwrap();
        let (since, idle) = (millis(Some(row.status_since)), millis(Some(row.idle_since)));
        let (status, load, held) = (row.status, row.load, row.conversations);
        assert_eq!(format!("{status:?} {since} {load} {held} {idle}"), expected, "{events:?}");
    }
}

fn absorbed(from: u64, further: &[u64]) -> EventBody {
    let further = further.iter().copied().map(conversation).collect();
    let (renamed, subject) = (false, None);
    EventBody::ConversationAbsorbed {
        from: conversation(from),
        further,
        renamed,
        subject,
        by: ada(),
    }
}

#[test]
fn merged_contact_gives_all_that_it_has_to_the_other() {
    let address = |text: &str| text.parse::<postroom_model::Address>().unwrap();
    let created = |number, text| {
        let (id, addresses) = (contact_id(number), vec![address(text)]);
        let contact = Contact {
            id,
            name: None,
            addresses,
            dead: vec![],
            created_at: at(0),
            last_agent: None,
            conversations: 0,
            merged_into: None,
        };
        Event::global(EventBody::ContactCreated { contact })
    };
    let merged = EventBody::ContactMerged {
        contact: contact_id(1),
        into: contact_id(2),
        name: Some("Ada".to_owned()),
        addresses: vec![address("tel:+1")],
        last_agent: None,
        conversations: 0,
        by: ada(),
    };
    let events = vec![created(1, "tel:+1"), created(2, "tel:+2"), Event::global(merged.clone())];
    let sheet = folded_all(events, Bodies::new());
    let (one, other) = (sheet.contact(contact_id(1)), sheet.contact(contact_id(2)));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!((one.merged_into, &one.addresses[..]), (Some(contact_id(2)), &[][..]));
    assert_eq!((other.merged_into, other.name.as_deref()), (None, Some("Ada")));
    assert_eq!(other.addresses, ["tel:+2", "tel:+1"].map(address));
    assert_eq!(sheet.address(&address("tel:+1")), Some(contact_id(2)));

    let sheet = folded_all(vec![created(1, "tel:+1"), Event::global(merged)], Bodies::new());
    assert_eq!(sheet.contact(contact_id(2)), None, "nobody is made by a merge");
}

#[test]
fn contact_gathers_names_and_addresses() {
    let address = |text: &str| text.parse::<postroom_model::Address>().unwrap();
    let contact = Contact {
        id: contact_id(1),
        name: None,
        addresses: vec![address("tel:+1")],
        dead: vec![],
        created_at: at(0),
        last_agent: None,
        conversations: 0,
        merged_into: None,
    };
    let updated = |name: Option<&str>, addresses| EventBody::ContactUpdated {
        contact: contact_id(1),
        name: name.map(str::to_owned),
        addresses,
    };
    let events = vec![
        Event::global(EventBody::ContactCreated { contact }),
        Event::global(updated(Some("Ada"), vec![address("tel:+1"), address("tel:+2")])),
        Event::global(updated(None, vec![address("tel:+3")])),
    ];
    let sheet = folded_all(events, Bodies::new());
    let row = sheet.contact(contact_id(1)).unwrap();
    assert_eq!(row.name.as_deref(), Some("Ada"));
    assert_eq!(row.addresses, ["tel:+1", "tel:+2", "tel:+3"].map(address));
    for text in ["tel:+1", "tel:+2", "tel:+3"] {
        assert_eq!(sheet.address(&address(text)), Some(contact_id(1)), "{text}");
    }
    let sheet = folded_all(vec![Event::global(updated(Some("Ada"), vec![]))], Bodies::new());
    assert_eq!(sheet.contact(contact_id(1)), None, "nobody is made by an update");
}

fn entry(sheet: &Sheet, position: u64) -> &TimelineItem {
    match sheet.get(&Key::Timeline(conversation(1), position)) {
        Some(Row::Timeline(item)) => item,
        other => panic!("no entry at {position}: {other:?}"),
    }
}

#[test]
fn timeline_holds_every_event_of_the_conversation_with_its_words() {
    let on = |body| Event::on(conversation(1), body);
    let status = AgentStatus::Online;
    let events = vec![
        on(open()),
        on(received(5)),
        Event::global(EventBody::AgentStatusChanged {
            agent: agent("ada"),
            status,
            reason: None,
            by: ada(),
        }),
        on(EventBody::NoteAdded { id: NoteId(uuid(6)), by: ada() }),
        on(reply(7)),
        on(received(8)),
    ];
    let sheet = folded_all(events, bodies(&[(5, "hello"), (6, "note"), (7, "answer")]));
    assert!(!sheet.is_loaded(&Key::Timeline(conversation(1), 3)));
    let text = |position| entry(&sheet, position).message.as_ref().unwrap().text.clone();
    assert_eq!(text(2).as_deref(), Some("hello"));
    assert_eq!(text(5).as_deref(), Some("answer"));
    assert_eq!(text(6), None, "its words are not in the envelope");
    assert_eq!(entry(&sheet, 4).text.as_deref(), Some("note"));
    let outbound = sheet.outbound(message_id(7)).unwrap();
    assert_eq!(outbound.position, 5);
    assert_eq!(outbound.outbound.message.text.as_deref(), Some("answer"));
    assert_eq!(outbound.outbound.thread.as_deref(), Some("thread"));
    assert_eq!(outbound.outbound.to.len(), 1);
}

#[test]
fn settings_and_parked_inputs_are_held() {
    let settings = Settings {
        workspace: WorkspaceId::main(),
        timing: postroom_model::Timing::default(),
        channels: vec![],
        queues: vec![],
        rules: vec![],
        agents: vec![],
        costs: Settings::default_costs(),
        calendars: vec![],
        desk: postroom_model::DeskSettings::default(),
        contacts: postroom_model::ContactSettings::default(),
        answers: vec![],
    };
    let input = Input {
        id: InputId(uuid(2)),
        at: at(0),
        body: InputBody::Settings(Box::new(settings.clone())),
    };
    let parked = |n, input: &Input| EventBody::InputParked {
        id: ParkedId(uuid(n)),
        code: "unparsed".to_owned(),
        detail: "no sender".to_owned(),
        input: Box::new(input.clone()),
    };
    let events = vec![
        EventBody::ConfigInstalled { settings: Box::new(settings.clone()) },
        parked(1, &input),
        parked(2, &input),
        EventBody::InputUnparked { id: ParkedId(uuid(1)), dropped: false, by: ada() },
    ];
    let sheet = folded_all(events.into_iter().map(Event::global).collect(), Bodies::new());
    assert_eq!(sheet.settings(), Some(&settings));
    assert_eq!(sheet.parked(ParkedId(uuid(1))), None);
    let row = sheet.parked(ParkedId(uuid(2))).unwrap();
    assert_eq!((row.at, row.code.as_str(), &row.input), (at(3), "unparsed", &input));
    assert_eq!(row.detail, "no sender");
}
