//! A full disk: what does not fit is refused, nothing that was answered is lost, and the writer goes
//! on when there is space again.

use bytes::Bytes;
use postroom_bus::{BusError, Inlet, ReadLimits};
use postroom_embedded::{Embedded, EmbeddedOptions};

const ALL: ReadLimits = ReadLimits { entries_max: 10_000, bytes_max: usize::MAX };

fn limited(pages_max: u32) -> EmbeddedOptions {
    EmbeddedOptions { pages_max: Some(pages_max), ..EmbeddedOptions::default() }
}

/// Publishes until the file is full, and gives what was stored.
async fn fill(inlet: &dyn Inlet) -> Vec<u64> {
    let mut stored = Vec::new();
    loop {
        match inlet.publish(Bytes::from(vec![1; 3_000])).await {
            Ok(seq) => stored.push(seq),
            Err(error) => {
                assert_eq!(error, BusError::Full);
                assert!(error.retryable() && error.code() == "storage_full");
                return stored;
            }
        }
        assert!(stored.len() < 1_000, "the limit did not hold");
    }
}

async fn seqs(inlet: &dyn Inlet) -> Vec<u64> {
    inlet.read(0, ALL).await.unwrap().iter().map(|entry| entry.seq).collect()
}

#[tokio::test]
async fn full_file_refuses_keeps_and_goes_on_when_it_may_grow() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path(), &limited(100)).unwrap();
    let stored = fill(&*store.inlet()).await;
    assert!(!stored.is_empty());
    assert_eq!(seqs(&*store.inlet()).await, stored);
    assert_eq!(store.inlet().publish(Bytes::from(vec![1; 3_000])).await, Err(BusError::Full));
    drop(store);

    let raised = Embedded::open(folder.path(), &limited(200)).unwrap();
    assert_eq!(seqs(&*raised.inlet()).await, stored, "nothing is lost");
    assert!(raised.inlet().publish(Bytes::from(vec![1; 3_000])).await.is_ok());
}

#[tokio::test]
async fn writer_goes_on_when_space_is_free_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path(), &limited(100)).unwrap();
    let inlet = store.inlet();
    let stored = fill(&*inlet).await;
    inlet.trim(stored[stored.len() / 2]).await.unwrap();
    let more = fill(&*inlet).await;
    assert!(more.len() >= stored.len() / 3, "the pages of trimmed entries are used again");
    assert!(more[0] > stored[stored.len() - 1]);
    let kept = [&stored[stored.len() / 2 + 1..], &more[..]].concat();
    assert_eq!(seqs(&*inlet).await, kept);
}

#[tokio::test]
async fn only_the_piece_that_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path(), &limited(100)).unwrap();
    let (inlet, ledger) = (store.inlet(), store.ledger());
    let large = Bytes::from(vec![2; 600_000]);
    let publish = || inlet.publish(Bytes::from(vec![1; 3_000]));
    let (a, refused, b, c) =
        tokio::join!(publish(), ledger.append(0, (1, 1), large), publish(), publish());
    assert_eq!(refused, Err(BusError::Full));
    assert_eq!(seqs(&*inlet).await, [a.unwrap(), b.unwrap(), c.unwrap()]);
    assert_eq!(ledger.tail().await.unwrap(), None, "nothing of it is there");
    assert_eq!(ledger.append(0, (1, 1), Bytes::from_static(b"small")).await, Ok(1));
}
