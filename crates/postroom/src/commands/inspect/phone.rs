//! Logs and requests of telephone systems, as one sequence of events.

use postroom_channel::{Inspection, PushRequest};
use postroom_channel_phone::{Dialect, Inspector, Region, Setting, Zone, limits};

use super::{bad_option, headers, method, no_such_dialect, now, read};
use crate::cli;
use crate::failure::Failure;

/// One byte more than a log may have, so that a larger one is noticed.
const LOG_BYTES_MAX: u64 = limits::LOG_BYTES_MAX as u64 + 1;

pub(super) fn inspect(wanted: &cli::Inspect) -> Result<Option<Inspection>, Failure> {
    if wanted.body.is_some() {
        return Err(Failure::usage("--body is for email"));
    }
    let name = wanted.dialect.as_deref().unwrap_or("generic");
    let dialect = Dialect::from_name(name)
        .ok_or_else(|| no_such_dialect(name, &Dialect::ALL.map(Dialect::name)))?;
    let headers = headers(wanted)?;
    let method = method(wanted)?;
    let secret = wanted.secret.as_deref();
    let mut inspector = Inspector::new(dialect, setting(wanted)?, secret, now(wanted))
        .map_err(|error| bad_option(&error))?;
    for file in &wanted.files {
        let body = read(file, LOG_BYTES_MAX)?;
        let request =
            PushRequest { method: &method, uri: &wanted.url, headers: &headers, body: &body };
        inspector.take(&request);
    }
    Ok(inspector.finish())
}

fn setting(wanted: &cli::Inspect) -> Result<Setting, Failure> {
    let mut setting = Setting::default();
    if let Some(name) = &wanted.time_zone {
        setting.zone = Zone::parse(name).ok_or_else(|| {
            Failure::usage(format!("there is no time zone {name}; write one such as Europe/Berlin"))
        })?;
    }
    if let Some(name) = &wanted.region {
        let region = Region::parse(name).ok_or_else(|| {
            Failure::usage(format!("there is no country {name}; write two letters such as DE"))
        })?;
        setting.region = Some(region.prepared());
    }
    Ok(setting)
}
