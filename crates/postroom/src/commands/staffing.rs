//! `postroom staffing`: how many agents each queue needs by the hour, from what came and how long it
//! took. Reads the ledger and touches nothing.

use std::collections::BTreeSet;
use std::process::ExitCode;

use postroom_bus::{Ledger, ReadLimits};
use postroom_model::{Clock as _, Envelope, SystemClock};
use postroom_routing::staffing::{Goal, Handling, QueueNeed, Staffing};

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
    let mut needs = staffing.needs(goal, wanted.handling_s.map(f64::from));
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
    let came = format!("{}: {} conversations in {} days", need.queue, need.arrivals, wanted.days);
    let Some(handling_s) = need.handling_s else {
        output::say(&format!(
            "{came}, and nothing was answered, so nobody knows how long one takes. \
             Say it with --handling-s 180."
        ));
        return;
    };
    let from = match need.handling {
        Handling::Measured => "of work each",
        Handling::Assumed | Handling::Unknown => "each by what you say, since nothing was answered",
    };
    output::say(&format!(
        "{came}, {handling_s:.0} s {from}. Agents for {} % within {} s:",
        wanted.percent, wanted.within_s
    ));
    let hours: BTreeSet<i8> = need.hours.iter().map(|one| one.hour).collect();
    let rows = hours.into_iter().map(|hour| {
        let of_day = (1..=7).map(|day| {
            let found = need.hours.iter().find(|one| one.hour == hour && one.weekday == day);
            let agents = found.and_then(|one| one.agents);
            agents.map_or_else(|| "-".to_owned(), |agents| agents.to_string())
        });
        std::iter::once(format!("{hour:02}:00")).chain(of_day).collect()
    });
    let head: Vec<&str> = std::iter::once("HOUR").chain(DAYS).collect();
    output::table(&head, rows.collect());
}
