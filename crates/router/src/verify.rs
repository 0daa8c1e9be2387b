//! Checks what is stored: the chain of the ledger, one outcome for each input (P2), and that the
//! records are the fold of the ledger (P5).

use std::time::Duration;

use postroom_bus::{Inlet, Ledger, ReadLimits, decode_batch};
use postroom_model::Position;
use postroom_records::{Key, MemoryRecords, Records, Standing, Totals, project_many};
use postroom_routing::State;
use serde::Serialize;

use crate::RouterError;
use crate::recover::{Progress, Tail};

/// Problems that are named; more are counted.
const PROBLEMS_MAX: usize = 100;
/// How often a comparison is tried while another process writes.
const TRIES_MAX: usize = 10;
/// For how long the records of a running server may lag behind the ledger's tail of now.
const LAG_MAX: Duration = Duration::from_secs(5);
const READ: ReadLimits = ReadLimits { entries_max: 256, bytes_max: 2 * 1024 * 1024 };

/// What was checked and what is wrong.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub envelopes: u64,
    pub events: u64,
    /// Inputs with an outcome.
    pub inputs: u64,
    pub routed: u64,
    pub duplicate: u64,
    pub parked: u64,
    pub rejected: u64,
    /// Accepted and not yet decided.
    pub in_flight: u64,
    /// Inputs that the inlet still holds, were to be decided and have no outcome, or several (P2).
    pub unaccounted: u64,
    /// Rows of the records that were compared.
    pub rows: u64,
    /// Conversations that are not resolved, by the fold.
    pub open_conversations: u64,
    /// Each in words; none means that all is well.
    pub problems: Vec<String>,
}

impl Report {
    pub fn clean(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

/// Folds the whole ledger anew and compares. Reads only; works beside a running server.
pub async fn verify(
    inlet: &dyn Inlet,
    ledger: &dyn Ledger,
    records: &dyn Records,
    progress: Progress<'_>,
) -> Result<Report, RouterError> {
    let mut report = Report::default();
    let last = ledger.tail().await?.map_or(0, |tail| tail.seq);
    let reached = reaches(records, last);
    if !tokio::time::timeout(LAG_MAX, reached).await.unwrap_or(Ok(false))? {
        let seq = records.standing().await?.seq;
        report.problem(format!(
            "the records stand at {seq}, the ledger ends at {last}; start the server, which brings \
             them forward, or run `postroom rebuild`"
        ));
        return Ok(report);
    }
    let mut fold = Fold::new();
    for _ in 0..TRIES_MAX {
        let standing = records.standing().await?;
        fold.advance(ledger, standing.seq, &mut report, progress).await?;
        if !report.clean() {
            return Ok(report);
        }
        let differences = compare(&fold.records, records, &mut report).await?;
        if records.standing().await? == standing {
            for difference in differences {
                report.problem(difference);
            }
            check_standing(&fold, standing, &mut report);
            check_inlet(inlet, &fold, &mut report).await?;
            fold.fill(&mut report).await?;
            return Ok(report);
        }
    }
    report.problem("the records were written all the while; try again".to_owned());
    Ok(report)
}

/// Waits until the records stand at this envelope or further.
async fn reaches(records: &dyn Records, seq: u64) -> Result<bool, RouterError> {
    let mut changes = records.changes();
    loop {
        changes.mark_unchanged();
        if records.standing().await?.seq >= seq {
            return Ok(true);
        }
        if changes.changed().await.is_err() {
            return Ok(false);
        }
    }
}

/// A fold of the ledger from its start.
struct Fold {
    tail: Tail,
    records: MemoryRecords,
    state: State,
    standing: Standing,
    /// Every input's outcome, in the order of the inlet.
    outcomes: Vec<Position>,
}

impl Fold {
    fn new() -> Self {
        Self {
            tail: Tail::EMPTY,
            records: MemoryRecords::default(),
            state: State::new(),
            standing: Standing::default(),
            outcomes: Vec::new(),
        }
    }

    async fn advance(
        &mut self,
        ledger: &dyn Ledger,
        through: u64,
        report: &mut Report,
        progress: Progress<'_>,
    ) -> Result<(), RouterError> {
        while self.tail.seq < through {
            let entries = ledger.read(self.tail.seq, READ).await?;
            if entries.is_empty() {
                let (tail, seq) = (through, self.tail.seq);
                report.problem(format!("the records stand at {tail}, the ledger ends at {seq}"));
                return Ok(());
            }
            let mut envelopes = Vec::with_capacity(entries.len());
            for entry in entries.into_iter().take_while(|entry| entry.seq <= through) {
                let envelope = match self.tail.follow(entry.seq, &entry.bytes) {
                    Ok(envelope) => envelope,
                    Err(error) => {
                        report.problem(error.to_string());
                        return Ok(());
                    }
                };
                for transition in &envelope.transitions {
                    for event in &transition.events {
                        self.state.apply(transition.at, event);
                    }
                    if let Some(outcome) = &transition.outcome {
                        self.outcomes.push(outcome.position);
                    }
                }
                envelopes.push((entry.seq, envelope));
            }
            self.standing = project_many(&self.records, self.standing, &envelopes).await?;
            progress(self.tail.seq, through);
        }
        Ok(())
    }

    async fn fill(&self, report: &mut Report) -> Result<(), RouterError> {
        let totals = match self.records.load(&[Key::Totals]).await?.into_iter().next().flatten() {
            Some(postroom_records::Row::Totals(totals)) => totals,
            _ => Totals::default(),
        };
        report.envelopes = self.tail.seq;
        report.events = self.tail.last_event;
        report.inputs = totals.decided();
        report.routed = totals.routed;
        report.duplicate = totals.duplicate;
        report.parked = totals.parked;
        report.rejected = totals.rejected;
        report.open_conversations = self.state.conversation_count() as u64;
        if totals.decided() != self.outcomes.len() as u64 {
            let (counted, found) = (totals.decided(), self.outcomes.len());
            report.problem(format!("{counted} outcomes are counted, {found} are in the ledger"));
        }
        Ok(())
    }
}

/// Rows that differ, both sides in the order of their keys.
async fn compare(
    fold: &dyn Records,
    records: &dyn Records,
    report: &mut Report,
) -> Result<Vec<String>, RouterError> {
    let mut differences = Vec::new();
    let mut after: Option<Key> = None;
    report.rows = 0;
    loop {
        let ours = fold.scan(after.as_ref(), 500).await?;
        let theirs = records.scan(after.as_ref(), 500).await?;
        for ((key, row), (other_key, other)) in ours.iter().zip(&theirs) {
            if key != other_key {
                differences
                    .push(format!("the fold has {key:?} where the records have {other_key:?}"));
                return Ok(differences);
            }
            // Compared as bytes: that is what people read.
            let same = serde_json::to_string(row).ok() == serde_json::to_string(other).ok();
            if !same && differences.len() < PROBLEMS_MAX {
                differences.push(format!("{key:?} differs from the fold"));
            }
            report.rows += 1;
        }
        if ours.len() != theirs.len() {
            let (more, side) =
                if ours.len() > theirs.len() { (&ours, "fold") } else { (&theirs, "records") };
            let key = more.get(ours.len().min(theirs.len())).map(|(key, _)| key);
            differences.push(format!("only the {side} have {key:?}"));
            return Ok(differences);
        }
        match ours.into_iter().last() {
            Some((key, _)) => after = Some(key),
            None => return Ok(differences),
        }
    }
}

fn check_standing(fold: &Fold, standing: Standing, report: &mut Report) {
    if fold.standing != standing {
        report.problem("the records name another standing than the fold".to_owned());
    }
}

/// Every input of every publish that the ledger has consumed has exactly one outcome, in order.
async fn check_inlet(
    inlet: &dyn Inlet,
    fold: &Fold,
    report: &mut Report,
) -> Result<(), RouterError> {
    if fold.outcomes.windows(2).any(|pair| pair.first() >= pair.last()) {
        report.problem("outcomes do not stand in the order of the inlet".to_owned());
        report.unaccounted += 1;
    }
    let mut after = 0;
    let mut place: Option<usize> = None;
    loop {
        let entries = inlet.read(after, READ).await?;
        let Some(last) = entries.last().map(|entry| entry.seq) else { return Ok(()) };
        for entry in &entries {
            let count = decode_batch(&entry.bytes).len();
            if entry.seq > fold.tail.inlet_seq {
                report.in_flight += count as u64;
                continue;
            }
            let start = *place.get_or_insert_with(|| {
                fold.outcomes.partition_point(|position| position.seq < entry.seq)
            });
            let expected = (0u32..).take(count).map(|index| Position { seq: entry.seq, index });
            let found = fold.outcomes.get(start..).unwrap_or_default();
            let found: Vec<Position> =
                found.iter().take_while(|position| position.seq == entry.seq).copied().collect();
            if !expected.eq(found.iter().copied()) {
                report.unaccounted += 1;
                let found = found.len();
                let seq = entry.seq;
                report
                    .problem(format!("publish {seq} holds {count} inputs, {found} have outcomes"));
            }
            place = Some(start + found.len());
        }
        after = last;
    }
}
