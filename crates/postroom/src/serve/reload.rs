//! A changed configuration is taken over without a restart, or refused whole with the reason.

use std::sync::Arc;
use std::time::Duration;

use postroom_config::{Config, Loader, Watcher};
use tokio_util::sync::CancellationToken;

use super::{House, Live, signals};
use crate::failure::Failure;
use crate::{output, setup};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Looks at the configuration and installs what has changed.
pub(super) struct Reload {
    loader: Loader,
    watcher: Watcher,
    /// What only a restart changes.
    fixed: Fixed,
}

#[derive(Debug, PartialEq, Eq)]
struct Fixed {
    listen: [Option<std::net::SocketAddr>; 2],
    public_url: String,
    data_dir: std::path::PathBuf,
    urls: [String; 3],
}

impl Fixed {
    fn of(config: &Config) -> Self {
        Self {
            listen: [Some(config.server.listen), config.server.health_listen],
            public_url: config.server.public_url.clone(),
            data_dir: config.server.data_dir.clone(),
            urls: [
                config.bus.url.to_string(),
                config.records.url.to_string(),
                config.blobs.url.to_string(),
            ],
        }
    }
}

impl Reload {
    pub(super) fn new(loader: Loader, config: &Config) -> Self {
        Self { loader, watcher: config.watcher(), fixed: Fixed::of(config) }
    }

    /// Until `stop`.
    pub(super) async fn run(mut self, house: &House, live: &Live, stop: CancellationToken) {
        let mut hangup = signals::Hangup::new();
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                () = hangup.recv() => true,
                () = tokio::time::sleep(LOOK) => false,
            };
            if self.watcher.changed() || asked {
                match self.take_over(house, live).await {
                    Ok(()) => tracing::info!("the changed configuration is in force"),
                    Err(failure) => {
                        tracing::error!("the changed configuration is refused; the old one stays");
                        failure.print(false);
                    }
                }
            }
        }
    }

    async fn take_over(&mut self, house: &House, live: &Live) -> Result<(), Failure> {
        let mut setup = setup::accept(self.loader.draft(None)?)?;
        setup.connect(&house.store);
        // The secret files that it names may be others now.
        self.watcher = setup.config.watcher();
        if Fixed::of(&setup.config) != self.fixed {
            output::complain("note: addresses and folders change at the next start");
        }
        house.install(&setup.settings).await?;
        live.adapters.send_replace(Arc::new(setup.adapters));
        live.settings.send_replace(Arc::new(setup.settings));
        Ok(())
    }
}
