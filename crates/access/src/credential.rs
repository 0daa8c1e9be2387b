//! What a secret stands for: who holds it, and until when.

use postroom_model::{Actor, AgentId, ChannelId, Role, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// A bearer token of a program.
    Token,
    /// A link that signs in once.
    Link,
    /// A signed-in browser.
    Session,
}

/// Who somebody is, once they have shown a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    pub role: Role,
    /// The agent they act as; needed for claiming, status and the list of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    pub name: String,
    /// For integrators: the only channels that they may read of; empty means none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<ChannelId>,
}

impl Principal {
    pub fn actor(&self) -> Actor {
        Actor { role: self.role, agent: self.agent.clone(), name: self.name.clone() }
    }
}

/// A stored secret. Only its hash is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    pub kind: CredentialKind,
    pub principal: Principal,
    pub created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Credential {
    pub fn expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}
