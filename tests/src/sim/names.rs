//! The people, channels and settings of the simulated house.

use std::collections::BTreeMap;

use postroom_model::{
    AgentChoice, AgentId, AgentSettings, AnswerId, AnswerOn, AnswerSettings, ChannelId,
    ChannelKind, ChannelSettings, DeskSettings, HandOut, IdleShare, LadderStep, OfflineAction,
    PolicyId, QueueId, QueueOrder, QueueSettings, QueueTiming, QueueWork, RampIn, Rule, Settings,
    TargetPolicy, Timing, WorkspaceId,
};

/// Channels through which customers write.
pub(crate) const CHANNELS: [&str; 4] = ["chat", "desk", "calls", "late"];
/// Those through which replies leave.
pub(crate) const SENDING: [&str; 2] = ["chat", "desk"];
pub(crate) const AGENTS: [&str; 4] = ["ada", "bob", "cho", "dan"];
pub(crate) const QUEUES: [&str; 3] = ["support", "billing", "english"];

#[expect(clippy::expect_used, reason = "the names of this file are slugs")]
pub(crate) fn channel(name: &str) -> ChannelId {
    ChannelId::new(name).expect("a slug")
}

#[expect(clippy::expect_used, reason = "the names of this file are slugs")]
pub(crate) fn queue(name: &str) -> QueueId {
    QueueId::new(name).expect("a slug")
}

#[expect(clippy::expect_used, reason = "the names of this file are slugs")]
pub(crate) fn agent(name: &str) -> AgentId {
    AgentId::new(name).expect("a slug")
}

/// The settings that the operator changes between. The first has all but the channel `late`, which
/// the second brings; others lack an agent or a queue; the last is not valid.
pub(crate) const SETTINGS: u64 = 6;

pub(crate) fn settings(version: u64) -> Settings {
    let mut settings = first();
    match version {
        1 => settings.channels.push(channel_settings("late", ChannelKind::Webhook, false)),
        2 => settings.agents.retain(|agent| agent.id.as_str() != "bob"),
        3 => {
            settings.queues.retain(|queue| queue.id.as_str() != "billing");
            settings.rules.clear();
        }
        4 => {
            settings.costs =
                BTreeMap::from([(ChannelKind::Webhook, 50), (ChannelKind::External, 10)]);
            settings.agents.rotate_left(1);
        }
        5 => settings.queues.extend(settings.queues.first().cloned()),
        _ => {}
    }
    settings
}

fn first() -> Settings {
    Settings {
        workspace: WorkspaceId::main(),
        timing: timing(),
        channels: vec![
            channel_settings("chat", ChannelKind::Webhook, true),
            channel_settings("desk", ChannelKind::External, true),
            channel_settings("calls", ChannelKind::Phone, false),
            channel_settings("post", ChannelKind::Email, false),
        ],
        queues: QUEUES.iter().map(|name| queue_settings(name)).collect(),
        rules: vec![
            Rule {
                when: "message.text.contains('refund')".to_owned(),
                queue: Some(queue("billing")),
                priority: Some(5),
                ..Rule::default()
            },
            Rule {
                when: "message.text.contains('hello')".to_owned(),
                queue: Some(queue("english")),
                skills: BTreeMap::from([("english".to_owned(), 3)]),
                prefer: BTreeMap::new(),
                tags: vec!["greeting".to_owned()],
                ..Rule::default()
            },
        ],
        agents: vec![
            agent_settings("ada", &QUEUES, 5, 100),
            agent_settings("bob", &["support", "billing"], 0, 45),
            agent_settings("cho", &["english", "support"], 3, 20),
            agent_settings("dan", &["billing"], 2, 25),
        ],
        costs: Settings::default_costs(),
        calendars: vec![],
        desk: DeskSettings {
            ramp_in: Some(RampIn { new_max: 2, every_ms: 300, lasts_ms: 1_000 }),
            grace_ms: Some(2_000),
            ..DeskSettings::default()
        },
        contacts: postroom_model::ContactSettings::default(),
        answers: vec![AnswerSettings {
            id: AnswerId::new("thanks").expect("a slug"),
            on: AnswerOn::Waiting,
            queues: vec![QueueId::new("support").expect("a slug")],
            calendar: None,
            text: "You are number {position}.".to_owned(),
        }],
    }
}

/// Support is pushed, billing offered to two at once, English taken in turn.
fn queue_settings(name: &str) -> QueueSettings {
    let plain = QueueWork { offer_ms: 400, decline_ms: 600, ..QueueWork::default() };
    let work = match name {
        "billing" => QueueWork { hand_out: HandOut::Offer, offer_to: 2, ..plain },
        "english" => QueueWork {
            choose: AgentChoice::RoundRobin,
            order: QueueOrder::Newest,
            offline: OfflineAction::Reassign,
            wrap_up_ms: 200,
            ..plain
        },
        _ => QueueWork {
            idle: Some(IdleShare { after_ms: 500, frees_percent: 50 }),
            choose: AgentChoice::LeastLoaded,
            offline: OfflineAction::Queue,
            ..plain
        },
    };
    QueueSettings { work, ..QueueSettings::new(queue(name), name) }
}

#[expect(clippy::expect_used, reason = "the names of this file are slugs")]
fn policy_id(name: &str) -> PolicyId {
    PolicyId::new(name).expect("a slug")
}

/// The first queue promises answers that are hard to keep.
fn timing() -> Timing {
    let usual = policy_id("usual");
    let policy = TargetPolicy {
        id: usual.clone(),
        first_response_ms: Some(20_000),
        next_response_ms: Some(10_000),
        resolution_ms: Some(90_000),
        warn_before_ms: Some(5_000),
        calendar: None,
    };
    let step = |after_ms: i64| LadderStep { after_ms, ..LadderStep::default() };
    let ladder = vec![
        LadderStep { priority: Some(3), ..step(15_000) },
        LadderStep { priority: Some(7), ..step(40_000) },
    ];
    let of_queue = QueueTiming { targets: Some(usual), ladder, ..QueueTiming::default() };
    Timing {
        reopen: BTreeMap::new(),
        join: BTreeMap::new(),
        policies: vec![policy],
        queues: BTreeMap::from([(queue("support"), of_queue)]),
    }
}

fn channel_settings(name: &str, kind: ChannelKind, sends: bool) -> ChannelSettings {
    ChannelSettings { id: channel(name), kind, dialect: None, queue: None, sends, calls: None }
}

fn agent_settings(name: &str, queues: &[&str], english: u8, capacity: u32) -> AgentSettings {
    AgentSettings {
        id: agent(name),
        name: name.to_owned(),
        email: None,
        queues: queues.iter().map(|name| queue(name)).collect(),
        skills: BTreeMap::from([("english".to_owned(), english)]),
        capacity,
        limits: BTreeMap::from([(ChannelKind::Webhook, 3)]),
    }
}
