//! Encryption: a server of an authority that we were told of is trusted, nobody else is.

use std::net::TcpListener;
use std::path::Path;

use postroom_model::WorkspaceId;
use postroom_records::{Records as _, Standing};
use postroom_records_redis::{RedisError, RedisOptions, RedisRecords};
use postroom_testkit::Certificates;

use crate::server::Server;

/// The server, and where it encrypts.
async fn server(certificates: &Certificates) -> (Server, String) {
    // Free a moment ago; Redis does not choose one by itself.
    let held = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    drop(held);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (cert, key, ca) =
        (text(&certificates.server), text(&certificates.key), text(&certificates.authority));
    let settings = [
        ("tls-port", port.as_str()),
        ("tls-cert-file", cert.as_str()),
        ("tls-key-file", key.as_str()),
        ("tls-ca-cert-file", ca.as_str()),
        ("tls-auth-clients", "no"),
    ];
    (Server::start_with(&settings).await, format!("rediss://127.0.0.1:{port}"))
}

async fn open(url: &str, authority: Option<&Path>) -> Result<RedisRecords, RedisError> {
    let authorities = authority.map(Path::to_owned);
    let options = RedisOptions { authorities, ..RedisOptions::default() };
    RedisRecords::open(url, WorkspaceId::main(), &options).await
}

#[tokio::test]
async fn server_of_a_known_authority_is_written_to_encrypted() {
    let certificates = Certificates::make("127.0.0.1");
    let (_server, url) = server(&certificates).await;
    let records = open(&url, Some(&certificates.authority)).await.unwrap();
    assert_eq!(records.standing().await.unwrap(), Standing::default());
}

#[tokio::test]
async fn server_of_an_unknown_authority_or_another_host_is_not_trusted_and_the_remedy_is_named() {
    let (certificates, others) = (Certificates::make("127.0.0.1"), Certificates::make("127.0.0.9"));
    let (_server, url) = server(&certificates).await;
    let (_other, other_url) = server(&others).await;
    for (url, authority) in [
        (&url, None),
        (&url, Some(others.authority.as_path())),
        (&other_url, Some(others.authority.as_path())),
    ] {
        let refused = open(url, authority).await.unwrap_err();
        assert_eq!(refused.code(), "redis_unavailable", "{refused}");
        assert!(refused.to_string().contains("authorities_path"), "{refused}");
    }
}

#[tokio::test]
async fn authorities_that_cannot_be_read_are_refused_by_name() {
    let certificates = Certificates::make("127.0.0.1");
    let missing = certificates.folder().join("missing.pem");
    let refused = open("rediss://127.0.0.1:1", Some(&missing)).await.unwrap_err();
    assert_eq!(refused.code(), "redis_url_invalid");
    assert!(refused.to_string().contains("missing.pem"), "{refused}");
}
