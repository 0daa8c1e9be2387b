//! The two traits that a backend of the bus implements: [`Inlet`] and [`Ledger`].

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use crate::{BusError, Submission};

/// One stored entry: a publish of the inlet or an envelope of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Counted from 1, without gaps in the ledger; the inlet may have gaps and is trimmed below.
    pub seq: u64,
    pub bytes: Bytes,
}

/// How full a log is that may grow to a limit of its own, and then takes nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filling {
    pub bytes: u64,
    pub bytes_max: u64,
}

/// How much one read may return. At least one entry is returned if there is one, however large.
#[derive(Debug, Clone, Copy)]
pub struct ReadLimits {
    pub entries_max: usize,
    pub bytes_max: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { entries_max: 256, bytes_max: 4 * 1024 * 1024 }
    }
}

/// The ordered stream of everything that asks for a decision.
#[async_trait]
pub trait Inlet: Send + Sync + std::fmt::Debug {
    /// Stores a batch as one entry. When this returns a sequence, the batch is durable (P1); after
    /// [`BusError::Unavailable`] it may or may not be stored; after any other error it is not.
    async fn publish(&self, batch: Bytes) -> Result<u64, BusError>;

    /// Takes a submission that goes into one entry with whatever else waits, and is answered when it is
    /// durable (or refused at once by its answer). Given back by a backend that gathers nothing itself.
    fn submit(&self, submission: Submission) -> Result<(), Submission> {
        Err(submission)
    }

    /// Entries after `after`, in order; empty if there are none now.
    async fn read(&self, after: u64, limits: ReadLimits) -> Result<Vec<Entry>, BusError>;

    /// Sequence of the last entry ever stored, 0 if none.
    async fn last(&self) -> Result<u64, BusError>;

    /// Forgets entries up to and with `through`. They must have been consumed.
    async fn trim(&self, through: u64) -> Result<(), BusError>;

    /// How full it is; none where nothing but the disk is the limit.
    async fn filling(&self) -> Result<Option<Filling>, BusError> {
        Ok(None)
    }

    /// Changes when entries were added. A hint only: a reader that waits on it reads again whatever
    /// value it holds. Backends that other processes write to look after a moment by themselves.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// The ordered log of envelopes: the truth.
#[async_trait]
pub trait Ledger: Send + Sync + std::fmt::Debug {
    /// Appends an envelope if the ledger ends at `expected_last`, durably, and gives its sequence,
    /// which is `expected_last + 1`. `events` are the positions of its first and last event.
    ///
    /// [`BusError::Fenced`] says that the ledger ends elsewhere; after [`BusError::Unavailable`] the
    /// envelope may or may not be stored, and only reading the tail back tells (P4).
    async fn append(
        &self,
        expected_last: u64,
        events: (u64, u64),
        envelope: Bytes,
    ) -> Result<u64, BusError>;

    /// Envelopes after `after`, in order; empty if there are none now.
    async fn read(&self, after: u64, limits: ReadLimits) -> Result<Vec<Entry>, BusError>;

    /// The last envelope, none in an empty ledger.
    async fn tail(&self) -> Result<Option<Entry>, BusError>;

    /// Sequence of the envelope that holds the event at `position`, or the first later one; none if
    /// the ledger ends before it.
    async fn find(&self, position: u64) -> Result<Option<u64>, BusError>;

    /// How full it is, as in [`Inlet::filling`].
    async fn filling(&self) -> Result<Option<Filling>, BusError> {
        Ok(None)
    }

    /// Changes when envelopes were added. A hint, as in [`Inlet::changes`].
    fn changes(&self) -> watch::Receiver<u64>;
}
