//! A dry run repeats what happened where nothing is changed, and shows what would differ where something is.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod support {
    pub(crate) mod model;
    pub(crate) mod world;
}

use std::collections::BTreeMap;

use postroom_model::{
    Action, Actor, AgentId, AgentSettings, AgentStatus, Bodies, ChannelKind, ChannelSettings,
    Command, CommandId, ConversationId, Event, EventBody, HandOut, Inbound, InputBody, Message,
    MessageId, Party, QueueId, QueueSettings, QueueTiming, QueueWork, ReplyDraft, Rule,
    SeededRandom, Settings, Status, TargetPolicy, TargetState, Timestamp, Timing, WorkspaceId,
};
use postroom_routing::dry_run::{DryRunError, QueueReport, Recording, Report, Side, SideReport};
use support::world::World;
use uuid::Uuid;

fn id<T: std::str::FromStr>(text: &str) -> T {
    text.parse().ok().expect("an id")
}

fn settings() -> Settings {
    let channel = |name: &str, kind| ChannelSettings {
        id: id(name),
        kind,
        dialect: None,
        queue: None,
        sends: true,
        calls: None,
    };
    let agent = |name: &str, queues: &[&str], capacity| AgentSettings {
        id: id(name),
        name: name.to_owned(),
        email: None,
        queues: queues.iter().map(|queue| id(queue)).collect(),
        skills: BTreeMap::new(),
        capacity,
        limits: BTreeMap::new(),
    };
    let policy = TargetPolicy {
        id: id("quick"),
        first_response_ms: Some(60_000),
        next_response_ms: None,
        resolution_ms: None,
        warn_before_ms: None,
        calendar: None,
    };
    let promised = QueueTiming { targets: Some(id("quick")), ..QueueTiming::default() };
    Settings {
        workspace: WorkspaceId::main(),
        timing: Timing {
            policies: vec![policy],
            queues: BTreeMap::from([(id("support"), promised)]),
            ..Timing::default()
        },
        channels: vec![channel("site", ChannelKind::Webhook), channel("mail", ChannelKind::Email)],
        queues: vec![
            QueueSettings::new(id("support"), "Support"),
            QueueSettings::new(id("billing"), "Billing"),
        ],
        rules: vec![rule("message.text.contains('refund')", "billing")],
        agents: vec![agent("ada", &["support"], 40), agent("bob", &["support", "billing"], 40)],
        costs: Settings::default_costs(),
        calendars: vec![],
        desk: postroom_model::DeskSettings::default(),
        contacts: postroom_model::ContactSettings::default(),
        answers: vec![],
    }
}

fn rule(when: &str, queue: &str) -> Rule {
    Rule { when: when.to_owned(), queue: Some(id(queue)), ..Rule::default() }
}

/// A desk at which something happens.
struct Desk {
    world: World,
    commands: u128,
}

impl Desk {
    fn new(settings: &Settings) -> Self {
        let mut desk = Self { world: World::new(), commands: 0 };
        desk.give(InputBody::Settings(Box::new(settings.clone())));
        desk
    }

    fn give(&mut self, body: InputBody) {
        let input = self.world.input(body);
        self.world.decide(input);
        self.world.due();
    }

    fn wait(&mut self, seconds: i64) {
        let until = self.world.now.plus_millis(seconds * 1_000);
        // What time brings comes when it is due.
        while let Some(at) = self.world.state.next_deadline().filter(|at| *at <= until) {
            self.world.now = self.world.now.max(at);
            self.world.due();
        }
        self.world.now = until;
    }

    fn writes(&mut self, channel: &str, who: &str, text: &str) -> ConversationId {
        self.wait(1);
        let message = Message {
            external_id: format!("m{}", self.world.log.len()),
            thread: Some(who.to_owned()),
            from: Some(Party {
                address: format!("mailto:{who}@example.com").parse().ok(),
                ..Party::default()
            }),
            text: Some(text.to_owned()),
            ..Message::default()
        };
        self.give(InputBody::Inbound(Box::new(Inbound { channel: id(channel), message })));
        let last = self.world.log.iter().rev();
        let received = |(_, event): &&(Timestamp, Event)| {
            matches!(event.body, EventBody::MessageReceived { .. })
        };
        last.clone().find(received).and_then(|(_, event)| event.conversation).expect("received")
    }

    fn command(&mut self, actor: Actor, action: Action) {
        self.wait(1);
        self.commands += 1;
        let id = CommandId(Uuid::from_u128(self.commands));
        self.give(InputBody::Command(Box::new(Command { id, actor, action })));
    }

    fn status(&mut self, agent: &str, status: AgentStatus) {
        let agent: AgentId = id(agent);
        let actor = Actor::agent(&agent);
        self.command(actor, Action::SetStatus { agent, status, reason: None });
    }

    fn replies(&mut self, agent: &str, conversation: ConversationId) {
        let message = MessageId(Uuid::from_u128(0x5000 + self.commands));
        let draft = ReplyDraft { text: "an answer".to_owned(), ..ReplyDraft::default() };
        let action = Action::Reply { conversation, message, draft, if_version: None };
        self.command(Actor::agent(&id(agent)), action);
    }

    fn resolves(&mut self, agent: &str, conversation: ConversationId) {
        self.command(Actor::agent(&id(agent)), Action::Resolve { conversation });
    }

    fn recording(&self, since: i64, now: &Settings, new: &Settings) -> Recording {
        let since = Timestamp::from_millis(support::world::BEGIN + since * 1_000);
        let mut recording = Recording::new(since, now, new).expect("good rules");
        for (at, event) in &self.world.log {
            recording.note(*at, event, &self.world.bodies);
        }
        recording
    }

    fn try_out(&self, new: &Settings) -> Report {
        report(&self.recording(0, &settings(), new), 1)
    }
}

fn report(recording: &Recording, seed: u64) -> Report {
    let play = |side| recording.play(side, seed, &mut |_| ()).expect("played");
    recording.compare(seed, play(Side::Now), play(Side::New))
}

fn queue<'r>(side: &'r SideReport, name: &str) -> &'r QueueReport {
    let queue: QueueId = id(name);
    side.queues.iter().find(|one| one.queue == queue).expect("the queue")
}

/// Ada takes two, the third waits until she is done with one.
fn afternoon() -> Desk {
    let mut desk = Desk::new(&settings());
    desk.status("ada", AgentStatus::Online);
    let first = desk.writes("site", "c1", "hello");
    let second = desk.writes("site", "c2", "hello");
    let third = desk.writes("site", "c3", "about invoices");
    desk.wait(30);
    desk.replies("ada", first);
    desk.wait(60);
    desk.resolves("ada", first);
    desk.wait(10);
    desk.replies("ada", second);
    desk.resolves("ada", second);
    desk.wait(20);
    desk.replies("ada", third);
    desk.resolves("ada", third);
    desk
}

#[test]
fn same_configuration_repeats_what_happened() {
    let report = afternoon().try_out(&settings());
    assert_eq!(report.now, report.new);
    assert_eq!((report.messages, report.conversations), (3, 3));
    assert_eq!((report.elsewhere, report.other_agent), (0, 0));
    let support = queue(&report.now, "support");
    assert_eq!((support.conversations, support.waiting), (3, 0));
    // The first two at once, the third after 1 + 30 + 1 + 60 seconds: when the first was resolved.
    let waits = support.wait_ms;
    assert_eq!((waits.count, waits.p50, waits.max), (3, 0, 92_000));
    // Only the first was answered within a minute.
    assert_eq!((support.targets_kept, support.targets_missed), (1, 2));
    let ada = &report.now.agents[0];
    assert_eq!((ada.agent.as_str(), ada.assigned), ("ada", 3));
}

#[test]
fn more_room_shortens_the_wait_and_another_rule_leads_elsewhere() {
    let desk = afternoon();
    let mut roomy = settings();
    roomy.agents[0].capacity = 60;
    let told = desk.try_out(&roomy);
    assert_eq!(queue(&told.new, "support").wait_ms.max, 0);
    assert_eq!(queue(&told.now, "support").wait_ms.max, 92_000);
    assert_eq!(told.elsewhere, 0);

    let mut ruled = settings();
    ruled.rules.push(rule("message.text.contains('invoice')", "billing"));
    let told = desk.try_out(&ruled);
    assert_eq!((told.elsewhere, told.other_agent), (1, 1));
    let moved = &told.moved[0];
    let (now, new) = (moved.now.as_ref().expect("began"), moved.new.as_ref().expect("began"));
    assert_eq!((now.queue.as_str(), now.rule), ("support", None));
    assert_eq!((new.queue.as_str(), new.rule), ("billing", Some(2)));
    // Nobody was there for billing.
    assert_eq!(queue(&told.new, "billing").waiting, 1);
}

#[test]
fn what_nobody_answered_is_drawn_from_the_seed() {
    let mut desk = afternoon();
    for number in 0..40 {
        desk.writes("site", &format!("late{number}"), "a refund, and nobody is there for it");
        desk.wait(7);
    }
    let mut both = settings();
    both.agents[0].queues.push(id("billing"));
    let recording = desk.recording(0, &settings(), &both);
    let once = report(&recording, 1);
    assert_eq!(once, report(&recording, 1));
    assert_ne!(once, report(&recording, 2));
    assert_eq!(queue(&once.now, "billing").waiting, 40);
    let served = queue(&once.new, "billing");
    assert!(served.wait_ms.count > 2, "she goes on to the next: {served:?}");
}

#[test]
fn what_was_open_before_goes_on_and_what_came_before_is_not_played() {
    let mut desk = Desk::new(&settings());
    desk.status("ada", AgentStatus::Online);
    let old = desk.writes("site", "old", "hello");
    let done = desk.writes("site", "done", "hello");
    desk.resolves("ada", done);
    desk.wait(1_000);
    assert_eq!(desk.writes("site", "old", "hello again"), old);
    let again = desk.writes("site", "done", "hello once more");
    desk.resolves("ada", old);
    desk.resolves("ada", again);
    let since = 500;
    let report = report(&desk.recording(since, &settings(), &settings()), 1);
    assert_eq!(report.now, report.new);
    assert_eq!(report.messages, 2);
    assert_eq!(report.now.agents[0].agent.as_str(), "ada");
    assert_eq!(queue(&report.now, "support").waiting, 0);
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let desk = afternoon();
    let mut wrong = settings();
    wrong.rules.push(rule("message.txt", "support"));
    assert!(matches!(
        Recording::new(Timestamp::EPOCH, &settings(), &wrong),
        Err(DryRunError::Rules(_))
    ));
    let mut empty = settings();
    empty.queues.clear();
    empty.rules.clear();
    let recording = desk.recording(0, &settings(), &empty);
    let played = recording.play(Side::New, 1, &mut |_| ());
    assert!(matches!(played, Err(DryRunError::Settings(_))));
}

#[test]
fn offers_are_accepted_and_pulled_queues_are_served() {
    let desk = afternoon();
    for hand_out in [HandOut::Offer, HandOut::Pull] {
        let mut other = settings();
        other.queues[0].work = QueueWork { hand_out, ..QueueWork::default() };
        let told = desk.try_out(&other);
        assert_eq!(told.other_agent, 0);
        assert_eq!(queue(&told.new, "support"), queue(&told.now, "support"));
    }
}

#[test]
fn channel_that_is_gone_is_told() {
    let desk = afternoon();
    let mut without = settings();
    without.channels.remove(0);
    let told = desk.try_out(&without);
    assert_eq!((told.new.set_aside, told.elsewhere), (3, 3));
    assert_eq!(told.moved[0].new, None);
}

/// Whatever happened, the same configuration makes the same of it.
#[test]
fn random_days_are_repeated() {
    for seed in 0..60 {
        let settings = on_day(seed);
        let desk = day(seed, &settings);
        let report = report(&desk.recording(0, &settings, &settings), seed);
        assert_eq!(report.now, report.new);
        let expected = counted(&desk.world.log);
        let found: BTreeMap<String, (u64, u64, i64)> = report
            .now
            .queues
            .iter()
            .map(|queue| {
                let waits = queue.wait_ms;
                (queue.queue.to_string(), (queue.conversations, waits.count, waits.max))
            })
            .collect();
        assert_eq!(found, expected, "day {seed}");
    }
}

/// Every other day customers are kept for the agents who had them, every third day rules go by who
/// writes.
fn on_day(seed: u64) -> Settings {
    let mut settings = settings();
    if seed % 3 == 2 {
        settings.rules.push(rule("contact.known && contact.conversations >= 1", "billing"));
    }
    if seed % 2 == 1 {
        settings.queues[0].work.sticky_ms = 40_000;
    }
    settings
}

/// Customers write, agents come, go, answer and are done, as the dice fall.
fn day(seed: u64, settings: &Settings) -> Desk {
    let random = SeededRandom::new(seed);
    let mut desk = Desk::new(settings);
    for _ in 0..120 {
        desk.wait(i64::try_from(random.below(50)).expect("few"));
        let owned = desk.world.model.conversations.values().filter(|row| {
            row.assignee.is_some() && matches!(row.status, Status::Open | Status::Pending)
        });
        let owned: Vec<(String, ConversationId)> = owned
            .map(|row| (row.assignee.clone().expect("an owner").to_string(), row.id))
            .collect();
        let agent = if random.below(2) == 0 { "ada" } else { "bob" };
        match random.below(10) {
            0..4 => {
                let channel = if random.below(2) == 0 { "site" } else { "mail" };
                let who = format!("c{}", random.below(30));
                let text = if random.below(3) == 0 { "a refund" } else { "hello" };
                desk.writes(channel, &who, text);
            }
            4..6 => desk.status(agent, AgentStatus::Online),
            6 => desk.status(agent, AgentStatus::Away),
            _ if owned.is_empty() => {}
            what => {
                let ix = usize::try_from(random.below(owned.len() as u64)).expect("few");
                let (agent, conversation) = owned[ix].clone();
                if what == 7 {
                    desk.replies(&agent, conversation);
                } else {
                    desk.resolves(&agent, conversation);
                }
            }
        }
    }
    // What is left is finished, so that nothing has to be drawn.
    desk.status("bob", AgentStatus::Online);
    loop {
        let rows = desk.world.model.conversations.values();
        let open = rows
            .filter(|row| row.status != Status::Resolved)
            .find_map(|row| row.assignee.as_ref().map(|agent| (agent.to_string(), row.id)));
        let Some((agent, conversation)) = open else { break };
        desk.resolves(&agent, conversation);
    }
    desk
}

/// What came into each queue, how many were served, and the longest wait.
fn counted(log: &[(Timestamp, Event)]) -> BTreeMap<String, (u64, u64, i64)> {
    let mut queues: BTreeMap<String, (u64, u64, i64)> =
        [("support", (0, 0, 0)), ("billing", (0, 0, 0))]
            .map(|(id, one)| (id.to_owned(), one))
            .into();
    let mut places: BTreeMap<ConversationId, (String, Timestamp)> = BTreeMap::new();
    for (at, event) in log {
        let Some(id) = event.conversation else { continue };
        match &event.body {
            EventBody::ConversationOpened(opened)
            | EventBody::ConversationReopened { opened, .. } => {
                let queue = opened.queue.to_string();
                queues.entry(queue.clone()).or_default().0 += 1;
                places.insert(id, (queue, *at));
            }
            EventBody::ConversationAssigned { .. } => {
                let (queue, since) = places.remove(&id).expect("it stood in line");
                let counts = queues.entry(queue).or_default();
                counts.1 += 1;
                counts.2 = counts.2.max(at.since(since));
            }
            _ => {}
        }
    }
    queues
}

#[test]
fn targets_that_were_kept_are_counted_as_they_were() {
    for seed in 0..20 {
        let settings = on_day(seed);
        let desk = day(seed, &settings);
        let report = report(&desk.recording(0, &settings, &settings), seed);
        let missed = desk
            .world
            .log
            .iter()
            .filter(|(_, event)| matches!(event.body, EventBody::TargetBreached { .. }));
        let counted: u64 = report.now.queues.iter().map(|queue| queue.targets_missed).sum();
        assert_eq!(counted, missed.count() as u64, "day {seed}");
        let rows = desk.world.model.conversations.values();
        let kept = rows.flat_map(|row| &row.targets).filter(|one| one.state == TargetState::Met);
        let told: u64 = report.now.queues.iter().map(|queue| queue.targets_kept).sum();
        assert!(told >= kept.count() as u64, "day {seed}");
    }
}

#[test]
fn bodies_that_are_gone_still_let_it_be_played() {
    let desk = afternoon();
    let mut recording =
        Recording::new(Timestamp::EPOCH, &settings(), &settings()).expect("good rules");
    for (at, event) in &desk.world.log {
        recording.note(*at, event, &Bodies::new());
    }
    assert!(!recording.is_empty());
    assert_eq!(report(&recording, 1).conversations, 3);
}
