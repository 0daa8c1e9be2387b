//! From what is stored to a live state: the newest good snapshot, the ledger after it, and the
//! records brought to the ledger's tail.

use std::sync::Arc;

use bytes::Bytes;
use postroom_bus::{Blobs, Inlet, Ledger, ReadLimits};
use postroom_model::Envelope;
use postroom_model::digest::Digest;
use postroom_records::{
    Above, Change, Ground, Records, RecordsError, Standing, fold_many, standing_after,
};
use postroom_routing::State;

use crate::{RouterError, RouterLimits};

/// Bytes of the ledger that are read and projected at once while catching up.
const CATCH_UP_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Where the ledger ends, and what the next envelope must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) seq: u64,
    pub(crate) hash: Digest,
    pub(crate) last_event: u64,
    pub(crate) inlet_seq: u64,
    pub(crate) epoch: u64,
}

impl Tail {
    pub(crate) const EMPTY: Self =
        Self { seq: 0, hash: Digest::ZERO, last_event: 0, inlet_seq: 0, epoch: 0 };

    /// Follows the chain by one envelope, if it is the next one.
    pub(crate) fn follow(&mut self, seq: u64, bytes: &Bytes) -> Result<Envelope, RouterError> {
        let (envelope, hash) =
            Envelope::decode(bytes).map_err(|error| RouterError::damaged(seq, &error))?;
        let damaged = |cause: &str| RouterError::LedgerDamaged { seq, cause: cause.to_owned() };
        if seq != self.seq + 1 {
            return Err(damaged("an envelope before it is missing"));
        }
        if envelope.prev_hash != self.hash {
            return Err(damaged("it does not name the hash of the envelope before it"));
        }
        if envelope.first_event != self.last_event + 1 {
            return Err(damaged("its events do not follow those before it"));
        }
        if envelope.inlet_seq < self.inlet_seq || envelope.epoch < self.epoch {
            return Err(damaged("its cursor or epoch went backwards"));
        }
        *self = Self::after(seq, hash, &envelope);
        Ok(envelope)
    }

    pub(crate) fn after(seq: u64, hash: Digest, envelope: &Envelope) -> Self {
        Self {
            seq,
            hash,
            last_event: envelope.last_event(),
            inlet_seq: envelope.inlet_seq,
            epoch: envelope.epoch,
        }
    }
}

/// A state and the place in the ledger of which it is the fold.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) state: State,
    pub(crate) tail: Tail,
    /// Position of the last event in the snapshot that it began with.
    pub(crate) snapshot_at: u64,
}

/// Builds the state at the ledger's tail.
pub(crate) async fn recover(
    ledger: &dyn Ledger,
    inlet: &dyn Inlet,
    blobs: &Blobs,
) -> Result<Recovered, RouterError> {
    let mut recovered = from_snapshot(ledger, blobs).await?;
    fold_tail(ledger, &mut recovered, u64::MAX).await?;
    let (expected, actual) = (recovered.tail.inlet_seq, inlet.last().await?);
    if actual < expected {
        return Err(RouterError::WentBackwards { what: "inlet", expected, actual });
    }
    Ok(recovered)
}

/// The newest snapshot that is whole and of this ledger; an empty state if there is none.
pub(crate) async fn from_snapshot(
    ledger: &dyn Ledger,
    blobs: &Blobs,
) -> Result<Recovered, RouterError> {
    // In this order: another router may append and make a snapshot in between.
    let names = blobs.snapshots().await?;
    let last = ledger.tail().await?.map_or(0, |tail| tail.seq);
    for name in names {
        if name.ledger_seq > last {
            return Err(RouterError::WentBackwards {
                what: "ledger",
                expected: name.ledger_seq,
                actual: last,
            });
        }
        let one = ReadLimits { entries_max: 1, bytes_max: 1 };
        let entry = ledger.read(name.ledger_seq.saturating_sub(1), one).await?.into_iter().next();
        let Some(entry) = entry.filter(|entry| entry.seq == name.ledger_seq) else { continue };
        let (envelope, hash) =
            Envelope::decode(&entry.bytes).map_err(|e| RouterError::damaged(entry.seq, &e))?;
        if hash != name.ledger_hash {
            let cause = "its hash is not the one that a snapshot was made at".to_owned();
            return Err(RouterError::LedgerDamaged { seq: entry.seq, cause });
        }
        let bytes = match blobs.get_snapshot(&name).await {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::warn!(seq = name.ledger_seq, code = error.code(), "snapshot passed over");
                continue;
            }
        };
        match tokio::task::spawn_blocking(move || State::from_snapshot(&bytes)).await {
            Ok(Ok(state)) => {
                let tail = Tail::after(entry.seq, hash, &envelope);
                return Ok(Recovered { state, tail, snapshot_at: tail.last_event });
            }
            Ok(Err(error)) => {
                tracing::warn!(seq = name.ledger_seq, %error, "snapshot passed over");
            }
            Err(_) => tracing::warn!(seq = name.ledger_seq, "snapshot passed over"),
        }
    }
    Ok(Recovered { state: State::new(), tail: Tail::EMPTY, snapshot_at: 0 })
}

/// Folds what the ledger holds after the state, up to and with `through`.
pub(crate) async fn fold_tail(
    ledger: &dyn Ledger,
    recovered: &mut Recovered,
    through: u64,
) -> Result<(), RouterError> {
    let limits = ReadLimits { entries_max: 1_024, bytes_max: CATCH_UP_BYTES_MAX };
    loop {
        let entries = ledger.read(recovered.tail.seq, limits).await?;
        if entries.is_empty() || recovered.tail.seq >= through {
            return Ok(());
        }
        for entry in entries.into_iter().take_while(|entry| entry.seq <= through) {
            let envelope = recovered.tail.follow(entry.seq, &entry.bytes)?;
            for transition in &envelope.transitions {
                for event in &transition.events {
                    recovered.state.apply(transition.at, event);
                }
            }
        }
    }
}

/// Refuses a ledger that ends before what the records already hold of it. For the start: nothing may be
/// accepted beside a ledger that somebody has still to put back (P1, P11).
pub async fn check_end(ledger: &dyn Ledger, records: &dyn Records) -> Result<(), RouterError> {
    let standing = match records.standing().await {
        Ok(standing) => standing,
        // Records of another schema are rebuilt and say nothing.
        Err(RecordsError::OtherSchema { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    not_behind(ledger.tail().await?.map_or(0, |tail| tail.seq), standing.seq)
}

fn not_behind(actual: u64, expected: u64) -> Result<(), RouterError> {
    let behind = RouterError::WentBackwards { what: "ledger", expected, actual };
    if actual < expected { Err(behind) } else { Ok(()) }
}

/// Told while something long goes on: envelopes done, and how many there are.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

/// Brings the records to the ledger's tail. Safe beside another that does the same: each write is
/// fenced by where the records stand.
pub async fn catch_up(
    ledger: &dyn Ledger,
    records: &dyn Records,
    progress: Progress<'_>,
) -> Result<Standing, RouterError> {
    let mut standing = match records.standing().await {
        Ok(standing) => standing,
        Err(RecordsError::OtherSchema { .. }) => {
            tracing::warn!("the records have another schema and are rebuilt");
            records.clear().await?;
            Standing::default()
        }
        Err(error) => return Err(error.into()),
    };
    let last = ledger.tail().await?.map_or(0, |tail| tail.seq);
    not_behind(last, standing.seq)?;
    if !stands_in(ledger, standing).await? {
        tracing::warn!(seq = standing.seq, "the records are of another ledger and are rebuilt");
        records.clear().await?;
        standing = Standing::default();
    }
    let mut ahead: Option<Ahead> = None;
    loop {
        progress(standing.seq, last.max(standing.seq));
        let (written, next) = match &ahead {
            // The next envelopes are read and folded while these are written.
            Some(these) => tokio::join!(these.write(records), fold_next(ledger, records, these)),
            None => (Ok(()), fold_next(ledger, records, &Ahead::nothing(standing)).await),
        };
        let moved = |error: &RecordsError| matches!(error, RecordsError::Moved { .. });
        let done = ahead.take().map_or(standing, |these| these.to);
        match (written, next) {
            (Ok(()), Ok(None)) => return Ok(done),
            (Ok(()), Ok(Some(these))) => {
                standing = done;
                if these.above().tells_all() {
                    ahead = Some(these);
                } else {
                    these.write(records).await?;
                    standing = these.to;
                }
            }
            // Somebody else brought them forward, or cleared them.
            (Err(error), _) | (Ok(()), Err(RouterError::Records(error))) if moved(&error) => {
                standing = records.standing().await?;
            }
            (Err(error), _) => return Err(error.into()),
            (Ok(()), Err(error)) => return Err(error),
        }
    }
}

/// What some envelopes make of the records, on its way into them.
struct Ahead {
    from: u64,
    to: Standing,
    changes: Arc<[Change]>,
}

impl Ahead {
    fn nothing(standing: Standing) -> Self {
        Self { from: standing.seq, to: standing, changes: Arc::default() }
    }

    fn above(&self) -> Above<'_> {
        Above { from: self.from, changes: &self.changes }
    }

    async fn write(&self, records: &dyn Records) -> Result<(), RecordsError> {
        records.write(self.from, self.to, Arc::clone(&self.changes)).await
    }
}

/// Reads what the ledger holds after these envelopes, and folds it on what they make of the records.
async fn fold_next(
    ledger: &dyn Ledger,
    records: &dyn Records,
    these: &Ahead,
) -> Result<Option<Ahead>, RouterError> {
    let limits = ReadLimits { entries_max: 256, bytes_max: CATCH_UP_BYTES_MAX };
    let entries = ledger.read(these.to.seq, limits).await?;
    if entries.is_empty() {
        return Ok(None);
    }
    let mut envelopes = Vec::with_capacity(entries.len());
    for entry in entries {
        let (envelope, _) = Envelope::decode(&entry.bytes)
            .map_err(|error| RouterError::damaged(entry.seq, &error))?;
        envelopes.push((entry.seq, envelope));
    }
    let ground = Ground { records, above: Some(these.above()), seq: these.to.seq };
    let (to, changes) = fold_many(ground, these.to, &envelopes).await?;
    Ok(Some(Ahead { from: these.to.seq, to, changes: changes.into() }))
}

/// Whether the ledger holds the envelope at which the records say that they stand. It does not where
/// one of the two was put back from a backup and the ledger has grown past it since.
async fn stands_in(ledger: &dyn Ledger, standing: Standing) -> Result<bool, RouterError> {
    let Some(before) = standing.seq.checked_sub(1) else { return Ok(true) };
    let one = ReadLimits { entries_max: 1, bytes_max: 1 };
    let Some(entry) = ledger.read(before, one).await?.into_iter().next() else { return Ok(false) };
    let (envelope, _) =
        Envelope::decode(&entry.bytes).map_err(|error| RouterError::damaged(entry.seq, &error))?;
    Ok(standing_after(entry.seq, &envelope) == standing)
}

/// Throws the records away and makes them anew from the ledger.
pub async fn rebuild(
    ledger: &dyn Ledger,
    records: &dyn Records,
    progress: Progress<'_>,
) -> Result<Standing, RouterError> {
    records.clear().await?;
    catch_up(ledger, records, progress).await
}

/// Catches up before deciding, however long the records are away. A ledger that went backwards is not
/// waited for.
pub(crate) async fn catch_up_until_done(
    ledger: &dyn Ledger,
    records: &dyn Records,
    limits: &RouterLimits,
) -> Result<Standing, RouterError> {
    let mut pause = limits.retry_min;
    loop {
        match catch_up(ledger, records, &|_, _| {}).await {
            Ok(standing) => return Ok(standing),
            Err(error) if !error.retryable() => return Err(error),
            Err(error) => tracing::warn!(code = error.code(), "the records lag; trying again"),
        }
        tokio::time::sleep(pause).await;
        pause = crate::append::longer(pause, limits);
    }
}

/// Where the records stand after an envelope.
pub(crate) fn standing_of(seq: u64, envelope: &Envelope) -> Standing {
    standing_after(seq, envelope)
}
