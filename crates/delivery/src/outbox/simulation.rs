//! Hosts, a router and a network that delays, in every order that a seed gives: whatever happens, no
//! host sends what it was not granted, nothing leaves twice, and in the end nothing stays behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use postroom_model::{
    Clock as _, DeliveryInput, DeliveryState, Envelope, EventBody, HostId, IdSource, Input,
    InputBody, InputId, ManualClock, MessageId, Outbound, ReplyDraft, SeededRandom, SendResult,
    Timestamp,
};

use super::{CONCURRENT_SENDS_MAX, Grant, Outbox, Question, Work};
use crate::testing::{Router, channel, conversation, message};

const CONVERSATIONS: u64 = 6;
const SEEDS: u64 = 60;
const STEPS: u32 = 600;

struct World {
    random: SeededRandom,
    clock: Arc<ManualClock>,
    ids: IdSource,
    router: Router,
    ledger: Vec<Envelope>,
    /// Published, not yet in the inlet; stored in any order.
    on_the_way: Vec<Input>,
    hosts: Vec<Host>,
    queued: u128,
    /// Every attempt that began.
    sends: BTreeMap<MessageId, Vec<u32>>,
}

struct Host {
    outbox: Outbox,
    id: HostId,
    running: Vec<Grant>,
    lookups: Vec<MessageId>,
}

impl World {
    fn new(seed: u64) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_000)));
        let ids = IdSource::new(Arc::clone(&clock) as _, Arc::new(SeededRandom::new(!seed)));
        let mut router = Router::default();
        router.channels.insert(conversation(5), channel("mail"));
        Self {
            random: SeededRandom::new(seed),
            clock,
            ids,
            router,
            ledger: vec![],
            on_the_way: vec![],
            hosts: vec![],
            queued: 0,
            sends: BTreeMap::new(),
        }
    }

    fn below(&self, bound: usize) -> usize {
        usize::try_from(self.random.below(bound as u64)).unwrap()
    }

    fn step(&mut self) {
        match self.below(100) {
            0..8 => self.queue(),
            8..10 => self.start_host(),
            10..12 if self.hosts.len() > 1 => {
                let crashed = self.below(self.hosts.len() - 1);
                self.hosts.remove(crashed);
            }
            12..16 => self.resend(),
            16..30 => self.clock.advance_millis(700),
            30..50 => self.store_one(),
            50..65 => self.with_host(|world, host| world.finish_one(host, false)),
            65..70 => self.with_host(World::look_up_one),
            70..85 => self.with_host(|world, host| {
                let count = world.below(4);
                world.fold(host, count);
            }),
            _ => self.with_host(World::act),
        }
    }

    fn queue(&mut self) {
        self.queued += 1;
        let conversation = conversation(u128::from(self.random.below(CONVERSATIONS)));
        let (at, id) = (self.clock.now(), message(self.queued));
        let input = Router::reply(at, conversation, id, ReplyDraft::default());
        self.decide(&input);
    }

    fn resend(&mut self) {
        let rows = self.router.rows.values().map(|row| &row.outbound);
        let mut stuck = rows
            .filter(|row| matches!(row.state, DeliveryState::Uncertain | DeliveryState::Failed))
            .map(|row| (row.conversation, row.id));
        if let Some((conversation, id)) = stuck.next_back() {
            let (at, command) = (self.clock.now(), self.ids.next());
            self.decide(&Router::resend(at, command, conversation, id));
        }
    }

    /// From records that stand anywhere between the ledger's start and its end.
    fn start_host(&mut self) {
        let id = HostId(self.ids.next());
        let behind = self.below(self.ledger.len().min(5) + 1);
        let seq = (self.ledger.len() - behind) as u64;
        let mut outbox = Outbox::restore(id, seq, self.router.outbox());
        outbox.set_channels(&BTreeSet::from([channel("site"), channel("mail")]));
        self.hosts.push(Host { outbox, id, running: vec![], lookups: vec![] });
    }

    fn with_host(&mut self, run: impl FnOnce(&mut Self, &mut Host)) {
        if self.hosts.is_empty() {
            return;
        }
        let index = self.below(self.hosts.len());
        let mut host = self.hosts.remove(index);
        run(self, &mut host);
        self.hosts.insert(index, host);
    }

    fn store_one(&mut self) {
        if !self.on_the_way.is_empty() {
            let input = self.on_the_way.remove(self.below(self.on_the_way.len()));
            if self.random.chance(10) {
                // Stored twice, as after an answer that was lost.
                self.on_the_way.push(input.clone());
            }
            self.decide(&input);
        }
    }

    fn decide(&mut self, input: &Input) {
        let transition = self.router.decide(input);
        let envelope = self.router.envelope(self.clock.now(), vec![transition]);
        self.ledger.push(envelope);
    }

    fn fold(&mut self, host: &mut Host, count: usize) {
        let from = usize::try_from(host.outbox.seq()).unwrap();
        for (index, envelope) in self.ledger.iter().enumerate().skip(from).take(count) {
            let now = self.clock.now();
            let bytes = envelope.clone().encode().unwrap().bytes;
            host.outbox.take(index as u64 + 1, &bytes, now).unwrap();
        }
    }

    fn publish(&mut self, host: &mut Host, body: DeliveryInput, question: Question) {
        let input = Input {
            id: InputId(self.ids.next()),
            at: self.clock.now(),
            body: InputBody::Delivery(body),
        };
        host.outbox.ask(input.id, question);
        self.on_the_way.push(input);
    }

    fn act(&mut self, host: &mut Host) {
        for work in host.outbox.due(self.clock.now()) {
            match work {
                Work::Own(channel) => {
                    let body = DeliveryInput::Own { channel: channel.clone(), host: host.id };
                    self.publish(host, body, Question::Own(channel));
                }
                Work::Present { asks } => {
                    let body = DeliveryInput::Present { host: host.id, asks };
                    self.publish(host, body, Question::Present);
                }
                Work::Attempt { message, epoch } => {
                    let body = DeliveryInput::Attempt { message, epoch };
                    self.publish(host, body, Question::Attempt(message));
                }
                Work::Send(grant) => self.send(host, grant),
                Work::Lookup(message) => host.lookups.push(message),
                Work::Refill => panic!("nothing overflows here"),
            }
        }
    }

    /// The heart of it: what must hold whenever an attempt begins.
    fn send(&mut self, host: &mut Host, grant: Grant) {
        let seen = usize::try_from(host.outbox.seq()).unwrap();
        let events = self.ledger[..seen].iter().flat_map(Envelope::events);
        let granted = events
            .filter(|(_, _, event)| {
                event.body
                    == EventBody::DeliveryAttempted {
                        message: grant.message,
                        epoch: grant.epoch,
                        attempt: grant.attempt,
                    }
            })
            .count();
        assert_eq!(granted, 1, "{grant:?} was not granted where the host looked");

        let attempts = self.sends.entry(grant.message).or_default();
        assert!(!attempts.contains(&grant.attempt), "{grant:?} began twice");
        attempts.push(grant.attempt);
        let began = attempts.len();
        assert!(began <= 1 + self.allowed_again(grant.message), "{grant:?}");

        let row = &self.router.rows[&grant.message].outbound;
        for other in host.running.iter().filter(|other| other.message != grant.message) {
            let same = self.router.rows[&other.message].outbound.conversation == row.conversation;
            let settled = self.settled_within(seen, other);
            assert!(!same || settled, "{grant:?} and {other:?} at once");
        }
        self.assert_first(row, seen);
        host.running.push(grant);
        for name in ["site", "mail"] {
            let unsettled = host.running.iter().filter(|running| {
                running.channel == channel(name) && !self.settled_within(seen, running)
            });
            assert!(unsettled.count() <= CONCURRENT_SENDS_MAX);
        }
    }

    /// How often the ledger lets the reply leave once more.
    fn allowed_again(&self, id: MessageId) -> usize {
        let events = self.ledger.iter().flat_map(Envelope::events);
        events
            .filter(|(_, _, event)| match &event.body {
                EventBody::DeliveryRequeued { message, .. } => *message == id,
                EventBody::DeliverySettled { message, result: SendResult::Retry { .. } } => {
                    *message == id
                }
                _ => false,
            })
            .count()
    }

    fn settled_within(&self, seen: usize, grant: &Grant) -> bool {
        let mut running = false;
        for (_, _, event) in self.ledger[..seen].iter().flat_map(Envelope::events) {
            match &event.body {
                EventBody::DeliveryAttempted { message, attempt, .. }
                    if *message == grant.message =>
                {
                    running = *attempt == grant.attempt;
                }
                EventBody::DeliverySettled { message, .. } if *message == grant.message => {
                    running = false;
                }
                _ => {}
            }
        }
        !running
    }

    /// Of the replies of a conversation that were queued once only, none overtakes another.
    fn assert_first(&self, row: &Outbound, seen: usize) {
        let mut waiting: Vec<MessageId> = vec![];
        let mut requeued = BTreeSet::new();
        for (_, _, event) in self.ledger[..seen].iter().flat_map(Envelope::events) {
            match &event.body {
                EventBody::ReplyQueued { id, .. }
                    if event.conversation == Some(row.conversation) =>
                {
                    waiting.push(*id);
                }
                EventBody::DeliverySettled { message, result }
                    if !matches!(result, SendResult::Retry { .. }) =>
                {
                    waiting.retain(|id| id != message);
                }
                EventBody::DeliveryRequeued { message, .. } => {
                    requeued.insert(*message);
                }
                _ => {}
            }
        }
        waiting.retain(|id| !requeued.contains(id));
        assert!(
            requeued.contains(&row.id) || waiting.first() == Some(&row.id),
            "{} overtook {waiting:?}",
            row.id
        );
    }

    fn finish_one(&mut self, host: &mut Host, always_sent: bool) {
        if host.running.is_empty() {
            return;
        }
        let grant = host.running.remove(self.below(host.running.len()));
        let (code, detail) = ("code".to_owned(), String::new());
        let result = match self.below(10) {
            _ if always_sent => SendResult::Sent { external_id: None },
            0..5 => SendResult::Sent { external_id: None },
            5..8 => {
                SendResult::Retry { retry_at: self.clock.now().plus_millis(1_500), code, detail }
            }
            8 => SendResult::Failed { code, detail },
            _ => SendResult::Uncertain { code, detail },
        };
        let settle = DeliveryInput::Settle {
            message: grant.message,
            epoch: grant.epoch,
            attempt: grant.attempt,
            result,
        };
        self.publish(host, settle, Question::Settle(grant.message));
    }

    fn look_up_one(&mut self, host: &mut Host) {
        if let Some(id) = host.lookups.pop() {
            let now = self.clock.now();
            if self.random.chance(20) {
                host.outbox.look_up_again(id, now);
            } else {
                let row = self.router.rows.get(&id).map(|row| &row.outbound);
                host.outbox.found(id, self.ledger.len() as u64, row, now);
            }
        }
    }

    /// One last host, and everything works: all that waits must leave.
    fn come_to_rest(&mut self) {
        // What a crashed host asked for last must not make it the owner for ever.
        while !self.on_the_way.is_empty() {
            self.store_one();
        }
        self.start_host();
        for _ in 0..2_000 {
            for index in 0..self.hosts.len() {
                let mut host = self.hosts.remove(index);
                self.fold(&mut host, usize::MAX);
                self.act(&mut host);
                while !host.running.is_empty() {
                    self.finish_one(&mut host, true);
                }
                while !host.lookups.is_empty() {
                    self.look_up_one(&mut host);
                }
                self.hosts.insert(index, host);
            }
            while !self.on_the_way.is_empty() {
                self.store_one();
            }
            self.clock.advance_millis(500);
            if self.router.outbox().is_empty() {
                return;
            }
        }
        let stuck = self.router.outbox();
        let stuck: Vec<_> = stuck.iter().map(|row| (row.id, row.state)).collect();
        panic!("{stuck:?} stayed behind");
    }
}

#[test]
fn p7_in_any_order_of_events_nothing_is_sent_without_its_grant_and_nothing_stays() {
    let mut sends = 0;
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.come_to_rest();
        sends += world.sends.values().map(Vec::len).sum::<usize>();
    }
    assert!(sends > 1_000, "the simulation sends too little: {sends}");
}
