//! The operator: configurations, statuses at the start, inputs that were set aside, and publishes
//! that come a second time.

use std::sync::Arc;

use bytes::Bytes;
use postroom_bus::{decode_batch, encode_batch, encode_input};
use postroom_model::{
    Action, Actor, AgentStatus, Input, InputBody, InputId, SeededRandom, Settings,
};

use super::agents::{fresh, input_of};
use super::dice::named;
use super::inlet::LineInlet;
use super::line::Line;
use super::names::{self, AGENTS, agent};
use super::stage::Stage;

const LANE: u64 = 7;
const ECHO_LANE: u64 = 10;

/// Installs the first settings and now and then others, and looks after what was set aside.
pub(crate) async fn operator(stage: Arc<Stage>) {
    let random = SeededRandom::new(named(stage.plan.seed, "operator"));
    let inlet = LineInlet(Line::new(&stage, LANE, 0));
    stage.rest(LANE, random.below(80)).await;
    inlet.give(&[settings(&random, &stage, names::settings(0))]).await;
    let online = |name: &&str| {
        let action =
            Action::SetStatus { agent: agent(name), status: AgentStatus::Online, reason: None };
        input_of(&random, stage.now(), Actor::operator(), action)
    };
    let statuses: Vec<Input> = AGENTS.iter().map(online).collect();
    inlet.give(&statuses).await;
    for _ in 0..random.below(6) {
        stage.rest(LANE, 50 + random.below(400)).await;
        let input = if random.chance(40) {
            let version = random.below(names::SETTINGS);
            Some(settings(&random, &stage, names::settings(version)))
        } else {
            parked(&random, &stage).await
        };
        if let Some(input) = input {
            inlet.give(&[input]).await;
        }
    }
}

fn settings(random: &SeededRandom, stage: &Stage, settings: Settings) -> Input {
    let body = InputBody::Settings(Box::new(settings));
    Input { id: InputId(fresh(random)), at: stage.now(), body }
}

async fn parked(random: &SeededRandom, stage: &Stage) -> Option<Input> {
    let parked = stage
        .look(|view| {
            let place = usize::try_from(random.below(view.parked.len() as u64)).ok()?;
            view.parked.iter().nth(place).copied()
        })
        .await?;
    let action = if random.chance(75) {
        Action::RetryParked { parked }
    } else {
        Action::DropParked { parked }
    };
    Some(input_of(random, stage.now(), Actor::operator(), action))
}

/// Publishes again what was published before: whole, or single inputs of it, up to five times.
pub(crate) async fn echo(stage: Arc<Stage>) {
    let random = SeededRandom::new(named(stage.plan.seed, "echo"));
    let inlet = LineInlet(Line::new(&stage, ECHO_LANE, 0));
    for _ in 0..stage.plan.echoes {
        stage.rest(ECHO_LANE, random.below(250)).await;
        let Some(batch) = earlier(&random, &stage) else { continue };
        let batch = if random.chance(50) { batch } else { part_of(&random, &batch) };
        for _ in 0..=random.below(5) {
            inlet.give_raw(batch.clone()).await;
        }
        stage.count("published again");
        stage.notes().under_way -= 1;
    }
}

/// A publish of before, which counts as under way from now on.
fn earlier(random: &SeededRandom, stage: &Stage) -> Option<Bytes> {
    let mut notes = stage.notes();
    let place = usize::try_from(random.below(notes.published.len() as u64)).ok()?;
    let batch = notes.published.get(place).cloned()?;
    notes.under_way += 1;
    Some(batch)
}

/// One input of the batch, in a publish of its own.
fn part_of(random: &SeededRandom, batch: &Bytes) -> Bytes {
    let inputs: Vec<Input> = decode_batch(batch).into_iter().flatten().collect();
    let place = usize::try_from(random.below(inputs.len() as u64)).unwrap_or(0);
    let encoded = inputs.get(place).and_then(|input| encode_input(input).ok());
    encoded.map_or_else(|| batch.clone(), |encoded| encode_batch(&[encoded]))
}
