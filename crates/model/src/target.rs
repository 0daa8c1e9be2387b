//! Targets: times that are promised to customers. What a policy promises, and how far a promise is.
//!
//! A promise holds all that it was made by, so that a policy that changes later does not change it.

use serde::{Deserialize, Serialize};

use crate::{CalendarId, PolicyId, Timestamp};

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// From when the customer opened it until somebody answers.
    FirstResponse,
    /// From when the customer wrote again until somebody answers.
    NextResponse,
    /// From when it was opened until it is done; stands still while the customer has the next word.
    Resolution,
}

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    Running,
    /// Runs, and will be due soon.
    Warned,
    /// Stands still while we wait for the customer.
    Paused,
    /// What was promised came in time.
    Met,
    /// It did not come in time.
    Breached,
    /// Nobody waits for it any more: the conversation ended in another one.
    Dropped,
}

/// A time that was promised.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct Target {
    pub kind: TargetKind,
    /// While it is paused, when it was due as it was paused.
    pub due_at: Timestamp,
    pub state: TargetState,
    /// What promised it.
    pub policy: PolicyId,
    /// Hash of the configuration by which it was promised, first 16 hexadecimal digits.
    pub version: String,
    /// Whose hours count; every hour counts if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<CalendarId>,
    /// When people are warned that it will be due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_at: Option<Timestamp>,
    /// How long before the end people are warned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_before_ms: Option<i64>,
    /// How much of the time is left while it is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_ms: Option<i64>,
    /// When what was promised came, in time or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met_at: Option<Timestamp>,
}

impl Target {
    /// Time goes on for it.
    pub fn runs(&self) -> bool {
        matches!(self.state, TargetState::Running | TargetState::Warned)
    }

    /// What was promised has not come yet.
    pub fn is_owed(&self) -> bool {
        let late = self.state == TargetState::Breached && self.met_at.is_none();
        self.runs() || self.state == TargetState::Paused || late
    }

    /// When time changes it next: the warning, or the breach.
    pub fn next_at(&self) -> Option<Timestamp> {
        match self.state {
            TargetState::Running => Some(self.warn_at.unwrap_or(self.due_at).min(self.due_at)),
            TargetState::Warned => Some(self.due_at),
            _ => None,
        }
    }
}

/// Notes in a list of targets that the one of this kind is due soon, or was not kept.
pub fn note_target(targets: &mut [Target], kind: TargetKind, state: TargetState) {
    for target in targets.iter_mut().filter(|target| target.kind == kind && target.runs()) {
        target.state = state;
    }
}

/// What is promised, and by whose hours it is counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TargetPolicy {
    pub id: PolicyId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_response_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_response_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_before_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<CalendarId>,
}

impl TargetPolicy {
    /// How long what is promised may take.
    pub fn time_ms(&self, kind: TargetKind) -> Option<i64> {
        match kind {
            TargetKind::FirstResponse => self.first_response_ms,
            TargetKind::NextResponse => self.next_response_ms,
            TargetKind::Resolution => self.resolution_ms,
        }
    }
}
