//! The honest start (P11): what is refused, by name, and left as it was.

use std::sync::Arc;

use postroom_bus_nats::{ACCEPTABLE, Finding, Nats, NatsAuth, NatsError, NatsOptions, examine};
use postroom_model::SystemClock;
use postroom_testkit::{NatsServer, NatsSetup};
use tokio_util::task::TaskTracker;

use crate::{open, open_with, options, payload, stranger};

async fn refused(options: &NatsOptions) -> NatsError {
    let opened = Nats::open(options, Arc::new(SystemClock), &TaskTracker::new()).await;
    opened.err().unwrap()
}

async fn streams(server: &NatsServer) -> String {
    let answer = stranger(server).await.request("$JS.API.STREAM.NAMES", "".into()).await.unwrap();
    String::from_utf8_lossy(&answer.payload).into_owned()
}

fn codes(error: &NatsError) -> Vec<&'static str> {
    match error {
        NatsError::Unfit(findings) => findings.iter().map(Finding::code).collect(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn p11_server_that_syncs_late_is_refused_unless_that_is_accepted() {
    let setup = NatsSetup { sync_always: false, ..NatsSetup::default() };
    let server = NatsServer::start_with(setup).await;
    let mut options = options(&server);
    assert_eq!(codes(&refused(&options).await), ["nats_sync_not_always"]);
    options.monitor_urls = vec![];
    assert_eq!(codes(&refused(&options).await), ["nats_sync_unknown"]);
    options.monitor_urls = vec!["http://127.0.0.1:1".into()];
    assert_eq!(codes(&refused(&options).await), ["nats_sync_unknown"]);
    assert!(streams(&server).await.contains("\"total\":0"), "nothing was made");
    options.accepted = ACCEPTABLE.iter().map(|code| (*code).to_owned()).collect();
    let inlet = open_with(&options).await.inlet();
    assert_eq!(inlet.publish(payload(1)).await, Ok(1));
}

#[tokio::test]
async fn p11_server_as_it_should_be_has_no_findings() {
    let server = NatsServer::start().await;
    assert_eq!(examine(&options(&server)).await, Ok(vec![]));
    open(&server).await;
    assert_eq!(examine(&options(&server)).await, Ok(vec![]), "nor with our streams on it");
}

#[tokio::test]
async fn server_without_what_is_needed_is_refused_even_if_weakness_is_accepted() {
    let setup = NatsSetup { jetstream: false, max_payload_bytes: 65_536, ..NatsSetup::default() };
    let server = NatsServer::start_with(setup).await;
    let mut options = options(&server);
    options.accepted = ACCEPTABLE.iter().map(|code| (*code).to_owned()).collect();
    let found = codes(&refused(&options).await);
    assert_eq!(found, ["nats_no_jetstream", "nats_payload_too_small"]);
}

#[tokio::test]
async fn stream_of_the_same_name_with_other_settings_is_refused_and_left_alone() {
    let server = NatsServer::start().await;
    let stranger = stranger(&server).await;
    let config = r#"{"name":"POSTROOM_main_LEDGER","subjects":["postroom.main.ledger"],
        "retention":"limits","storage":"memory","discard":"old","max_bytes":1000,"max_age":0}"#;
    let create = "$JS.API.STREAM.CREATE.POSTROOM_main_LEDGER";
    stranger.request(create, config.into()).await.unwrap();
    let info = async || {
        let info = "$JS.API.STREAM.INFO.POSTROOM_main_LEDGER";
        let info = stranger.request(info, "".into()).await.unwrap().payload;
        let info: serde_json::Value = serde_json::from_slice(&info).unwrap();
        (info["config"].clone(), info["created"].clone())
    };
    let before = info().await;
    let mut options = options(&server);
    options.accepted = ACCEPTABLE.iter().map(|code| (*code).to_owned()).collect();
    let error = refused(&options).await;
    assert_eq!(error.code(), "nats_unfit");
    for words in [
        "POSTROOM_main_LEDGER has storage memory, not file",
        "discard old, not new",
        "nats stream edit",
    ] {
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
    assert_eq!(info().await, before);
    assert!(streams(&server).await.contains("\"total\":1"), "nothing else was made");
}

#[tokio::test]
async fn wrong_password_is_denied_at_once_and_shows_nowhere() {
    let more = r#"authorization { user: "postroom", password: "right" }"#.to_owned();
    let setup = NatsSetup { more, ..NatsSetup::default() };
    let server = NatsServer::start_with(setup).await;
    let mut options = options(&server);
    let user =
        |password: &str| NatsAuth::User { name: "postroom".to_owned(), password: password.into() };
    options.auth = user("canary");
    let error = refused(&options).await;
    assert_eq!(error.code(), "nats_denied");
    assert!(!format!("{error} {error:?} {options:?}").contains("canary"), "{error}");
    options.auth = user("right");
    open_with(&options).await;
}

#[tokio::test]
async fn server_that_is_not_there_is_unreachable() {
    let mut server = NatsServer::start().await;
    let mut options = options(&server);
    server.kill();
    options.connect_wait = std::time::Duration::from_millis(100);
    let error = refused(&options).await;
    assert_eq!((error.code(), error.retryable()), ("nats_unreachable", true), "{error}");
}
