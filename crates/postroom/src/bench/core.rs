//! The pure core by itself: decisions a second at desks of several sizes, with and without ladders, an
//! agent who comes online while many wait, and what rules cost.

use postroom_model::{
    ChannelId, ChannelKind, ChannelSettings, Message, QueueId, QueueSettings, Rule, Settings,
    Timestamp, WorkspaceId,
};
use postroom_routing::load::{DecideLoad, Load, LoadShape};
use postroom_routing::{RuleFacts, Rules};

use super::dry_run;
use super::report::{CoreReport, Decide, DryRun, Growth, Online, RuleCost};
use super::stats::{Stopwatch, float, percentile_ms, rounded};
use crate::failure::Failure;

const DECISIONS: usize = 300_000;
/// The desk that is reported as `decide`, with one before it and one behind it.
const DESK: LoadShape =
    LoadShape { agents: 1_000, queues: 100, waiting: 100_000, ladders: false, seed: 1 };
const SMALL: LoadShape = LoadShape { waiting: 1_000, ..DESK };
const LARGE: LoadShape = LoadShape { agents: 10_000, waiting: 1_000_000, ..DESK };
const WITH_LADDERS: LoadShape = LoadShape { ladders: true, ..DESK };
/// Agents who come online at the large desk, one after the other.
const ONLINE_ROUNDS: usize = 500;
const RULES: usize = 20;
const RULE_ROUNDS: u32 = 2_000;
const TEN_ROUNDS: u32 = 5_000;
const THOUSAND_ROUNDS: u32 = 50;

/// A queue that a rule asks about.
const QUEUE: &str = "billing";

/// What operators write, of every kind; none of it is true of the message.
const TEN_RULES: [&str; 10] = [
    "message.text.contains('refund') || message.text.contains('退款')",
    "message.text.matches('(?i)(invoice|receipt) [0-9]{6}')",
    "message.from.address.endsWith('@partner.example')",
    "has(message.attributes.tier) && message.attributes.tier == 'gold'",
    "message.attachments.exists(file, file.media_type == 'application/pdf')",
    "message.subject.lowerAscii().startsWith('urgent')",
    "channel.kind == 'email' && message.automation.class != 'none'",
    "contact.known && contact.conversations > 20",
    "conversation.follow_up && conversation.queue == 'billing'",
    "now.getHours('Europe/Berlin') > 23",
];

/// All of it.
pub(super) fn measure(payload_bytes: usize) -> Result<CoreReport, Failure> {
    let (mut growth, mut online) = (Vec::new(), None);
    for shape in [SMALL, DESK, LARGE] {
        let mut load = built(shape)?;
        let decide = decide(&mut load);
        growth.push(Growth { agents: shape.agents, waiting: shape.waiting, decide });
        if shape == LARGE {
            online = Some(come_online(&mut load, shape));
        }
    }
    let desk = growth.iter().find(|one| one.agents == DESK.agents && one.waiting == DESK.waiting);
    let measured = desk.map(|desk| desk.decide).zip(online);
    let (desk, come_online) =
        measured.ok_or_else(|| Failure::failed("the desk was not measured"))?;
    let thousand: Vec<String> = (0..1_000).map(nowhere).collect();
    Ok(CoreReport {
        decide: desk,
        decide_growth: growth,
        decide_with_ladders: decide(&mut built(WITH_LADDERS)?),
        come_online,
        rules: RuleCost {
            ns_per_rule: rounded(ns_per_rule(payload_bytes)?),
            us_for_ten: rounded(
                ns_for(&TEN_RULES.map(str::to_owned), payload_bytes, TEN_ROUNDS)? / 1e3,
            ),
            ms_for_thousand: rounded(ns_for(&thousand, payload_bytes, THOUSAND_ROUNDS)? / 1e6),
        },
        dry_run: DryRun { per_s: rounded(dry_run::per_s(dry_run::MESSAGES)?) },
    })
}

fn built(shape: LoadShape) -> Result<Load, Failure> {
    Load::build(shape).ok_or_else(|| Failure::failed("the desk could not be set up"))
}

fn decide(load: &mut Load) -> Decide {
    let watch = Stopwatch::start();
    let DecideLoad { per_s, ns_p50, ns_p99 } = load.decide(DECISIONS, &mut || watch.ns());
    Decide { per_s: rounded(per_s), ns_p50, ns_p99 }
}

fn come_online(load: &mut Load, shape: LoadShape) -> Online {
    let watch = Stopwatch::start();
    let took = (0..ONLINE_ROUNDS).filter_map(|_| load.come_online(&mut || watch.ns()));
    let mut took: Vec<u64> = took.collect();
    took.sort_unstable();
    let at = |percent| rounded(percentile_ms(&took, percent));
    Online {
        agents: shape.agents,
        waiting: shape.waiting,
        p50_ms: at(50),
        p99_ms: at(99),
        max_ms: at(100),
    }
}

fn nowhere(number: usize) -> String {
    format!("message.text.contains('nowhere-{number}') || message.subject == 'x'")
}

/// Nanoseconds in which one rule of many is tried on a message.
fn ns_per_rule(payload_bytes: usize) -> Result<f64, Failure> {
    let rules: Vec<String> = (0..RULES).map(nowhere).collect();
    Ok(ns_for(&rules, payload_bytes, RULE_ROUNDS)? / float(RULES as u64))
}

/// Nanoseconds in which all of these are tried on a message.
fn ns_for(whens: &[String], payload_bytes: usize, rounds: u32) -> Result<f64, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("no rules: {error}"));
    let queue = QueueId::new(QUEUE).map_err(|error| failed(&error))?;
    let channel = ChannelSettings {
        id: ChannelId::new("site").map_err(|error| failed(&error))?,
        kind: ChannelKind::Webhook,
        dialect: None,
        queue: None,
        sends: true,
        calls: None,
    };
    let settings = Settings {
        workspace: WorkspaceId::main(),
        timing: postroom_model::Timing::default(),
        channels: vec![channel.clone()],
        queues: vec![QueueSettings::new(queue, QUEUE)],
        rules: whens.iter().map(|when| Rule { when: when.clone(), ..Rule::default() }).collect(),
        agents: vec![],
        costs: Settings::default_costs(),
        calendars: vec![],
        desk: postroom_model::DeskSettings::default(),
        contacts: postroom_model::ContactSettings::default(),
        answers: vec![],
    };
    let rules = Rules::compile(&settings)
        .map_err(|errors| failed(&errors.first().map_or_else(String::new, ToString::to_string)))?;
    let text = "Where is my parcel? ".repeat(payload_bytes / 20 + 1);
    let message = Message { text: Some(text), ..Message::default() };
    let watch = Stopwatch::start();
    for _ in 0..rounds {
        let routed = rules.route(RuleFacts::new(&message, &channel, Timestamp::from_millis(0)));
        if routed.trace.matched.is_some() || !routed.trace.failed.is_empty() {
            return Err(Failure::failed("a rule matched or failed that should not"));
        }
    }
    Ok(float(watch.ns()) / f64::from(rounds))
}
