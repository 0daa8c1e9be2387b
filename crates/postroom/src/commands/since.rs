//! How `--since` is written: a date, a moment, or a length of time before now.

use postroom_model::{Clock as _, SystemClock, Timestamp};

use crate::failure::Failure;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// `2026-03-01`, `2026-03-01T09:30:00Z`, `7d` or `12h`.
pub(crate) fn since(text: &str) -> Result<Timestamp, Failure> {
    for (unit, millis) in [('d', DAY_MS), ('h', HOUR_MS)] {
        if let Some(count) = text.strip_suffix(unit).and_then(|count| count.parse::<u16>().ok()) {
            return Ok(SystemClock.now().plus_millis(-i64::from(count) * millis));
        }
    }
    let moment = text.parse().or_else(|_| format!("{text}T00:00:00Z").parse());
    moment.map_err(|_| Failure::usage("--since is a date such as 2026-03-01, or 7d, or 12h"))
}
