//! A gateway over memory backends, with one channel that can do everything, four people and a
//! program.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use postroom_access::{AccessStore, Credential, CredentialKind, MemoryAccess, Principal, hash_of};
use postroom_bus::{Blobs, Inlet, Intake, IntakeLimits, MemoryInlet, MemoryLedger};
use postroom_channel::{
    Adapter, Arrival, Content, Files, Push, PushRequest, PushResponse, Received, Refusal,
    SendError, SendReceipt,
};
use postroom_gateway::{Adapters, Gateway, GatewayLimits, GatewayMetrics, GatewayParts};
use postroom_model::digest::Digest;
use postroom_model::{
    AgentId, AgentSettings, Attachment, ChannelId, ChannelKind, ChannelSettings, IdSource,
    ManualClock, Message, Outbound, QueueId, QueueSettings, Receipt, ReceiptStatus, Role,
    SeededRandom, Settings, Timestamp, WorkspaceId,
};
use postroom_records::MemoryRecords;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::router::{self, Backends};

/// Takes what says `x-good: yes`. The body is a message, or asks for something special.
#[derive(Debug)]
struct TestAdapter {
    channel: ChannelId,
    pushes: bool,
}

#[async_trait]
impl Adapter for TestAdapter {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn push(&self) -> Option<&dyn Push> {
        self.pushes.then_some(self)
    }

    fn sends(&self) -> bool {
        false
    }

    async fn send(&self, _: &Outbound, _: &dyn Files) -> Result<SendReceipt, SendError> {
        Err(SendError::permanent("cannot_send", "this channel sends nothing"))
    }
}

impl Push for TestAdapter {
    fn verify(&self, request: &PushRequest<'_>, _: Timestamp) -> Result<(), Refusal> {
        match request.headers.get("x-good") {
            Some(_) => Ok(()),
            None => Err(Refusal::new(401, "signature_invalid", "the signature does not fit")),
        }
    }

    fn parse(&self, request: &PushRequest<'_>) -> Result<Received, Refusal> {
        let body: Value = serde_json::from_slice(request.body)
            .map_err(|_| Refusal::new(422, "body_invalid", "not JSON").at("", "not JSON"))?;
        assert!(body.get("panic").is_none(), "asked to panic");
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut received = Received::default();
        if let Some(id) = text("receipt") {
            let (at, code) = (None, None);
            let status = ReceiptStatus::Delivered;
            received.receipts.push(Receipt { external_id: id, status, at, code, dead: None });
        }
        if let Some(said) = text("say") {
            let (status, media_type) = (200, "text/plain");
            received.response = Some(PushResponse { status, media_type, body: said });
        }
        if let Some(id) = text("id") {
            received.arrivals.push(arrival(id, &body, text("text"), text("file")));
        }
        Ok(received)
    }

    fn challenge(&self, request: &PushRequest<'_>) -> Option<Result<PushResponse, Refusal>> {
        let (_, said) = request.uri.split_once("challenge=")?;
        Some(Ok(PushResponse { status: 200, media_type: "text/plain", body: said.to_owned() }))
    }
}

fn arrival(id: String, body: &Value, text: Option<String>, file: Option<String>) -> Arrival {
    let mut message = Message { external_id: id, text, ..Message::default() };
    if let Some(subject) = body.get("subject").and_then(Value::as_str) {
        message.subject = Some(subject.to_owned());
    }
    for name in ["queue", "climbed"] {
        if let Some(told) = body.get(name) {
            message.attributes.insert(name.to_owned(), told.clone());
        }
    }
    let mut contents = Vec::new();
    if let Some(file) = file {
        message.attachments.push(Attachment {
            name: Some("a.txt".to_owned()),
            media_type: Some("text/plain".to_owned()),
            size_bytes: Some(file.len() as u64),
            sha256: Some(Digest::of(file.as_bytes())),
            ..Attachment::default()
        });
        contents.push(Content { attachment: 0, bytes: Bytes::from(file) });
    }
    Arrival { message, contents }
}

pub(crate) struct House {
    pub(crate) gateway: Arc<Gateway>,
    router: axum::Router,
    pub(crate) backends: Backends,
    pub(crate) access: Arc<MemoryAccess>,
    pub(crate) clock: Arc<ManualClock>,
    /// Whether the router decides.
    pub(crate) routing: watch::Sender<bool>,
    pub(crate) ready: watch::Sender<bool>,
    pub(crate) settings: watch::Sender<Arc<Settings>>,
    _adapters: watch::Sender<Arc<Adapters>>,
    _blobs: tempfile::TempDir,
    pub(crate) tasks: TaskTracker,
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000)
}

fn settings() -> Settings {
    let queue = |id: &str| QueueSettings::new(QueueId::new(id).unwrap(), id.to_owned());
    let channel = |id: &str| ChannelSettings {
        id: ChannelId::new(id).unwrap(),
        kind: ChannelKind::Webhook,
        dialect: None,
        queue: None,
        sends: true,
        calls: None,
    };
    let agent = |id: &str, queue: &str| AgentSettings {
        id: AgentId::new(id).unwrap(),
        name: id.to_owned(),
        email: None,
        queues: vec![QueueId::new(queue).unwrap()],
        skills: BTreeMap::new(),
        capacity: 100,
        limits: std::collections::BTreeMap::new(),
    };
    Settings {
        workspace: WorkspaceId::main(),
        timing: postroom_model::Timing::default(),
        channels: vec![channel("site"), channel("other"), channel("mail")],
        queues: vec![queue("support"), queue("billing")],
        rules: vec![],
        agents: vec![agent("ada", "support"), agent("bob", "billing")],
        costs: Settings::default_costs(),
        calendars: vec![],
        desk: postroom_model::DeskSettings::default(),
        contacts: postroom_model::ContactSettings::default(),
        answers: vec![],
    }
}

fn adapters() -> Adapters {
    let adapter = |id: &str, pushes| {
        let channel = ChannelId::new(id).unwrap();
        let adapter: Arc<dyn Adapter> = Arc::new(TestAdapter { channel: channel.clone(), pushes });
        (channel, adapter)
    };
    [adapter("site", true), adapter("other", true), adapter("mail", false)].into()
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::with(GatewayLimits::default(), None).await
    }

    pub(crate) async fn with(limits: GatewayLimits, inlet: Option<Arc<dyn Inlet>>) -> Self {
        let tasks = TaskTracker::new();
        let backends = Backends {
            inlet: Arc::new(MemoryInlet::default()),
            ledger: Arc::new(MemoryLedger::default()),
            records: Arc::new(MemoryRecords::default()),
        };
        let inlet = inlet.unwrap_or_else(|| Arc::clone(&backends.inlet) as Arc<dyn Inlet>);
        let folder = tempfile::tempdir().unwrap();
        let access = Arc::new(MemoryAccess::default());
        let clock = Arc::new(ManualClock::at(now()));
        let (ready, is_ready) = watch::channel(true);
        let (settings, settings_read) = watch::channel(Arc::new(settings()));
        let (adapters, adapters_read) = watch::channel(Arc::new(adapters()));
        let (routing, running) = watch::channel(true);
        tasks.spawn(router::run(backends.clone(), running));
        let mut registry = prometheus_client::registry::Registry::default();
        let metrics = GatewayMetrics::register(&mut registry);
        let waiting = Arc::clone(&inlet);
        let gateway = Gateway::new(GatewayParts {
            workspace: WorkspaceId::main(),
            intake: Intake::start(inlet, IntakeLimits::default(), &tasks),
            inlet: waiting,
            ledger: Arc::<MemoryLedger>::clone(&backends.ledger),
            records: Arc::<MemoryRecords>::clone(&backends.records),
            blobs: Blobs::open(folder.path()).unwrap(),
            access: Arc::<MemoryAccess>::clone(&access),
            adapters: adapters_read,
            settings: settings_read,
            clock: Arc::<ManualClock>::clone(&clock),
            ids: IdSource::new(Arc::<ManualClock>::clone(&clock), Arc::new(SeededRandom::new(1))),
            random: Arc::new(SeededRandom::new(2)),
            limits,
            public_url: "http://127.0.0.1:8080".parse().unwrap(),
            docs_url: None,
            registry: Arc::new(registry),
            metrics,
            ready: Some(is_ready),
            explain: Arc::new(|input| serde_json::json!({ "conversation": input.conversation.id })),
        });
        let house = Self {
            router: gateway.router(),
            gateway: Arc::new(gateway),
            backends,
            access,
            clock,
            routing,
            ready,
            settings,
            _adapters: adapters,
            _blobs: folder,
            tasks,
        };
        house.people().await;
        house
    }

    /// Tokens are named after those who hold them.
    async fn people(&self) {
        for (token, role, agent, channels) in [
            ("ada", Role::Agent, Some("ada"), vec![]),
            ("bob", Role::Agent, Some("bob"), vec![]),
            ("sue", Role::Supervisor, None, vec![]),
            ("root", Role::Admin, None, vec![]),
            ("shop", Role::Integrator, None, vec!["other"]),
        ] {
            let principal = Principal {
                role,
                agent: agent.map(|agent| AgentId::new(agent).unwrap()),
                name: token.to_owned(),
                channels: channels.into_iter().map(|id| ChannelId::new(id).unwrap()).collect(),
            };
            self.grant(token, CredentialKind::Token, principal, None).await;
        }
    }

    pub(crate) async fn grant(
        &self,
        secret: &str,
        kind: CredentialKind,
        principal: Principal,
        expires_at: Option<Timestamp>,
    ) {
        let credential = Credential { kind, principal, created_at: now(), expires_at };
        self.access.put(hash_of(secret), credential).await.unwrap();
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// A request of the holder of `token`, with a JSON body if there is one.
    pub(crate) async fn ask(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        Answer::of(self.send(request.body(body).unwrap()).await).await
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.ask(token, "GET", path, None).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.ask(token, "POST", path, Some(body)).await
    }

    /// A post to a channel, signed.
    pub(crate) async fn push(&self, channel: &str, body: &Value) -> Answer {
        let request = Request::post(format!("/v1/channels/{channel}/events"))
            .header("x-good", "yes")
            .body(Body::from(body.to_string()))
            .unwrap();
        Answer::of(self.send(request).await).await
    }

    /// A message comes in and is routed; gives the conversation's id.
    pub(crate) async fn conversation(&self, channel: &str, id: &str, queue: &str) -> String {
        let body = serde_json::json!({
            "id": id, "text": format!("words of {id}"), "subject": format!("about {id}"),
            "queue": queue,
        });
        let answer = self.push(channel, &body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let conversation = answer.text("id");
        self.routed(&conversation).await;
        conversation
    }

    /// A message comes into `support` and a ladder does this for it at once.
    pub(crate) async fn climbed(&self, id: &str, climbed: Value) -> String {
        let body = serde_json::json!({ "id": id, "queue": "support", "climbed": climbed });
        let answer = self.push("site", &body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let conversation = answer.text("id");
        self.routed(&conversation).await;
        conversation
    }

    /// Waits until the records hold a conversation.
    pub(crate) async fn routed(&self, conversation: &str) {
        let mut changes = postroom_records::Records::changes(self.backends.records.as_ref());
        loop {
            changes.mark_unchanged();
            let path = format!("/v1/conversations/{conversation}");
            if self.get("root", &path).await.status == 200 {
                return;
            }
            changes.changed().await.unwrap();
        }
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self, field: &str) -> String {
        self.json()[field].as_str().unwrap_or_else(|| panic!("no {field}: {self:?}")).to_owned()
    }

    /// The code of a problem; the status is checked too.
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let body = self.json();
        assert_eq!(body["status"], status);
        assert_eq!(body["request_id"], self.headers["x-request-id"].to_str().unwrap());
        let code = self.text("code");
        assert_eq!(self.text("type"), format!("http://127.0.0.1:8080/docs/errors/{code}"));
        code
    }
}
