//! The dialects: one format of one provider each. Pure; a dialect does no I/O.

pub mod generic;

use postroom_channel::{PushRequest, Received, Refusal};

/// The format in which a channel is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Postroom's own, signed as Standard Webhooks.
    Generic,
}

impl Dialect {
    pub const ALL: [Self; 1] = [Self::Generic];

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// As it stands in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
        }
    }

    /// Reads a request. The signature is not looked at.
    pub fn parse(self, request: &PushRequest<'_>) -> Result<Received, Refusal> {
        match self {
            Self::Generic => generic::parse_request(request),
        }
    }
}
