//! Three servers that keep three copies: the same suites, and a leader that dies.

use std::sync::Arc;

use bytes::Bytes;
use postroom_bus::{Ledger, ReadLimits};
use postroom_bus_nats::{Nats, NatsOptions};
use postroom_model::{SystemClock, WorkspaceId};
use postroom_testkit::{NatsCluster, NatsServer};
use tokio_util::task::TaskTracker;

use crate::until;

const KILLS: usize = 2;
const BETWEEN_KILLS: u64 = 40;

async fn open(cluster: &NatsCluster) -> Nats {
    let mut options = NatsOptions::new(cluster.url(), WorkspaceId::main());
    options.monitor_urls =
        cluster.servers.iter().map(|server| server.monitor_url().into()).collect();
    (options.inlet_bytes_max, options.ledger_bytes_max) = (256 << 20, 256 << 20);
    options.replicas = 3;
    until(async || match Nats::open(&options, Arc::new(SystemClock), &TaskTracker::new()).await {
        Ok(nats) => Some(nats),
        // It looks for its leader.
        Err(error) if error.retryable() => None,
        Err(error) => panic!("{error}"),
    })
    .await
}

/// Which of the servers leads the ledger.
async fn leader(cluster: &NatsCluster) -> usize {
    let client = async_nats::connect(cluster.url().split(',').collect::<Vec<_>>()).await.unwrap();
    until(async || {
        let info = client.request("$JS.API.STREAM.INFO.POSTROOM_main_LEDGER", "".into()).await;
        let info: serde_json::Value = serde_json::from_slice(&info.ok()?.payload).unwrap();
        info["cluster"]["leader"].as_str()?.strip_prefix('n')?.parse().ok()
    })
    .await
}

#[tokio::test]
async fn nats_cluster_conforms() {
    let cluster = NatsCluster::start().await;
    let nats = open(&cluster).await;
    postroom_bus::conformance::inlet(nats.inlet().as_ref()).await;
    postroom_bus::conformance::ledger(nats.ledger().as_ref()).await;
    postroom_access::conformance::run(nats.access().as_ref()).await;
}

/// As the router appends: after anything but success the tail tells.
async fn append(ledger: &dyn Ledger, last: u64, envelope: &Bytes) {
    until(async || {
        let events = (last + 1, last + 1);
        if let Ok(seq) = ledger.append(last, events, envelope.clone()).await {
            assert_eq!(seq, last + 1);
            return Some(());
        }
        let tail = ledger.tail().await.inspect_err(|error| assert!(error.retryable(), "{error}"));
        match tail.ok()? {
            Some(tail) if tail.seq == last + 1 => {
                assert_eq!(tail.bytes, envelope, "nobody else writes");
                Some(())
            }
            tail => {
                assert_eq!(tail.map_or(0, |tail| tail.seq), last, "nothing acknowledged is gone");
                None
            }
        }
    })
    .await;
}

#[tokio::test]
async fn ledger_stands_while_its_leader_is_killed() {
    let mut cluster = NatsCluster::start().await;
    let (writer, reader) = (open(&cluster).await.ledger(), open(&cluster).await.ledger());
    let mut written: Vec<Bytes> = Vec::new();
    for _ in 0..KILLS {
        let dying = leader(&cluster).await;
        for number in 0..BETWEEN_KILLS {
            let last = written.len() as u64;
            let envelope = Bytes::from(format!("envelope {last}"));
            if number == BETWEEN_KILLS / 2 {
                let server: &mut NatsServer = &mut cluster.servers[dying];
                tokio::join!(append(writer.as_ref(), last, &envelope), async { server.kill() });
            } else {
                append(writer.as_ref(), last, &envelope).await;
            }
            written.push(envelope);
        }
        let all = ReadLimits { entries_max: 1_000, bytes_max: usize::MAX };
        let read = until(async || {
            let read = reader.read(0, all).await;
            read.inspect_err(|error| assert!(error.retryable(), "{error}"))
                .ok()
                .filter(|read| read.len() >= written.len())
        })
        .await;
        let read: Vec<Bytes> = read.into_iter().map(|entry| entry.bytes).collect();
        assert_eq!(read, written);
        cluster.servers[dying].start_again().await;
    }
}
