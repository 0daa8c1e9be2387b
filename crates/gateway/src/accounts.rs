//! The conservation of inputs, for the metrics (P2): accepted = routed + duplicate + parked + rejected +
//! in flight, and what is left over is unaccounted.
//!
//! How many inputs ended in which way is told by the records and goes back to the first envelope. How
//! many there are is counted here in the inlet, from where the records stood when this process first
//! looked; what was before that counts as accounted for, and `postroom verify` looks at all of it.

use std::collections::VecDeque;
use std::time::Duration;

use postroom_bus::{ReadLimits, count_inputs};
use postroom_records::Totals;
use tokio::time::Instant;

use crate::gateway::App;
use crate::metrics::GatewayMetrics;
use crate::problem::Problem;
use crate::submit::totals;

/// For how long one look counts. What is not counted then is counted by the next.
const COUNTING_MAX: Duration = Duration::from_secs(1);

/// Where nobody looked for more than so many publishes, counting begins anew.
const PUBLISHES_BEHIND_MAX: u64 = 100_000;

/// What was counted so far.
#[derive(Debug)]
pub(crate) struct Book {
    /// The publishes up to here are decided.
    decided_seq: u64,
    /// The inputs in them: those that had an outcome when the book began, and those counted since.
    inputs: u64,
    /// Publishes after that: their sequences, and the inputs in each.
    waiting: VecDeque<(u64, u64)>,
}

/// The equation at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Balance {
    pub(crate) totals: Totals,
    pub(crate) in_flight: u64,
    /// Inputs that are decided and have no outcome; below zero, outcomes without an input.
    pub(crate) unaccounted: i64,
}

impl Book {
    fn begin(totals: &Totals) -> Self {
        let (decided_seq, inputs) = (totals.inlet_seq, totals.decided());
        Self { decided_seq, inputs, waiting: VecDeque::new() }
    }

    /// Whether what was counted goes on to these totals.
    fn reaches(&self, totals: &Totals) -> bool {
        totals.inlet_seq <= self.counted_to().saturating_add(PUBLISHES_BEHIND_MAX)
    }

    fn counted_to(&self) -> u64 {
        self.waiting.back().map_or(self.decided_seq, |(seq, _)| *seq)
    }

    fn add(&mut self, seq: u64, inputs: u64) {
        self.waiting.push_back((seq, inputs));
    }

    /// None while the records are behind what was decided before, as when they are built anew.
    fn balance(&mut self, totals: Totals) -> Option<Balance> {
        if totals.inlet_seq < self.decided_seq {
            return None;
        }
        while let Some((_, inputs)) = self.waiting.pop_front_if(|(seq, _)| *seq <= totals.inlet_seq)
        {
            self.inputs += inputs;
        }
        self.decided_seq = totals.inlet_seq;
        let in_flight = self.waiting.iter().map(|(_, inputs)| inputs).sum();
        let unaccounted = self.inputs.cast_signed() - totals.decided().cast_signed();
        Some(Balance { totals, in_flight, unaccounted })
    }
}

/// Brings the gauges up to date. Where that cannot be done they say nothing, rather than what was.
pub(crate) async fn refresh(app: &App) {
    match look(app).await {
        Ok(Some(balance)) => app.metrics.balance(app.workspace.as_str(), &balance),
        Ok(None) => app.metrics.no_balance(),
        Err(problem) => {
            tracing::debug!(status = problem.status().as_u16(), "the inputs cannot be counted now");
            app.metrics.no_balance();
        }
    }
    let in_place = app.records.in_place().await;
    app.metrics.records_in_place(in_place.is_ok());
}

async fn look(app: &App) -> Result<Option<Balance>, Problem> {
    let mut book = app.accounts.lock().await;
    let totals = totals(app).await?;
    let book = match book.as_mut().filter(|book| book.reaches(&totals)) {
        Some(_) => book.as_mut(),
        None => Some(book.insert(Book::begin(&totals))),
    };
    let Some(book) = book else { return Ok(None) };
    let until = Instant::now() + COUNTING_MAX;
    loop {
        let reading = app.inlet.read(book.counted_to(), ReadLimits::default());
        let Ok(entries) = tokio::time::timeout_at(until, reading).await else {
            return Ok(None);
        };
        let entries = entries?;
        if entries.is_empty() {
            return Ok(book.balance(totals));
        }
        for entry in entries {
            book.add(entry.seq, count_inputs(&entry.bytes) as u64);
        }
    }
}

impl GatewayMetrics {
    fn balance(&self, workspace: &str, balance: &Balance) {
        let Balance { totals, in_flight, unaccounted } = *balance;
        let accepted =
            totals.decided().saturating_add(in_flight).saturating_add_signed(unaccounted);
        self.inputs(workspace, "accepted", accepted.cast_signed());
        self.inputs(workspace, "routed", totals.routed.cast_signed());
        self.inputs(workspace, "duplicate", totals.duplicate.cast_signed());
        self.inputs(workspace, "parked", totals.parked.cast_signed());
        self.inputs(workspace, "rejected", totals.rejected.cast_signed());
        self.inputs(workspace, "in_flight", in_flight.cast_signed());
        self.inputs(workspace, "unaccounted", unaccounted);
    }
}

#[cfg(test)]
mod tests {
    use postroom_records::Totals;

    use super::{Book, PUBLISHES_BEHIND_MAX};

    fn totals(inlet_seq: u64, routed: u64) -> Totals {
        Totals { inlet_seq, routed, ..Totals::default() }
    }

    #[test]
    fn input_without_outcome_is_in_flight_until_it_is_decided_and_unaccounted_after() {
        let mut book = Book::begin(&totals(7, 100));
        book.add(8, 3);
        book.add(9, 1);
        let balance = book.balance(totals(7, 100)).unwrap();
        assert_eq!((balance.in_flight, balance.unaccounted), (4, 0));
        let balance = book.balance(totals(8, 103)).unwrap();
        assert_eq!((balance.in_flight, balance.unaccounted), (1, 0));
        let balance = book.balance(totals(9, 103)).unwrap();
        assert_eq!((balance.in_flight, balance.unaccounted), (0, 1), "one has no outcome");
        let balance = book.balance(totals(9, 106)).unwrap();
        assert_eq!(balance.unaccounted, -2, "two outcomes have no input");
    }

    #[test]
    fn records_that_are_built_anew_say_nothing_until_they_are_where_they_were() {
        let mut book = Book::begin(&totals(7, 100));
        assert_eq!(book.balance(totals(3, 40)), None);
        assert!(book.balance(totals(7, 100)).is_some());
    }

    #[test]
    fn book_that_is_far_behind_begins_anew() {
        let book = Book::begin(&totals(7, 100));
        assert!(book.reaches(&totals(7 + PUBLISHES_BEHIND_MAX, 100)));
        assert!(!book.reaches(&totals(8 + PUBLISHES_BEHIND_MAX, 100)));
    }
}
