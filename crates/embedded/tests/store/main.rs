//! The four stores through their public doors, each on a data folder of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod conformance;
mod full;
mod groups;
mod listing;
mod processes;
mod refusals;
mod seen;

use postroom_embedded::{Embedded, EmbeddedOptions};

/// A new data folder, open. The folder goes when the first is dropped.
fn fresh() -> (tempfile::TempDir, Embedded) {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path(), &EmbeddedOptions::default()).unwrap();
    (folder, store)
}
