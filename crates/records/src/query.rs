//! What a listing of conversations means, once for every backend: which ones a query wants, their
//! order, and the cursor from page to page.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use postroom_model::{Conversation, ConversationId, QueueId, Status, Timestamp};

use crate::{ConversationQuery, Page, RecordsError, View};

impl ConversationQuery {
    /// Whether the query wants the conversation, its cursor aside.
    pub fn matches(&self, conversation: &Conversation) -> bool {
        self.view_matches(conversation)
            && self.queues_match(conversation)
            && self.channels.as_ref().is_none_or(|all| all.contains(&conversation.channel))
            && self.tag.as_ref().is_none_or(|tag| conversation.tags.contains(tag))
    }

    fn view_matches(&self, conversation: &Conversation) -> bool {
        let status = conversation.status;
        match self.view {
            View::Mine => {
                matches!(status, Status::Open | Status::Pending)
                    && self.agent.is_some()
                    && conversation.assignee == self.agent
            }
            View::Unassigned => status == Status::Open && conversation.assignee.is_none(),
            View::All => true,
            View::Snoozed => status == Status::Snoozed,
            View::Resolved => status == Status::Resolved,
        }
    }

    fn queues_match(&self, conversation: &Conversation) -> bool {
        let Some(queues) = &self.queues else {
            return true;
        };
        let serves = |queue: &QueueId| queues.contains(queue);
        match &self.or_agent {
            Some(agent) => conversation.is_within_reach_of(agent, serves),
            None => conversation.queue.as_ref().is_some_and(serves),
        }
    }

    /// The place after which the page begins; none for the first page.
    pub fn after(&self) -> Result<Option<ListingCursor>, RecordsError> {
        self.cursor.as_deref().map(str::parse).transpose()
    }
}

/// A place in the listing of conversations. The order is the listing's: the newest message first, of
/// two at the same time the greater id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListingCursor {
    pub last_message_at: Timestamp,
    pub id: ConversationId,
}

impl ListingCursor {
    pub fn of(conversation: &Conversation) -> Self {
        Self { last_message_at: conversation.last_message_at, id: conversation.id }
    }

    fn order(&self) -> Reverse<(Timestamp, ConversationId)> {
        Reverse((self.last_message_at, self.id))
    }
}

impl PartialOrd for ListingCursor {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ListingCursor {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

/// `MILLIS.ID`, safe in a URL.
impl fmt::Display for ListingCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.last_message_at.millis(), self.id)
    }
}

impl FromStr for ListingCursor {
    type Err = RecordsError;

    fn from_str(text: &str) -> Result<Self, RecordsError> {
        let (millis, id) = text.split_once('.').ok_or(RecordsError::BadCursor)?;
        let millis = millis.parse().map_err(|_| RecordsError::BadCursor)?;
        let id = id.parse().map_err(|_| RecordsError::BadCursor)?;
        let cursor = Self { last_message_at: Timestamp::from_millis(millis), id };
        // Only the one form that this listing writes.
        if cursor.to_string() == text { Ok(cursor) } else { Err(RecordsError::BadCursor) }
    }
}

impl Page<Conversation> {
    /// The page of the first `limit` of `items`, which come in the listing's order; one more than
    /// `limit` says that there is a next page.
    pub fn of(mut items: Vec<Conversation>, limit: usize) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        let next_cursor = last.map(|last| ListingCursor::of(last).to_string());
        Self { items, next_cursor }
    }
}
