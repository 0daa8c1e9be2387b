//! What was measured: as JSON for programs, as a table for people.

use serde::Serialize;

use super::stats::rounded;
use crate::output;

/// Rates are a second; a figure that was measured in several rounds is their median.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) form: &'static str,
    pub(super) run: Run,
    pub(super) raw: Raw,
    pub(super) ingest: Flow,
    pub(super) routed: Flow,
    pub(super) seen_by_agent: Seen,
    #[serde(flatten)]
    pub(super) core: CoreReport,
    pub(super) memory: Memory,
    pub(super) start: Start,
    pub(super) start_empty_seconds: f64,
    pub(super) rebuild: Rebuild,
    pub(super) cpu: Cpu,
    pub(super) messages_per_envelope: f64,
    pub(super) ratio: Ratio,
}

/// Of the core by itself.
#[derive(Debug, Serialize)]
pub(super) struct CoreReport {
    pub(super) decide: Decide,
    /// The same at smaller and larger desks.
    pub(super) decide_growth: Vec<Growth>,
    /// The same desk as `decide`, where every queue has a ladder whose steps come meanwhile.
    pub(super) decide_with_ladders: Decide,
    pub(super) come_online: Online,
    pub(super) rules: RuleCost,
    pub(super) dry_run: DryRun,
}

/// What was asked for.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Run {
    pub(super) messages: u32,
    pub(super) payload_bytes: u32,
    pub(super) rounds: u32,
    pub(super) connections: u32,
    pub(super) processors: usize,
    pub(super) seconds: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Raw {
    pub(super) http_per_s: f64,
    pub(super) bus_publish_per_s: f64,
    pub(super) http_to_bus_per_s: f64,
    pub(super) records_per_s: f64,
    pub(super) fsync_per_s: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Flow {
    pub(super) per_s: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Seen {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Messages a second at which it was measured.
    pub(super) at_per_s: u32,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Decide {
    pub(super) per_s: f64,
    pub(super) ns_p50: u64,
    pub(super) ns_p99: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Growth {
    pub(super) agents: usize,
    pub(super) waiting: usize,
    #[serde(flatten)]
    pub(super) decide: Decide,
}

#[derive(Debug, Serialize)]
pub(super) struct RuleCost {
    /// One rule tried on one message.
    pub(super) ns_per_rule: f64,
    /// Ten of every kind, and a thousand, tried on one message.
    pub(super) us_for_ten: f64,
    pub(super) ms_for_thousand: f64,
}

/// An agent comes online and gets what they can take.
#[derive(Debug, Serialize)]
pub(super) struct Online {
    pub(super) agents: usize,
    pub(super) waiting: usize,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
}

/// Recorded messages that are played under two configurations with ten rules each, a second.
#[derive(Debug, Serialize)]
pub(super) struct DryRun {
    pub(super) per_s: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Memory {
    pub(super) rss_idle_mib: f64,
    pub(super) bytes_per_open_conversation: f64,
    /// Of the engine that holds the records, where it can be asked; with the messages of the bare runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) records_bytes_per_conversation: Option<f64>,
}

/// Seconds from the start of the process until it is ready.
#[derive(Debug, Serialize)]
pub(super) struct Start {
    pub(super) open_conversations: u64,
    pub(super) seconds: f64,
    pub(super) seconds_without_snapshot: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Rebuild {
    pub(super) events_per_s: f64,
    pub(super) events: u64,
}

/// Processor time of the server for one message, in microseconds.
#[derive(Debug, Serialize)]
pub(super) struct Cpu {
    pub(super) http_us: f64,
    pub(super) http_to_bus_us: f64,
    /// All of it: taken in, routed and recorded.
    pub(super) product_us: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Ratio {
    pub(super) ingest_of_http_to_bus: f64,
    pub(super) routed_of_records: f64,
}

impl Report {
    /// The bare figure beside ours, where there is one.
    pub(super) fn print(&self) {
        let (raw, ratio) = (&self.raw, &self.ratio);
        let row = |what: &str, bare: Option<f64>, ours: Option<f64>, ratio: Option<f64>| {
            let cell = |value: Option<f64>| value.map_or_else(String::new, shown);
            vec![what.to_owned(), cell(bare), cell(ours), cell(ratio)]
        };
        let of = ratio.ingest_of_http_to_bus;
        output::table(
            &["a second", "bare", "postroom", "ratio"],
            vec![
                row("posts answered", Some(raw.http_per_s), None, None),
                row("posts stored", Some(raw.http_to_bus_per_s), Some(self.ingest.per_s), Some(of)),
                row("stored without HTTP", Some(raw.bus_publish_per_s), None, None),
                row(
                    "messages recorded",
                    Some(raw.records_per_s),
                    Some(self.routed.per_s),
                    Some(ratio.routed_of_records),
                ),
                row("synced appends of 4 KiB", Some(raw.fsync_per_s), None, None),
                row("events rebuilt", None, Some(self.rebuild.events_per_s), None),
            ],
        );
        output::say("");
        let line = |what: &str, p50: f64, p99: f64| vec![what.to_owned(), shown(p50), shown(p99)];
        output::table(
            &["milliseconds", "median", "99 of 100"],
            vec![
                line("until answered, at full load", self.ingest.p50_ms, self.ingest.p99_ms),
                line("until recorded, at full load", self.routed.p50_ms, self.routed.p99_ms),
                line(
                    &format!("until an agent sees it, at {} a second", self.seen_by_agent.at_per_s),
                    self.seen_by_agent.p50_ms,
                    self.seen_by_agent.p99_ms,
                ),
            ],
        );
        if let Some(bytes) = self.memory.records_bytes_per_conversation {
            output::say("");
            output::say(&format!("Redis holds {} bytes for each conversation", shown(bytes)));
        }
        output::say("");
        self.core.print();
        output::say("");
        let (memory, start, cpu) = (&self.memory, &self.start, &self.cpu);
        output::table(
            &["", ""],
            vec![
                pair("memory of an empty server", &format!("{} MiB", shown(memory.rss_idle_mib))),
                pair(
                    "memory for each open conversation",
                    &format!("{} bytes", shown(memory.bytes_per_open_conversation)),
                ),
                pair(
                    &format!("start with {} open conversations", start.open_conversations),
                    &format!("{} s", shown(start.seconds)),
                ),
                pair(
                    "the same without a snapshot",
                    &format!("{} s", shown(start.seconds_without_snapshot)),
                ),
                pair("start of an empty server", &format!("{} s", shown(self.start_empty_seconds))),
                pair("processor time for a message", &format!("{} µs", shown(cpu.product_us))),
            ],
        );
    }
}

impl CoreReport {
    pub(super) fn print(&self) {
        let desk = |what: String, decide: &Decide| {
            vec![what, shown(decide.per_s), decide.ns_p50.to_string(), decide.ns_p99.to_string()]
        };
        let mut desks: Vec<_> = self
            .decide_growth
            .iter()
            .map(|one| {
                let (agents, waiting) = (one.agents, one.waiting);
                desk(format!("{agents} agents, {waiting} waiting"), &one.decide)
            })
            .collect();
        desks.push(desk("with ladders, as `decide`".to_owned(), &self.decide_with_ladders));
        output::table(&["decisions of the core", "a second", "ns, median", "99 of 100"], desks);
        output::say("");
        let (online, rules) = (&self.come_online, &self.rules);
        output::table(
            &["", ""],
            vec![
                pair(
                    &format!("an agent comes online while {} wait", online.waiting),
                    &format!("{} ms, at most {} ms", shown(online.p50_ms), shown(online.max_ms)),
                ),
                pair("one rule tried on one message", &format!("{} ns", shown(rules.ns_per_rule))),
                pair("ten rules of every kind", &format!("{} µs", shown(rules.us_for_ten))),
                pair("a thousand rules", &format!("{} ms", shown(rules.ms_for_thousand))),
                pair("messages of a dry run a second", &shown(self.dry_run.per_s)),
            ],
        );
    }
}

fn pair(what: &str, figure: &str) -> Vec<String> {
    vec![what.to_owned(), figure.to_owned()]
}

fn shown(value: f64) -> String {
    rounded(value).to_string()
}
