//! Signals to processes that a test has started.

use std::process::Command;

/// Stops a process where it is, or lets it go on.
pub fn hold_process(id: u32, held: bool) {
    let signal = if held { "-STOP" } else { "-CONT" };
    let sent = Command::new("kill").arg(signal).arg(id.to_string()).status();
    assert!(sent.unwrap().success(), "process {id} is not there");
}
