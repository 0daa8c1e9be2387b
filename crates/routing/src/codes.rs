//! Why the core refuses or sets aside an input: stable codes, each with a page in `docs/errors`.

pub const AGENT_NOT_FOUND: &str = "agent_not_found";
pub const AGENT_REQUIRED: &str = "agent_required";
pub const ALREADY_CLAIMED: &str = "already_claimed";
pub const CHANNEL_CANNOT_SEND: &str = "channel_cannot_send";
pub const CHANNEL_NOT_FOUND: &str = "channel_not_found";
pub const CONTACT_MERGED: &str = "contact_merged";
pub const CONTACT_MERGE_LOOP: &str = "contact_merge_loop";
pub const CONTACT_NOT_FOUND: &str = "contact_not_found";
pub const CONVERSATION_CHANGED: &str = "conversation_changed";
pub const CONVERSATION_MERGED: &str = "conversation_merged";
pub const CONVERSATION_NOT_FOUND: &str = "conversation_not_found";
pub const CONVERSATION_RESOLVED: &str = "conversation_resolved";
pub const DELIVERY_NOT_WAITING: &str = "delivery_not_waiting";
pub const INVALID_COMMAND: &str = "invalid_command";
pub const MESSAGE_NOT_FOUND: &str = "message_not_found";
pub const NOT_CONFIGURED: &str = "not_configured";
pub const NOT_IN_QUEUE: &str = "not_in_queue";
pub const NOT_OWNED: &str = "not_owned";
pub const PARKED_NOT_FOUND: &str = "parked_not_found";
pub const PARKED_UNREADABLE: &str = "parked_unreadable";
pub const QUEUE_NOT_FOUND: &str = "queue_not_found";
pub const RECEIPT_UNKNOWN: &str = "receipt_unknown";
pub const ROLE_NOT_ALLOWED: &str = "role_not_allowed";
pub const SETTINGS_INVALID: &str = "settings_invalid";
pub const STALE_OWNER: &str = "stale_owner";
pub const STILL_PARKED: &str = "still_parked";
