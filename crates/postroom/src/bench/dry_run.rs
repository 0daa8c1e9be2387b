//! What a dry run costs: a made-up day in memory, read and played under two configurations with ten rules.

use std::collections::BTreeMap;

use postroom_model::{
    Actor, AgentId, AgentSettings, AgentStatus, Bodies, Body, ChannelId, ChannelKind,
    ChannelSettings, ConversationId, Event, EventBody, Message, MessageId, Opened, QueueId,
    QueueSettings, Reason, Rule, RuleTrace, Settings, Timestamp, WorkspaceId,
};
use postroom_routing::dry_run::{Recording, Side};
use uuid::Uuid;

use super::stats::{Stopwatch, float};
use crate::failure::Failure;

pub(super) const MESSAGES: u64 = 200_000;
/// Messages for each conversation, as everywhere in the bench.
const MESSAGES_EACH: u64 = 5;
const AGENTS: u64 = 100;
const QUEUES: u64 = 10;
const RULES: u64 = 10;
/// 2026-01-01, and a message every 40 ms.
const BEGIN_MS: i64 = 1_767_225_600_000;
const EVERY_MS: i64 = 40;

/// Messages a second.
pub(super) fn per_s(messages: u64) -> Result<f64, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("no day: {error}"));
    let day = Day::new().ok_or_else(|| failed(&"names"))?;
    let (now, new) = (day.settings(0), day.settings(1));
    let events = day.events(&now, messages);
    let watch = Stopwatch::start();
    let mut recording = Recording::new(Timestamp::from_millis(BEGIN_MS), &now, &new)
        .map_err(|error| failed(&error))?;
    for (at, event, bodies) in &events {
        recording.note(*at, event, bodies);
    }
    let play = |side| recording.play(side, 1, &mut |_| ());
    let (now, new) = std::thread::scope(|scope| {
        let now = scope.spawn(|| play(Side::Now));
        let new = play(Side::New);
        (now.join(), new)
    });
    let now = now.map_err(|_| Failure::failed("a side was not played"))?;
    let (now, new) = (now.map_err(|error| failed(&error))?, new.map_err(|error| failed(&error))?);
    let report = recording.compare(1, now, new);
    if report.messages != messages || report.elsewhere == 0 {
        return Err(Failure::failed("the day was not played as it was"));
    }
    Ok(float(messages) / watch.seconds())
}

struct Day {
    channel: ChannelId,
    first: QueueId,
    queues: Vec<QueueId>,
    agents: Vec<AgentId>,
}

impl Day {
    fn new() -> Option<Self> {
        let queues = (0..QUEUES).map(|number| QueueId::new(&format!("queue-{number}")).ok());
        let agents = (0..AGENTS).map(|number| AgentId::new(&format!("agent-{number}")).ok());
        let queues: Vec<QueueId> = queues.collect::<Option<_>>()?;
        Some(Self {
            channel: ChannelId::new("chat").ok()?,
            first: queues.first()?.clone(),
            queues,
            agents: agents.collect::<Option<_>>()?,
        })
    }

    /// Ten rules, of which each leads to another queue; those of another configuration to the next.
    fn settings(&self, further: usize) -> Settings {
        let queue = |number: usize| self.queues.get(number % self.queues.len()).cloned();
        let rule = |number| Rule {
            when: format!("message.text.contains('subject {number} ') || message.subject == 'x'"),
            queue: queue(usize::try_from(number).unwrap_or(0) + further),
            ..Rule::default()
        };
        let agent = |(number, id): (usize, &AgentId)| AgentSettings {
            id: id.clone(),
            name: id.to_string(),
            email: None,
            queues: (0..3).filter_map(|step| queue(number + step)).collect(),
            skills: BTreeMap::new(),
            capacity: 100,
            limits: BTreeMap::new(),
        };
        Settings {
            workspace: WorkspaceId::main(),
            timing: postroom_model::Timing::default(),
            channels: vec![ChannelSettings {
                id: self.channel.clone(),
                kind: ChannelKind::Webhook,
                dialect: None,
                queue: None,
                sends: true,
                calls: None,
            }],
            queues: self
                .queues
                .iter()
                .map(|id| QueueSettings::new(id.clone(), id.to_string()))
                .collect(),
            rules: (0..RULES).map(rule).collect(),
            agents: self.agents.iter().enumerate().map(agent).collect(),
            costs: Settings::default_costs(),
            calendars: vec![],
            desk: postroom_model::DeskSettings::default(),
            contacts: postroom_model::ContactSettings::default(),
            answers: vec![],
        }
    }

    /// Every conversation is opened, had by somebody, gone on with, answered and resolved.
    fn events(&self, settings: &Settings, messages: u64) -> Vec<(Timestamp, Event, Bodies)> {
        let mut events = Vec::new();
        let begin = Timestamp::from_millis(BEGIN_MS);
        let mut global = |body| events.push((begin, Event::global(body), Bodies::new()));
        global(EventBody::ConfigInstalled { settings: Box::new(settings.clone()) });
        for agent in &self.agents {
            global(EventBody::AgentStatusChanged {
                agent: agent.clone(),
                status: AgentStatus::Online,
                reason: None,
                by: Actor::agent(agent),
            });
        }
        for number in 0..messages {
            // A hundred conversations go on beside each other.
            let (block, place) = (number / (100 * MESSAGES_EACH), number % 100);
            let turn = number % (100 * MESSAGES_EACH) / 100;
            let id = ConversationId(Uuid::from_u128(u128::from(block * 100 + place) + 1));
            let at = begin.plus_millis(i64::try_from(number).unwrap_or(0) * EVERY_MS);
            let on = |body| Event::on(id, body);
            let agent = usize::try_from(place).ok().and_then(|ix| self.agents.get(ix));
            let Some(agent) = agent else { continue };
            if turn == 0 {
                let opened = on(EventBody::ConversationOpened(Box::new(self.opened(number))));
                events.push((at, opened, Bodies::new()));
            }
            events.push(message(at, id, number));
            let by = Actor::agent(agent);
            let mut more = |body| events.push((at, on(body), Bodies::new()));
            if turn == 0 {
                let reason = Reason::Claimed { by: by.clone() };
                more(EventBody::ConversationAssigned { agent: agent.clone(), cost: 20, reason });
            }
            more(EventBody::ReplyQueued {
                id: MessageId(Uuid::from_u128(u128::from(number) << 64)),
                channel: self.channel.clone(),
                by: by.clone(),
                message: Box::default(),
            });
            if turn + 1 == MESSAGES_EACH {
                let freed = postroom_model::Freed { agent: agent.clone(), cost: 20 };
                let reason = Reason::Asked { by };
                more(EventBody::ConversationResolved { freed: Some(freed), reason });
            }
        }
        events
    }

    fn opened(&self, number: u64) -> Opened {
        Opened {
            channel: self.channel.clone(),
            thread: Some(format!("thread-{number}")),
            contact: None,
            customer: None,
            subject: None,
            linked: None,
            queue: self.first.clone(),
            priority: 0,
            skills: BTreeMap::new(),
            preferred: BTreeMap::new(),
            cost: 20,
            tags: vec![],
            policy: None,
            route: RuleTrace::default(),
            waiting_since: None,
            settled_at: None,
            version: 0,
            message_version: 0,
        }
    }
}

fn message(at: Timestamp, id: ConversationId, number: u64) -> (Timestamp, Event, Bodies) {
    let message_id = MessageId(Uuid::from_u128(u128::from(number) + 1));
    let words = "Where is my parcel? It should have come on Monday. ".repeat(5);
    let text = format!("About subject {} of my order. {words}", number % RULES);
    let body = Body { text: Some(text), ..Body::default() };
    let message = Box::new(Message { external_id: number.to_string(), ..Message::default() });
    let received =
        EventBody::MessageReceived { id: message_id, contact: None, message, mail: None };
    (at, Event::on(id, received), Bodies::from([(message_id.0, body)]))
}

#[cfg(test)]
mod tests {
    #[test]
    fn day_is_played_to_its_end() {
        let per_s = super::per_s(20_000).unwrap();
        assert!(per_s > 0.0, "{per_s}");
    }
}
