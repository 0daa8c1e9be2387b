//! One queue for every channel.
fn main() {}
