//! The bare servers: one answers, one stores and answers. They run as processes of their own, as the
//! product does, and know nothing of messages.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::process::ExitCode;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::raw::RawLog;
use crate::cli::{Bare, BenchServer, Shared};
use crate::failure::Failure;
use crate::output;

/// As long as the product's answer.
const ANSWER: &[u8] = br#"{"id":"00000000-0000-8000-8000-000000000000","status":"accepted"}"#;

/// Until it is killed.
pub(crate) async fn run(shared: &Shared, wanted: &BenchServer) -> Result<ExitCode, Failure> {
    let store = match (wanted.bare, &wanted.bus, &shared.data) {
        (Bare::RawHttp, ..) => None,
        (Bare::RawBus, Some(url), _) => Some(RawLog::stream(url).await?),
        (Bare::RawBus, None, Some(folder)) => Some(RawLog::file(folder)?),
        (Bare::RawBus, None, None) => return Err(Failure::usage("raw-bus needs --data or --bus")),
    };
    let unavailable = |error: std::io::Error| Failure::failed(format!("cannot listen: {error}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(unavailable)?;
    let address = listener.local_addr().map_err(unavailable)?;
    output::say(&format!("A bare server listens on http://{address}"));
    let tasks = TaskTracker::new();
    loop {
        let (stream, _) = listener.accept().await.map_err(unavailable)?;
        drop(stream.set_nodelay(true));
        let store = store.clone();
        let service = service_fn(move |request| answer(store.clone(), request));
        tasks.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(
    store: Option<RawLog>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(ANSWER)));
    *response.status_mut() = take(store.as_ref(), request.into_body()).await;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

async fn take(store: Option<&RawLog>, body: Incoming) -> StatusCode {
    let Ok(body) = body.collect().await else { return StatusCode::BAD_REQUEST };
    let Some(store) = store else { return StatusCode::ACCEPTED };
    match store.append(body.to_bytes()).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
