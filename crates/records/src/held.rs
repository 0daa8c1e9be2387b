//! How many conversations of a kind agents hold, for those who may hold only so many. Counted when somebody
//! asks why a conversation waits, since nothing else needs it.

use std::collections::BTreeMap;

use postroom_model::{AgentId, AgentStatus, ChannelKind, Conversation, Presence, Settings};

use crate::{ConversationQuery, Key, Records, RecordsError, Row, View};

/// Agents who are counted for one answer; of the others nothing is said.
const COUNTED_MAX: usize = 200;
/// Conversations of one agent that are looked at.
const LOOKED_AT_MAX: usize = 200;

/// How many of the conversation's kind each agent holds or is asked to take, of those who are online and
/// have a limit for it.
pub async fn held_of_kind(
    records: &dyn Records,
    conversation: &Conversation,
    settings: &Settings,
    presences: &[Presence],
) -> Result<BTreeMap<AgentId, u32>, RecordsError> {
    let mut held = BTreeMap::new();
    let Some(kind) = kind_of(conversation, settings) else { return Ok(held) };
    let online = presences.iter().filter(|presence| presence.status == AgentStatus::Online);
    let limited = online.filter(|presence| {
        settings.agent(&presence.agent).is_some_and(|agent| agent.limits.contains_key(&kind))
    });
    for presence in limited.take(COUNTED_MAX) {
        let query = ConversationQuery {
            view: View::Mine,
            agent: Some(presence.agent.clone()),
            limit: LOOKED_AT_MAX,
            ..ConversationQuery::default()
        };
        let mut rows = records.conversations(&query).await?.items;
        let asked = presence.offers.iter().filter(|offer| offer.conversation != conversation.id);
        let asked: Vec<Key> = asked.map(|offer| Key::Conversation(offer.conversation)).collect();
        for row in records.load(&asked).await?.into_iter().flatten() {
            if let Row::Conversation(row) = row {
                rows.push(*row);
            }
        }
        let same = rows.iter().filter(|row| kind_of(row, settings) == Some(kind)).count();
        held.insert(presence.agent.clone(), u32::try_from(same).unwrap_or(u32::MAX));
    }
    Ok(held)
}

fn kind_of(conversation: &Conversation, settings: &Settings) -> Option<ChannelKind> {
    settings.channel(&conversation.channel).map(|channel| channel.kind)
}
