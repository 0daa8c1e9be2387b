//! The commands beside `serve`, one file each.

pub(crate) mod backfill;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod dry_run;
pub(crate) mod explain;
pub(crate) mod generate;
pub(crate) mod inspect;
pub(crate) mod parked;
pub(crate) mod rebuild;
mod since;
pub(crate) mod staffing;
pub(crate) mod token;
pub(crate) mod verify;
