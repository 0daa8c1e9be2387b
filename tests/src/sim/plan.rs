//! What a seed does: how much load, which faults and how often, and what is broken on purpose.

use std::time::Duration;

use postroom_router::RouterLimits;

use super::dice::Draw;

/// A mistake built into the stores on purpose, to prove that the judge sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    None,
    /// The ledger appends whatever it ends at: two routers write over each other.
    LedgerWithoutFence,
    /// The ledger says that it has appended and has not.
    LedgerForgetsAppend,
    /// The ledger keeps an envelope without one of its assignments.
    LedgerLosesAssignment,
    /// The records write wherever they stand.
    RecordsWithoutFence,
    /// The records lose the last change of a write.
    RecordsTorn,
    /// The records have never seen any input.
    RecordsForgetSeen,
    /// The records lead no thread anywhere.
    RecordsForgetThreads,
    /// The records know nobody by their addresses.
    RecordsForgetAddresses,
    /// The inlet leaves an entry out when it is read.
    InletSkipsEntry,
    /// The inlet acknowledges what it has not stored.
    InletForgetsPublish,
    /// A host sends what the router has not granted.
    HostSendsUngranted,
}

/// How one history goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) sabotage: Sabotage,
    /// Actions of each kind of actor.
    pub(crate) messages: u64,
    pub(crate) commands: u64,
    pub(crate) sends: u64,
    pub(crate) echoes: u64,
    pub(crate) mails: u64,
    /// Routers at once.
    pub(crate) routers: u8,
    /// The mean life of a router; none if they do not crash.
    pub(crate) life_ms: Option<u64>,
    /// Of a thousand calls: how many fail, lose their answer, land late, or are held up for long.
    pub(crate) fail: u64,
    pub(crate) lose: u64,
    pub(crate) late: u64,
    pub(crate) hold: u64,
    /// How often the records are cleared or set back; none if never.
    pub(crate) records_fault_ms: Option<u64>,
    /// Whether the clock once jumps ahead, and by how much.
    pub(crate) jump_ms: i64,
    pub(crate) snapshot_events: u64,
    pub(crate) batch_entries_max: usize,
}

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

impl Plan {
    pub(crate) fn new(seed: u64, sabotage: Sabotage) -> Self {
        let mut draw = Draw::new(seed, "plan", 0);
        // Each fault is left out of some histories, so that none hides what another shows.
        let mut some = |rates: &[u64]| {
            let place = usize::try_from(draw.below(rates.len() as u64)).unwrap_or(0);
            rates.get(place).copied().unwrap_or(0)
        };
        let mut plan = Self {
            seed,
            sabotage,
            messages: some(&[10, 20, 40]),
            commands: some(&[5, 15, 40]),
            sends: some(&[0, 12, 30]),
            echoes: some(&[0, 4, 12]),
            mails: 0,
            routers: if some(&[1, 1, 2]) == 2 { 2 } else { 1 },
            life_ms: Some(some(&[0, 150, 400, 1_500])).filter(|life| *life > 0),
            fail: some(&[0, 0, 20, 80]),
            lose: some(&[0, 0, 20, 80]),
            late: some(&[0, 0, 20, 60]),
            hold: some(&[0, 0, 10, 40]),
            records_fault_ms: Some(some(&[0, 0, 120, 500])).filter(|every| *every > 0),
            jump_ms: 0,
            snapshot_events: some(&[15, 60, 100_000]),
            batch_entries_max: usize::try_from(some(&[1, 3, 16])).unwrap_or(1),
        };
        let jump = some(&[0, 0, 3_600_000, 6 * DAY_MS, 12 * DAY_MS]);
        plan.jump_ms = i64::try_from(jump).unwrap_or(0);
        plan.mails = some(&[0, 0, 4, 12]);
        plan.needed_by_sabotage();
        plan
    }

    /// A mistake shows only where something makes use of it.
    fn needed_by_sabotage(&mut self) {
        match self.sabotage {
            Sabotage::LedgerWithoutFence | Sabotage::RecordsWithoutFence => {
                self.routers = 2;
                self.hold = 40;
            }
            Sabotage::RecordsForgetSeen => self.echoes = 12,
            Sabotage::RecordsForgetThreads => self.mails = 12,
            Sabotage::HostSendsUngranted => self.sends = 30,
            _ => {}
        }
    }

    pub(crate) fn limits(&self) -> RouterLimits {
        RouterLimits {
            give_way: 0,
            give_way_from: 0,
            give_way_max: Duration::ZERO,
            batch_entries_max: self.batch_entries_max,
            batch_bytes_max: 64 * 1024,
            linger: Duration::from_millis(1),
            linger_below: 8,
            snapshot_events: self.snapshot_events,
            snapshots_kept: 2,
            // The judge reads all of it in the end.
            inlet_keep: Duration::MAX,
            retry_min: Duration::from_millis(4),
            retry_max: Duration::from_millis(64),
            takeover_after: Duration::from_millis(150),
        }
    }
}
