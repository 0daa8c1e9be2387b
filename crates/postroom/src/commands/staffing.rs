//! `postroom staffing`: how many agents each queue needs by the hour, from what came and how long it
//! took. Reads the ledger and touches nothing.

use std::collections::BTreeSet;
use std::process::ExitCode;

use postroom_bus::{Ledger, ReadLimits};
use postroom_model::{Clock as _, Envelope, SystemClock};
use postroom_routing::staffing::{Goal, QueueNeed, Staffing};

use crate::cli::{self, Shared};
use crate::failure::Failure;
use crate::store::Store;
use crate::{output, setup};

const DAYS: [&str; 7] = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];
const DAY_MS: i64 = 86_400_000;

pub(crate) async fn run(shared: &Shared, wanted: &cli::Staffing) -> Result<ExitCode, Failure> {
    let store = Store::open_existing(&setup::preview(shared)?).await?;
    let now = SystemClock.now();
    let from = now.plus_millis(-i64::from(wanted.days).saturating_mul(DAY_MS));
    let mut staffing = Staffing::new(&wanted.time_zone, from, now)
        .ok_or_else(|| Failure::usage("there is no time zone of this name"))?;
    read(store.ledger.as_ref(), &mut staffing).await?;
    let share = f64::from(wanted.percent) / 100.0;
    let goal = Goal { share, within_s: f64::from(wanted.within_s) };
    let mut needs = staffing.needs(goal);
    needs.retain(|need| wanted.queue.as_ref().is_none_or(|queue| need.queue.as_str() == *queue));
    if shared.json {
        output::json(&needs);
        return Ok(ExitCode::SUCCESS);
    }
    if needs.is_empty() {
        output::say(&format!("Nothing came within {} days.", wanted.days));
    }
    for need in &needs {
        show(need, wanted);
    }
    Ok(ExitCode::SUCCESS)
}

/// Gives every event of the ledger to the count, from the begin on.
async fn read(ledger: &dyn Ledger, staffing: &mut Staffing) -> Result<(), Failure> {
    let bar = output::progress("reading the ledger");
    let last = ledger.tail().await?.map_or(0, |tail| tail.seq);
    bar.set_length(last);
    let mut seq = 0;
    while seq < last {
        let entries = ledger.read(seq, ReadLimits::default()).await?;
        let Some(end) = entries.last().map(|entry| entry.seq) else { break };
        for entry in &entries {
            let (envelope, _) = Envelope::decode(&entry.bytes)
                .map_err(|error| Failure::coded("ledger_damaged", error))?;
            for (_, transition, event) in envelope.events() {
                staffing.take(transition.at, event);
            }
        }
        seq = end;
        bar.set_position(seq);
    }
    bar.finish_and_clear();
    Ok(())
}

/// A row for each hour of the day, a column for each day of the week.
fn show(need: &QueueNeed, wanted: &cli::Staffing) {
    output::say(&format!(
        "{}: {} conversations in {} days, {:.0} s of work each. Agents for {} % within {} s:",
        need.queue, need.arrivals, wanted.days, need.handling_s, wanted.percent, wanted.within_s
    ));
    let hours: BTreeSet<i8> = need.hours.iter().map(|one| one.hour).collect();
    let rows = hours.into_iter().map(|hour| {
        let of_day = (1..=7).map(|day| {
            let found = need.hours.iter().find(|one| one.hour == hour && one.weekday == day);
            found.map_or_else(|| "-".to_owned(), |one| one.agents.to_string())
        });
        std::iter::once(format!("{hour:02}:00")).chain(of_day).collect()
    });
    let head: Vec<&str> = std::iter::once("HOUR").chain(DAYS).collect();
    output::table(&head, rows.collect());
}
