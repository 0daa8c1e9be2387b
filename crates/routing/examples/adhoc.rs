//! ad hoc
#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods
)]
use postroom_routing::load::{Load, LoadShape};
fn main() {
    let waiting: usize = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(100_000);
    let mut load = Load::build(LoadShape { waiting, ..LoadShape::default() }).unwrap();
    let start = std::time::Instant::now();
    let mut clock = || start.elapsed().as_nanos() as u64;
    for _ in 0..3 {
        println!("{:?}", load.decide(300_000, &mut clock));
    }
}
