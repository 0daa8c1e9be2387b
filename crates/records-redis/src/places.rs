//! In which indexes a conversation stands, and by what it is sorted there.
//!
//! Where it stood before is known to Redis alone: the script of the write compares and takes it out of
//! the indexes in which it no longer belongs, so that a write needs no question first.

use postroom_model::{AgentId, Conversation, QueueId, Status};

pub(crate) const UNASSIGNED: &str = "unassigned";
pub(crate) const SNOOZED: &str = "snoozed";
pub(crate) const RESOLVED: &str = "resolved";

/// Open and pending ones of an agent.
pub(crate) fn mine(agent: &AgentId) -> String {
    format!("mine:{agent}")
}

/// Open and pending ones of a queue; not sorted.
fn held(queue: &QueueId) -> String {
    format!("held:{queue}")
}

/// Those of a queue that wait for an agent, by how long their customer has waited.
fn waiting(queue: &QueueId) -> String {
    format!("waiting:{queue}")
}

/// Where one conversation stands, beside the index of all.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The index of the view in which it is listed, sorted by its newest message.
    pub(crate) listed: Option<String>,
    /// Every index in which it stands, apart by blanks; one that the script sorts it into has
    /// `=` and the score behind it.
    pub(crate) indexes: String,
}

impl Place {
    pub(crate) fn of(conversation: &Conversation) -> Self {
        let is_held = matches!(conversation.status, Status::Open | Status::Pending);
        let listed = match (conversation.status, &conversation.assignee) {
            (Status::Open | Status::Pending, Some(agent)) => Some(mine(agent)),
            (Status::Open, None) => Some(UNASSIGNED.to_owned()),
            (Status::Pending, None) => None,
            (Status::Snoozed, _) => Some(SNOOZED.to_owned()),
            (Status::Resolved, _) => Some(RESOLVED.to_owned()),
        };
        let mut indexes = listed.clone().unwrap_or_default();
        if let Some(queue) = conversation.queue.as_ref().filter(|_| is_held) {
            add(&mut indexes, &held(queue), "0");
            if conversation.status == Status::Open && conversation.assignee.is_none() {
                let since = conversation.waiting_since.map(|since| since.millis().to_string());
                add(&mut indexes, &waiting(queue), since.as_deref().unwrap_or("inf"));
            }
        }
        Self { listed, indexes }
    }
}

fn add(indexes: &mut String, name: &str, score: &str) {
    if !indexes.is_empty() {
        indexes.push(' ');
    }
    for part in [name, "=", score] {
        indexes.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use postroom_model::Conversation;
    use serde_json::json;

    use super::Place;

    fn conversation(change: &serde_json::Value) -> Conversation {
        let mut row = json!({
            "id": uuid::Uuid::from_u128(1), "status": "open", "channel": "site", "cost": 1,
            "queue": "support", "priority": 0, "tags": [], "targets": [],
            "opened_at": "2026-01-01T00:00:00.000Z", "last_message_at": "2026-01-01T00:00:00.000Z",
            "waiting_since": "1970-01-01T00:00:00.007Z", "version": 1, "message_version": 1,
            "route": { "tried": 0 },
        });
        row.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(row).unwrap()
    }

    #[test]
    fn conversation_stands_where_its_lists_and_counts_look() {
        for (change, listed, indexes) in [
            (json!({}), "unassigned", "unassigned held:support=0 waiting:support=7"),
            (
                json!({"waiting_since": null}),
                "unassigned",
                "unassigned held:support=0 waiting:support=inf",
            ),
            (json!({"queue": null}), "unassigned", "unassigned"),
            (json!({"assignee": "ada"}), "mine:ada", "mine:ada held:support=0"),
            (
                json!({"assignee": "ada", "status": "pending"}),
                "mine:ada",
                "mine:ada held:support=0",
            ),
            (json!({"status": "pending"}), "", "held:support=0"),
            (json!({"assignee": "ada", "status": "snoozed"}), "snoozed", "snoozed"),
            (json!({"assignee": "ada", "status": "resolved"}), "resolved", "resolved"),
        ] {
            let place = Place::of(&conversation(&change));
            assert_eq!(place.listed.unwrap_or_default(), listed, "{change}");
            assert_eq!(place.indexes, indexes, "{change}");
        }
    }
}
