//! `postroom serve`: all roles in one process; and each of them in one of its own, for the clustered form.

mod fetch;
mod health;
mod reload;
mod signals;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use postroom_access::{CredentialKind, Principal};
use postroom_bus::{Intake, IntakeLimits};
use postroom_config::Config;
use postroom_delivery::{DeliveryHost, DeliveryParts};
use postroom_gateway::{ExplainInput, Gateway, GatewayLimits, GatewayMetrics, GatewayParts};
use postroom_model::{
    Clock, IdSource, Input, InputBody, InputId, Random, Role, Settings, SystemClock, SystemRandom,
};
use postroom_router::{Router, RouterError, RouterLimits, RouterMetrics, RouterParts, check_end};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::health::Health;
use crate::adapters::Adapters;
use crate::cli::Shared;
use crate::commands::token;
use crate::door::Door;
use crate::failure::Failure;
use crate::output;
use crate::setup;
use crate::store::Store;
use crate::threads::Threads;

/// Which roles a process has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roles {
    name: &'static str,
    /// Sends what must leave.
    channels: bool,
    router: bool,
    gateway: bool,
}

impl Roles {
    pub(crate) const EVERYTHING: Self =
        Self { name: "serve", channels: true, router: true, gateway: true };
    pub(crate) const CHANNELS: Self =
        Self { name: "channels", channels: true, router: false, gateway: false };
    pub(crate) const ROUTER: Self =
        Self { name: "router", channels: false, router: true, gateway: false };
    pub(crate) const GATEWAY: Self =
        Self { name: "gateway", channels: false, router: false, gateway: true };

    fn all(self) -> bool {
        self.channels && self.router && self.gateway
    }

    /// Whether the settings of this process come into force for the workspace: where something comes
    /// in, and where it is decided.
    fn installs(self) -> bool {
        self.router || self.gateway
    }
}

/// What the roles share.
struct House {
    roles: Roles,
    store: Store,
    intake: Intake,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    ids: IdSource,
    tasks: TaskTracker,
    /// For how long the inlet keeps what was decided.
    inlet_keep: Duration,
}

/// The watched parts of the configuration.
struct Live {
    adapters: watch::Sender<Arc<Adapters>>,
    settings: watch::Sender<Arc<Settings>>,
}

#[expect(
    clippy::too_many_lines,
    reason = "the order in which the rooms start and end, in one place"
)]
pub(crate) async fn run(shared: &Shared, roles: Roles) -> Result<ExitCode, Failure> {
    let loader = setup::loader(shared);
    let random: Arc<dyn Random> = Arc::new(SystemRandom::new());
    // Processes on several machines would each make another one.
    if roles.all() {
        // Every mistake is told before anything is made.
        setup::accept(loader.draft(Some(random.as_ref()))?)?;
        for made in loader.create_missing_secrets(random.as_ref())? {
            output::complain(&format!("made a new secret: {}", made.display()));
        }
    }
    let mut setup = setup::accept(loader.draft(None)?)?;
    if !roles.all() && !setup.config.is_clustered() {
        let name = roles.name;
        return Err(Failure::usage(format!(
            "`postroom {name}` needs the clustered form: set bus.url to nats:// and records.url to \
             redis://; the embedded form runs as `postroom serve`"
        )));
    }
    let store = Store::open(&setup.config).await?;
    setup.connect(&store);
    check_end(store.ledger.as_ref(), store.records.as_ref()).await?;
    let server = &setup.config.server;
    let listener = if roles.gateway { Some(bind(server.listen).await?) } else { None };
    let health = match server.health_listen.filter(|_| !roles.gateway) {
        Some(listen) => Some(bind(listen).await?),
        None => None,
    };

    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let tasks = TaskTracker::new();
    let (before, behind) = (Threads::before()?, Threads::behind()?);
    let house = House {
        roles,
        intake: before.run(|| {
            // Its task ends with its threads: open connections may hold a handle until then.
            let tasks = TaskTracker::new();
            Intake::start(Arc::clone(&store.inlet), IntakeLimits::default(), &tasks)
        }),
        ids: IdSource::new(Arc::clone(&clock), Arc::clone(&random)),
        store,
        clock,
        random,
        tasks,
        inlet_keep: Duration::from_hours(setup.config.bus.inlet_keep_days.saturating_mul(24)),
    };
    let live = Live {
        adapters: watch::Sender::new(Arc::new(setup.adapters)),
        settings: watch::Sender::new(Arc::new(setup.settings)),
    };
    let mut registry = Registry::default();
    let (ready, is_ready) = watch::channel(false);
    let router = roles.router.then(|| house.router(&mut registry, ready));
    let delivery = roles.channels.then(|| house.delivery(&mut registry, &live));
    let ready = roles.router.then_some(is_ready);
    let mut told = None;
    let open = match listener {
        Some(listener) => {
            let public_url = public_url(&setup.config, &listener)?;
            let parts = house.gateway(&setup.config, registry, &live, (public_url.clone(), ready));
            Some((before.run(|| Gateway::new(parts)), listener, public_url))
        }
        None => {
            told = health.map(|listener| (house.health(registry, ready), listener));
            None
        }
    };
    // The settings are in the inlet before the doors open: what comes in after them is decided by them.
    house.install(&live.settings.borrow().clone()).await?;
    let stop = Stop::default();
    let routing =
        router.map(|router| house.tasks.spawn_on(router.run(stop.router.clone()), behind.handle()));
    let owned = delivery.as_ref().map(DeliveryHost::owned);
    let delivering = delivery
        .map(|delivery| house.tasks.spawn_on(delivery.run(stop.delivery.clone()), behind.handle()));
    let fetching = owned.map(|owned| {
        let door = Arc::new(house.door(&setup.config));
        let (adapters, stop) = (live.adapters.subscribe(), stop.doors.clone());
        house.tasks.spawn_on(fetch::run(door, adapters, owned, stop), behind.handle())
    });
    let reload = reload::Reload::new(loader, &setup.config);
    let reloading = reload.run(&house, &live, stop.doors.clone());
    let serving = match open {
        Some((gateway, listener, public_url)) => {
            announce(&house, &listener, public_url.as_str()).await?;
            let doors = stop.doors.clone();
            Some(house.tasks.spawn(async move { gateway.serve(listener, doors).await }))
        }
        None => {
            output::say(&format!("Postroom runs as {}", roles.name));
            told.map(|(health, listener)| {
                if let Ok(address) = listener.local_addr() {
                    output::say(&format!("How it is stands on http://{address}/readyz"));
                }
                house.tasks.spawn(health.serve(listener, stop.doors.clone()))
            })
        }
    };
    let ended = tokio::select! {
        () = signals::terminated() => None,
        ended = watch_router(routing) => Some(ended),
        () = reloading => None,
    };
    stop.doors.cancel();
    if let Some(serving) = serving {
        drop(serving.await);
    }
    if let Some(fetching) = fetching {
        drop(fetching.await);
    }
    stop.delivery.cancel();
    if let Some(delivering) = delivering {
        drop(delivering.await);
    }
    stop.router.cancel();
    let House { intake, tasks, store, .. } = house;
    drop(intake);
    tasks.close();
    tasks.wait().await;
    before.end().await;
    behind.end().await;
    drop(store);
    match ended {
        Some(Err(error)) => Err(error),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Ends in this order: doors, delivery (whose reports the router must still decide), router.
#[derive(Debug, Default)]
struct Stop {
    doors: CancellationToken,
    delivery: CancellationToken,
    router: CancellationToken,
}

async fn watch_router(
    routing: Option<tokio::task::JoinHandle<Result<(), RouterError>>>,
) -> Result<(), Failure> {
    let Some(routing) = routing else {
        return std::future::pending().await;
    };
    match routing.await {
        Ok(ended) => Ok(ended?),
        // Whoever watches over the process must see that it did not end as asked.
        Err(error) => Err(Failure::coded("internal", format!("the router broke down: {error}"))),
    }
}

async fn bind(listen: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(listen).await.map_err(|error| {
        Failure::coded("listen_failed", format!("cannot listen on {listen}: {error}"))
    })
}

/// The configured address, or the one that is listened on, whose port may have been chosen now.
fn public_url(config: &Config, listener: &TcpListener) -> Result<url::Url, Failure> {
    let server = &config.server;
    let text = match listener.local_addr() {
        Ok(address) if !server.public_url_given => format!("http://{address}"),
        _ => server.public_url.clone(),
    };
    text.parse().map_err(|_| Failure::failed(format!("{text} is not a URL")))
}

fn explained(input: ExplainInput) -> serde_json::Value {
    let ExplainInput { conversation, settings, presences, held, now } = input;
    let desk = postroom_routing::Desk { presences: &presences, held: &held };
    let explanation = postroom_routing::explain(&conversation, &settings, desk, now);
    serde_json::to_value(explanation).unwrap_or_default()
}

/// Tells people where to go. The link is shown until somebody has signed in or made a token.
async fn announce(house: &House, listener: &TcpListener, public_url: &str) -> Result<(), Failure> {
    if let Ok(address) = listener.local_addr() {
        output::say(&format!("Postroom listens on http://{address}"));
    }
    let access = &house.store.access;
    let known = !access.list(CredentialKind::Session).await?.is_empty()
        || !access.list(CredentialKind::Token).await?.is_empty();
    if !known {
        let principal = Principal {
            role: Role::Admin,
            agent: None,
            name: "admin".to_owned(),
            channels: Vec::new(),
        };
        let kind = CredentialKind::Link;
        let secret = token::create(&house.store, kind, principal, house.random.as_ref()).await?;
        let url = public_url.trim_end_matches('/');
        output::say(&format!("Sign in once with {}", token::sign_in_link(url, &secret)));
    }
    Ok(())
}

impl House {
    fn router(&self, registry: &mut Registry, ready: watch::Sender<bool>) -> Router {
        Router::new(RouterParts {
            inlet: Arc::clone(&self.store.inlet),
            doors: Some(self.intake.clone()),
            ledger: Arc::clone(&self.store.ledger),
            records: Arc::clone(&self.store.records),
            blobs: self.store.blobs.clone(),
            clock: Arc::clone(&self.clock),
            ids: self.ids.clone(),
            limits: RouterLimits { inlet_keep: self.inlet_keep, ..RouterLimits::default() },
            metrics: RouterMetrics::register(registry),
            tasks: self.tasks.clone(),
            ready,
        })
    }

    fn health(&self, registry: Registry, router: Option<watch::Receiver<bool>>) -> Health {
        let (ledger, records) = (Arc::clone(&self.store.ledger), Arc::clone(&self.store.records));
        Health { registry, ledger, records, router }
    }

    fn door(&self, config: &Config) -> Door {
        Door {
            workspace: config.workspace.clone(),
            intake: self.intake.clone(),
            ledger: Arc::clone(&self.store.ledger),
            records: Arc::clone(&self.store.records),
            blobs: self.store.blobs.clone(),
            clock: Arc::clone(&self.clock),
            known: tokio::sync::Mutex::default(),
        }
    }

    fn delivery(&self, registry: &mut Registry, live: &Live) -> DeliveryHost {
        DeliveryHost::new(DeliveryParts {
            ledger: Arc::clone(&self.store.ledger),
            intake: self.intake.clone(),
            records: Arc::clone(&self.store.records),
            blobs: self.store.blobs.clone(),
            adapters: live.adapters.subscribe(),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            metrics: postroom_delivery::Metrics::register(registry, Arc::clone(&self.clock)),
        })
    }

    /// The last pair is where people reach it, and whether the router of this process runs.
    fn gateway(
        &self,
        config: &Config,
        mut registry: Registry,
        live: &Live,
        (public_url, ready): (url::Url, Option<watch::Receiver<bool>>),
    ) -> GatewayParts {
        let metrics = GatewayMetrics::register(&mut registry);
        let server = &config.server;
        let limits = GatewayLimits {
            body_bytes_max: usize::try_from(server.body_bytes_max).unwrap_or(usize::MAX),
            command_wait_ms: server.command_wait_ms,
            ..GatewayLimits::default()
        };
        GatewayParts {
            workspace: config.workspace.clone(),
            intake: self.intake.clone(),
            inlet: Arc::clone(&self.store.inlet),
            ledger: Arc::clone(&self.store.ledger),
            records: Arc::clone(&self.store.records),
            blobs: self.store.blobs.clone(),
            access: Arc::clone(&self.store.access),
            adapters: live.adapters.subscribe(),
            settings: live.settings.subscribe(),
            clock: Arc::clone(&self.clock),
            ids: self.ids.clone(),
            random: Arc::clone(&self.random),
            limits,
            public_url,
            docs_url: None,
            registry: Arc::new(registry),
            metrics,
            ready,
            explain: Arc::new(explained),
        }
    }

    /// Asks for the settings to come into force, in one order with everything else.
    async fn install(&self, settings: &Settings) -> Result<(), Failure> {
        if !self.roles.installs() {
            return Ok(());
        }
        let body = InputBody::Settings(Box::new(settings.clone()));
        let input = Input { id: InputId(self.ids.next()), at: self.clock.now(), body };
        self.intake.accept(&input).await?;
        Ok(())
    }
}
