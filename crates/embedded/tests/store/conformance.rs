//! The suites that every backend passes, on a fresh data folder each.

use crate::fresh;

#[tokio::test]
async fn embedded_inlet_conforms() {
    let (_folder, store) = fresh();
    postroom_bus::conformance::inlet(&*store.inlet()).await;
    postroom_bus::conformance::intake(store.inlet()).await;
}

#[tokio::test]
async fn embedded_ledger_conforms() {
    let (_folder, store) = fresh();
    postroom_bus::conformance::ledger(&*store.ledger()).await;
}

#[tokio::test]
async fn embedded_access_conforms() {
    let (_folder, store) = fresh();
    postroom_access::conformance::run(&*store.access()).await;
}

#[tokio::test]
async fn embedded_records_conform() {
    let (_folder, store) = fresh();
    postroom_records::conformance::run(&*store.records()).await;
}
