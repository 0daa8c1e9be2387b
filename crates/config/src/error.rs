//! The closed set of what can be wrong with a configuration as a whole. The single mistakes in a
//! file are [`crate::Diagnostic`]s.

/// Why there is no configuration. No later attempt helps until somebody has changed something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there.
    #[error("there is no configuration file")]
    Missing,
    /// The file is there and cannot be read, is not UTF-8, or is larger than 4 MiB.
    #[error("the configuration file cannot be read")]
    Unreadable,
    /// The file, or a variable that overrides it, has mistakes.
    #[error("the configuration has mistakes")]
    Invalid,
    /// A secret that should be made on the first start cannot be written.
    #[error("a new secret cannot be written")]
    SecretUnwritable,
}

impl ConfigError {
    /// Stable; each has a page in `docs/errors`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "config_missing",
            Self::Unreadable => "config_unreadable",
            Self::Invalid => "config_invalid",
            Self::SecretUnwritable => "config_secret_unwritable",
        }
    }

    pub const fn retryable(&self) -> bool {
        false
    }
}
