//! The two files: their tables, and the marks by which each is known to be ours.
//!
//! `postroom.db` is the truth and is synced with every group of writes. `records.db` can be thrown
//! away and built anew from the ledger, so it is never synced for its own sake: after a power cut it
//! may have lost its newest groups, whole ones, and the ledger still has them.
//!
//! What grows with every message is appended (rows by rowid) and found through a small index; keys
//! of 16 bytes in random order would otherwise touch a page of rows each. Where `data` is JSON, the
//! columns beside it are only those that a listing needs.

/// One of the files of a data folder.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    /// SQLite's application id.
    pub(crate) application_id: i64,
    /// Grows when tables change; older files are brought forward, newer ones refused.
    pub(crate) version: i64,
    pub(crate) tables: &'static str,
    /// Tables that came later; a file from before gets them when it is next written to.
    pub(crate) added: &'static str,
    /// What grows, and is looked at where the whole file is too large to be.
    pub(crate) growing: &'static [&'static str],
    /// SQLite's `synchronous`: FULL syncs the log with every commit, which is what P1 rests on; NORMAL
    /// leaves it to the next checkpoint.
    pub(crate) synchronous: &'static str,
}

/// Inlet, ledger and access. Its id is "PstR".
pub(crate) static TRUTH: Part = Part {
    name: "postroom.db",
    application_id: 0x5073_7452,
    version: 1,
    tables: TRUTH_TABLES,
    added: "",
    growing: &["inlet", "ledger"],
    synchronous: "FULL",
};

/// The records. Its id is "PstV".
pub(crate) static RECORDS: Part = Part {
    name: "records.db",
    application_id: 0x5073_7456,
    version: 1,
    tables: RECORDS_TABLES,
    added: RECORDS_ADDED,
    growing: &["timeline", "seen", "conversation"],
    synchronous: "NORMAL",
};

/// Bytes in a page. The size of a block of the file system: a page is written whole or not.
pub(crate) const PAGE_BYTES: i64 = 4_096;

const TRUTH_TABLES: &str = "
CREATE TABLE inlet (seq INTEGER PRIMARY KEY AUTOINCREMENT, batch BLOB NOT NULL) STRICT;

CREATE TABLE ledger (
    seq INTEGER PRIMARY KEY,
    first_event INTEGER NOT NULL,
    last_event INTEGER NOT NULL,
    envelope BLOB NOT NULL
) STRICT;
CREATE INDEX ledger_event ON ledger (last_event, seq) WHERE first_event <= last_event;

CREATE TABLE access (
    hash BLOB PRIMARY KEY, kind INTEGER NOT NULL, data BLOB NOT NULL
) STRICT, WITHOUT ROWID;
";

const RECORDS_TABLES: &str = "
CREATE TABLE standing (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    schema INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    last_event INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE TABLE conversation (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    status INTEGER NOT NULL,
    last_message_at INTEGER NOT NULL,
    assignee TEXT,
    queue TEXT,
    waiting_since INTEGER,
    data BLOB NOT NULL
) STRICT;
CREATE INDEX conversation_status ON conversation (status, last_message_at, id);
-- Open and pending ones: the lists of one agent and of nobody, and all that the counts need.
CREATE INDEX conversation_held
    ON conversation (assignee, status, last_message_at, id, queue, waiting_since)
    WHERE status < 2;

CREATE TABLE timeline (
    n INTEGER PRIMARY KEY,
    conversation BLOB NOT NULL,
    position INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (conversation, position)
) STRICT;

CREATE TABLE contact (id BLOB PRIMARY KEY, data BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE address (address TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE thread (
    channel TEXT NOT NULL, thread TEXT NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (channel, thread)
) STRICT, WITHOUT ROWID;

CREATE TABLE seen (
    n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, at INTEGER NOT NULL, data BLOB NOT NULL
) STRICT;
CREATE INDEX seen_at ON seen (at);

CREATE TABLE presence (agent TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE outbound (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    position INTEGER NOT NULL,
    unsent INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE INDEX outbound_unsent ON outbound (position) WHERE unsent = 1;

CREATE TABLE sent (
    channel TEXT NOT NULL, external_id TEXT NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (channel, external_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE parked (n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, data BLOB NOT NULL) STRICT;

CREATE TABLE single (name TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT, WITHOUT ROWID;
";

const RECORDS_ADDED: &str = "
CREATE TABLE IF NOT EXISTS cursor (
    channel TEXT NOT NULL, name TEXT NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (channel, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS live_call (id BLOB PRIMARY KEY, data BLOB NOT NULL) STRICT, WITHOUT ROWID;
";

/// Every table of rows with its key, for throwing them away.
pub(crate) const RECORD_TABLES: [(&str, &str); 13] = [
    ("conversation", "n"),
    ("timeline", "n"),
    ("contact", "id"),
    ("address", "address"),
    ("thread", "channel, thread"),
    ("seen", "n"),
    ("presence", "agent"),
    ("outbound", "n"),
    ("sent", "channel, external_id"),
    ("parked", "n"),
    ("cursor", "channel, name"),
    ("live_call", "id"),
    ("single", "name"),
];
