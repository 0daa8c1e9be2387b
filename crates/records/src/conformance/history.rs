//! A made-up history of a workspace, and that every way of folding it ends in the same rows (P5).

use std::collections::BTreeMap;

use postroom_model::digest::Digest;
use postroom_model::envelope::ENVELOPE_VERSION;
use postroom_model::{
    Action, Actor, AgentStatus, Bodies, CallState, Climbed, Command, CommandId, Contact, ContactId,
    ConversationId, Cursor, Disposition, Envelope, Event, EventBody, Freed, HostId, Input,
    InputBody, InputId, Kept, MessageId, NoteId, Opened, Outcome, OutcomeKind, ParkedId, Position,
    Random as _, Reason, ReceiptStatus, ReceivedMail, RuleTrace, SeededRandom, SendResult, Target,
    TargetKind, TargetState, Timestamp, Transition,
};

use super::samples::{agent, body, channel, id, message, moment, queue, recorded, settings, uuid};
use super::scan_all;
use crate::{MemoryRecords, Records, Standing, project, project_many};

fn promised(kind: TargetKind) -> Target {
    Target {
        kind,
        due_at: moment(9),
        state: TargetState::Running,
        policy: postroom_model::PolicyId::new("gold").unwrap(),
        version: "0123456789abcdef".to_owned(),
        calendar: None,
        warn_at: Some(moment(8)),
        warn_before_ms: Some(1_000),
        left_ms: None,
        met_at: None,
    }
}

const ENVELOPES: usize = 150;
const SEEDS: [u64; 3] = [1, 2, 3];
const DAY_MS: u64 = 86_400_000;

pub(super) async fn run(records: &dyn Records) {
    for seed in SEEDS {
        let history = history(seed, ENVELOPES);
        let memory = MemoryRecords::new();
        let expected = step_by_step(&memory, &history).await;
        assert!(expected.len() > 100, "the history leaves rows");
        records.clear().await.unwrap();
        let stepped = step_by_step(records, &history).await;
        same(&stepped, &expected, "single steps", seed);
        records.clear().await.unwrap();
        let chunked = in_chunks(records, &history, seed).await;
        same(&chunked, &expected, "chunks", seed);
    }
    records.clear().await.unwrap();
}

type Rows = Vec<(crate::Key, crate::Row)>;

fn same(rows: &Rows, expected: &Rows, how: &str, seed: u64) {
    for (row, expected) in rows.iter().zip(expected) {
        assert_eq!(row, expected, "folded in {how}, seed {seed}");
    }
    assert_eq!(rows.len(), expected.len(), "folded in {how}, seed {seed}");
}

async fn step_by_step(records: &dyn Records, history: &[(u64, Envelope)]) -> Rows {
    let mut standing = Standing::default();
    for (seq, envelope) in history {
        standing = project(records, standing, *seq, envelope).await.unwrap();
        assert_eq!(records.standing().await.unwrap(), standing);
    }
    scan_all(records, 500).await
}

async fn in_chunks(records: &dyn Records, history: &[(u64, Envelope)], seed: u64) -> Rows {
    let random = SeededRandom::new(seed);
    let mut standing = Standing::default();
    let mut rest = history;
    while !rest.is_empty() {
        let length = 1 + usize::try_from(random.below(40)).unwrap();
        let (chunk, later) = rest.split_at(length.min(rest.len()));
        standing = project_many(records, standing, chunk).await.unwrap();
        assert_eq!(records.standing().await.unwrap(), standing);
        rest = later;
    }
    scan_all(records, 500).await
}

/// A ledger of `envelopes` envelopes with their sequences, the same for the same seed. Its events are
/// drawn without regard to what could really follow what, since the fold must stand that too. A
/// few hours pass from one envelope to the next.
pub fn history(seed: u64, envelopes: usize) -> Vec<(u64, Envelope)> {
    let mut maker = Maker { random: SeededRandom::new(seed), bodies: Bodies::new(), inputs: 0 };
    let (mut first_event, mut now) = (1, moment(0));
    let mut history = Vec::with_capacity(envelopes);
    for seq in (1..).take(envelopes) {
        now = now.plus_millis(maker.millis(DAY_MS / 4));
        let transitions = (0..=maker.below(5)).map(|_| maker.transition(now)).collect();
        let envelope = Envelope {
            v: ENVELOPE_VERSION,
            epoch: 1,
            writer: uuid(1),
            at: now,
            prev_hash: Digest::ZERO,
            inlet_seq: maker.inputs,
            first_event,
            transitions,
            bodies_hash: Digest::ZERO,
            bodies: std::mem::take(&mut maker.bodies),
        };
        first_event += envelope.event_count();
        history.push((seq, envelope));
    }
    history
}

struct Maker {
    random: SeededRandom,
    bodies: Bodies,
    /// Inputs and messages so far.
    inputs: u64,
}

impl Maker {
    fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    fn millis(&mut self, bound: u64) -> i64 {
        i64::try_from(self.below(bound)).unwrap()
    }

    fn transition(&mut self, now: Timestamp) -> Transition {
        self.inputs += 1;
        let kinds = [
            OutcomeKind::Routed,
            OutcomeKind::Duplicate,
            OutcomeKind::Parked,
            OutcomeKind::Rejected,
        ];
        // Now and then an input that stands there already, or one that has waited for long.
        let input = if self.random.chance(10) { self.below(self.inputs) } else { self.inputs };
        let late = if self.random.chance(10) { self.millis(14 * DAY_MS) } else { 0 };
        let outcome = Outcome {
            position: Position { seq: self.inputs, index: 0 },
            input: InputId(uuid(input)),
            kind: kinds[usize::try_from(self.below(4)).unwrap()],
            code: None,
            detail: None,
            conversation: None,
            message: None,
            version: None,
            prints: vec![],
        };
        Transition {
            outcome: self.random.chance(90).then_some(outcome),
            at: now.plus_millis(-late),
            events: (0..self.below(6)).map(|_| self.event(now)).collect(),
        }
    }

    fn event(&mut self, now: Timestamp) -> Event {
        let conversation = id(self.below(8));
        match self.below(10) {
            0 => Event::on(conversation, EventBody::ConversationOpened(Box::new(self.opened()))),
            1..=3 => Event::on(conversation, self.words()),
            4 => Event::on(conversation, self.ownership()),
            5 => Event::on(conversation, self.state(now)),
            6 | 7 => {
                let body = self.sending(now);
                Event { conversation: self.random.chance(50).then_some(conversation), body }
            }
            _ => Event::global(self.workspace(now)),
        }
    }

    fn opened(&mut self) -> Opened {
        Opened {
            channel: channel("site"),
            thread: self.random.chance(80).then(|| format!("thread-{}", self.below(4))),
            contact: self.random.chance(50).then(|| ContactId(uuid(self.below(4)))),
            customer: message().from,
            subject: self.random.chance(80).then(|| match self.below(3) {
                0 => "Missed call from Ada".to_owned(),
                number => format!("Order {number}"),
            }),
            linked: self.random.chance(20).then(|| ConversationId(uuid(self.below(9)))),
            queue: queue(["support", "billing"][usize::try_from(self.below(2)).unwrap()]),
            priority: 5,
            skills: BTreeMap::from([("english".to_owned(), 1)]),
            preferred: std::collections::BTreeMap::new(),
            cost: 20,
            tags: vec!["new".to_owned()],
            policy: None,
            route: RuleTrace { tried: 3, ..RuleTrace::default() },
            waiting_since: None,
            settled_at: None,
            version: self.below(3),
            message_version: 0,
        }
    }

    /// Some of them are mails, some of which want no answer.
    fn mail(&mut self, number: u64) -> Option<ReceivedMail> {
        let (channel, quiet) = (channel("mail"), self.random.chance(30));
        let awaits = (0..self.below(3)).map(|more| format!("awaited-{}", number + more)).collect();
        let mail = ReceivedMail { channel, key: number.to_string(), quiet, awaits };
        self.random.chance(40).then_some(mail)
    }

    fn words(&mut self) -> EventBody {
        self.inputs += 1;
        let number = self.inputs;
        self.bodies.insert(uuid(number), body(&format!("words {number}")));
        match self.below(4) {
            0 => EventBody::NoteAdded { id: NoteId(uuid(number)), by: Actor::operator() },
            1 => EventBody::MessageReceived {
                id: MessageId(uuid(number)),
                contact: Some(ContactId(uuid(self.below(4)))),
                message: Box::new(message()),
                mail: self.mail(number),
            },
            2 => {
                let mut call = recorded(number, self.random.chance(50));
                // Some go on, some are heard of late, and some were answered.
                if self.random.chance(30) {
                    call.call.state = CallState::Ringing;
                }
                if self.random.chance(50) {
                    call.happened_at = Some(moment(self.below(20)));
                    call.waiting_since = self.random.chance(50).then(|| moment(self.below(20)));
                }
                if !call.waits && self.random.chance(50) {
                    call.call.disposition = Some(Disposition::Answered);
                }
                EventBody::CallRecorded(Box::new(call))
            }
            // Few ids, so that what happens to replies often finds one.
            _ => EventBody::ReplyQueued {
                id: MessageId(uuid(self.below(10))),
                channel: channel("site"),
                by: Actor::operator(),
                message: Box::new(message()),
            },
        }
    }

    fn reason(&mut self) -> Reason {
        match self.below(3) {
            0 => Reason::CustomerWrote,
            1 => Reason::Claimed { by: Actor::operator() },
            _ => Reason::LongestIdle { queue: queue("support"), passed_over: Vec::new() },
        }
    }

    fn freed(&mut self) -> Option<Freed> {
        let freed = Freed { agent: agent("ada"), cost: 20 };
        self.random.chance(50).then_some(freed)
    }

    fn ownership(&mut self) -> EventBody {
        let reason = self.reason();
        let agent = agent(["ada", "bob", "cy"][usize::try_from(self.below(3)).unwrap()]);
        match self.below(5) {
            0 => EventBody::ConversationReopened { opened: Box::new(self.opened()), reason },
            1 => EventBody::ConversationReleased { agent, cost: 20, reason },
            2 => EventBody::ConversationTransferred {
                queue: queue("billing"),
                reached: self.random.chance(30).then(|| queue("support")).into_iter().collect(),
                reason,
            },
            _ => EventBody::ConversationAssigned { agent, cost: 20, reason },
        }
    }

    fn state(&mut self, now: Timestamp) -> EventBody {
        let (reason, by) = (self.reason(), Actor::operator());
        let other = id(self.below(8));
        match self.below(12) {
            11 => EventBody::ConversationUnkept,
            10 => EventBody::ConversationKept(Kept { agent: agent("ada"), until: now }),
            9 => EventBody::LadderClimbed(Box::new(Climbed {
                step: 1,
                priority: 9,
                queues: vec![queue("billing")],
                ..Climbed::default()
            })),
            7 => EventBody::TargetsChanged {
                targets: vec![
                    promised(TargetKind::FirstResponse),
                    promised(TargetKind::Resolution),
                ],
            },
            8 => EventBody::TargetBreached {
                kind: TargetKind::Resolution,
                due_at: promised(TargetKind::Resolution).due_at,
            },
            0 => EventBody::ConversationSnoozed {
                until: now.plus_millis(1),
                freed: self.freed(),
                reason,
            },
            1 => EventBody::ConversationResolved { freed: self.freed(), reason },
            2 => EventBody::ConversationTagged {
                added: vec![format!("tag-{}", self.below(3))],
                removed: vec![format!("tag-{}", self.below(3))],
                by,
            },
            3 => EventBody::ConversationPrioritised { priority: 7, by },
            4 => EventBody::ConversationMerged {
                into: other,
                channel: channel("site"),
                thread: Some(format!("thread-{}", self.below(4))),
                freed: self.freed(),
                by,
            },
            5 => EventBody::ConversationWoken { reason },
            _ => EventBody::ConversationAbsorbed {
                from: other,
                further: self.random.chance(50).then(|| id(9)).into_iter().collect(),
                renamed: self.random.chance(50),
                subject: self.random.chance(50).then(|| "Order 9".to_owned()),
                by,
            },
        }
    }

    fn sending(&mut self, now: Timestamp) -> EventBody {
        let message = MessageId(uuid(self.below(10)));
        let (code, detail) = ("busy".to_owned(), "try later".to_owned());
        let statuses = [
            ReceiptStatus::Sent,
            ReceiptStatus::Delivered,
            ReceiptStatus::Read,
            ReceiptStatus::Failed,
        ];
        let result = match self.below(4) {
            0 => SendResult::Sent { external_id: Some(format!("sent-{}", self.below(20))) },
            1 => SendResult::Retry { retry_at: now.plus_millis(1), code, detail },
            2 => SendResult::Failed { code, detail },
            _ => SendResult::Uncertain { code, detail },
        };
        match self.below(6) {
            0 => EventBody::DeliveryOwned {
                channel: channel("site"),
                host: HostId(uuid(1)),
                epoch: 2,
            },
            1 | 2 => EventBody::DeliveryAttempted { message, epoch: 2, attempt: 1 },
            3 => EventBody::DeliverySettled { message, result },
            4 => EventBody::DeliveryRequeued {
                message,
                channel: channel("site"),
                attempts: 1,
                by: Actor::operator(),
            },
            _ => EventBody::ReceiptRecorded {
                message,
                status: statuses[usize::try_from(self.below(4)).unwrap()],
                at: now,
                code: None,
            },
        }
    }

    fn workspace(&mut self, now: Timestamp) -> EventBody {
        let contact = ContactId(uuid(self.below(4)));
        let address = format!("tel:+{}", self.below(6)).parse().unwrap();
        let parked = ParkedId(uuid(self.below(5)));
        match self.below(8) {
            0 => EventBody::ConfigInstalled { settings: Box::new(settings()) },
            1 => EventBody::ContactCreated {
                contact: Contact {
                    id: contact,
                    name: None,
                    addresses: vec![address],
                    dead: vec![],
                    created_at: now,
                    last_agent: None,
                    conversations: 0,
                    merged_into: None,
                },
            },
            2 => EventBody::ContactUpdated {
                contact,
                name: self.random.chance(50).then(|| "Ada".to_owned()),
                addresses: vec![address],
            },
            3 => EventBody::ContactMerged {
                contact,
                into: ContactId(uuid(self.below(4))),
                name: self.random.chance(50).then(|| "Grace".to_owned()),
                addresses: vec![address],
                last_agent: None,
                conversations: 0,
                by: Actor::operator(),
            },
            4 => EventBody::AgentStatusChanged {
                agent: agent("ada"),
                status: AgentStatus::Online,
                reason: None,
                by: Actor::operator(),
            },
            5 => EventBody::InputParked {
                id: parked,
                code: "unparsed".to_owned(),
                detail: "no sender".to_owned(),
                input: Box::new(self.input(now)),
            },
            6 => EventBody::CursorMoved(Cursor {
                channel: channel("site"),
                name: format!("file-{}", self.below(3)),
                value: now.to_string(),
            }),
            _ => EventBody::InputUnparked { id: parked, dropped: true, by: Actor::operator() },
        }
    }

    fn input(&mut self, at: Timestamp) -> Input {
        let number = self.random.next_u64() >> 32;
        let action = Action::Resolve { conversation: id(number) };
        let command = Command { id: CommandId(uuid(number)), actor: Actor::operator(), action };
        Input { id: InputId(uuid(number)), at, body: InputBody::Command(Box::new(command)) }
    }
}
