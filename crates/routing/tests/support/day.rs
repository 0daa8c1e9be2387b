//! A day of a large house, played through the core event by event: customers come as they like, agents work
//! in three shifts, some are ill, some leave early. What people waited is set against Erlang's formula,
//! where that holds: so many agents on, and for long enough.
//!
//! Arrivals are Poisson and handling times exponential; each agent serves one queue and does one thing at a
//! time. A shift with too few leaves a line of hours behind, which is no longer of the formula: so the next
//! one counts from when nobody waited for the first time. From then on an hour and a half is left out, in which
//! that beginning is forgotten, and at its end ten minutes, whose customers are served by the next shift.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use postroom_model::{
    Action, Actor, AgentId, AgentSettings, AgentStatus, ChannelId, ChannelKind, ChannelSettings,
    Command, CommandId, Conversation, ConversationId, Event, EventBody, Inbound, Input, InputBody,
    InputId, Message, Position, QueueId, QueueSettings, RuleTrace, SeededRandom, Settings, Status,
    Timestamp, WorkspaceId,
};
use postroom_routing::staffing::{Load, service};
use postroom_routing::{Lookups, Routed, State, step};
use uuid::Uuid;

const BEGIN_MS: i64 = 1_767_225_600_000;
const DAY_MS: i64 = 86_400_000;
const SHIFTS: i64 = 3;
const SHIFT_MS: i64 = DAY_MS / SHIFTS;
const WARM_UP_MS: i64 = 90 * 60_000;
const END_MS: i64 = 10 * 60_000;
/// Agents of a queue in one shift.
const ON: u32 = 4;
/// The share of their time in which they work.
const BUSY: f64 = 0.7;
/// Of a hundred agents so many are ill for a shift, and so many leave within one.
const ILL: u64 = 3;
const LEAVE: u64 = 2;
const COST: u16 = 20;

/// How large a house it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct House {
    pub(crate) queues: u32,
    /// Queues for which somebody stands by, in place of one who is ill.
    pub(crate) reserves: u32,
    pub(crate) conversations: u32,
    pub(crate) seed: u64,
}

/// What came of a day.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    /// All that came, and those of them whose wait is compared.
    pub(crate) conversations: u64,
    pub(crate) compared: u64,
    pub(crate) waited: u64,
    pub(crate) wait_ms: i64,
    /// By the formula: the mean wait, and the share that waits at all.
    pub(crate) expected_wait_ms: f64,
    pub(crate) expected_share: f64,
}

impl Told {
    pub(crate) fn add(&mut self, other: Self) {
        self.conversations += other.conversations;
        self.compared += other.compared;
        self.waited += other.waited;
        self.wait_ms += other.wait_ms;
        self.expected_wait_ms = other.expected_wait_ms;
        self.expected_share = other.expected_share;
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds of some days")]
    pub(crate) fn mean_wait_ms(self) -> f64 {
        self.wait_ms as f64 / self.compared.max(1) as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "a share is told to three digits")]
    pub(crate) fn share(self) -> f64 {
        self.waited as f64 / self.compared.max(1) as f64
    }

    /// By how much of it the mean wait is off the formula.
    pub(crate) fn off(self) -> f64 {
        self.mean_wait_ms() / self.expected_wait_ms - 1.0
    }

    pub(crate) fn share_off(self) -> f64 {
        self.share() / self.expected_share - 1.0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Begins { shift: i64 },
    Leaves { agent: usize },
    Comes { queue: u32 },
    Done { conversation: ConversationId, agent: usize },
}

/// When the number of agents of a queue is the one of the formula.
#[derive(Debug, Clone, Copy, Default)]
struct Steady {
    from_ms: i64,
    to_ms: i64,
    waiting: u32,
    /// Whether somebody has waited all the time since the shift began.
    burdened: bool,
}

struct Play {
    house: House,
    random: SeededRandom,
    state: State,
    now_ms: i64,
    inputs: u64,
    next: BinaryHeap<Reverse<(i64, u64, What)>>,
    order: u64,
    /// Mean time between two arrivals of a queue, and of handling.
    between_ms: f64,
    handling_ms: f64,
    steady: Vec<Steady>,
    came: BTreeMap<ConversationId, (i64, u32)>,
    busy: Vec<bool>,
    template: Conversation,
    told: Told,
}

/// Plays one day.
pub(crate) fn day(house: House) -> Told {
    let a_day = f64::from(house.conversations) / f64::from(house.queues);
    #[expect(clippy::cast_precision_loss, reason = "a day has few milliseconds")]
    let between_ms = DAY_MS as f64 / a_day;
    let handling_ms = f64::from(ON) * BUSY * between_ms;
    let load = Load { arrivals_per_h: 3_600_000.0 / between_ms, handling_s: handling_ms / 1_000.0 };
    let formula = service(load, ON, 0.0).expect("they are enough");
    let agents = usize::try_from(people(house)).expect("few");
    let mut play = Play {
        house,
        random: SeededRandom::new(house.seed),
        state: State::new(),
        now_ms: BEGIN_MS,
        inputs: 0,
        next: BinaryHeap::new(),
        order: 0,
        between_ms,
        handling_ms,
        steady: vec![Steady::default(); usize::try_from(house.queues).expect("few")],
        came: BTreeMap::new(),
        busy: vec![false; agents],
        template: template(),
        told: Told {
            expected_wait_ms: formula.mean_wait_s * 1_000.0,
            expected_share: formula.waits,
            ..Told::default()
        },
    };
    play.run();
    play.told
}

impl Play {
    fn run(&mut self) {
        self.give(InputBody::Settings(Box::new(settings(self.house))), &Lookups::default());
        for shift in 0..SHIFTS {
            self.plan(BEGIN_MS + shift * SHIFT_MS, What::Begins { shift });
        }
        for queue in 0..self.house.queues {
            self.plan_arrival(queue);
        }
        while let Some(Reverse((at_ms, _, what))) = self.next.pop() {
            if at_ms >= BEGIN_MS + DAY_MS {
                break;
            }
            self.now_ms = at_ms;
            match what {
                What::Begins { shift } => self.begin(shift),
                What::Leaves { agent } => self.leave(agent),
                What::Comes { queue } => self.come(queue),
                What::Done { conversation, agent } => self.done(conversation, agent),
            }
        }
    }

    fn plan(&mut self, at_ms: i64, what: What) {
        self.order += 1;
        self.next.push(Reverse((at_ms, self.order, what)));
    }

    /// A time that varies as an exponential law does.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a draw of 53 bits, and milliseconds of a day"
    )]
    fn drawn_ms(&self, mean_ms: f64) -> i64 {
        let draw = (self.random.below(1 << 53) as f64 + 0.5) / (1_u64 << 53) as f64;
        (-mean_ms * draw.ln()).round() as i64
    }

    fn plan_arrival(&mut self, queue: u32) {
        let at_ms = self.now_ms + self.drawn_ms(self.between_ms);
        self.plan(at_ms, What::Comes { queue });
    }

    /// Those of the shift come, then those of the one before go.
    fn begin(&mut self, shift: i64) {
        for queue in 0..self.house.queues {
            let mut on = 0;
            for place in 0..ON {
                if !self.random.chance(ILL) {
                    self.status(agent_of(queue, shift, place), AgentStatus::Online);
                    self.plan_to_leave(queue, shift, place);
                    on += 1;
                }
            }
            let reserve = queue < self.house.reserves;
            if reserve {
                let status = if on < ON { AgentStatus::Online } else { AgentStatus::Away };
                on += u32::from(on < ON);
                self.status(reserve_of(self.house, queue), status);
            }
            if shift > 0 {
                for place in 0..ON {
                    self.status(agent_of(queue, shift - 1, place), AgentStatus::Away);
                }
            }
            let now_ms = self.now_ms;
            let steady = self.steady_of(queue);
            // One who left before the shift began to be compared takes the whole of it.
            let end_ms = if on == ON { now_ms + SHIFT_MS - END_MS } else { 0 };
            steady.to_ms = steady.to_ms.min(end_ms);
            steady.burdened = steady.waiting > 0;
            steady.from_ms = if steady.burdened { i64::MAX } else { now_ms + WARM_UP_MS };
        }
    }

    fn steady_of(&mut self, queue: u32) -> &mut Steady {
        &mut self.steady[usize::try_from(queue).expect("few")]
    }

    fn plan_to_leave(&mut self, queue: u32, shift: i64, place: u32) {
        self.steady_of(queue).to_ms = i64::MAX;
        if self.random.chance(LEAVE) {
            let after = self.random.below(u64::try_from(SHIFT_MS).expect("positive"));
            let at_ms = self.now_ms + i64::try_from(after).expect("a shift");
            self.plan(at_ms, What::Leaves { agent: agent_of(queue, shift, place) });
        }
    }

    fn leave(&mut self, agent: usize) {
        self.status(agent, AgentStatus::Away);
        let (queue, now_ms) = (queue_of(agent), self.now_ms);
        let steady = self.steady_of(queue);
        steady.to_ms = steady.to_ms.min(now_ms);
    }

    fn come(&mut self, queue: u32) {
        self.plan_arrival(queue);
        self.told.conversations += 1;
        let routed = Routed { queue: Some(queue_id(queue)), ..Routed::default() };
        let message = Message { external_id: self.inputs.to_string(), ..Message::default() };
        let body = InputBody::Inbound(Box::new(Inbound { channel: channel_id(), message }));
        let events = self.give(body, &Lookups { routed: Some(&routed), ..Lookups::default() });
        let opened = events.iter().find(|one| matches!(one.body, EventBody::ConversationOpened(_)));
        let id = opened.and_then(|event| event.conversation).expect("it was opened");
        self.came.insert(id, (self.now_ms, queue));
        self.steady_of(queue).waiting += 1;
        self.follow(&events);
    }

    fn done(&mut self, conversation: ConversationId, agent: usize) {
        self.busy[agent] = false;
        self.template.id = conversation;
        let row = self.template.clone();
        let lookups = Lookups { conversation: Some(&row), ..Lookups::default() };
        let events = self.give(command(Action::Resolve { conversation }), &lookups);
        self.follow(&events);
    }

    fn status(&mut self, agent: usize, status: AgentStatus) {
        let action = Action::SetStatus { agent: agent_id(agent), status, reason: None };
        let events = self.give(command(action), &Lookups::default());
        self.follow(&events);
    }

    /// Whoever is given one works on it from now on.
    fn follow(&mut self, events: &[Event]) {
        for event in events {
            let EventBody::ConversationAssigned { agent, .. } = &event.body else { continue };
            let id = event.conversation.expect("a conversation");
            let agent = number_of(agent);
            assert!(!self.busy[agent], "they do one thing at a time");
            self.busy[agent] = true;
            let (came_ms, queue) = self.came.remove(&id).expect("it waited");
            assert_eq!(queue_of_any(self.house, agent), queue, "they serve that queue");
            let now_ms = self.now_ms;
            let steady = self.steady_of(queue);
            steady.waiting -= 1;
            if steady.burdened && steady.waiting == 0 {
                steady.burdened = false;
                steady.from_ms = now_ms + WARM_UP_MS;
            }
            let steady = *steady;
            if steady.from_ms <= came_ms && came_ms < steady.to_ms {
                let wait_ms = self.now_ms - came_ms;
                self.told.compared += 1;
                self.told.waited += u64::from(wait_ms > 0);
                self.told.wait_ms += wait_ms;
            }
            let at_ms = self.now_ms + self.drawn_ms(self.handling_ms);
            self.plan(at_ms, What::Done { conversation: id, agent });
        }
    }

    fn give(&mut self, body: InputBody, lookups: &Lookups<'_>) -> Vec<Event> {
        self.inputs += 1;
        let id = InputId(Uuid::from_u128(u128::from(self.inputs)));
        let input = Input { id, at: Timestamp::from_millis(self.now_ms), body };
        let position = Position { seq: self.inputs, index: 0 };
        step(&mut self.state, position, input, lookups).transition.events
    }
}

fn command(action: Action) -> InputBody {
    let id = CommandId(Uuid::nil());
    InputBody::Command(Box::new(Command { id, actor: Actor::operator(), action }))
}

fn channel_id() -> ChannelId {
    ChannelId::new("site").expect("a slug")
}

fn queue_id(queue: u32) -> QueueId {
    QueueId::new(&format!("queue-{queue}")).expect("a slug")
}

fn agent_id(agent: usize) -> AgentId {
    AgentId::new(&format!("agent-{agent}")).expect("a slug")
}

fn number_of(agent: &AgentId) -> usize {
    agent.as_str().trim_start_matches("agent-").parse().expect("a number")
}

/// Everybody: those of the shifts of each queue, then those who stand by.
fn people(house: House) -> u32 {
    house.queues * ON * u32::try_from(SHIFTS).expect("few") + house.reserves
}

fn agent_of(queue: u32, shift: i64, place: u32) -> usize {
    let shifts = u32::try_from(SHIFTS).expect("few");
    let shift = u32::try_from(shift).expect("few");
    usize::try_from((queue * shifts + shift) * ON + place).expect("few")
}

fn reserve_of(house: House, queue: u32) -> usize {
    usize::try_from(people(house) - house.reserves + queue).expect("few")
}

fn queue_of(agent: usize) -> u32 {
    let each = ON * u32::try_from(SHIFTS).expect("few");
    u32::try_from(agent).expect("few") / each
}

fn queue_of_any(house: House, agent: usize) -> u32 {
    let first = reserve_of(house, 0);
    match agent.checked_sub(first) {
        Some(reserve) => u32::try_from(reserve).expect("few"),
        None => queue_of(agent),
    }
}

fn settings(house: House) -> Settings {
    let agents = (0..usize::try_from(people(house)).expect("few")).map(|agent| AgentSettings {
        id: agent_id(agent),
        name: format!("Agent {agent}"),
        email: None,
        queues: vec![queue_id(queue_of_any(house, agent))],
        skills: BTreeMap::new(),
        capacity: u32::from(COST),
        limits: BTreeMap::new(),
    });
    Settings {
        workspace: WorkspaceId::main(),
        timing: postroom_model::Timing::default(),
        channels: vec![ChannelSettings {
            id: channel_id(),
            kind: ChannelKind::Webhook,
            dialect: None,
            queue: None,
            sends: true,
            calls: None,
        }],
        queues: (0..house.queues)
            .map(|queue| QueueSettings::new(queue_id(queue), format!("Queue {queue}")))
            .collect(),
        rules: vec![],
        agents: agents.collect(),
        costs: BTreeMap::from([(ChannelKind::Webhook, COST)]),
        calendars: vec![],
        desk: postroom_model::DeskSettings::default(),
        contacts: postroom_model::ContactSettings::default(),
        answers: vec![],
    }
}

/// What the records would have of a conversation, as far as its end asks.
fn template() -> Conversation {
    let at = Timestamp::from_millis(BEGIN_MS);
    Conversation {
        id: ConversationId(Uuid::nil()),
        status: Status::Open,
        subject: None,
        channel: channel_id(),
        thread: None,
        queue: Some(queue_id(0)),
        assignee: None,
        contact: None,
        customer: None,
        linked: None,
        mails: vec![],
        priority: 0,
        skills: BTreeMap::new(),
        preferred: BTreeMap::new(),
        cost: COST,
        tags: vec![],
        targets: vec![],
        policy: None,
        climbed: None,
        kept: None,
        resolved_at: None,
        settled_at: None,
        opened_at: at,
        last_message_at: at,
        waiting_since: Some(at),
        snoozed_until: None,
        merged_into: None,
        merged_from: vec![],
        version: 1,
        message_version: 1,
        route: RuleTrace::default(),
        offer: None,
        declined: vec![],
        assignment: None,
    }
}
