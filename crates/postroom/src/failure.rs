//! How a command ends when it does not succeed: words for people, a code for programs, an exit status.

use std::process::ExitCode;

use postroom_config::Diagnostics;

/// Exit 1: it failed. Exit 2: it was called or configured wrongly.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something did not work; with a stable code where there is one.
    Failed { code: Option<&'static str>, message: String },
    /// The command line is wrong in a way that only the configuration shows.
    Usage(String),
    /// The configuration is wrong.
    Config(Box<Diagnostics>),
}

impl Failure {
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed { code: None, message: message.into() }
    }

    pub(crate) fn coded(code: &'static str, message: impl std::fmt::Display) -> Self {
        Self::Failed { code: Some(code), message: message.to_string() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Failed { .. } => ExitCode::from(1),
            Self::Usage(_) | Self::Config(_) => ExitCode::from(2),
        }
    }

    /// People read it on standard error; a program gets an object on standard output.
    pub(crate) fn print(&self, json: bool) {
        if json {
            let shown = match self {
                Self::Failed { code, message } => {
                    serde_json::json!({ "error": { "code": code, "message": message } })
                }
                Self::Usage(message) => {
                    serde_json::json!({ "error": { "code": "usage", "message": message } })
                }
                Self::Config(diagnostics) => serde_json::json!(diagnostics),
            };
            crate::output::json(&shown);
            return;
        }
        match self {
            Self::Failed { code: Some(code), message } => {
                crate::output::complain(&format!("error: {message} [{code}]"));
            }
            Self::Failed { code: None, message } | Self::Usage(message) => {
                crate::output::complain(&format!("error: {message}"));
            }
            Self::Config(diagnostics) => {
                crate::output::complain(&diagnostics.render(crate::output::errors_are_colored()));
            }
        }
    }
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::Config(Box::new(diagnostics))
    }
}

/// Failures of the rooms keep their codes.
macro_rules! coded {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::coded(error.code(), &error)
            }
        }
    )*};
}

coded!(
    postroom_bus::BusError,
    postroom_bus::BlobError,
    postroom_bus_nats::NatsError,
    postroom_embedded::EmbeddedError,
    postroom_records::RecordsError,
    postroom_records_redis::RedisError,
    postroom_router::RouterError
);

impl From<postroom_access::AccessError> for Failure {
    fn from(error: postroom_access::AccessError) -> Self {
        Self::coded("access_unavailable", error)
    }
}
