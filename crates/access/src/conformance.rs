//! What every access store must do. Each backend runs this against an empty store.

use postroom_model::digest::Digest;
use postroom_model::{Role, Timestamp};

use crate::{AccessStore, Credential, CredentialKind, Principal};

fn credential(kind: CredentialKind, name: &str) -> Credential {
    let principal =
        Principal { role: Role::Admin, agent: None, name: name.to_owned(), channels: vec![] };
    Credential { kind, principal, created_at: Timestamp::from_millis(1), expires_at: None }
}

/// Runs the suite; panics where the store does not conform.
#[expect(clippy::unwrap_used, reason = "a conformance suite fails by panicking")]
pub async fn run(store: &dyn AccessStore) {
    let (token, link) = (Digest::of(b"token"), Digest::of(b"link"));
    assert_eq!(store.get(token).await.unwrap(), None);
    store.put(token, credential(CredentialKind::Token, "one")).await.unwrap();
    store.put(token, credential(CredentialKind::Token, "two")).await.unwrap();
    store.put(link, credential(CredentialKind::Link, "three")).await.unwrap();
    assert_eq!(store.get(token).await.unwrap().unwrap().principal.name, "two");

    let tokens = store.list(CredentialKind::Token).await.unwrap();
    assert_eq!(tokens.iter().map(|(hash, _)| *hash).collect::<Vec<_>>(), [token]);

    assert!(store.take(token).await.unwrap().is_some(), "a token is revoked by taking it");
    assert_eq!(store.get(token).await.unwrap(), None);
    assert_eq!(store.list(CredentialKind::Token).await.unwrap(), []);
    let links = store.list(CredentialKind::Link).await.unwrap();
    assert_eq!(links.len(), 1, "what is of another kind stays");

    assert!(store.take(link).await.unwrap().is_some(), "the first taker gets it");
    assert!(store.take(link).await.unwrap().is_none(), "the second does not");
    assert_eq!(store.get(link).await.unwrap(), None);
}
