//! The suites that every backend passes.

use postroom_testkit::NatsServer;

use crate::open;

#[tokio::test]
async fn nats_inlet_conforms() {
    let server = NatsServer::start().await;
    let inlet = open(&server).await.inlet();
    postroom_bus::conformance::inlet(inlet.as_ref()).await;
    postroom_bus::conformance::intake(inlet).await;
}

#[tokio::test]
async fn nats_ledger_conforms() {
    let server = NatsServer::start().await;
    postroom_bus::conformance::ledger(open(&server).await.ledger().as_ref()).await;
}

#[tokio::test]
async fn nats_access_conforms() {
    let server = NatsServer::start().await;
    postroom_access::conformance::run(open(&server).await.access().as_ref()).await;
}
