//! What the gateway is made of, and the handle by which the program runs it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use postroom_access::AccessStore;
use postroom_bus::{Blobs, Inlet, Intake, Ledger};
use postroom_channel::Adapter;
use postroom_model::{
    AgentId, ChannelId, Clock, Conversation, IdSource, Presence, Random, Settings, Timestamp,
    WorkspaceId,
};
use postroom_records::Records;
use prometheus_client::registry::Registry;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::Book;
use crate::auth::Auth;
use crate::feed::Feed;
use crate::inboxes::{self, Inboxes};
use crate::lookup::Lookup;
use crate::{GatewayMetrics, api, frame};

/// The channels by their ids. A changed configuration sends a new map.
pub type Adapters = BTreeMap<ChannelId, Arc<dyn Adapter>>;

/// Says why a conversation is where it is. Pure.
pub type ExplainFn = Arc<dyn Fn(ExplainInput) -> serde_json::Value + Send + Sync>;

/// What an explanation is made from.
#[derive(Debug, Clone)]
pub struct ExplainInput {
    pub conversation: Conversation,
    pub settings: Arc<Settings>,
    pub presences: Vec<Presence>,
    /// How many of its kind agents hold who may hold only so many.
    pub held: BTreeMap<AgentId, u32>,
    pub now: Timestamp,
}

/// How much the gateway takes and how long it waits (P12).
#[derive(Debug, Clone, Copy)]
pub struct GatewayLimits {
    /// Bytes in one request body, whether declared or not.
    pub body_bytes_max: usize,
    /// Bytes of a body that is over its limit that are read and thrown away, so that a client that
    /// writes all of it before it reads sees the answer; of more the connection is closed.
    pub drain_bytes_max: u64,
    /// Time for that.
    pub drain_ms: u64,
    /// Bodies over 64 KiB that are in memory at once; more get 429.
    pub large_bodies_max: usize,
    /// Bytes in one attachment that is downloaded.
    pub attachment_bytes_max: usize,
    /// Bytes of bodies from the blob store in one page of a timeline; the rest is left out there.
    pub page_body_bytes_max: usize,
    /// How long a change waits for its outcome before it answers `pending`.
    pub command_wait_ms: u64,
    /// How long a post to a channel waits to learn whether it is a duplicate.
    pub seen_wait_ms: u64,
    /// How long a read waits for the records to hold what the event stream has already told.
    pub read_wait_ms: u64,
    /// Open event streams; more get 503.
    pub streams_max: usize,
    /// Open connections; more wait in the backlog of the system.
    pub connections_max: usize,
    /// Time for the head of a request, and between two requests of a connection.
    pub header_read_ms: u64,
    /// Time between two pieces of a request body.
    pub body_idle_ms: u64,
    /// Time between two comments on an event stream that has nothing to tell.
    pub keep_alive_ms: u64,
    /// How often an open event stream asks whether its reader may still read. Everything else asks
    /// at each request.
    pub stream_recheck_ms: u64,
    /// How long a browser stays signed in.
    pub session_ms: i64,
    /// Envelopes that the feed holds in memory for event streams, and their bytes.
    pub feed_envelopes_max: usize,
    pub feed_bytes_max: usize,
    /// Time for open requests to end after the shutdown began.
    pub shutdown_grace_ms: u64,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: 10 * 1024 * 1024,
            drain_bytes_max: 64 * 1024 * 1024,
            drain_ms: 10_000,
            large_bodies_max: 32,
            attachment_bytes_max: 100 * 1024 * 1024,
            page_body_bytes_max: 4 * 1024 * 1024,
            command_wait_ms: 5_000,
            seen_wait_ms: 250,
            read_wait_ms: 250,
            streams_max: 2_000,
            connections_max: 10_000,
            header_read_ms: 10_000,
            body_idle_ms: 10_000,
            keep_alive_ms: 15_000,
            stream_recheck_ms: 2_500,
            session_ms: 7 * 24 * 60 * 60 * 1_000,
            feed_envelopes_max: 1_024,
            feed_bytes_max: 32 * 1024 * 1024,
            shutdown_grace_ms: 10_000,
        }
    }
}

impl GatewayLimits {
    pub(crate) fn command_wait(&self) -> Duration {
        Duration::from_millis(self.command_wait_ms)
    }
}

/// Everything that the gateway needs from the program.
pub struct GatewayParts {
    pub workspace: WorkspaceId,
    pub intake: Intake,
    /// What waits for a decision; only read here.
    pub inlet: Arc<dyn Inlet>,
    pub ledger: Arc<dyn Ledger>,
    pub records: Arc<dyn Records>,
    pub blobs: Blobs,
    pub access: Arc<dyn AccessStore>,
    pub adapters: watch::Receiver<Arc<Adapters>>,
    pub settings: watch::Receiver<Arc<Settings>>,
    pub clock: Arc<dyn Clock>,
    pub ids: IdSource,
    /// Makes session secrets: the system's generator, except in tests.
    pub random: Arc<dyn Random>,
    pub limits: GatewayLimits,
    /// As people and providers write it, such as `https://inbox.example.com`.
    pub public_url: url::Url,
    /// Where the pages about errors are; none means that this gateway shows them itself.
    pub docs_url: Option<url::Url>,
    pub registry: Arc<Registry>,
    /// From [`GatewayMetrics::register`] on that registry.
    pub metrics: GatewayMetrics,
    /// Whether the router of this process runs; none where another process routes.
    pub ready: Option<watch::Receiver<bool>>,
    pub explain: ExplainFn,
}

impl fmt::Debug for GatewayParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayParts")
            .field("workspace", &self.workspace)
            .field("limits", &self.limits)
            .field("public_url", &self.public_url.as_str())
            .finish_non_exhaustive()
    }
}

/// What every handler has at hand.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) parts: GatewayParts,
    pub(crate) feed: Arc<Feed>,
    pub(crate) auth: Auth,
    pub(crate) lookup: Lookup,
    /// None until somebody asks for the metrics.
    pub(crate) accounts: tokio::sync::Mutex<Option<Book>>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) inboxes: Inboxes,
    pub(crate) large_bodies: Arc<Semaphore>,
    /// Ends every event stream.
    pub(crate) stop: CancellationToken,
    pub(crate) docs_base: String,
    /// Scheme, host and port of the public URL, as a browser writes an origin.
    pub(crate) origin: String,
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Deref for Inner {
    type Target = GatewayParts;

    fn deref(&self) -> &GatewayParts {
        &self.parts
    }
}

impl App {
    pub(crate) fn settings_now(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.borrow())
    }
}

/// The gateway, with its feed running. It ends when it is dropped or when `serve` ends.
pub struct Gateway {
    pub(crate) app: App,
    pub(crate) connections: TaskTracker,
    /// The feed and the look-ups, which open requests need until their end.
    pub(crate) background: TaskTracker,
    pub(crate) finish: CancellationToken,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("parts", &self.app.parts).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Starts the feed, and therefore wants to be called inside a runtime.
    pub fn new(parts: GatewayParts) -> Self {
        let (background, finish) = (TaskTracker::new(), CancellationToken::new());
        let feed = Arc::new(Feed::new(Arc::clone(&parts.ledger), &parts.limits));
        let following = Arc::clone(&feed);
        background.spawn(finish.clone().run_until_cancelled_owned(async move {
            following.follow().await;
        }));
        let seen_wait = Duration::from_millis(parts.limits.seen_wait_ms);
        let (lookup, asking) = Lookup::new(Arc::clone(&parts.records), seen_wait);
        background.spawn(finish.clone().run_until_cancelled_owned(asking));
        let auth = Auth::new(Arc::clone(&parts.access), Arc::clone(&parts.clock));
        let docs = parts.docs_url.as_ref().map_or_else(
            || format!("{}/docs", parts.public_url.as_str().trim_end_matches('/')),
            |url| url.as_str().trim_end_matches('/').to_owned(),
        );
        let app = App(Arc::new(Inner {
            feed,
            lookup,
            accounts: tokio::sync::Mutex::default(),
            auth,
            inboxes: Inboxes::default(),
            streams: Arc::new(Semaphore::new(parts.limits.streams_max)),
            large_bodies: Arc::new(Semaphore::new(parts.limits.large_bodies_max)),
            stop: CancellationToken::new(),
            docs_base: docs,
            origin: parts.public_url.origin().ascii_serialization(),
            parts,
        }));
        let telling = inboxes::tell(app.clone());
        background.spawn(finish.clone().run_until_cancelled_owned(telling));
        Self { app, connections: TaskTracker::new(), background, finish }
    }

    /// All routes, for tests without a socket and for [`Gateway::serve`].
    pub fn router(&self) -> axum::Router {
        let (routes, _) = api::routes().split_for_parts();
        routes
            .fallback(api::meta::nothing_here)
            .method_not_allowed_fallback(api::meta::other_method)
            .layer(axum::middleware::from_fn_with_state(self.app.clone(), frame::frame))
            .with_state(self.app.clone())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.app.stop.cancel();
        self.finish.cancel();
    }
}
