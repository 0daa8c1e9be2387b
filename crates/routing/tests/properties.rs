//! What must hold whatever happens: random histories over few queues, agents and threads, with new
//! configurations and a clock that also goes backwards. `support/world.rs` checks every step.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support {
    pub(crate) mod model;
    pub(crate) mod world;
}

use postroom_model::{
    Action, Actor, AgentChoice, AgentId, AgentSettings, AgentStatus, AnswerOn, AnswerSettings,
    CalendarSettings, ChannelId, ChannelKind, ChannelSettings, Command, CommandId, ContactId,
    ContactSettings, ConversationId, DeliveryInput, DeskSettings, HandOut, HostId, IdleShare,
    Inbound, InboundReceipt, Input, InputBody, LadderClock, LadderStep, Message, MessageId, NoteId,
    OfferId, OfflineAction, OpenHours, OutcomeKind, Party, QueueId, QueueOrder, QueueSettings,
    QueueTiming, QueueWork, RampIn, Receipt, ReceiptStatus, ReopenRule, ReplyDraft, Role, Rule,
    SendResult, Settings, TargetPolicy, Timing, WorkspaceId,
};
use postroom_routing::State;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;
use support::world::World;
use uuid::Uuid;

const QUEUES: [&str; 3] = ["support", "sales", "billing"];
const AGENTS: [&str; 4] = ["ada", "bob", "cem", "dan"];
const CHANNELS: [(&str, ChannelKind); 3] =
    [("site", ChannelKind::Webhook), ("mail", ChannelKind::Email), ("log", ChannelKind::Phone)];
const STATUSES: [AgentStatus; 4] =
    [AgentStatus::Online, AgentStatus::Away, AgentStatus::AwayAndReassign, AgentStatus::Offline];

/// One thing that happens. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Op {
    Message {
        channel: usize,
        thread: u8,
        words: usize,
        from: u8,
    },
    Status {
        agent: usize,
        status: usize,
    },
    Act {
        actor: usize,
        conversation: usize,
        what: What,
    },
    Deliver {
        reply: usize,
        what: Delivery,
    },
    Configure(Box<Wanted>),
    /// Two contacts are one person.
    Join {
        contact: usize,
        into: usize,
    },
    /// Agents (bits) have an inbox open.
    Present {
        agents: u8,
    },
    /// The same input once more.
    Again {
        before: usize,
    },
    /// The clock moves, and what is due happens.
    Tick {
        seconds: i64,
    },
    /// The clock moves, and time has its turn later.
    Drift {
        seconds: i64,
    },
    Retry {
        drop: bool,
    },
}

#[derive(Debug, Clone)]
enum What {
    Reply,
    Note,
    Claim,
    Release,
    Assign(usize),
    Transfer(usize),
    Resolve,
    Reopen,
    Snooze(i64),
    Accept,
    Decline,
    Tag,
    Prioritise(u8),
    Merge(usize),
    Resend(usize),
}

#[derive(Debug, Clone)]
enum Delivery {
    Own(u8),
    Attempt,
    Settle(u8),
    Receipt(u8),
}

/// A configuration; `agents` holds queues (bits), capacity and skill of each, or that they are gone.
#[derive(Debug, Clone)]
struct Wanted {
    queues: u8,
    channels: u8,
    agents: Vec<Option<(u8, u32, u8)>>,
    costs: [u16; 3],
    rules: bool,
    work: [Work; 3],
    /// Portions for those who come online.
    ramp: Option<u16>,
    grace: bool,
    /// The most chats of each agent.
    chats: u32,
}

/// How a queue hands out, each a number of what there is.
#[derive(Debug, Clone, Copy)]
struct Work {
    hand_out: u8,
    order: u8,
    choose: u8,
    offline: u8,
    offer_to: u8,
    wrap_up: bool,
    idle: bool,
}

fn op() -> impl Strategy<Value = Op> {
    let message = (0..3_usize, 0..8_u8, 0..4_usize, 0..4_u8)
        .prop_map(|(channel, thread, words, from)| Op::Message { channel, thread, words, from });
    let status = (0..4_usize, prop_oneof![3 => Just(0_usize), 1 => 1..4_usize])
        .prop_map(|(agent, status)| Op::Status { agent, status });
    let act = (0..6_usize, 0..8_usize, what()).prop_map(|(actor, conversation, what)| Op::Act {
        actor,
        conversation,
        what,
    });
    let delivery = prop_oneof![
        (0..2_u8).prop_map(Delivery::Own),
        Just(Delivery::Attempt),
        (0..4_u8).prop_map(Delivery::Settle),
        (0..4_u8).prop_map(Delivery::Receipt),
    ];
    prop_oneof![
        10 => message,
        6 => status,
        14 => act,
        4 => (0..4_usize, delivery).prop_map(|(reply, what)| Op::Deliver { reply, what }),
        2 => wanted().prop_map(|wanted| Op::Configure(Box::new(wanted))),
        2 => (0..16_u8).prop_map(|agents| Op::Present { agents }),
        1 => (0..20_usize).prop_map(|before| Op::Again { before }),
        2 => (0..6_usize, 0..6_usize).prop_map(|(contact, into)| Op::Join { contact, into }),
        3 => (0..90_i64).prop_map(|seconds| Op::Tick { seconds }),
        2 => (-30..60_i64).prop_map(|seconds| Op::Drift { seconds }),
        1 => any::<bool>().prop_map(|drop| Op::Retry { drop }),
    ]
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        3 => Just(What::Reply),
        1 => Just(What::Note),
        3 => Just(What::Claim),
        2 => Just(What::Release),
        2 => (0..4_usize).prop_map(What::Assign),
        2 => (0..3_usize).prop_map(What::Transfer),
        4 => Just(What::Resolve),
        2 => Just(What::Reopen),
        3 => (-5..60_i64).prop_map(What::Snooze),
        4 => Just(What::Accept),
        3 => Just(What::Decline),
        1 => Just(What::Tag),
        2 => (0..3_u8).prop_map(What::Prioritise),
        2 => (0..8_usize).prop_map(What::Merge),
        1 => (0..4_usize).prop_map(What::Resend),
    ]
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let agent = prop_oneof![
        1 => Just(None),
        4 => (1..8_u8, 0..60_u32, 0..3_u8).prop_map(Some),
    ];
    let costs = [0..30_u16, 0..30_u16, 0..30_u16];
    let ramp = prop_oneof![2 => Just(None), 1 => (1..4_u16).prop_map(Some)];
    let chats = prop_oneof![2 => Just(100_u32), 1 => 0..3_u32];
    let desk = ([work(), work(), work()], ramp, any::<bool>(), chats);
    (1..8_u8, 1..8_u8, vec(agent, 4), costs, any::<bool>(), desk).prop_map(
        |(queues, channels, agents, costs, rules, (work, ramp, grace, chats))| Wanted {
            queues,
            channels,
            agents,
            costs,
            rules,
            work,
            ramp,
            grace,
            chats,
        },
    )
}

fn work() -> impl Strategy<Value = Work> {
    let hand_out = prop_oneof![3 => Just(0_u8), 3 => Just(1_u8), 1 => Just(2_u8)];
    (hand_out, 0..3_u8, 0..3_u8, 0..3_u8, 1..4_u8, any::<bool>(), any::<bool>()).prop_map(
        |(hand_out, order, choose, offline, offer_to, wrap_up, idle)| Work {
            hand_out,
            order,
            choose,
            offline,
            offer_to,
            wrap_up,
            idle,
        },
    )
}

fn queue_work(work: Work) -> QueueWork {
    let hand_outs = [HandOut::Push, HandOut::Offer, HandOut::Pull];
    let choices = [AgentChoice::LongestIdle, AgentChoice::LeastLoaded, AgentChoice::RoundRobin];
    let actions = [OfflineAction::Keep, OfflineAction::Reassign, OfflineAction::Queue];
    let orders = [QueueOrder::Priority, QueueOrder::Newest, QueueOrder::Targets];
    QueueWork {
        sticky_ms: if work.wrap_up { 12_000 } else { 0 },
        sticky_away_ms: if work.idle { 8_000 } else { 0 },
        hand_out: hand_outs[usize::from(work.hand_out)],
        order: orders[usize::from(work.order)],
        choose: choices[usize::from(work.choose)],
        offline: actions[usize::from(work.offline)],
        offer_to: work.offer_to,
        offer_ms: 20_000,
        decline_ms: 30_000,
        wrap_up_ms: if work.wrap_up { 15_000 } else { 0 },
        idle: work.idle.then_some(IdleShare { after_ms: 10_000, frees_percent: 50 }),
        ..QueueWork::default()
    }
}

fn id<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("not an id: {text}"))
}

fn picked<'a>(bits: u8, names: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let named = names.iter().enumerate();
    named.filter(move |(at, _)| bits & (1 << at) != 0).map(|(_, name)| *name)
}

fn settings(wanted: &Wanted) -> Settings {
    let names = CHANNELS.map(|(name, _)| name);
    let channel = |name: &str| ChannelSettings {
        id: id(name),
        kind: CHANNELS.iter().find(|(known, _)| *known == name).expect("known").1,
        dialect: None,
        queue: None,
        sends: name != "log",
        calls: None,
    };
    let queues: Vec<QueueSettings> = picked(wanted.queues, &QUEUES)
        .map(|name| {
            let place = QUEUES.iter().position(|known| *known == name).expect("known");
            let work = queue_work(wanted.work[place]);
            QueueSettings { work, ..QueueSettings::new(id(name), name) }
        })
        .collect();
    let agents = AGENTS.iter().zip(&wanted.agents).filter_map(|(name, agent)| {
        let (bits, capacity, skill) = (*agent)?;
        Some(AgentSettings {
            id: id(name),
            name: (*name).to_owned(),
            email: None,
            queues: picked(bits, &QUEUES).map(id::<QueueId>).collect(),
            skills: [("german".to_owned(), skill)].into(),
            capacity,
            limits: [(ChannelKind::Webhook, wanted.chats)].into(),
        })
    });
    let german = Rule {
        when: "message.text.contains('deutsch')".to_owned(),
        skills: [("german".to_owned(), 1)].into(),
        prefer: [("german".to_owned(), 2)].into(),
        ..Rule::default()
    };
    let urgent = Rule {
        when: "message.text.contains('urgent')".to_owned(),
        queue: queues.last().map(|queue| queue.id.clone()),
        priority: Some(2),
        targets: Some(id("gold")),
        ..Rule::default()
    };
    let kinds = [ChannelKind::Webhook, ChannelKind::Email, ChannelKind::Phone];
    Settings {
        workspace: WorkspaceId::main(),
        timing: timing(&queues, wanted),
        channels: picked(wanted.channels, &names).map(channel).collect(),
        rules: if wanted.rules { vec![german, urgent] } else { vec![] },
        agents: agents.collect(),
        costs: kinds.into_iter().zip(wanted.costs).collect(),
        calendars: vec![always()],
        desk: DeskSettings {
            ramp_in: wanted.ramp.map(|new_max| RampIn {
                new_max,
                every_ms: 25_000,
                lasts_ms: 60_000,
            }),
            grace_ms: wanted.grace.then_some(40_000),
            ..DeskSettings::default()
        },
        contacts: ContactSettings {
            merge_by: if wanted.grace { vec!["mailto".to_owned()] } else { vec![] },
        },
        answers: vec![AnswerSettings {
            id: id("thanks"),
            on: if wanted.grace { AnswerOn::Waiting } else { AnswerOn::Received },
            queues: vec![],
            calendar: None,
            text: "You are number {position}, {name}.".to_owned(),
        }],
        queues,
    }
}

/// The first queue promises something, and so does a rule.
fn timing(queues: &[QueueSettings], wanted: &Wanted) -> Timing {
    let policy = |name: &str, calendar: Option<&str>, seconds: [i64; 3]| TargetPolicy {
        id: id(name),
        first_response_ms: Some(seconds[0] * 1_000),
        next_response_ms: Some(seconds[1] * 1_000),
        resolution_ms: Some(seconds[2] * 1_000),
        warn_before_ms: Some(20_000),
        calendar: calendar.map(id),
    };
    let wider: Vec<QueueId> = queues.last().map(|queue| queue.id.clone()).into_iter().collect();
    let step = |after_ms: i64| LadderStep { after_ms, ..LadderStep::default() };
    let ladder: Vec<LadderStep> = vec![
        LadderStep { agents: first_agent(wanted), skip_if_nobody_available: true, ..step(5_000) },
        LadderStep { relax: [("german".to_owned(), 1)].into(), ..step(20_000) },
        LadderStep { widen: wider, priority: Some(1), ..step(60_000) },
        LadderStep { relax: [("german".to_owned(), 0)].into(), priority: Some(3), ..step(90_000) },
        LadderStep {
            queue: queues.get(1).map(|queue| queue.id.clone()),
            clock: LadderClock::Wall,
            ..step(120_000)
        },
    ];
    let first = queues.first().map(|queue| {
        let targets = Some(id("usual"));
        let calendar = wanted.grace.then(|| id("always"));
        (queue.id.clone(), QueueTiming { targets, calendar, ladder })
    });
    let second = queues.get(1).map(|queue| {
        let ladder = vec![LadderStep { priority: Some(4), ..step(150_000) }];
        (queue.id.clone(), QueueTiming { ladder, ..QueueTiming::default() })
    });
    let within_ms = wanted.rules.then_some(30_000);
    let reopen = ReopenRule { within_ms, keep_owner: wanted.grace };
    Timing {
        policies: vec![
            policy("gold", None, [10, 60, 300]),
            policy("usual", Some("always"), [60, 90, 600]),
        ],
        queues: first.into_iter().chain(second).collect(),
        reopen: [(id("site"), reopen)].into(),
        join: wanted.rules.then(|| (id("mail"), 40_000)).into_iter().collect(),
    }
}

/// The first of those who are configured.
fn first_agent(wanted: &Wanted) -> Vec<AgentId> {
    let named = AGENTS.iter().zip(&wanted.agents).find(|(_, agent)| agent.is_some());
    named.map(|(name, _)| id(name)).into_iter().collect()
}

/// Open but for one minute of each day.
fn always() -> CalendarSettings {
    let day = vec![
        OpenHours { from_minute: 0, to_minute: 1 },
        OpenHours { from_minute: 2, to_minute: 24 * 60 },
    ];
    CalendarSettings {
        id: id("always"),
        time_zone: "UTC".to_owned(),
        week: std::array::from_fn(|_| day.clone()),
        special: vec![],
    }
}

/// A history as it goes on.
struct Run {
    world: World,
    inputs: Vec<Input>,
    replies: Vec<MessageId>,
    count: u128,
}

impl Run {
    fn new() -> Self {
        Self { world: World::new(), inputs: vec![], replies: vec![], count: 0 }
    }

    fn perform(&mut self, op: &Op) {
        let body = match op {
            Op::Tick { seconds } => {
                self.world.now = self.world.now.plus_millis(seconds * 1_000);
                self.world.due();
                return;
            }
            Op::Drift { seconds } => {
                self.world.now = self.world.now.plus_millis(seconds * 1_000);
                return;
            }
            Op::Again { before } => {
                let Some(input) = self.inputs.iter().rev().nth(*before).cloned() else {
                    return;
                };
                let bytes = self.world.bytes();
                let taken = self.world.decide(input);
                let kind = taken.outcome.expect("an outcome").kind;
                assert_eq!((kind, taken.events), (OutcomeKind::Duplicate, vec![]));
                assert_eq!(self.world.bytes(), bytes, "a duplicate changes nothing");
                return;
            }
            Op::Configure(wanted) => InputBody::Settings(Box::new(settings(wanted))),
            Op::Message { channel, thread, words, from } => {
                self.message(*channel, *thread, *words, *from)
            }
            Op::Status { agent, status } => {
                let agent: AgentId = id(AGENTS[*agent]);
                let status = STATUSES[*status];
                command(Actor::agent(&agent), Action::SetStatus { agent, status, reason: None })
            }
            Op::Present { agents } => {
                let agents = picked(*agents, &AGENTS).map(id).collect();
                command(Actor::operator(), Action::Present { agents })
            }
            Op::Act { actor, conversation, what } => self.act(*actor, *conversation, what),
            Op::Deliver { reply, what } => self.deliver(*reply, what),
            Op::Join { contact, into } => {
                let known = |number: &usize| {
                    let contacts = &self.world.model.contacts;
                    let place = number.checked_rem(contacts.len()).unwrap_or(0);
                    contacts.keys().nth(place).copied().unwrap_or(ContactId(Uuid::nil()))
                };
                let (contact, into) = (known(contact), known(into));
                command(Actor::operator(), Action::MergeContact { contact, into })
            }
            Op::Retry { drop } => {
                let Some(parked) = self.world.model.parked.keys().next().copied() else {
                    return;
                };
                let action = match drop {
                    true => Action::DropParked { parked },
                    false => Action::RetryParked { parked },
                };
                command(Actor::operator(), action)
            }
        };
        let input = self.world.input(body);
        self.inputs.push(input.clone());
        self.world.decide(input);
    }

    fn message(&mut self, channel: usize, thread: u8, words: usize, from: u8) -> InputBody {
        self.count += 1;
        let texts = ["hello", "deutsch", "urgent", "urgent, deutsch"];
        let address = format!("tel:{from}").parse().expect("an address");
        let message = Message {
            external_id: self.count.to_string(),
            thread: Some(format!("t{thread}")).filter(|_| thread > 0),
            from: Some(Party { address: Some(address), ..Party::default() }),
            text: Some(texts[words].to_owned()),
            ..Message::default()
        };
        let channel: ChannelId = id(CHANNELS[channel].0);
        InputBody::Inbound(Box::new(Inbound { channel, message }))
    }

    fn offered(&self, number: usize) -> ConversationId {
        let rows = self.world.model.conversations.values();
        let offered: Vec<_> = rows.filter(|row| row.offer.is_some()).map(|row| row.id).collect();
        let at = number.checked_rem(offered.len()).unwrap_or(0);
        offered.get(at).copied().unwrap_or_else(|| self.conversation(number))
    }

    fn conversation(&self, number: usize) -> ConversationId {
        let known = &self.world.model.conversations;
        let newest = known.keys().rev().nth(number.checked_rem(known.len()).unwrap_or(0));
        newest.copied().unwrap_or(ConversationId(Uuid::nil()))
    }

    fn offer(&self, conversation: ConversationId) -> OfferId {
        let row = self.world.model.conversations.get(&conversation);
        let offer = row.and_then(|row| row.offer.as_ref());
        offer.map_or(OfferId(Uuid::nil()), |offered| offered.offer)
    }

    fn reply(&self, number: usize) -> MessageId {
        let newest = self.replies.iter().rev().nth(number);
        newest.copied().unwrap_or(MessageId(Uuid::nil()))
    }

    fn act(&mut self, actor: usize, conversation: usize, what: &What) -> InputBody {
        let actor = match AGENTS.get(actor) {
            Some(agent) => Actor::agent(&id(agent)),
            None => Actor { role: Role::Supervisor, agent: None, name: "boss".to_owned() },
        };
        let conversation = match what {
            // Few stand at a time.
            What::Accept | What::Decline => self.offered(conversation),
            _ => self.conversation(conversation),
        };
        let action = match what {
            What::Reply => {
                self.count += 1;
                let message = MessageId(Uuid::from_u128(self.count));
                self.replies.push(message);
                let draft = ReplyDraft { text: "yes".to_owned(), ..ReplyDraft::default() };
                Action::Reply { conversation, message, draft, if_version: None }
            }
            What::Note => {
                Action::Note { conversation, note: NoteId(Uuid::nil()), text: "hm".to_owned() }
            }
            What::Claim => Action::Claim { conversation },
            What::Release => Action::Release { conversation },
            What::Assign(agent) => Action::Assign { conversation, agent: id(AGENTS[*agent]) },
            What::Transfer(queue) => Action::Transfer { conversation, queue: id(QUEUES[*queue]) },
            What::Resolve => Action::Resolve { conversation },
            What::Reopen => Action::Reopen { conversation },
            What::Snooze(seconds) => {
                let until = self.world.now.plus_millis(seconds * 1_000);
                Action::Snooze { conversation, until }
            }
            What::Accept => Action::AcceptOffer { conversation, offer: self.offer(conversation) },
            What::Decline => Action::DeclineOffer { conversation, offer: self.offer(conversation) },
            What::Tag => Action::Tag { conversation, add: vec!["a".to_owned()], remove: vec![] },
            What::Prioritise(priority) => Action::Prioritise { conversation, priority: *priority },
            What::Merge(into) => Action::Merge { conversation, into: self.conversation(*into) },
            What::Resend(reply) => Action::Resend { conversation, message: self.reply(*reply) },
        };
        command(actor, action)
    }

    fn deliver(&self, reply: usize, what: &Delivery) -> InputBody {
        let message = self.reply(reply);
        let row = self.world.model.outbound.get(&message);
        let epoch = row.and_then(|row| row.epoch);
        let report = match what {
            Delivery::Own(host) => DeliveryInput::Own {
                channel: id("site"),
                host: HostId(Uuid::from_u128(u128::from(*host))),
            },
            Delivery::Attempt => {
                let epoch = self.epoch();
                DeliveryInput::Attempt { message, epoch }
            }
            Delivery::Settle(result) => DeliveryInput::Settle {
                message,
                epoch: epoch.unwrap_or_else(|| self.epoch()),
                attempt: row.map_or(0, |row| row.attempts),
                result: self.result(*result, message),
            },
            Delivery::Receipt(status) => {
                let statuses = [
                    ReceiptStatus::Sent,
                    ReceiptStatus::Delivered,
                    ReceiptStatus::Read,
                    ReceiptStatus::Failed,
                ];
                let receipt = Receipt {
                    external_id: message.to_string(),
                    status: statuses[usize::from(*status)],
                    at: None,
                    code: None,
                    dead: None,
                };
                return InputBody::Receipt(InboundReceipt { channel: id("site"), receipt });
            }
        };
        InputBody::Delivery(report)
    }

    fn epoch(&self) -> u64 {
        let snapshot: serde_json::Value =
            serde_json::from_slice(&self.world.bytes()).expect("JSON");
        snapshot["owners"]["site"]["epoch"].as_u64().unwrap_or(0)
    }

    fn result(&self, result: u8, message: MessageId) -> SendResult {
        let (code, detail) = ("said".to_owned(), String::new());
        match result {
            0 => SendResult::Sent { external_id: Some(format!("x-{message}")) },
            1 => SendResult::Retry { retry_at: self.world.now.plus_millis(5_000), code, detail },
            2 => SendResult::Failed { code, detail },
            _ => SendResult::Uncertain { code, detail },
        }
    }
}

fn command(actor: Actor, action: Action) -> InputBody {
    let id = CommandId(Uuid::nil());
    InputBody::Command(Box::new(Command { id, actor, action }))
}

/// The fold of `log`, from nothing and from a snapshot in the middle, gives the same bytes as the
/// live state (P5).
fn check_fold(world: &World) {
    let mut all = State::new();
    let middle = world.log.len() / 2;
    let mut tail = None;
    for (number, (at, event)) in world.log.iter().enumerate() {
        if number == middle {
            let bytes = all.to_snapshot().expect("a snapshot");
            tail = Some(State::from_snapshot(&bytes).expect("a snapshot"));
        }
        all.apply(*at, event);
        if let Some(tail) = &mut tail {
            tail.apply(*at, event);
        }
    }
    let live = String::from_utf8(world.bytes()).expect("JSON");
    let text =
        |state: &State| String::from_utf8(state.to_snapshot().expect("a snapshot")).expect("JSON");
    assert_eq!(text(&all), live, "the fold from nothing");
    if let Some(tail) = tail {
        assert_eq!(text(&tail), live, "the fold from the middle");
    }
}

proptest! {
    #![proptest_config(Config { cases: 96, failure_persistence: None, ..Config::default() })]

    #[test]
    fn histories_keep_the_promises(first in wanted(), ops in vec(op(), 20..100)) {
        let mut run = Run::new();
        run.perform(&Op::Configure(Box::new(first)));
        for op in &ops {
            run.perform(op);
        }
        check_fold(&run.world);
        run.perform(&Op::Tick { seconds: 3_600 });
        let snoozed = postroom_model::Status::Snoozed;
        let mut rows = run.world.model.conversations.values();
        prop_assert!(rows.all(|row| row.status != snoozed), "an hour wakes all");
        check_fold(&run.world);
    }
}
