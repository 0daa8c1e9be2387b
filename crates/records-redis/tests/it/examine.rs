//! Servers that are refused, and what the operator can accept.

use postroom_model::WorkspaceId;
use postroom_records_redis::{Finding, RedisError, RedisOptions, RedisRecords, examine};

use crate::server::{Ask as _, Server};

async fn open(url: &str, accepted: &[&str]) -> Result<RedisRecords, RedisError> {
    let accepted = accepted.iter().map(|code| (*code).to_owned()).collect();
    let options = RedisOptions { accepted, ..RedisOptions::default() };
    RedisRecords::open(url, WorkspaceId::main(), &options).await
}

async fn codes(url: &str) -> Vec<&'static str> {
    let findings = examine(url, &RedisOptions::default()).await.unwrap();
    findings.iter().map(Finding::code).collect()
}

#[tokio::test]
async fn server_as_it_should_be_has_no_findings() {
    let server = Server::start().await;
    assert_eq!(codes(&server.url()).await, [""; 0]);
}

#[tokio::test]
async fn server_that_does_not_keep_rows_is_refused_until_it_is_accepted() {
    let settings = [("maxmemory-policy", "allkeys-lru"), ("appendonly", "no")];
    let server = Server::start_with(&settings).await;
    assert_eq!(codes(&server.url()).await, ["redis_evicts", "redis_not_kept"]);
    for accepted in [&[][..], &["redis_evicts"], &["redis_not_kept", "redis_unfit"]] {
        let refused = open(&server.url(), accepted).await.unwrap_err();
        assert_eq!((refused.code(), refused.retryable()), ("redis_unfit", false));
    }
    open(&server.url(), &["redis_evicts", "redis_not_kept"]).await.unwrap();
}

#[tokio::test]
async fn replica_is_refused_whatever_was_accepted() {
    let server = Server::start_with(&[("replicaof", "127.0.0.1 1")]).await;
    let refused = open(&server.url(), &["redis_is_replica"]).await.unwrap_err();
    assert_eq!(refused.code(), "redis_unfit");
    assert!(refused.to_string().contains("replica"), "{refused}");
}

#[tokio::test]
async fn server_that_may_not_be_asked_is_refused_until_it_is_accepted() {
    let server = Server::start().await;
    let user = ["ACL", "SETUSER", "default", "-info", "-config"];
    server.ask::<()>(&user);
    assert_eq!(codes(&server.url()).await, ["redis_settings_unknown"; 4]);
    let refused = open(&server.url(), &[]).await.unwrap_err();
    assert_eq!(refused.code(), "redis_unfit");
    open(&server.url(), &["redis_settings_unknown"]).await.unwrap();
}

#[tokio::test]
async fn server_that_is_not_there_is_unavailable_and_keeps_its_password() {
    let mut server = Server::start().await;
    let url = server.url();
    server.ask::<()>(&["CONFIG", "SET", "requirepass", "open-sesame"]);
    let closed = open(&url, &[]).await.unwrap_err();
    assert_eq!((closed.code(), closed.retryable()), ("redis_unavailable", true));
    open(&format!("{url}?pass=open-sesame"), &[]).await.unwrap();
    server.kill();
    let gone = open(&format!("{url}?pass=open-sesame"), &[]).await.unwrap_err();
    assert_eq!((gone.code(), gone.retryable()), ("redis_unavailable", true));
    for refused in [closed, gone] {
        assert!(!format!("{refused} {refused:?}").contains("sesame"), "{refused:?}");
    }
}

#[tokio::test]
async fn address_that_is_none_is_refused() {
    for url in ["", "redis", "http://127.0.0.1:6379", "redis://127.0.0.1:6379/secret-sesame"] {
        let refused = open(url, &[]).await.unwrap_err();
        assert_eq!((refused.code(), refused.retryable()), ("redis_url_invalid", false), "{url}");
        assert!(!format!("{refused} {refused:?}").contains("sesame"), "{refused:?}");
    }
}
