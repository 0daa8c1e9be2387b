//! Agents at their inboxes: statuses, claims, replies and all else that they may ask for, often of
//! a conversation that a colleague has just changed.

use std::sync::Arc;

use postroom_model::{
    Action, Actor, AgentStatus, Command, CommandId, ConversationId, DeliveryState, Input,
    InputBody, InputId, MessageId, NoteId, Random, ReplyDraft, Role, SeededRandom, Timestamp,
};
use uuid::Uuid;

use super::dice::named;
use super::inlet::LineInlet;
use super::line::Line;
use super::names::{AGENTS, QUEUES, agent, queue};
use super::stage::Stage;
use super::view::View;

const LANE: u64 = 6;

/// All agents; what they ask for in the same moment stands in one publish or in several.
pub(crate) async fn agents(stage: Arc<Stage>) {
    let random = SeededRandom::new(named(stage.plan.seed, "agents"));
    let inlet = LineInlet(Line::new(&stage, LANE, 0));
    let mut asked = 0;
    while asked < stage.plan.commands {
        stage.rest(LANE, random.below(70)).await;
        let now = stage.now();
        let count = 1 + random.below(3) * random.below(2);
        let inputs: Vec<Input> = stage
            .look(|view| (0..count).filter_map(|_| command(&random, view, now)).collect())
            .await;
        if !inputs.is_empty() {
            inlet.give(&inputs).await;
        }
        asked += count;
    }
}

pub(crate) fn fresh(random: &SeededRandom) -> Uuid {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    Uuid::new_v8(bytes)
}

/// The command as an input; its id is the input's.
pub(crate) fn input_of(
    random: &SeededRandom,
    at: Timestamp,
    actor: Actor,
    action: Action,
) -> Input {
    let id = fresh(random);
    let command = Command { id: CommandId(id), actor, action };
    Input { id: InputId(id), at, body: InputBody::Command(Box::new(command)) }
}

fn one<'a, T>(random: &SeededRandom, all: &'a [T]) -> Option<&'a T> {
    all.get(usize::try_from(random.below(all.len() as u64)).ok()?)
}

fn command(random: &SeededRandom, view: &View, now: Timestamp) -> Option<Input> {
    let name = one(random, &AGENTS)?;
    let mut actor = Actor::agent(&agent(name));
    if random.chance(15) {
        actor.role = Role::Supervisor;
    }
    let action = if random.chance(25) || view.conversations.is_empty() {
        let status = match random.below(8) {
            0 => AgentStatus::Away,
            1 => AgentStatus::AwayAndReassign,
            2 => AgentStatus::Offline,
            _ => AgentStatus::Online,
        };
        Action::SetStatus { agent: agent(name), status, reason: None }
    } else if random.chance(8) {
        // Who has an inbox open, as a gateway tells it.
        let agents = AGENTS.iter().filter(|_| random.chance(60)).map(|name| agent(name)).collect();
        Action::Present { agents }
    } else if random.chance(25)
        && let Some((conversation, offer, agents)) = one(random, &view.offers)
    {
        if random.chance(80) {
            actor = Actor::agent(one(random, agents)?);
        }
        let (conversation, offer) = (*conversation, *offer);
        match random.below(3) {
            0 => Action::DeclineOffer { conversation, offer },
            _ => Action::AcceptOffer { conversation, offer },
        }
    } else if random.chance(6) && !view.contacts.is_empty() {
        let (contact, into) = (*one(random, &view.contacts)?, *one(random, &view.contacts)?);
        Action::MergeContact { contact, into }
    } else {
        // Few conversations, so that commands meet.
        let newest = view.conversations.len().saturating_sub(6);
        let all =
            if random.chance(70) { view.conversations.get(newest..)? } else { &view.conversations };
        on_conversation(random, view, now, *one(random, all)?)?
    };
    Some(input_of(random, now, actor, action))
}

fn on_conversation(
    random: &SeededRandom,
    view: &View,
    now: Timestamp,
    conversation: ConversationId,
) -> Option<Action> {
    Some(match random.below(25) {
        0..3 => Action::Claim { conversation },
        3 => Action::Release { conversation },
        4..9 => {
            let version = view.versions.get(&conversation).copied().unwrap_or(0);
            let draft = ReplyDraft { text: "Here it is.".to_owned(), ..ReplyDraft::default() };
            Action::Reply {
                conversation,
                message: MessageId(fresh(random)),
                draft,
                if_version: random.chance(50).then_some(version.saturating_sub(random.below(3))),
            }
        }
        9 => Action::Note {
            conversation,
            note: NoteId(fresh(random)),
            text: "Called them.".to_owned(),
        },
        10..12 => Action::Resolve { conversation },
        12 => Action::Reopen { conversation },
        13..15 => {
            let until = now.plus_millis(i64::try_from(random.below(900)).unwrap_or(0));
            Action::Snooze { conversation, until }
        }
        15 => Action::Transfer { conversation, queue: queue(one(random, &QUEUES)?) },
        16 => Action::Assign { conversation, agent: agent(one(random, &AGENTS)?) },
        17 => Action::Tag {
            conversation,
            add: vec![format!("tag-{}", random.below(3))],
            remove: vec![format!("tag-{}", random.below(3))],
        },
        18 => {
            let priority = u8::try_from(random.below(120)).unwrap_or(0);
            Action::Prioritise { conversation, priority }
        }
        19..21 => Action::Merge { conversation, into: *one(random, &view.conversations)? },
        _ => resend(random, view)?,
    })
}

fn resend(random: &SeededRandom, view: &View) -> Option<Action> {
    let failed = |state| matches!(state, DeliveryState::Failed | DeliveryState::Uncertain);
    let wanted: Vec<_> = view
        .replies
        .iter()
        .filter(|(_, reply)| failed(reply.state) || random.chance(10))
        .map(|(message, reply)| (*message, reply.conversation))
        .collect();
    let (message, conversation) = *one(random, &wanted)?;
    Some(Action::Resend { conversation, message })
}
