//! Automatic answers: what a customer is told before anybody has read their message. Plain settings; who
//! is told what, and when nobody is, the core decides.

use serde::{Deserialize, Serialize};

use crate::{AnswerId, CalendarId, Message, QueueId};

/// Characters of an answer, as it is configured.
pub const ANSWER_CHARS_MAX: usize = 2_000;
/// What may stand in an answer, in braces.
pub const ANSWER_PLACES: [&str; 3] = ["name", "position", "opens_at"];
/// The attribute of an automatic answer that names it.
pub const ANSWER_ATTRIBUTE: &str = "answer";

/// What calls for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnswerOn {
    /// Somebody wrote, within the hours of the calendar if there is one.
    Received,
    /// Somebody wrote outside of the hours of the calendar.
    Closed,
    /// Somebody wrote, and has to wait for an agent.
    Waiting,
}

/// One automatic answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AnswerSettings {
    pub id: AnswerId,
    pub on: AnswerOn,
    /// Where it is given; everywhere if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<QueueId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<CalendarId>,
    /// Plain text, in which `{name}`, `{position}` and `{opens_at}` are replaced.
    pub text: String,
}

/// Whether a program wrote this message of ours.
pub fn is_automatic(message: &Message) -> bool {
    message.automation.is_some()
}
