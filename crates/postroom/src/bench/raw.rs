//! The bare stores of both forms behind one face.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use postroom_bus::BusError;
use postroom_bus_nats::raw::RawStream;
use postroom_embedded::raw::{RawMessage, RawStore};
use postroom_records_redis::RedisOptions;
use postroom_records_redis::raw::RawRecords;

use super::engines::{self, Engines};
use crate::failure::Failure;

/// Stores one body at a time, for each who waits. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) enum RawLog {
    File(Arc<RawStore>),
    Stream(RawStream),
}

impl RawLog {
    pub(super) fn file(folder: &Path) -> Result<Self, Failure> {
        Ok(Self::File(Arc::new(RawStore::create_log(folder)?)))
    }

    pub(super) async fn stream(url: &str) -> Result<Self, Failure> {
        postroom_channel::install_crypto();
        Ok(Self::Stream(RawStream::create(&engines::bus_options(url)).await?))
    }

    pub(super) async fn append(&self, body: Bytes) -> Result<(), BusError> {
        match self {
            Self::File(store) => store.append(body).await,
            Self::Stream(stream) => stream.append(body).await,
        }
    }
}

/// Writes rows in batches.
#[derive(Debug)]
pub(super) enum RawRows {
    File(RawStore),
    Redis(Box<RawRecords>),
}

impl RawRows {
    pub(super) fn file(folder: &Path) -> Result<Self, Failure> {
        Ok(Self::File(RawStore::create_records(folder)?))
    }

    pub(super) fn redis(engines: &Engines) -> Result<Self, Failure> {
        let records = RawRecords::new(&engines.records_url(), &RedisOptions::default())?;
        Ok(Self::Redis(Box::new(records)))
    }

    /// All rows of the messages, three each.
    pub(super) async fn write(&self, messages: Vec<RawMessage>) -> Result<(), Failure> {
        match self {
            Self::File(store) => store.write(messages).await?,
            Self::Redis(records) => records.write(&rows(messages)).await?,
        }
        Ok(())
    }
}

fn rows(messages: Vec<RawMessage>) -> Vec<(Vec<u8>, Bytes)> {
    let named = |kind: u8, key: &[u8]| [&[kind], key].concat();
    let of = |message: RawMessage| {
        let RawMessage { timeline, conversation, seen } = message;
        [
            (named(b't', &timeline.0), timeline.1),
            (named(b'c', &conversation.0), conversation.1),
            (named(b's', &seen.0), seen.1),
        ]
    };
    messages.into_iter().flat_map(of).collect()
}
