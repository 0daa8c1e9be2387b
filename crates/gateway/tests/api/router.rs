//! A router for these tests: it decides by hand-written answers, appends and projects, so that the
//! gateway sees outcomes, envelopes and records as in the real house. It knows no rules.

use std::sync::Arc;

use postroom_bus::{Inlet, Ledger, MemoryInlet, MemoryLedger, ReadLimits, decode_batch};
use postroom_model::digest::Digest;
use postroom_model::envelope::ENVELOPE_VERSION;
use postroom_model::{
    Action, Bodies, Body, Command, Conversation, ConversationId, Envelope, Event, EventBody,
    Inbound, Input, InputBody, Message, MessageKind, Opened, Outcome, OutcomeKind, Position,
    QueueId, Reason, RuleTrace, Timestamp, Transition,
};
use postroom_records::{Key, MemoryRecords, Records, Row, Standing, project};
use tokio::sync::watch;

/// What the gateway reads and writes, with the router between.
#[derive(Debug, Clone)]
pub(crate) struct Backends {
    pub(crate) inlet: Arc<MemoryInlet>,
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) records: Arc<MemoryRecords>,
}

/// Decides everything in the inlet while `running`, one envelope for each publish.
pub(crate) async fn run(backends: Backends, mut running: watch::Receiver<bool>) {
    let mut changes = backends.inlet.changes();
    let mut consumed = 0;
    let mut standing = Standing::default();
    loop {
        if running.wait_for(|running| *running).await.is_err() {
            return;
        }
        changes.mark_unchanged();
        let entries = backends.inlet.read(consumed, ReadLimits::default()).await.unwrap();
        if entries.is_empty() {
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                paused = running.changed() => if paused.is_err() { return },
            }
        }
        for entry in entries {
            consumed = entry.seq;
            standing = decide_entry(&backends, standing, entry.seq, &entry.bytes).await;
        }
    }
}

async fn decide_entry(
    backends: &Backends,
    standing: Standing,
    inlet_seq: u64,
    batch: &[u8],
) -> Standing {
    let mut bodies = Bodies::new();
    let mut transitions = Vec::new();
    for (input, index) in decode_batch(batch).into_iter().zip(0..) {
        let position = Position { seq: inlet_seq, index };
        let input = input.unwrap();
        transitions.push(decide(backends, position, input, &mut bodies).await);
    }
    append(backends, standing, inlet_seq, transitions, bodies).await
}

/// Appends an envelope and brings the records there.
pub(crate) async fn append(
    backends: &Backends,
    standing: Standing,
    inlet_seq: u64,
    transitions: Vec<Transition>,
    bodies: Bodies,
) -> Standing {
    let mut envelope = Envelope {
        v: ENVELOPE_VERSION,
        epoch: 1,
        writer: uuid::Uuid::nil(),
        at: Timestamp::from_millis(1_000),
        prev_hash: Digest::ZERO,
        inlet_seq,
        first_event: standing.last_event + 1,
        transitions,
        bodies_hash: Digest::ZERO,
        bodies,
    };
    let bytes = envelope.encode().unwrap().bytes;
    let events = (envelope.first_event, envelope.last_event());
    let seq = backends.ledger.append(standing.seq, events, bytes.into()).await.unwrap();
    project(backends.records.as_ref(), standing, seq, &envelope).await.unwrap()
}

async fn row(backends: &Backends, key: Key) -> Option<Row> {
    backends.records.load(&[key]).await.unwrap().pop().flatten()
}

async fn decide(
    backends: &Backends,
    position: Position,
    input: Input,
    bodies: &mut Bodies,
) -> Transition {
    let mut outcome = Outcome {
        position,
        input: input.id,
        kind: OutcomeKind::Routed,
        code: None,
        detail: None,
        conversation: None,
        message: None,
        version: None,
        prints: vec![],
    };
    let at = input.at;
    let events = if row(backends, Key::Seen(input.id)).await.is_some() {
        outcome.kind = OutcomeKind::Duplicate;
        Vec::new()
    } else {
        match input.body {
            InputBody::Inbound(inbound) => receive(input.id.0, *inbound, &mut outcome, bodies),
            InputBody::Command(command) => {
                carry_out(backends, *command, &mut outcome, bodies).await
            }
            _ => Vec::new(),
        }
    };
    Transition { outcome: Some(outcome), at, events }
}

/// Each message opens a conversation with its own id, in the queue that its attributes name; where they
/// say what a ladder does for it, that is done.
fn receive(
    id: uuid::Uuid,
    inbound: Inbound,
    outcome: &mut Outcome,
    bodies: &mut Bodies,
) -> Vec<Event> {
    let conversation = ConversationId(id);
    let mut message = inbound.message;
    bodies.insert(id, Body::take_from(&mut message));
    outcome.conversation = Some(conversation);
    outcome.message = Some(postroom_model::MessageId(id));
    let queue = message.attributes.get("queue").and_then(|queue| queue.as_str());
    let climbed = message.attributes.get("climbed");
    let climbed = climbed.map(|climbed| serde_json::from_value(climbed.clone()).unwrap());
    let opened = Opened {
        channel: inbound.channel,
        thread: message.thread.clone(),
        contact: None,
        customer: None,
        subject: message.subject.clone(),
        linked: None,
        queue: QueueId::new(queue.unwrap_or("support")).unwrap(),
        priority: 0,
        skills: std::collections::BTreeMap::new(),
        preferred: std::collections::BTreeMap::new(),
        cost: 20,
        tags: vec![],
        policy: None,
        route: RuleTrace::default(),
        waiting_since: None,
        settled_at: None,
        version: 0,
        message_version: 0,
    };
    let received = EventBody::MessageReceived {
        id: postroom_model::MessageId(id),
        contact: None,
        message: Box::new(message),
        mail: None,
    };
    let opened = EventBody::ConversationOpened(Box::new(opened));
    let climbed = climbed.map(|climbed| EventBody::LadderClimbed(Box::new(climbed)));
    let bodies = [opened, received].into_iter().chain(climbed);
    bodies.map(|body| Event::on(conversation, body)).collect()
}

fn refuse(outcome: &mut Outcome, code: &str, detail: String) -> Vec<Event> {
    outcome.kind = OutcomeKind::Rejected;
    outcome.code = Some(code.to_owned());
    outcome.detail = Some(detail);
    Vec::new()
}

async fn carry_out(
    backends: &Backends,
    command: Command,
    outcome: &mut Outcome,
    bodies: &mut Bodies,
) -> Vec<Event> {
    let by = command.actor;
    if let Action::SetStatus { agent, status, reason: None } = command.action {
        return vec![Event::global(EventBody::AgentStatusChanged {
            agent,
            status,
            reason: None,
            by,
        })];
    }
    if let Action::MergeContact { contact, into } = command.action {
        let Some(Row::Contact(row)) = row(backends, Key::Contact(contact)).await else {
            return refuse(outcome, "contact_not_found", "there is none".to_owned());
        };
        let (name, addresses) = (row.name, row.addresses);
        let last_agent = None;
        let conversations = row.conversations;
        let merged = EventBody::ContactMerged {
            contact,
            into,
            name,
            addresses,
            last_agent,
            conversations,
            by,
        };
        return vec![Event::global(merged)];
    }
    let Some(id) = command.action.conversation() else { return Vec::new() };
    let Some(Row::Conversation(now)) = row(backends, Key::Conversation(id)).await else {
        return refuse(outcome, "conversation_not_found", "there is none".to_owned());
    };
    outcome.conversation = Some(id);
    match changed(&now, command.action, by, bodies) {
        Ok(body) => vec![Event::on(id, body)],
        Err((code, detail)) => refuse(outcome, code, detail),
    }
}

fn changed(
    now: &Conversation,
    action: Action,
    by: postroom_model::Actor,
    bodies: &mut Bodies,
) -> Result<EventBody, (&'static str, String)> {
    Ok(match action {
        Action::Claim { .. } => {
            if let Some(owner) = &now.assignee {
                return Err(("already_claimed", format!("it belongs to {owner}")));
            }
            let agent = by.agent.clone().unwrap();
            EventBody::ConversationAssigned {
                agent,
                cost: now.cost,
                reason: Reason::Claimed { by },
            }
        }
        Action::Reply { message, draft, if_version, .. } => {
            if if_version.is_some_and(|version| version < now.message_version) {
                return Err(("conversation_changed", "a message came".to_owned()));
            }
            let body = Body { text: Some(draft.text), visible_text: None, html: draft.html };
            bodies.insert(message.0, body);
            let message_content = Message {
                kind: MessageKind::Text,
                external_id: message.to_string(),
                attachments: draft.attachments,
                ..Message::default()
            };
            let channel = now.channel.clone();
            EventBody::ReplyQueued { id: message, channel, by, message: Box::new(message_content) }
        }
        Action::Note { note, text, .. } => {
            bodies.insert(note.0, Body { text: Some(text), ..Body::default() });
            EventBody::NoteAdded { id: note, by }
        }
        Action::Transfer { queue, .. } => {
            let reason = Reason::Transferred { by };
            EventBody::ConversationTransferred { queue, reached: vec![], reason }
        }
        Action::Prioritise { priority, .. } => EventBody::ConversationPrioritised { priority, by },
        Action::Snooze { until, .. } => {
            EventBody::ConversationSnoozed { until, freed: None, reason: Reason::Asked { by } }
        }
        Action::Resolve { .. } => {
            EventBody::ConversationResolved { freed: None, reason: Reason::Asked { by } }
        }
        Action::Tag { add, remove, .. } => {
            EventBody::ConversationTagged { added: add, removed: remove, by }
        }
        // The tests need no more of the others than that they come here.
        _ => EventBody::ConversationPrioritised { priority: now.priority, by },
    })
}
