//! A simulated house: the real router over stores in memory that fail as real ones do.
//!
//! One seed is one short history: customers, agents, an operator and two hosts that send publish
//! inputs, routers crash, are held up and fight over the ledger, answers get lost, the records are
//! cleared or set back. Then the faults end, the house comes to rest, and the judge compares what
//! is stored with the promises, from the inlet and the events alone.
//!
//! Nothing here waits for real time or takes randomness from anywhere but the seed, so that a seed
//! that fails fails again. Nothing here may make a test pass: it only ever adds complaints.

mod agents;
mod chaos;
mod customers;
mod dice;
mod hosts;
mod inlet;
mod judge;
mod ledger;
mod line;
mod mails;
mod names;
mod operator;
mod plan;
mod records;
mod routers;
mod stage;
mod view;
mod world;

pub use judge::judge_stores;
pub use plan::Sabotage;
pub use stage::Tally;
pub use world::{Shelf, Verdict, play};
