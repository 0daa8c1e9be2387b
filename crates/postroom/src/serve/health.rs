//! The small door of a role that has no other: whether it is alive, whether it is ready, and its
//! metrics. It takes nothing in and tells nothing of customers.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use postroom_bus::Ledger;
use postroom_records::Records;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections at the same time; whoever is over it waits.
const CONNECTIONS_MAX: usize = 64;
/// How long a question may take to come.
const HEADERS_WAIT: Duration = Duration::from_secs(5);
/// How long a connection may take in all.
const CONNECTION_WAIT: Duration = Duration::from_secs(30);
/// How long bus and records may take to answer before they count as away.
const REACH_WAIT: Duration = Duration::from_secs(1);
/// The pause when no connection can be taken, as when there are no more file handles.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

/// What is asked and told.
#[derive(Debug)]
pub(super) struct Health {
    pub(super) registry: Registry,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) records: Arc<dyn Records>,
    /// Whether the router of this process decides, if it has one.
    pub(super) router: Option<watch::Receiver<bool>>,
}

impl Health {
    /// Answers until `stop`; then whoever is still connected is cut off.
    pub(super) async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let health = Arc::new(self);
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        loop {
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                () = stop.cancelled() => return,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                next = next => next,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            };
            let health = Arc::clone(&health);
            connections.spawn(async move {
                // A connection that breaks off or lasts concerns only its other end.
                drop(tokio::time::timeout(CONNECTION_WAIT, health.connection(stream)).await);
                drop(place);
            });
        }
    }

    async fn connection(&self, stream: TcpStream) {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEADERS_WAIT).keep_alive(false);
        let answer = service_fn(async |request: Request<Incoming>| {
            Ok::<_, Infallible>(self.answer(request.method(), request.uri().path()).await)
        });
        // A connection that breaks off concerns only its other end.
        drop(http.serve_connection(TokioIo::new(stream), answer).await);
    }

    async fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let detail = "this address does not take that method";
            return problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
        }
        match path {
            "/healthz" => answered(StatusCode::OK, JSON, &json!({ "status": "alive" })),
            "/readyz" => self.ready().await,
            "/metrics" => self.metrics(),
            _ => problem(StatusCode::NOT_FOUND, "not_found", "there is nothing here"),
        }
    }

    /// A router that stands by is ready, to take over.
    async fn ready(&self) -> Response<Full<Bytes>> {
        let asked = async { tokio::join!(self.ledger.tail(), self.records.standing()) };
        let away = match tokio::time::timeout(REACH_WAIT, asked).await {
            Ok((Ok(_), Ok(_))) => {
                let status = match &self.router {
                    Some(decides) if *decides.borrow() => "active",
                    Some(_) => "standby",
                    None => "ready",
                };
                return answered(StatusCode::OK, JSON, &json!({ "status": status }));
            }
            Ok((Err(_), _)) => "the bus cannot be reached",
            Ok((_, Err(_))) => "the records cannot be reached",
            Err(_) => "bus or records do not answer in time",
        };
        problem(StatusCode::SERVICE_UNAVAILABLE, "not_ready", away)
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            Ok(()) => response(StatusCode::OK, METRICS, text.into()),
            Err(_) => {
                let detail = "the metrics could not be written";
                problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
            }
        }
    }
}

fn problem(status: StatusCode, code: &str, detail: &str) -> Response<Full<Bytes>> {
    let body = json!({ "status": status.as_u16(), "code": code, "detail": detail });
    answered(status, PROBLEM, &body)
}

fn answered(status: StatusCode, media_type: &'static str, body: &Value) -> Response<Full<Bytes>> {
    response(status, media_type, body.to_string().into())
}

fn response(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
