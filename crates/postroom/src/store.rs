//! Opening what is durable: the embedded form's two files, and the blob folder.

use std::path::PathBuf;
use std::sync::Arc;

use postroom_access::AccessStore;
use postroom_bus::{Blobs, Inlet, Ledger};
use postroom_config::Config;
use postroom_embedded::{Embedded, EmbeddedOptions};
use postroom_records::Records;

use crate::failure::Failure;
use crate::threads;

/// The backends, open.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) inlet: Arc<dyn Inlet>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) records: Arc<dyn Records>,
    pub(crate) access: Arc<dyn AccessStore>,
    pub(crate) blobs: Blobs,
}

impl Store {
    /// Opens the data folder, and makes it if there is none.
    pub(crate) async fn open(config: &Config) -> Result<Self, Failure> {
        let folder = config.server.data_dir.clone();
        let blobs = config.blobs.url.folder().unwrap_or_else(|| folder.join("blobs"));
        open_in(folder, blobs).await
    }

    /// Opens a data folder that must be there: for commands that look at what `serve` stored.
    pub(crate) async fn open_existing(config: &Config) -> Result<Self, Failure> {
        let folder = &config.server.data_dir;
        if !folder.join("postroom.db").exists() {
            let folder = folder.display();
            let hint = "start `postroom serve` once, or name the folder with --data";
            return Err(Failure::failed(format!("there is no data in {folder}; {hint}")));
        }
        Self::open(config).await
    }
}

pub(crate) async fn open_in(folder: PathBuf, blobs: PathBuf) -> Result<Store, Failure> {
    let opened = tokio::task::spawn_blocking(move || {
        let options =
            EmbeddedOptions { records_thread: threads::step_back, ..EmbeddedOptions::default() };
        let embedded = Embedded::open(folder, &options)?;
        let blobs = Blobs::open(blobs)?;
        Ok::<Store, Failure>(Store {
            inlet: embedded.inlet(),
            ledger: embedded.ledger(),
            records: embedded.records(),
            access: embedded.access(),
            blobs,
        })
    });
    match opened.await {
        Ok(store) => store,
        Err(_) => Err(Failure::failed("the data folder could not be opened")),
    }
}
