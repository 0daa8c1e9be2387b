//! Engines of the clustered form and mail servers as real processes, started and ended by a test: on loopback, on
//! ports of their own, in a temporary folder, killed on drop.
//!
//! Only for tests: everything here panics where it cannot go on, and says what is missing. No crate
//! of the program may depend on it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what a test cannot do without fails by panicking"
)]

mod certificates;
mod cluster;
mod dns;
mod dovecot;
mod imap;
mod mutator;
mod nats;
mod proxy;
mod redis;
mod signal;
mod tools;

pub use certificates::Certificates;
pub use cluster::NatsCluster;
pub use dns::{Answer, ScriptedDns};
pub use dovecot::{DOVECOT_PASSWORD, Dovecot};
pub use imap::{ImapMailbox, ScriptedImap, Trick};
pub use mutator::Mutator;
pub use nats::{NatsServer, NatsSetup};
pub use proxy::Proxy;
pub use redis::RedisServer;
pub use signal::hold_process;
pub use tools::find_tool;

/// Another process tells nobody when it is ready, so it is asked again and again; with a pause that
/// leaves it the processor.
pub fn again() -> tokio::time::Interval {
    let mut interval = tokio::time::interval(std::time::Duration::from_millis(5));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    interval
}
