//! What `explain` says agrees with what happened.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use postroom_model::{
    Action, Actor, AgentChoice, AgentSettings, AgentStatus, ChannelKind, ChannelSettings, Climbed,
    Command, CommandId, Conversation, ConversationId, Declined, Event, EventBody, HandOut, Inbound,
    Input, InputBody, InputId, Kept, LadderStep, Message, Offered, PassedOver, PassedOverCause,
    Pause, PauseCause, Position, Presence, QueueSettings, QueueTiming, Reason, Rule, RuleTrace,
    Settings, Status, Timestamp, WorkspaceId,
};
use postroom_routing::{Desk, Explanation, Lookups, Routed, State, explain, step, step_due};
use uuid::Uuid;

fn rule(when: &str) -> Rule {
    Rule { when: when.to_owned(), ..Rule::default() }
}

fn agent(id: &str, level: u8) -> AgentSettings {
    AgentSettings {
        id: id.parse().unwrap(),
        name: id.to_uppercase(),
        email: None,
        queues: vec!["support".parse().unwrap()],
        skills: [("german".to_owned(), level)].into(),
        capacity: 40,
        limits: std::collections::BTreeMap::new(),
    }
}

fn settings() -> Settings {
    let mut elsewhere = agent("eve", 5);
    elsewhere.queues = vec!["sales".parse().unwrap()];
    Settings {
        workspace: WorkspaceId::main(),
        timing: postroom_model::Timing::default(),
        channels: vec![ChannelSettings {
            id: "site".parse().unwrap(),
            kind: ChannelKind::Webhook,
            dialect: None,
            queue: Some("support".parse().unwrap()),
            sends: true,
            calls: None,
        }],
        queues: vec![
            QueueSettings::new("support".parse().unwrap(), "Support".to_owned()),
            QueueSettings::new("sales".parse().unwrap(), "Sales".to_owned()),
        ],
        rules: vec![rule("message.attributes.vip"), rule("false"), rule("true"), rule("true")],
        agents: vec![agent("ada", 5), agent("bob", 2), agent("cem", 5), agent("dan", 5), elsewhere],
        costs: Settings::default_costs(),
        calendars: vec![],
        desk: postroom_model::DeskSettings::default(),
        contacts: postroom_model::ContactSettings::default(),
        answers: vec![],
    }
}

fn presence(id: &str, status: AgentStatus, load: u32) -> Presence {
    Presence {
        agent: id.parse().unwrap(),
        status,
        status_since: Timestamp::EPOCH,
        load,
        conversations: load / 20,
        idle_since: Timestamp::EPOCH,
        reason: None,
        pause: None,
        offers: vec![],
        over: vec![],
    }
}

fn presences() -> Vec<Presence> {
    vec![
        presence("ada", AgentStatus::Away, 0),
        presence("bob", AgentStatus::Online, 0),
        presence("cem", AgentStatus::Online, 30),
    ]
}

fn conversation() -> Conversation {
    Conversation {
        id: ConversationId(Uuid::nil()),
        status: Status::Open,
        subject: None,
        channel: "site".parse().unwrap(),
        thread: None,
        queue: Some("support".parse().unwrap()),
        assignee: None,
        contact: None,
        customer: None,
        linked: None,
        mails: vec![],
        priority: 0,
        skills: [("german".to_owned(), 3)].into(),
        preferred: std::collections::BTreeMap::new(),
        cost: 20,
        tags: vec![],
        targets: vec![],
        policy: None,
        climbed: None,
        kept: None,
        resolved_at: None,
        settled_at: None,
        opened_at: Timestamp::EPOCH,
        last_message_at: Timestamp::EPOCH,
        waiting_since: Some(Timestamp::EPOCH),
        snoozed_until: None,
        merged_into: None,
        merged_from: vec![],
        version: 2,
        message_version: 2,
        route: RuleTrace {
            tried: 3,
            matched: Some(3),
            when: Some("true".to_owned()),
            failed: vec![(1, "No such key: vip".to_owned())],
            told: BTreeMap::new(),
            config: settings().short_hash(),
        },
        offer: None,
        declined: vec![],
        assignment: None,
    }
}

fn told_by(
    conversation: &Conversation,
    settings: &Settings,
    presences: &[Presence],
    now: Timestamp,
) -> Explanation {
    let held = BTreeMap::new();
    explain(conversation, settings, Desk { presences, held: &held }, now)
}

fn explained(conversation: &Conversation) -> Explanation {
    let now = Timestamp::from_millis(3_723_000);
    told_by(conversation, &settings(), &presences(), now)
}

#[test]
fn rules_are_told_as_they_were_tried() {
    let told = explained(&conversation());
    let rules: Vec<_> = told.rules.iter().map(|rule| (rule.number, rule.result)).collect();
    assert_eq!(rules, [(1, "failed"), (2, "no_match"), (3, "matched"), (4, "not_tried")]);
    assert_eq!(told.rules[0].error.as_deref(), Some("No such key: vip"));
    assert_eq!(told.summary[0], "Rule 1 failed and was skipped: No such key: vip.");
    assert_eq!(told.summary[1], "Rule 3 matched: true. It is in Support.");

    let mut before = conversation();
    before.route.config = "of another time".to_owned();
    let told = explained(&before);
    let rules: Vec<_> = told.rules.iter().map(|rule| (rule.number, rule.result)).collect();
    assert_eq!(rules, [(3, "matched")], "other rules are not known any more");

    let mut unmatched = conversation();
    unmatched.route = RuleTrace { tried: 4, ..RuleTrace::default() };
    let words = "None of 4 rules matched, so the channel's queue or the default was taken. \
                 It is in Support.";
    assert_eq!(explained(&unmatched).summary[0], words);
    unmatched.route = RuleTrace::default();
    assert_eq!(explained(&unmatched).summary[0], "There were no rules to try. It is in Support.");

    let mut asked = conversation();
    let told = [("contact.conversations", "4"), ("conversation.queue", "")];
    asked.route.told = told.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let told = explained(&asked);
    assert_eq!(
        told.summary[2],
        "The rules were told: contact.conversations 4, no conversation.queue."
    );
    assert_eq!(told.route.told["contact.conversations"], "4");
}

#[test]
fn conversation_that_was_transferred_is_told_to_lie_where_no_rule_put_it() {
    let mut moved = conversation();
    moved.queue = Some("sales".parse().unwrap());
    let told = explained(&moved);
    let words = "It was moved there since; the rules had put it into Support.";
    assert_eq!(told.summary[2], words);
    assert!(!explained(&conversation()).summary.iter().any(|step| step.contains("moved")));
}

#[test]
fn conversation_of_a_channel_without_a_queue_lies_in_the_first_queue_by_itself() {
    let mut plain = settings();
    plain.channels[0].queue = None;
    let mut row = conversation();
    row.route.config = plain.short_hash();
    let now = Timestamp::from_millis(3_723_000);
    let told = told_by(&row, &plain, &presences(), now);
    assert!(!told.summary.iter().any(|step| step.contains("by hand")), "{:?}", told.summary);
}

#[test]
fn each_agent_of_the_queue_is_told_with_the_cause() {
    let told = explained(&conversation());
    let agents: BTreeMap<_, _> =
        told.agents.iter().map(|one| (one.agent.as_str(), one.passed_over.clone())).collect();
    let unavailable = |status| Some(PassedOverCause::Unavailable { status });
    let skill = PassedOverCause::Skill { skill: "german".to_owned(), needed: 3, has: 2 };
    let expected = BTreeMap::from([
        ("ada", unavailable(AgentStatus::Away)),
        ("bob", Some(skill)),
        ("cem", Some(PassedOverCause::Capacity { free: 10, cost: 20 })),
        ("dan", unavailable(AgentStatus::Offline)),
    ]);
    assert_eq!(agents, expected);
    let words = "it needs an agent of the queue who is online, has the skills and has room \
                 (2 not online, 1 without a skill, 1 without room)";
    assert_eq!(told.waits_for.as_deref(), Some(words));
    let last = format!("The customer has waited for 1 h 2 min; {words}.");
    assert_eq!(told.summary.last(), Some(&last));
}

#[test]
fn what_it_waits_for_follows_its_status() {
    type Change = fn(&mut Conversation);
    let cases: [(Change, Option<&str>); 5] = [
        (|row| row.assignee = Some("ada".parse().unwrap()), None),
        (|row| row.status = Status::Resolved, None),
        (|row| row.status = Status::Pending, Some("the customer has the next word")),
        (
            |row| {
                row.status = Status::Snoozed;
                row.snoozed_until = Some(Timestamp::EPOCH);
            },
            Some("it is snoozed until 1970-01-01T00:00:00.000Z"),
        ),
        (|row| row.queue = Some("gone".parse().unwrap()), Some("no agent serves the queue")),
    ];
    for (change, expected) in cases {
        let mut row = conversation();
        row.waiting_since = None;
        change(&mut row);
        let told = explained(&row);
        assert_eq!(told.waits_for.as_deref(), expected);
        let said = expected.map(|what| format!("It waits: {what}."));
        let last = told.summary.last().filter(|last| last.starts_with("It waits"));
        assert_eq!(last, said.as_ref());
    }
}

#[test]
fn why_it_has_its_owner_is_told() {
    let boss = Actor { name: "Boss".to_owned(), ..Actor::operator() };
    let by = || boss.clone();
    let over = |agent: &str, cause| PassedOver { agent: agent.parse().unwrap(), cause };
    let idle = Reason::LongestIdle {
        queue: "support".parse().unwrap(),
        passed_over: vec![
            over("ada", PassedOverCause::Unavailable { status: AgentStatus::Away }),
            over("bob", PassedOverCause::Skill { skill: "german".to_owned(), needed: 3, has: 2 }),
            over("cem", PassedOverCause::Capacity { free: 10, cost: 20 }),
            over("dan", PassedOverCause::LessIdle),
        ],
    };
    let agent = || "ada".parse().unwrap();
    let cases = [
        (
            idle,
            "It went to the longest idle agent of support who could take it; passed over: \
             ada (away), bob (german 2, needs 3), cem (room for 10, needs 20), \
             dan (idle for a shorter time).",
        ),
        (Reason::Claimed { by: by() }, "Boss claimed it."),
        (Reason::Assigned { by: by() }, "Boss assigned it."),
        (Reason::FirstReply { by: by() }, "Boss answered first and so has it."),
        (Reason::Released { by: by() }, "Boss gave it back."),
        (
            Reason::KeptFor { queue: "support".parse().unwrap() },
            "Its customer came back, so it waited in support for who had them last.",
        ),
        (
            Reason::TakenOver { from: agent(), choose: AgentChoice::LongestIdle },
            "ada went offline, and of those who could take it, it went to who was idle longest.",
        ),
        (
            Reason::TakenOver { from: agent(), choose: AgentChoice::LeastLoaded },
            "ada went offline, and of those who could take it, it went to who had the least to do.",
        ),
        (
            Reason::TakenOver { from: agent(), choose: AgentChoice::RoundRobin },
            "ada went offline, and of those who could take it, it went to who was next in turn.",
        ),
        (Reason::Returned, "It came back to the agent who had snoozed it."),
        (Reason::OwnerAway { agent: agent() }, "ada went away and gave it back."),
        (Reason::OwnerGone { agent: agent() }, "ada is no longer configured."),
        (Reason::Transferred { by: by() }, "Boss moved it to another queue."),
        (Reason::CustomerWrote, "The customer wrote again."),
        (Reason::SnoozeOver, "Its time to wake came."),
        (Reason::Asked { by: by() }, "Boss asked for it."),
    ];
    for (reason, words) in cases {
        let mut row = conversation();
        row.assignee = Some("ada".parse().unwrap());
        row.assignment = Some(reason);
        assert!(explained(&row).summary.contains(&words.to_owned()), "{words}");
    }
}

#[test]
fn steps_of_a_ladder_and_the_last_agent_are_told_with_who_is_asked() {
    let mut climbed = conversation();
    climbed.climbed =
        Some(Climbed { step: 1, agents: vec!["bob".parse().unwrap()], ..Climbed::default() });
    let told = explained(&climbed);
    let words = "It took 1 step of its queue's ladder; for now only bob get it.";
    assert!(told.summary.iter().any(|step| step == words), "{:?}", told.summary);
    let asked: Vec<_> = told.agents.iter().map(|one| one.agent.as_str()).collect();
    assert_eq!(asked, ["bob"]);

    let mut kept = conversation();
    let until = Timestamp::from_millis(60_000);
    kept.kept = Some(Kept { agent: "cem".parse().unwrap(), until });
    let told = explained(&kept);
    let words = "It waits for cem, who had the customer last, until 1970-01-01T00:01:00.000Z; \
                 then for all.";
    assert!(told.summary.iter().any(|step| step == words), "{:?}", told.summary);
    let asked: Vec<_> = told.agents.iter().map(|one| one.agent.as_str()).collect();
    assert_eq!(asked, ["cem"]);

    // Nobody who is configured is named any more: it is as if nobody were.
    kept.kept = Some(Kept { agent: "gone".parse().unwrap(), until });
    assert_eq!(explained(&kept).agents.len(), explained(&conversation()).agents.len());
}

#[test]
fn steps_that_were_skipped_are_told_with_whom_nobody_of_was_there() {
    let named = |name: &str| vec![name.parse().unwrap()];
    let first = Climbed { step: 1, agents: named("bob"), skipped: true, ..Climbed::default() };
    let second = Climbed { step: 2, skipped: true, ..Climbed::default() };
    let third = Climbed {
        step: 3,
        queues: vec!["sales".parse().unwrap()],
        skipped: true,
        ..Climbed::default()
    };
    let last = Climbed { step: 4, queues: third.queues.clone(), ..Climbed::default() };
    let mut climbed = None;
    for step in [first, second, third, last] {
        climbed = Some(step.on_row(climbed));
    }
    let mut row = conversation();
    row.climbed = climbed;
    let told = explained(&row);
    for words in [
        "It took 4 steps of its queue's ladder; the agents of sales get it as well.",
        "Step 1 was skipped: nobody of bob was online.",
        "Step 2 was skipped: nobody of its queue was online.",
        "Step 3 was skipped: nobody of its queue and sales was online.",
    ] {
        assert!(told.summary.iter().any(|step| step == words), "{words}: {:?}", told.summary);
    }
    let skips = serde_json::to_value(&told).unwrap()["climbed"]["skips"].clone();
    assert_eq!(skips[0], serde_json::json!({"step": 1, "agents": ["bob"]}));
    assert_eq!(skips.as_array().map(Vec::len), Some(3));
}

#[test]
fn whoever_has_enough_of_a_kind_or_declined_is_told_with_that() {
    let now = Timestamp::from_millis(3_723_000);
    let (mut limited, mut there) = (settings(), presences());
    for presence in &mut there {
        presence.status = AgentStatus::Online;
        presence.load = 0;
    }
    for agent in &mut limited.agents {
        agent.limits = [(ChannelKind::Webhook, 2)].into();
        agent.skills = [("german".to_owned(), 5)].into();
    }
    let held = [("ada", 2), ("bob", 1)].map(|(id, count)| (id.parse().unwrap(), count)).into();
    let mut row = conversation();
    let again_at = now.plus_millis(30_000);
    row.declined = vec![
        Declined { agent: "bob".parse().unwrap(), again_at },
        Declined { agent: "cem".parse().unwrap(), again_at: now },
    ];
    let told = explain(&row, &limited, Desk { presences: &there, held: &held }, now);
    let cause = |id: &str| {
        told.agents.iter().find(|one| one.agent.as_str() == id).unwrap().passed_over.clone()
    };
    let limit = PassedOverCause::Limit { kind: ChannelKind::Webhook, most: 2 };
    assert_eq!(cause("ada"), Some(limit));
    assert_eq!(cause("bob"), Some(PassedOverCause::Declined));
    assert_eq!(cause("cem"), None, "what was declined long ago can be offered again");
    let waits_for = told.waits_for.unwrap();
    assert!(
        waits_for.contains("1 with as many of its kind as they may have, 1 who declined it"),
        "{waits_for}"
    );
}

#[test]
fn offer_pull_and_pause_are_told_with_until_when() {
    let at = Timestamp::from_millis(9_999_000);
    let mut row = conversation();
    row.offer = Some(Offered {
        offer: "019b76e9-fdc8-7c9b-9741-b8eb8a2f6780".parse().unwrap(),
        agents: vec!["cem".parse().unwrap(), "dan".parse().unwrap()],
        expires_at: at,
    });
    let queue = || "support".parse().unwrap();
    row.assignment = Some(Reason::LongestIdle { queue: queue(), passed_over: vec![] });
    let told = explained(&row);
    let words =
        "it is offered to cem, dan until 1970-01-01T02:46:39.000Z; whoever accepts first has it";
    assert_eq!((told.waits_for.as_deref(), told.until), (Some(words), Some(at)));
    assert_eq!(told.offer, row.offer);
    assert!(!told.summary.iter().any(|words| words.contains("It went to")), "{:?}", told.summary);

    let mut pull = settings();
    pull.queues[0].work.hand_out = HandOut::Pull;
    let now = Timestamp::from_millis(3_723_000);
    let told = told_by(&conversation(), &pull, &presences(), now);
    assert_eq!(told.waits_for.as_deref(), Some("somebody who serves the queue has to claim it"));

    let mut paused = presences();
    for presence in &mut paused {
        presence.status = AgentStatus::Online;
        presence.load = 0;
        presence.pause = Some(Pause { until: at, cause: PauseCause::RampIn });
    }
    let told = told_by(&conversation(), &settings(), &paused, now);
    let pausing = |one: &&postroom_routing::Considered| {
        one.passed_over == Some(PassedOverCause::Paused { until: at, pause: PauseCause::RampIn })
    };
    let count = told.agents.iter().filter(pausing).count();
    assert_eq!(count, 2, "{:?}", told.agents);
    assert!(told.waits_for.unwrap().contains("2 pausing"));
}

/// Decides these inputs one after the other, a second apart, and then what a minute brings.
fn played(bodies: Vec<InputBody>, routed: &Routed) -> Vec<Event> {
    let (mut state, mut events) = (State::new(), vec![]);
    for (body, seq) in bodies.into_iter().zip(1..) {
        let at = Timestamp::from_millis(i64::try_from(seq).unwrap() * 1_000);
        let input = Input { id: InputId(Uuid::from_u128(u128::from(seq))), at, body };
        let lookups = Lookups { routed: Some(routed), ..Lookups::default() };
        let step = step(&mut state, Position { seq, index: 0 }, input, &lookups);
        events.extend(step.transition.events);
    }
    let later = Timestamp::from_millis(60_000);
    while let Some(step) = step_due(&mut state, later, &|_| None) {
        events.extend(step.transition.events);
    }
    events
}

/// Who got the message that comes when both are free, ada for longer, and why.
fn given(settings: Settings, routed: &Routed) -> (String, Reason) {
    let online = |agent: &str| {
        let agent: postroom_model::AgentId = agent.parse().unwrap();
        let actor = Actor::agent(&agent);
        let action = Action::SetStatus { agent, status: AgentStatus::Online, reason: None };
        InputBody::Command(Box::new(Command { id: CommandId(Uuid::nil()), actor, action }))
    };
    let message = Message { external_id: "1".to_owned(), ..Message::default() };
    let inbound = Inbound { channel: "site".parse().unwrap(), message };
    let settings = InputBody::Settings(Box::new(settings));
    let message = InputBody::Inbound(Box::new(inbound));
    let events = played(vec![settings, online("ada"), online("fre"), message], routed);
    let assigned = events.into_iter().find_map(|event| match event.body {
        EventBody::ConversationAssigned { agent, reason, .. } => Some((agent.to_string(), reason)),
        _ => None,
    });
    assigned.unwrap()
}

#[test]
fn whoever_went_first_by_a_preferred_or_relaxed_skill_is_told_with_that() {
    let french: BTreeMap<String, u8> = [("french".to_owned(), 3)].into();
    let mut fre = agent("fre", 5);
    fre.skills = [("french".to_owned(), 4)].into();
    let mut preferred = settings();
    preferred.agents = vec![agent("ada", 5), fre.clone()];
    let mut relaxed = preferred.clone();
    relaxed.agents[1].queues = vec!["sales".parse().unwrap()];
    let ladder = vec![LadderStep {
        after_ms: 30_000,
        relax: [("french".to_owned(), 0)].into(),
        widen: vec!["sales".parse().unwrap()],
        ..LadderStep::default()
    }];
    let timing = QueueTiming { ladder, ..QueueTiming::default() };
    relaxed.timing.queues = [("support".parse().unwrap(), timing)].into();
    for (settings, routed) in [
        (preferred, Routed { preferred: french.clone(), ..Routed::default() }),
        (relaxed, Routed { skills: french, ..Routed::default() }),
    ] {
        let (agent, reason) = given(settings, &routed);
        assert_eq!(agent, "fre");
        let mut row = conversation();
        row.assignee = Some("fre".parse().unwrap());
        row.assignment = Some(reason);
        let told = explained(&row);
        let words = "It went to the longest idle agent of support who could take it and has what is \
                     preferred, french 3; passed over: ada (french 0, 3 preferred).";
        assert!(told.summary.iter().any(|step| step == words), "{:?}", told.summary);
        let passed_over = &serde_json::to_value(&told).unwrap()["assignment"]["passed_over"];
        let cause = serde_json::json!([
            {"agent": "ada", "cause": "preferred", "skill": "french", "wanted": 3, "has": 0}
        ]);
        assert_eq!(*passed_over, cause);
    }
}
