//! What the JetStream API is asked and answers, as far as this crate looks at it.

use postroom_bus::Filling;
use std::collections::BTreeMap;

use postroom_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

/// Any answer may be a refusal instead.
#[derive(Debug, Deserialize)]
pub(crate) struct Refused {
    #[serde(default)]
    pub(crate) error: Option<Refusal>,
}

/// The answer to a publish.
#[derive(Debug, Deserialize)]
pub(crate) struct Ack {
    pub(crate) stream: String,
    pub(crate) seq: u64,
    /// It was stored before, at that sequence.
    #[serde(default)]
    pub(crate) duplicate: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct StreamInfo {
    pub(crate) config: StreamConfig,
    pub(crate) state: StreamState,
}

impl StreamInfo {
    /// None for a stream without a limit.
    pub(crate) fn filling(&self) -> Option<Filling> {
        let bytes_max = u64::try_from(self.config.max_bytes).ok().filter(|bytes| *bytes > 0)?;
        Some(Filling { bytes: self.state.bytes, bytes_max })
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct StreamState {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) last_seq: u64,
}

/// The settings of a stream, in the form that the server takes and gives. What is left out of an
/// answer is off, zero or the default.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StreamConfig {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) subjects: Vec<String>,
    #[serde(default)]
    pub(crate) retention: String,
    #[serde(default)]
    pub(crate) storage: String,
    #[serde(default)]
    pub(crate) discard: String,
    #[serde(default)]
    pub(crate) max_bytes: i64,
    #[serde(default)]
    pub(crate) max_msgs: i64,
    #[serde(default)]
    pub(crate) max_msgs_per_subject: i64,
    #[serde(default)]
    pub(crate) max_msg_size: i64,
    /// Nanoseconds.
    #[serde(default)]
    pub(crate) max_age: i64,
    /// Nanoseconds.
    #[serde(default)]
    pub(crate) duplicate_window: i64,
    #[serde(default)]
    pub(crate) num_replicas: u8,
    #[serde(default)]
    pub(crate) deny_delete: bool,
    #[serde(default)]
    pub(crate) deny_purge: bool,
    #[serde(default)]
    pub(crate) allow_direct: bool,
    #[serde(default)]
    pub(crate) allow_rollup_hdrs: bool,
    #[serde(default)]
    pub(crate) allow_msg_ttl: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) no_ack: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) sealed: bool,
    /// `async` acknowledges before it writes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) persist_mode: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) first_seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mirror: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) sources: Vec<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject_transform: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[derive(Debug, Deserialize)]
pub(crate) struct MessageAnswer {
    pub(crate) message: RawMessage,
}

/// A message as the API gives it: headers and bytes in base64.
#[derive(Debug, Deserialize)]
pub(crate) struct RawMessage {
    pub(crate) subject: String,
    pub(crate) seq: u64,
    pub(crate) time: Timestamp,
    #[serde(default)]
    pub(crate) hdrs: String,
    #[serde(default)]
    pub(crate) data: String,
}

/// Which message is wanted.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Which<'a> {
    At {
        seq: u64,
    },
    /// The first at or after `seq`, of any subject.
    From {
        seq: u64,
        next_by_subj: &'static str,
    },
    Last {
        last_by_subj: &'a str,
    },
}

#[derive(Debug, Serialize)]
pub(crate) struct Purge {
    /// The first sequence that stays.
    pub(crate) seq: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct CreateConsumer<'a> {
    pub(crate) stream_name: &'a str,
    pub(crate) action: &'static str,
    pub(crate) config: ConsumerConfig<'a>,
}

/// How a consumer delivers.
#[derive(Debug, Serialize)]
pub(crate) struct ConsumerConfig<'a> {
    pub(crate) name: &'a str,
    pub(crate) deliver_policy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) opt_start_seq: Option<u64>,
    pub(crate) ack_policy: &'static str,
    pub(crate) replay_policy: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) inactive_threshold: u64,
    pub(crate) mem_storage: bool,
    pub(crate) num_replicas: u8,
    /// Set where the server pushes; where it is not, we pull.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deliver_subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idle_heartbeat: Option<u64>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) headers_only: bool,
    /// Set where the server keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) durable_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) filter_subject: Option<&'a str>,
    /// Nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ack_wait: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_ack_pending: Option<i64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Pull {
    pub(crate) batch: usize,
    /// Answer with what is there, and say so when it ends.
    pub(crate) no_wait: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_bytes: Option<usize>,
}
