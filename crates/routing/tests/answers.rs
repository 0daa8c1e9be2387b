//! Automatic answers: who is told what, and that nothing loops, whatever headers say (P8).

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod support {
    pub(crate) mod model;
    pub(crate) mod world;
}

use std::collections::BTreeMap;

use postroom_model::{
    Actor, AgentId, AgentSettings, AgentStatus, AnswerOn, AnswerSettings, Automation,
    AutomationClass, CalendarSettings, ChannelKind, ChannelSettings, Command, CommandId,
    ConversationId, DeskSettings, EventBody, Inbound, InputBody, Message, OpenHours, Party,
    QueueSettings, QueueTiming, Settings, Status, TargetPolicy, TargetState, Timestamp, Timing,
    WorkspaceId,
};
use serde_json::json;
use support::world::World;
use uuid::Uuid;

fn id<T: std::str::FromStr>(text: &str) -> T {
    text.parse().ok().expect("an id")
}

fn answer(name: &str, on: AnswerOn, text: &str) -> AnswerSettings {
    let calendar = (on != AnswerOn::Waiting).then(|| id("office"));
    AnswerSettings { id: id(name), on, queues: vec![], calendar, text: text.to_owned() }
}

/// The world begins on a Thursday at midnight; the office is open from 9 to 17 on every day, in UTC.
fn settings(answers: Vec<AnswerSettings>) -> Settings {
    let channel = |name: &str, kind, sends| ChannelSettings {
        id: id(name),
        kind,
        dialect: None,
        queue: None,
        sends,
        calls: None,
    };
    let policy = TargetPolicy {
        id: id("quick"),
        first_response_ms: Some(600_000),
        next_response_ms: None,
        resolution_ms: None,
        warn_before_ms: None,
        calendar: None,
    };
    let promised = QueueTiming { targets: Some(id("quick")), ..QueueTiming::default() };
    let hours = vec![OpenHours { from_minute: 9 * 60, to_minute: 17 * 60 }];
    Settings {
        workspace: WorkspaceId::main(),
        timing: Timing {
            policies: vec![policy],
            queues: BTreeMap::from([(id("support"), promised)]),
            ..Timing::default()
        },
        channels: vec![
            channel("site", ChannelKind::Webhook, true),
            channel("mail", ChannelKind::Email, true),
            channel("mute", ChannelKind::Webhook, false),
        ],
        queues: vec![QueueSettings::new(id("support"), "Support")],
        rules: vec![],
        agents: vec![AgentSettings {
            id: id("ada"),
            name: "Ada".to_owned(),
            email: None,
            queues: vec![id("support")],
            skills: BTreeMap::new(),
            capacity: 100,
            limits: BTreeMap::new(),
        }],
        costs: Settings::default_costs(),
        calendars: vec![CalendarSettings {
            id: id("office"),
            time_zone: "Asia/Shanghai".to_owned(),
            week: [const { Vec::new() }; 7].map(|_: Vec<OpenHours>| hours.clone()),
            special: vec![],
        }],
        desk: DeskSettings::default(),
        contacts: postroom_model::ContactSettings::default(),
        answers,
    }
}

struct Desk {
    world: World,
    count: u128,
}

impl Desk {
    fn new(answers: Vec<AnswerSettings>) -> Self {
        let mut desk = Self { world: World::new(), count: 0 };
        desk.give(InputBody::Settings(Box::new(settings(answers))));
        desk
    }

    fn give(&mut self, body: InputBody) {
        let input = self.world.input(body);
        self.world.decide(input);
        self.world.due();
    }

    fn wait_hours(&mut self, hours: i64) {
        self.world.now = self.world.now.plus_millis(hours * 3_600_000);
        self.world.due();
    }

    /// What somebody is told who writes this.
    fn writes(&mut self, channel: &str, message: Message) -> Option<(Message, String)> {
        self.count += 1;
        let message = Message { external_id: format!("m{}", self.count), ..message };
        let before = self.world.log.len();
        self.give(InputBody::Inbound(Box::new(Inbound { channel: id(channel), message })));
        self.world.log.iter().skip(before).find_map(|(_, event)| match &event.body {
            EventBody::ReplyQueued { id, message, by, .. } => {
                assert_eq!(*by, Actor::postroom());
                let text = self.world.bodies[&id.0].text.clone().expect("a text");
                Some(((**message).clone(), text))
            }
            _ => None,
        })
    }

    fn says(&mut self, who: &str) -> Option<String> {
        self.writes("site", from(who)).map(|(_, text)| text)
    }

    fn command(&mut self, actor: Actor, action: postroom_model::Action) {
        self.count += 1;
        let id = CommandId(Uuid::from_u128(self.count));
        self.give(InputBody::Command(Box::new(Command { id, actor, action })));
    }

    fn resolve_all(&mut self) {
        let open: Vec<ConversationId> = self.world.model.conversations.keys().copied().collect();
        for conversation in open {
            self.command(Actor::operator(), postroom_model::Action::Resolve { conversation });
        }
    }
}

fn from(who: &str) -> Message {
    Message {
        thread: Some(who.to_owned()),
        from: Some(Party {
            address: format!("mailto:{who}@example.com").parse().ok(),
            name: Some(who.to_owned()),
            ..Party::default()
        }),
        text: Some("hello".to_owned()),
        ..Message::default()
    }
}

fn thanks() -> Vec<AnswerSettings> {
    vec![AnswerSettings {
        calendar: None,
        ..answer("thanks", AnswerOn::Received, "Thank you, {name}.")
    }]
}

#[test]
fn answer_says_thanks_and_changes_nothing() {
    let mut desk = Desk::new(thanks());
    let (message, text) = desk.writes("site", from("Zoe")).expect("an answer");
    assert_eq!(text, "Thank you, Zoe.");
    assert_eq!(message.to[0].name.as_deref(), Some("Zoe"));
    assert_eq!(message.from.expect("a sender").name.as_deref(), Some("Support"));
    let class = message.automation.map(|one| (one.class, one.may_answer));
    assert_eq!(class, Some((AutomationClass::AutoReply, false)));
    assert_eq!(message.attributes["answer"], json!("thanks"));
    let row = desk.world.model.conversations.values().next().expect("a conversation");
    assert_eq!((row.status, row.waiting_since), (Status::Open, Some(desk.world.now)));
    assert_eq!(row.targets[0].state, TargetState::Running);
    // What goes on is not answered again; what begins again is.
    assert_eq!(desk.says("Zoe"), None);
    desk.resolve_all();
    assert!(desk.says("Zoe").is_some());
}

#[test]
fn p8_program_forged_sender_and_stranger_get_nothing() {
    let mut desk = Desk::new(thanks());
    for class in [
        AutomationClass::AutoReply,
        AutomationClass::OutOfOffice,
        AutomationClass::Bounce,
        AutomationClass::DeliveryReport,
        AutomationClass::FeedbackReport,
        AutomationClass::ReadReceipt,
        AutomationClass::List,
        AutomationClass::Bulk,
    ] {
        for may_answer in [false, true] {
            let automation = Some(Automation { class, may_answer });
            let message = Message { automation, ..from(&format!("{class:?}{may_answer}")) };
            assert_eq!(desk.writes("mail", message), None, "{class:?} {may_answer}");
        }
    }
    let quiet = Some(Automation { class: AutomationClass::None, may_answer: false });
    assert_eq!(desk.writes("mail", Message { automation: quiet, ..from("quiet") }), None);
    let attributes = BTreeMap::from([("authentication".to_owned(), json!("fail"))]);
    assert_eq!(desk.writes("mail", Message { attributes, ..from("forged") }), None);
    assert_eq!(desk.writes("mute", from("mute")), None);
    let sent_at = Some(Timestamp::from_seconds(1_551_783_600));
    assert_eq!(desk.writes("mail", Message { sent_at, ..from("years ago") }), None);
    assert!(desk.writes("mail", from("person")).is_some());
}

#[test]
fn p8_caps_hold_for_one_customer_whatever_the_headers_say() {
    let mut desk = Desk::new(thanks());
    // Each mail of a loop opens a conversation of its own.
    let answered = (0..20).filter(|_| desk.writes("mail", from("loop")).is_some()).count();
    assert_eq!(answered, 3);
    desk.wait_hours(25);
    assert!(desk.writes("mail", from("loop")).is_some());
    // One conversation, another name each time.
    let mut answered = 0;
    for number in 0..20 {
        let message = Message { thread: Some("one".to_owned()), ..from(&format!("n{number}")) };
        answered += usize::from(desk.writes("site", message).is_some());
        desk.resolve_all();
    }
    assert_eq!(answered, 3);
}

#[test]
fn closed_office_says_when_it_opens_and_waiting_says_where() {
    let mut desk = Desk::new(vec![
        answer("night", AnswerOn::Closed, "Closed until {opens_at}."),
        answer("line", AnswerOn::Waiting, "You are number {position}, {name}."),
        answer("thanks", AnswerOn::Received, "Ada has it."),
    ]);
    // Midnight UTC is 08:00 in Shanghai.
    assert_eq!(desk.says("a").as_deref(), Some("Closed until 2026-01-01 09:00 (Asia/Shanghai)."));
    desk.wait_hours(2);
    assert_eq!(desk.says("b").as_deref(), Some("You are number 2, b."));
    // What stands in a name is not replaced.
    assert_eq!(desk.says("{position}").as_deref(), Some("You are number 3, {position}."));
    desk.resolve_all();
    let agent: AgentId = id("ada");
    let status = AgentStatus::Online;
    let action = postroom_model::Action::SetStatus { agent: agent.clone(), status, reason: None };
    desk.command(Actor::agent(&agent), action);
    assert_eq!(desk.says("c").as_deref(), Some("Ada has it."));
}

#[test]
fn answer_belongs_to_its_queues_and_the_first_wins() {
    let mut other = answer("other", AnswerOn::Waiting, "other");
    other.queues = vec![id("nowhere")];
    let first = answer("first", AnswerOn::Waiting, "first");
    let mut desk = Desk::new(vec![other, first, answer("last", AnswerOn::Waiting, "last")]);
    assert_eq!(desk.says("a").as_deref(), Some("first"));
}
