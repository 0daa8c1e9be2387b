//! The opened bus: one connection, and the stores on it.

use std::sync::Arc;

use postroom_access::AccessStore;
use postroom_bus::{Inlet, Ledger};
use postroom_model::Clock;
use tokio_util::task::TaskTracker;

use crate::access::NatsAccess;
use crate::answers::StreamConfig;
use crate::api::Api;
use crate::connect::{Connected, connect};
use crate::examine::{examine_connected, of_failure, refuse};
use crate::hints::Hints;
use crate::inlet::NatsInlet;
use crate::ledger::NatsLedger;
use crate::names::Names;
use crate::{NatsError, NatsOptions, Outlet, streams};

/// Inlet, ledger, access store and outlet of one workspace. Cheap to clone; what it looks out for ends when
/// the last store is dropped.
#[derive(Debug, Clone)]
pub struct Nats {
    inlet: Arc<NatsInlet>,
    ledger: Arc<NatsLedger>,
    access: Arc<NatsAccess>,
    outlet: Outlet,
}

impl Nats {
    /// Connects, refuses what cannot keep the promises, and makes the streams that are not there.
    pub async fn open(
        options: &NatsOptions,
        clock: Arc<dyn Clock>,
        tasks: &TaskTracker,
    ) -> Result<Self, NatsError> {
        let connected = connect(options).await?;
        let findings = examine_connected(&connected, options).await?;
        refuse(findings, &options.accepted)?;
        let names = Names::of(&options.workspace);
        let api = Api::new(&connected);
        let wanted = streams::wanted(&names, options);
        for config in &wanted {
            let made = streams::make(&api, config).await;
            refuse(made.map_err(|failure| of_failure(options, &failure))?, &[])?;
        }
        let [inlet, ledger, ..] = &wanted;
        let looked = Looked { api: &api, connected: &connected, options, tasks };
        let (inlet, ledger) = (looked.hints(inlet).await?, looked.hints(ledger).await?);
        let of_clock = || Arc::clone(&clock);
        Ok(Self {
            inlet: Arc::new(NatsInlet::new(api.clone(), names.clone(), of_clock(), inlet)),
            ledger: Arc::new(NatsLedger::new(api.clone(), names.clone(), of_clock(), ledger)),
            outlet: Outlet::new(api.clone(), names.clone(), of_clock()),
            access: Arc::new(NatsAccess::new(api, names, clock)),
        })
    }

    pub fn inlet(&self) -> Arc<dyn Inlet> {
        Arc::<NatsInlet>::clone(&self.inlet)
    }

    pub fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::<NatsLedger>::clone(&self.ledger)
    }

    pub fn outlet(&self) -> Outlet {
        self.outlet.clone()
    }

    pub fn access(&self) -> Arc<dyn AccessStore> {
        Arc::<NatsAccess>::clone(&self.access)
    }
}

/// What is needed to look out for a stream.
struct Looked<'a> {
    api: &'a Api,
    connected: &'a Connected,
    options: &'a NatsOptions,
    tasks: &'a TaskTracker,
}

impl Looked<'_> {
    async fn hints(&self, config: &StreamConfig) -> Result<Hints, NatsError> {
        let info = self.api.stream(&config.name).await;
        let info = info.map_err(|failure| of_failure(self.options, &failure))?;
        let last = info.map_or(0, |info| info.state.last_seq);
        Ok(Hints::start(self.api.clone(), &config.name, last, self.connected, self.tasks))
    }
}
