//! What the router tells about itself: outcomes (P2), lag, sizes and times of batches.

use postroom_bus::Filling;
use postroom_model::OutcomeKind;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LogLabel {
    log: &'static str,
}

/// Registered once; cheap to clone.
#[derive(Debug, Clone)]
pub struct RouterMetrics {
    inputs: Family<OutcomeLabel, Counter>,
    events: Counter,
    envelopes: Counter,
    batch_inputs: Histogram,
    cycle_seconds: Histogram,
    inlet_seq: Gauge,
    inlet_last: Gauge,
    inlet_forgotten: Gauge,
    open: Gauge,
    waiting: Gauge,
    active: Gauge,
    step_downs: Counter,
    failures: Counter,
    rule_failures: Counter,
    stored: Family<LogLabel, Gauge>,
    stored_max: Family<LogLabel, Gauge>,
}

impl RouterMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            inputs: Family::default(),
            events: Counter::default(),
            envelopes: Counter::default(),
            batch_inputs: Histogram::new(exponential_buckets(1.0, 2.0, 12)),
            cycle_seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 14)),
            inlet_seq: Gauge::default(),
            inlet_last: Gauge::default(),
            inlet_forgotten: Gauge::default(),
            open: Gauge::default(),
            waiting: Gauge::default(),
            active: Gauge::default(),
            step_downs: Counter::default(),
            failures: Counter::default(),
            rule_failures: Counter::default(),
            stored: Family::default(),
            stored_max: Family::default(),
        };
        let part = registry.sub_registry_with_prefix("postroom_router");
        part.register("inputs", "Inputs decided, by outcome", metrics.inputs.clone());
        part.register("events", "Events appended", metrics.events.clone());
        part.register("envelopes", "Envelopes appended", metrics.envelopes.clone());
        part.register("batch_inputs", "Inputs in one batch", metrics.batch_inputs.clone());
        part.register("cycle_seconds", "From read to recorded", metrics.cycle_seconds.clone());
        part.register("inlet_decided_seq", "Publish decided last", metrics.inlet_seq.clone());
        part.register("inlet_last_seq", "Publish stored last", metrics.inlet_last.clone());
        let forgotten = metrics.inlet_forgotten.clone();
        part.register("inlet_forgotten_seq", "Publish forgotten last, if any", forgotten);
        part.register("open_conversations", "Not resolved", metrics.open.clone());
        part.register("waiting_conversations", "Open, nobody's", metrics.waiting.clone());
        part.register("active", "1 while this router decides", metrics.active.clone());
        part.register("step_downs", "Another router wrote", metrics.step_downs.clone());
        part.register("failures", "Cycles that failed", metrics.failures.clone());
        let failed = metrics.rule_failures.clone();
        part.register("rule_failures", "Rules that failed on a message and were skipped", failed);
        let stored = "Bytes that a log with a limit of its own holds";
        part.register("stored_bytes", stored, metrics.stored.clone());
        let most = "Bytes to which it may grow, after which it takes nothing";
        part.register("stored_bytes_max", most, metrics.stored_max.clone());
        metrics
    }

    pub(crate) fn filled(&self, log: &'static str, filling: Filling) {
        let label = LogLabel { log };
        self.stored.get_or_create(&label).set(filling.bytes.cast_signed());
        self.stored_max.get_or_create(&label).set(filling.bytes_max.cast_signed());
    }

    /// So many rules failed on a message.
    pub(crate) fn rules_failed(&self, count: usize) {
        self.rule_failures.inc_by(count as u64);
    }

    /// One envelope is in the ledger.
    pub(crate) fn appended(&self, outcomes: &[OutcomeKind], events: u64, seconds: f64) {
        for kind in outcomes {
            let outcome = match kind {
                OutcomeKind::Routed => "routed",
                OutcomeKind::Duplicate => "duplicate",
                OutcomeKind::Parked => "parked",
                OutcomeKind::Rejected => "rejected",
            };
            self.inputs.get_or_create(&OutcomeLabel { outcome }).inc();
        }
        self.envelopes.inc();
        self.events.inc_by(events);
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        self.batch_inputs.observe(outcomes.len() as f64);
        self.cycle_seconds.observe(seconds);
    }

    pub(crate) fn stands(&self, inlet_seq: u64, inlet_last: u64, open: usize, waiting: usize) {
        self.inlet_seq.set(inlet_seq.cast_signed());
        self.inlet_last.set(inlet_last.cast_signed());
        self.open.set(i64::try_from(open).unwrap_or(i64::MAX));
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    pub(crate) fn forgot(&self, through: u64) {
        self.inlet_forgotten.set(through.cast_signed());
    }

    pub(crate) fn active(&self, active: bool) {
        self.active.set(i64::from(active));
    }

    pub(crate) fn stepped_down(&self) {
        self.step_downs.inc();
    }

    pub(crate) fn failed(&self) {
        self.failures.inc();
    }
}
