//! Limits and times of this crate, each with its name.

use std::time::Duration;

/// Bytes in one entry of inlet or ledger, however much the server would take: a reader holds a few.
pub const ENTRY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What a server must take in one message; with less, a batch of the intake does not fit.
pub const PAYLOAD_BYTES_MIN: usize = 1024 * 1024;

/// Room for the headers that this crate sets; the server counts them as payload.
pub(crate) const HEADERS_BYTES_MAX: usize = 1024;

/// Publishes to the inlet under way at the same time; more are told to come again.
pub(crate) const PUBLISHES_MAX: usize = 1_024;

/// How long a stored answer may take: publish, append, and every question to the JetStream API.
pub(crate) const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// How long a reader waits for the next message of what it pulled, before it takes its consumer for
/// dead.
pub(crate) const PULL_WAIT: Duration = Duration::from_secs(2);

/// Entries in one pull. The client library drops messages that a subscription does not take; it
/// holds far more than this.
pub(crate) const PULL_ENTRIES_MAX: usize = 1_024;

/// Consumers that one stream's reader keeps for those who read on.
pub(crate) const CURSORS_MAX: usize = 8;

/// After this time without a pull the server forgets a consumer.
pub(crate) const CONSUMER_IDLE: Duration = Duration::from_secs(30);

/// How often the lookout asks where a stream ends, whatever it was told.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(3);

/// How often the server says that it has nothing to say.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(4);

/// Questions whether a stream really ends before what was seen: a new leader may lag for a moment.
pub(crate) const BACKWARDS_LOOKS: u32 = 10;

/// The pause between those questions, and between those for an entry that a consumer does not see.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Questions to a consumer that does not give what the stream is known to have.
pub(crate) const DEAF_LOOKS: u32 = 5;

/// The pause before looking again for what another server of the cluster is about to know: a consumer
/// that was just made, an append that was just taken.
pub(crate) const CLUSTER_PAUSE: Duration = Duration::from_millis(20);

/// Looks for it.
pub(crate) const CLUSTER_LOOKS: u32 = 50;

/// For how long the server knows a message id: for a publish that is repeated at once. Later
/// repetitions are found by the ids of the inputs.
pub(crate) const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

/// For how long a reply waits for an adapter outside to fetch it.
pub(crate) const OUTLET_KEPT: Duration = Duration::from_hours(14 * 24);

/// For how long a reply is handed over again after an answer that did not come. Far less than
/// [`DUPLICATE_WINDOW`], so that the server takes it once.
pub(crate) const HANDOVER_WAIT: Duration = Duration::from_secs(20);

/// Replies that an adapter outside may hold without having acknowledged them.
pub(crate) const HANDED_OUT_MAX: i64 = 1_000;

/// After this time without an acknowledgement a reply is given to an adapter outside once more.
pub(crate) const HANDED_OUT_WAIT: Duration = Duration::from_mins(1);

/// Bytes of the answer of a monitoring endpoint.
pub(crate) const MONITOR_BYTES_MAX: usize = 1024 * 1024;

/// How long a monitoring endpoint may take.
pub(crate) const MONITOR_WAIT: Duration = Duration::from_secs(5);

/// Tries to take a credential while others change it.
pub(crate) const TAKE_TRIES: u32 = 5;

/// For how long the mark of a removed credential stays, and a credential after it has expired.
pub(crate) const MARK_SECONDS: i64 = 24 * 60 * 60;
