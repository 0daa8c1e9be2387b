//! The accept loop: connections within their limit, each served until it ends or the shutdown does
//! it. Event streams never end by themselves, so they are told to, and there is a last moment.

use std::borrow::Cow;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::api::channels;
use crate::frame;
use crate::gateway::{App, Gateway};

/// When no connection can be taken, as when the process has no more file handles.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Headers of one request.
const HEADERS_MAX: usize = 100;

impl Gateway {
    /// Serves until `shutdown`, then lets open requests end, for at most `shutdown_grace_ms`.
    pub async fn serve(&self, listener: TcpListener, shutdown: CancellationToken) {
        let limits = &self.app.limits;
        let service =
            Front { app: self.app.clone(), rest: TowerToHyperService::new(self.router()) };
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(Duration::from_millis(limits.header_read_ms))
            .max_headers(HEADERS_MAX);
        let places = Arc::new(Semaphore::new(limits.connections_max));
        let last_moment = CancellationToken::new();
        while let Some((stream, permit)) = next(&listener, &places, &shutdown).await {
            let connection = http.serve_connection(TokioIo::new(stream), service.clone());
            let connections = self.app.metrics.connections.clone();
            let (shutdown, last_moment) = (shutdown.clone(), last_moment.clone());
            self.connections.spawn(async move {
                connections.inc();
                let mut connection = std::pin::pin!(connection);
                // A connection that breaks off concerns only its other end.
                let ended = tokio::select! {
                    _ = connection.as_mut() => true,
                    () = shutdown.cancelled() => false,
                };
                if !ended {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        _ = connection.as_mut() => {}
                        () = last_moment.cancelled() => {}
                    }
                }
                connections.dec();
                drop(permit);
            });
        }
        drop(listener);
        self.app.stop.cancel();
        self.connections.close();
        let grace = Duration::from_millis(limits.shutdown_grace_ms);
        if tokio::time::timeout(grace, self.connections.wait()).await.is_err() {
            tracing::warn!("connections did not end in time and are cut off");
            last_moment.cancel();
            self.connections.wait().await;
        }
        self.finish.cancel();
        self.background.close();
        self.background.wait().await;
    }
}

/// What a connection asks. Posts to channels come by the thousand and are found without the router,
/// which finds them too; everything else is its business.
#[derive(Clone)]
struct Front {
    app: App,
    rest: TowerToHyperService<axum::Router>,
}

impl Service<Request<Incoming>> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let Some(channel) = channels::posted_to(&request) else {
            return Box::pin(self.rest.call(request));
        };
        let app = self.app.clone();
        Box::pin(async move {
            let route = Cow::Borrowed(channels::EVENTS_ROUTE);
            let answer = async |request| {
                channels::take_post(&app, channel.as_str(), request).await.into_response()
            };
            Ok(frame::around(&app, route, request, answer).await)
        })
    }
}

/// The next connection, once there is a place for it; none when the shutdown has begun.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let accepted = async {
        let permit = Arc::clone(places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    // Small answers and events go out at once; without it they only wait longer.
                    drop(stream.set_nodelay(true));
                    return Some((stream, permit));
                }
                Err(error) => {
                    tracing::warn!(%error, "no connection can be taken");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = shutdown.cancelled() => None,
        accepted = accepted => accepted,
    }
}
