//! Customers who come back: who had them last, and whether what is done is opened again.

use serde::{Deserialize, Serialize};

use crate::{AgentId, Timestamp};

/// A conversation waits for the agent who had its customer last, and for nobody else until then.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct Kept {
    pub agent: AgentId,
    pub until: Timestamp,
}

/// What a channel does with a message on a conversation that is resolved.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct ReopenRule {
    /// For how long after it was resolved it is opened again; always if nothing is said, never if 0.
    /// After that the message opens another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<i64>,
    /// It goes back to whoever had it, if they can take it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_owner: bool,
}

impl ReopenRule {
    pub fn allows(&self, resolved_at: Timestamp, now: Timestamp) -> bool {
        self.within_ms.is_none_or(|within| now.since(resolved_at) < within)
    }
}

#[cfg(test)]
mod tests {
    use super::ReopenRule;
    use crate::Timestamp;

    #[test]
    fn done_is_opened_again_always_never_or_for_a_while() {
        let at = Timestamp::from_millis;
        for (within_ms, later, expected) in [
            (None, 1_000_000_000, true),
            (Some(0), 0, false),
            (Some(60), 59, true),
            (Some(60), 60, false),
        ] {
            let rule = ReopenRule { within_ms, keep_owner: false };
            assert_eq!(rule.allows(at(5), at(5 + later)), expected, "{within_ms:?} {later}");
        }
    }
}
