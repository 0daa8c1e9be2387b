//! The pure core by itself: decisions a second at a large desk, and what rules cost.

use postroom_model::{
    ChannelId, ChannelKind, ChannelSettings, Message, Rule, Settings, Timestamp, WorkspaceId,
};
use postroom_routing::load::{DecideLoad, Load, LoadShape};
use postroom_routing::{RuleFacts, Rules};

use super::stats::{Stopwatch, float};
use crate::failure::Failure;

const DECISIONS: usize = 300_000;
const RULES: usize = 20;
const RULE_ROUNDS: u32 = 2_000;

/// Decisions at a desk with this many waiting conversations.
pub(super) fn decide(waiting: usize) -> Result<DecideLoad, Failure> {
    let shape = LoadShape { waiting, ..LoadShape::default() };
    let load = Load::build(shape);
    let mut load = load.ok_or_else(|| Failure::failed("the desk could not be set up"))?;
    let watch = Stopwatch::start();
    Ok(load.decide(DECISIONS, &mut || watch.ns()))
}

/// Nanoseconds in which one rule of many is tried on a message.
pub(super) fn ns_per_rule(payload_bytes: usize) -> Result<f64, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("no rules: {error}"));
    let rule = |number: usize| Rule {
        when: format!("message.text.contains('nowhere-{number}') || message.subject == 'x'"),
        ..Rule::default()
    };
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
        queues: vec![],
        rules: (0..RULES).map(rule).collect(),
        agents: vec![],
        costs: Settings::default_costs(),
        calendars: vec![],
        desk: postroom_model::DeskSettings::default(),
        answers: vec![],
    };
    let rules = Rules::compile(&settings)
        .map_err(|errors| failed(&errors.first().map_or_else(String::new, ToString::to_string)))?;
    let text = "Where is my parcel? ".repeat(payload_bytes / 20 + 1);
    let message = Message { text: Some(text), ..Message::default() };
    let watch = Stopwatch::start();
    for _ in 0..RULE_ROUNDS {
        let routed = rules.route(RuleFacts::new(&message, &channel, Timestamp::from_millis(0)));
        if routed.queue.is_some() {
            return Err(Failure::failed("a rule matched that should not"));
        }
    }
    Ok(float(watch.ns()) / f64::from(RULE_ROUNDS) / float(RULES as u64))
}
