//! The fold, the sheet and the records in memory, from outside.
#![cfg(test)]

mod conformance;
mod delivery;
mod describe;
mod fold;
mod ground;
mod sheet;
mod support;
