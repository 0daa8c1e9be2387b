//! The bus over a real server, each test with one of its own.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cluster;
mod conformance;
mod fence;
mod foreign;
mod full;
mod hints;
mod outlet;
mod reading;
mod refusals;
mod restart;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postroom_bus_nats::{Nats, NatsOptions};
use postroom_model::{SystemClock, WorkspaceId};
use postroom_testkit::NatsServer;
use tokio_util::task::TaskTracker;

/// What has not come by then does not come.
const WAIT: Duration = Duration::from_secs(30);

fn options(server: &NatsServer) -> NatsOptions {
    let mut options = NatsOptions::new(server.url(), WorkspaceId::main());
    options.monitor_urls = vec![server.monitor_url().into()];
    options.inlet_bytes_max = 256 << 20;
    options.ledger_bytes_max = 256 << 20;
    options
}

async fn open(server: &NatsServer) -> Nats {
    open_with(&options(server)).await
}

async fn open_with(options: &NatsOptions) -> Nats {
    Nats::open(options, Arc::new(SystemClock), &TaskTracker::new()).await.unwrap()
}

/// The client as a stranger has it.
async fn stranger(server: &NatsServer) -> async_nats::Client {
    async_nats::connect(server.url()).await.unwrap()
}

fn payload(number: usize) -> Bytes {
    Bytes::from(format!("[{number}]"))
}

/// Asks until it is so; each try waits for the server itself.
async fn until<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let found = async {
        let mut again = postroom_testkit::again();
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            again.tick().await;
        }
    };
    tokio::time::timeout(WAIT, found).await.unwrap()
}
