//! Reads, layers, checks and explains the configuration.
//!
//! The only reader of the configuration file, of secret files and of the process environment. It
//! knows the shape of everything but the options of a channel, which that channel's adapter
//! parses, and the text of a rule, which the core compiles; both report back through
//! [`Config::diagnose`]. It opens no connection and decides nothing.

mod answers;
mod calendars;
mod checks;
mod config;
mod contacts;
mod diagnostic;
mod draft;
mod durations;
mod engines;
mod environment;
mod error;
mod ical;
mod ladders;
mod layers;
mod loader;
mod mask;
mod names;
mod reader;
mod redact;
mod routes;
mod schema;
mod secret_files;
mod sections;
mod source;
mod timing;
mod toml_text;
mod types;
mod watcher;
mod work;

pub use crate::config::Config;
pub use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
pub use crate::draft::Draft;
pub use crate::environment::Environment;
pub use crate::error::ConfigError;
pub use crate::loader::Loader;
pub use crate::names::{nearest, suggestion};
pub use crate::redact::{is_secret_key, redact_url};
pub use crate::schema::{Section, defaults, sections};
pub use crate::types::{
    BlobsConfig, Bus, BusLogin, BusTls, ChannelConfig, Outgoing, RecordsConfig, Server, ServiceUrl,
};
pub use crate::watcher::Watcher;
