//! A made-up day of a busy desk, to measure what a decision costs: many agents, queues and waiting
//! conversations, and a steady mix of messages and of conversations that are done.
//!
//! The same shape and seed give the same inputs. Time is read from a clock that is handed in, only
//! around each decision; what a router looks up and what it writes is not measured here.

use std::collections::BTreeMap;

use postroom_model::limits::PRIORITY_MAX;
use postroom_model::{
    Action, Actor, Address, AgentId, AgentSettings, AgentStatus, ChannelId, ChannelKind,
    ChannelSettings, Command, CommandId, ContactId, Conversation, ConversationId, DeskSettings,
    Inbound, Input, InputBody, InputId, LadderStep, Message, Party, Position, QueueId,
    QueueSettings, QueueTiming, RuleTrace, SeededRandom, Settings, Status, Timestamp, Timing,
    WorkspaceId,
};
use uuid::Uuid;

use crate::state::AgentIx;
use crate::{Lookups, Routed, State, Step, step, step_due};

/// Messages for each conversation that one of them opens.
const MESSAGES_EACH: u64 = 5;
/// Messages for each contact that one of them brings.
const MESSAGES_EACH_CONTACT: u64 = 10;
/// Languages that conversations ask for and agents speak, two each.
const LANGUAGES: [&str; 4] = ["chinese", "english", "french", "german"];
/// Queues that one agent serves.
const QUEUES_EACH: usize = 3;
const CAPACITY: u32 = 100;
/// When the steps of the ladders come, by the clock of the inputs.
const LADDER_MS: [i64; 3] = [20_000, 60_000, 120_000];
/// The clock of the inputs begins here, 2026-01-01, and moves by a millisecond with each.
const BEGIN_MS: i64 = 1_767_225_600_000;

/// How large a desk is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadShape {
    pub agents: usize,
    pub queues: usize,
    /// Conversations that wait while all agents are busy.
    pub waiting: usize,
    /// Every queue has a ladder, whose steps come while its conversations wait.
    pub ladders: bool,
    pub seed: u64,
}

impl Default for LoadShape {
    fn default() -> Self {
        Self { agents: 1_000, queues: 100, waiting: 100_000, ladders: false, seed: 1 }
    }
}

/// What decisions cost. Times in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DecideLoad {
    pub per_s: f64,
    pub ns_p50: u64,
    pub ns_p99: u64,
}

/// A desk under load.
#[derive(Debug)]
pub struct Load {
    state: State,
    random: SeededRandom,
    channels: [ChannelId; 2],
    queues: Vec<QueueId>,
    agents: Vec<AgentId>,
    /// Conversations, in no order; those that are done are dropped when they are met.
    live: Vec<ConversationId>,
    count: u64,
}

impl Load {
    /// Sets the desk up: every agent online and busy, and `waiting` conversations that wait.
    pub fn build(shape: LoadShape) -> Option<Self> {
        let mut load = Self {
            state: State::new(),
            random: SeededRandom::new(shape.seed),
            channels: [ChannelId::new("chat").ok()?, ChannelId::new("mail").ok()?],
            queues: names(shape.queues.max(1), "queue", QueueId::new)?,
            agents: names(shape.agents, "agent", AgentId::new)?,
            live: Vec::with_capacity(shape.waiting),
            count: 0,
        };
        let settings = Box::new(load.settings(shape.ladders));
        load.run(InputBody::Settings(settings), &Lookups::default());
        while load.state.waiting_count() < shape.waiting {
            // Those that the agents take are replaced in the next round.
            for _ in load.state.waiting_count()..shape.waiting {
                let message = load.opening();
                load.message(&message, &mut || 0);
            }
            for agent in load.agents.clone() {
                load.presence(agent, AgentStatus::Online);
            }
        }
        load.time(load.now());
        Some(load)
    }

    /// Takes `count` decisions, after each five messages one of an agent who is done.
    pub fn decide(&mut self, count: usize, clock: &mut dyn FnMut() -> u64) -> DecideLoad {
        let mut took: Vec<u64> = Vec::with_capacity(count);
        while took.len() < count {
            let one = match self.random.below(MESSAGES_EACH + 1) {
                0 => self.resolve(clock),
                1 => {
                    let opening = self.opening();
                    Some(self.message(&opening, clock))
                }
                _ => {
                    let further = self.further();
                    Some(self.message(&further, clock))
                }
            };
            took.extend(one);
        }
        summed_up(took)
    }

    /// How long it takes, in nanoseconds, when an agent who was away comes online and gets what
    /// they can take.
    pub fn come_online(&mut self, clock: &mut dyn FnMut() -> u64) -> Option<u64> {
        let at = usize::try_from(self.random.below(self.agents.len() as u64)).ok()?;
        let agent = self.agents.get(at)?.clone();
        let ix = self.state.agent_ix.get(&agent).copied()?;
        self.presence(agent.clone(), AgentStatus::Away);
        let held: Vec<ConversationId> = self.state.agents.get(ix)?.owned.iter().copied().collect();
        for id in held {
            self.done(ix, id, &mut || 0);
        }
        let input = self.input(presence(agent, AgentStatus::Online));
        let before = clock();
        let step = self.step(input, &Lookups::default());
        let took = clock().saturating_sub(before);
        drop(step);
        Some(took)
    }

    /// Open conversations that nobody owns.
    pub fn waiting_count(&self) -> usize {
        self.state.waiting_count()
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    fn settings(&mut self, ladders: bool) -> Settings {
        let [chat, mail] = self.channels.clone();
        let channel = |id, kind| ChannelSettings {
            id,
            kind,
            dialect: None,
            queue: None,
            sends: true,
            calls: None,
        };
        let agents = self.agents.iter().enumerate().map(|(number, id)| {
            let serves = |step: usize| self.queues.get((number + step * 7) % self.queues.len());
            let speaks = |step: usize| LANGUAGES.get((number + step) % LANGUAGES.len());
            AgentSettings {
                id: id.clone(),
                name: id.to_string(),
                email: None,
                queues: (0..QUEUES_EACH).filter_map(serves).cloned().collect(),
                skills: (0..2).filter_map(speaks).map(|&name| (name.to_owned(), 5)).collect(),
                capacity: CAPACITY,
                limits: BTreeMap::new(),
            }
        });
        let queue = |id: &QueueId| QueueSettings::new(id.clone(), id.to_string());
        Settings {
            workspace: WorkspaceId::main(),
            timing: if ladders { self.ladders() } else { Timing::default() },
            channels: vec![channel(chat, ChannelKind::Webhook), channel(mail, ChannelKind::Email)],
            queues: self.queues.iter().map(queue).collect(),
            rules: vec![],
            agents: agents.collect(),
            costs: Settings::default_costs(),
            calendars: vec![],
            desk: DeskSettings::default(),
            contacts: postroom_model::ContactSettings::default(),
            answers: vec![],
        }
    }

    /// A ladder for each queue: a skill is relaxed, the next queue sees it, its priority rises.
    fn ladders(&self) -> Timing {
        let [first, second, third] = LADDER_MS;
        let step = |after_ms| LadderStep { after_ms, ..LadderStep::default() };
        let relax = LANGUAGES.map(|name| (name.to_owned(), 1));
        let queues = self.queues.iter().zip(self.queues.iter().cycle().skip(1));
        let timing = queues.map(|(queue, next)| {
            let ladder = vec![
                LadderStep { relax: relax.clone().into(), ..step(first) },
                LadderStep { widen: vec![next.clone()], ..step(second) },
                LadderStep { priority: Some(PRIORITY_MAX), ..step(third) },
            ];
            (queue.clone(), QueueTiming { ladder, ..QueueTiming::default() })
        });
        Timing { queues: timing.collect(), ..Timing::default() }
    }

    /// A message that opens a conversation.
    fn opening(&mut self) -> Written {
        let queue = self.random.below(self.queues.len() as u64);
        let queue = usize::try_from(queue).ok().and_then(|at| self.queues.get(at));
        let language = self.random.below(2 * LANGUAGES.len() as u64);
        let language = usize::try_from(language).ok().and_then(|at| LANGUAGES.get(at));
        let routed = Routed {
            queue: queue.cloned(),
            priority: Some(priority(&self.random)),
            skills: language.map(|&name| (name.to_owned(), 3)).into_iter().collect(),
            preferred: BTreeMap::new(),
            tags: vec![],
            targets: None,
            attach: None,
            trace: RuleTrace::default(),
        };
        Written {
            thread: None,
            routed: Some(routed),
            new_contact: self.random.below(MESSAGES_EACH_CONTACT) < MESSAGES_EACH_CONTACT / 2,
        }
    }

    /// A message on a conversation that goes on.
    fn further(&mut self) -> Written {
        let mut thread = None;
        while thread.is_none() && !self.live.is_empty() {
            let at = usize::try_from(self.random.below(self.live.len() as u64)).unwrap_or(0);
            thread = self.live.get(at).copied().filter(|id| self.state.is_open(*id));
            if thread.is_none() {
                self.live.swap_remove(at);
            }
        }
        Written { thread, routed: None, new_contact: false }
    }

    /// Decides a message and gives the nanoseconds that it took.
    fn message(&mut self, written: &Written, clock: &mut dyn FnMut() -> u64) -> u64 {
        let number = self.count;
        let [chat, mail] = &self.channels;
        let channel = if number.is_multiple_of(2) { chat } else { mail };
        let channel = channel.clone();
        let address = Address::new("chat", &number.to_string()).ok();
        let known = ContactId(Uuid::from_u128(u128::from(number)));
        let known = (!written.new_contact).then_some(known);
        let addresses: Vec<_> = address.iter().map(|one| (one.clone(), known)).collect();
        let message = Message {
            external_id: number.to_string(),
            thread: Some(format!("thread-{number}")),
            from: Some(Party { address, name: Some("Customer".to_owned()), username: None }),
            text: Some("Where is my order? It should have come on Monday.".to_owned()),
            ..Message::default()
        };
        let input = self.input(InputBody::Inbound(Box::new(Inbound { channel, message })));
        let lookups = Lookups {
            thread: written.thread,
            addresses: &addresses,
            participant: known,
            routed: written.routed.as_ref(),
            ..Lookups::default()
        };
        let before = clock();
        self.time(input.at);
        let step = self.step(input, &lookups);
        let took = clock().saturating_sub(before);
        if written.thread.is_none() {
            let outcome = step.transition.outcome.as_ref();
            self.live.extend(outcome.and_then(|outcome| outcome.conversation));
        }
        took
    }

    /// An agent is done with a conversation, and so gets the next; none if nobody has one.
    fn resolve(&mut self, clock: &mut dyn FnMut() -> u64) -> Option<u64> {
        let from = usize::try_from(self.random.below(self.agents.len() as u64)).unwrap_or(0);
        let agents = self.state.agents.iter().enumerate();
        let (ix, id) = agents
            .cycle()
            .skip(from)
            .take(self.agents.len())
            .find_map(|(ix, agent)| Some((ix, *agent.owned.first()?)))?;
        self.done(ix, id, clock)
    }

    fn done(
        &mut self,
        agent: AgentIx,
        conversation: ConversationId,
        clock: &mut dyn FnMut() -> u64,
    ) -> Option<u64> {
        let row = self.row(agent, conversation)?;
        let actor = Actor::agent(&self.state.agents.get(agent)?.id);
        let action = Action::Resolve { conversation };
        let input = self.input(command(actor, action));
        let lookups = Lookups { conversation: Some(&row), ..Lookups::default() };
        let before = clock();
        self.time(input.at);
        let step = self.step(input, &lookups);
        let took = clock().saturating_sub(before);
        drop(step);
        Some(took)
    }

    /// What the records would hold of it.
    fn row(&self, agent: AgentIx, id: ConversationId) -> Option<Conversation> {
        let open = self.state.conversations.get(&id)?;
        let at = open.waiting_since.unwrap_or_default();
        Some(Conversation {
            id,
            status: Status::Open,
            subject: None,
            channel: self.channels.first()?.clone(),
            thread: None,
            queue: Some(self.state.queues.get(open.queue)?.id.clone()),
            assignee: Some(self.state.agents.get(agent)?.id.clone()),
            contact: None,
            customer: None,
            linked: None,
            mails: vec![],
            priority: open.priority,
            skills: BTreeMap::new(),
            preferred: BTreeMap::new(),
            cost: open.cost,
            tags: vec![],
            targets: vec![],
            policy: None,
            climbed: None,
            kept: None,
            resolved_at: None,
            settled_at: None,
            opened_at: at,
            last_message_at: at,
            waiting_since: open.waiting_since,
            snoozed_until: None,
            merged_into: None,
            merged_from: vec![],
            version: open.version,
            message_version: open.message_version,
            route: RuleTrace::default(),
            offer: None,
            declined: vec![],
            assignment: None,
        })
    }

    fn presence(&mut self, agent: AgentId, status: AgentStatus) {
        self.run(presence(agent, status), &Lookups::default());
    }

    fn run(&mut self, body: InputBody, lookups: &Lookups<'_>) {
        let input = self.input(body);
        drop(self.step(input, lookups));
    }

    fn input(&mut self, body: InputBody) -> Input {
        self.count += 1;
        let id = InputId(Uuid::from_u128(u128::from(self.count)));
        Input { id, at: self.now(), body }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(BEGIN_MS + i64::try_from(self.count).unwrap_or(0))
    }

    /// What time has brought by then, such as steps of ladders.
    fn time(&mut self, now: Timestamp) {
        while self.state.next_deadline().is_some_and(|at| at <= now) {
            if step_due(&mut self.state, now, &|_| None).is_none() {
                break;
            }
        }
    }

    fn step(&mut self, input: Input, lookups: &Lookups<'_>) -> Step {
        let position = Position { seq: self.count, index: 0 };
        step(&mut self.state, position, input, lookups)
    }
}

/// A message to be decided.
#[derive(Debug)]
struct Written {
    thread: Option<ConversationId>,
    routed: Option<Routed>,
    new_contact: bool,
}

fn presence(agent: AgentId, status: AgentStatus) -> InputBody {
    command(Actor::agent(&agent), Action::SetStatus { agent, status, reason: None })
}

fn command(actor: Actor, action: Action) -> InputBody {
    let id = CommandId(Uuid::nil());
    InputBody::Command(Box::new(Command { id, actor, action }))
}

fn names<T, E>(count: usize, what: &str, make: fn(&str) -> Result<T, E>) -> Option<Vec<T>> {
    (0..count).map(|number| make(&format!("{what}-{number}")).ok()).collect()
}

/// Mostly the lowest.
fn priority(random: &SeededRandom) -> u8 {
    if random.chance(90) {
        return 0;
    }
    let one = random.below(u64::from(PRIORITY_MAX) + 1);
    u8::try_from(one).unwrap_or(PRIORITY_MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a rate is told to three digits")]
fn summed_up(mut took: Vec<u64>) -> DecideLoad {
    took.sort_unstable();
    let all: u64 = took.iter().sum();
    let at = |percent: usize| took.get(took.len() * percent / 100).copied().unwrap_or(0);
    DecideLoad {
        per_s: took.len() as f64 / (all.max(1) as f64 / 1e9),
        ns_p50: at(50),
        ns_p99: at(99),
    }
}

#[cfg(test)]
mod tests {
    use super::{Load, LoadShape};

    #[test]
    fn load_is_steady_and_the_same_each_time() {
        let shape = LoadShape { agents: 20, queues: 5, waiting: 300, ladders: false, seed: 7 };
        let run = || {
            let mut load = Load::build(shape).unwrap();
            assert_eq!(load.waiting_count(), 300);
            let mut now = 0;
            let mut clock = || {
                now += 10;
                now
            };
            let measured = load.decide(2_000, &mut clock);
            assert_eq!((measured.ns_p50, measured.ns_p99), (10, 10));
            assert!((measured.per_s - 1e8).abs() < 1.0);
            assert_eq!(load.come_online(&mut clock), Some(10));
            load.state().to_snapshot().unwrap()
        };
        let first = run();
        assert_eq!(first, run());
    }

    #[test]
    fn waiting_neither_runs_dry_nor_grows_without_end() {
        let shape = LoadShape { agents: 20, queues: 5, waiting: 300, ladders: false, seed: 7 };
        let mut load = Load::build(shape).unwrap();
        load.decide(5_000, &mut || 0);
        assert!((100..600).contains(&load.waiting_count()));
    }

    #[test]
    fn steps_of_ladders_come_while_decisions_are_taken() {
        let shape = LoadShape { agents: 20, queues: 5, waiting: 5_000, ladders: true, seed: 7 };
        let mut load = Load::build(shape).unwrap();
        let climbed =
            |load: &Load| load.state().conversations.values().filter(|open| open.step > 0).count();
        assert_eq!(climbed(&load), 0, "nobody has waited for long");
        load.decide(30_000, &mut || 0);
        assert!(climbed(&load) > 100, "{}", climbed(&load));
    }
}
