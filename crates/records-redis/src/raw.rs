//! Bare writes to the same server, and nothing of Postroom in them.
//!
//! Only `postroom bench` uses it: what plain pipelined writes reach is the measure of what the product
//! reaches. Nothing else may be built on it.

use bytes::Bytes;
use postroom_records::RecordsError;
use redis::{Cmd, Value, pipe};

use crate::link::Link;
use crate::{RedisError, RedisOptions, options};

/// Before each key, so that no row of a workspace is touched.
const PREFIX: &[u8] = b"postroom-bench:";

/// A connection that writes rows as they are.
#[derive(Debug)]
pub struct RawRecords {
    link: Link,
}

impl RawRecords {
    pub fn new(url: &str, wanted: &RedisOptions) -> Result<Self, RedisError> {
        Ok(Self { link: Link::new(options::client(url, wanted)?, wanted.connection()) })
    }

    /// Writes all rows, in one pipeline and without a condition.
    pub async fn write(&self, rows: &[(Vec<u8>, Bytes)]) -> Result<(), RecordsError> {
        let mut commands = pipe();
        for (key, data) in rows {
            commands.cmd("SET").arg([PREFIX, key].concat()).arg(data.as_ref());
        }
        self.link.ask(&commands).await?;
        Ok(())
    }

    /// Bytes of memory that the server has in use.
    pub async fn used_bytes(&self) -> Result<u64, RecordsError> {
        let mut info = Cmd::new();
        info.arg("INFO").arg("memory");
        let text = match self.link.ask_one(info).await? {
            Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Value::VerbatimString { text, .. } => text,
            _ => String::new(),
        };
        let used = text.lines().find_map(|line| line.strip_prefix("used_memory:"));
        let used = used.and_then(|used| used.trim().parse().ok());
        used.ok_or_else(|| RecordsError::Unavailable("INFO names no used_memory".to_owned()))
    }
}
