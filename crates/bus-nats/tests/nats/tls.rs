//! Encryption: who shows a certificate of an authority that we were told of is trusted, nobody else is.

use std::path::Path;
use std::sync::Arc;

use postroom_bus_nats::{Nats, NatsError, NatsOptions, NatsTls};
use postroom_model::SystemClock;
use postroom_testkit::{Certificates, NatsServer, NatsSetup};
use tokio_util::task::TaskTracker;

use crate::{open_with, options, payload};

async fn server(certificates: &Certificates) -> NatsServer {
    let (cert, key) = (certificates.server.display(), certificates.key.display());
    let more = format!("tls {{ cert_file: \"{cert}\", key_file: \"{key}\", timeout: 5 }}");
    NatsServer::start_with(NatsSetup { more, ..NatsSetup::default() }).await
}

fn trusting(server: &NatsServer, authority: Option<&Path>) -> NatsOptions {
    let tls = NatsTls { authorities: authority.map(Path::to_owned), ..NatsTls::default() };
    let url = server.url().replace("nats://", "tls://");
    NatsOptions { url: url.into(), tls, ..options(server) }
}

async fn refused(options: &NatsOptions) -> NatsError {
    let opened = Nats::open(options, Arc::new(SystemClock), &TaskTracker::new()).await;
    opened.err().unwrap()
}

#[tokio::test]
async fn server_of_a_known_authority_is_spoken_to_encrypted() {
    let certificates = Certificates::make("127.0.0.1");
    let server = server(&certificates).await;
    let inlet = open_with(&trusting(&server, Some(&certificates.authority))).await.inlet();
    assert_eq!(inlet.publish(payload(1)).await, Ok(1));
}

#[tokio::test]
async fn server_of_an_unknown_authority_is_not_trusted_and_the_remedy_is_named() {
    let (certificates, others) = (Certificates::make("127.0.0.1"), Certificates::make("127.0.0.1"));
    let server = server(&certificates).await;
    for authority in [None, Some(others.authority.as_path())] {
        let error = refused(&trusting(&server, authority)).await;
        assert_eq!((error.code(), error.retryable()), ("nats_untrusted", false), "{error}");
        assert!(error.to_string().contains("authorities_path"), "{error}");
    }
}

#[tokio::test]
async fn certificate_of_another_host_is_not_trusted() {
    let certificates = Certificates::make("127.0.0.9");
    let server = server(&certificates).await;
    let error = refused(&trusting(&server, Some(&certificates.authority))).await;
    assert_eq!(error.code(), "nats_untrusted", "{error}");
}

#[tokio::test]
async fn server_that_does_not_encrypt_is_not_spoken_to() {
    let certificates = Certificates::make("127.0.0.1");
    let server = NatsServer::start().await;
    let mut options = trusting(&server, Some(&certificates.authority));
    options.connect_wait = std::time::Duration::from_millis(100);
    let error = refused(&options).await;
    assert!(["nats_unreachable", "nats_untrusted"].contains(&error.code()), "{error}");
}
