//! Opening what is durable: the two files of the embedded form or the engines of the clustered one, and
//! the blob folder.

use std::path::PathBuf;
use std::sync::Arc;

use postroom_access::AccessStore;
use postroom_bus::{Blobs, Inlet, Ledger};
use postroom_bus_nats::{Nats, Outlet};
use postroom_config::Config;
use postroom_embedded::{Embedded, EmbeddedOptions};
use postroom_model::SystemClock;
use postroom_records::Records;
use postroom_records_redis::RedisRecords;
use tokio_util::task::TaskTracker;

use crate::failure::Failure;
use crate::{engines, threads};

/// The backends, open.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) inlet: Arc<dyn Inlet>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) records: Arc<dyn Records>,
    pub(crate) access: Arc<dyn AccessStore>,
    pub(crate) blobs: Blobs,
    /// For adapters of other processes; the clustered form has it.
    pub(crate) outlet: Option<Outlet>,
}

impl Store {
    /// Opens the data folder, and makes it if there is none; or connects to the engines.
    pub(crate) async fn open(config: &Config) -> Result<Self, Failure> {
        let mistakes = engines::mistakes(config);
        if !mistakes.is_empty() {
            return Err(config.diagnostics(mistakes).into());
        }
        let folder = config.server.data_dir.clone();
        let blobs = config.blobs.url.folder().unwrap_or_else(|| folder.join("blobs"));
        if config.is_clustered() {
            connect(config, blobs).await
        } else {
            open_in(folder, blobs).await
        }
    }

    /// Opens a data folder that must be there: for commands that look at what `serve` stored.
    pub(crate) async fn open_existing(config: &Config) -> Result<Self, Failure> {
        let folder = &config.server.data_dir;
        if !config.is_clustered() && !folder.join("postroom.db").exists() {
            let folder = folder.display();
            let hint = "start `postroom serve` once, or name the folder with --data";
            return Err(Failure::failed(format!("there is no data in {folder}; {hint}")));
        }
        Self::open(config).await
    }
}

/// Both engines are asked whether they can be trusted before anything is entrusted to them (P11).
async fn connect(config: &Config, blobs: PathBuf) -> Result<Store, Failure> {
    postroom_channel::install_crypto();
    let (nats, redis) = (engines::nats(config), engines::redis(config));
    let url = config.records.url.reveal();
    let records = RedisRecords::open(url, config.workspace.clone(), &redis).await?;
    // What looks out for the streams ends with the last of the stores.
    let nats = Nats::open(&nats, Arc::new(SystemClock), &TaskTracker::new()).await?;
    let blobs = match tokio::task::spawn_blocking(move || Blobs::open(blobs)).await {
        Ok(blobs) => blobs?,
        Err(_) => return Err(Failure::failed("the blob folder could not be opened")),
    };
    Ok(Store {
        inlet: nats.inlet(),
        ledger: nats.ledger(),
        records: Arc::new(records),
        access: nats.access(),
        blobs,
        outlet: Some(nats.outlet()),
    })
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
            outlet: None,
        })
    });
    match opened.await {
        Ok(store) => store,
        Err(_) => Err(Failure::failed("the data folder could not be opened")),
    }
}
