//! The blob folder against its promises: durable names, checked content, limits.

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use postroom_model::BlobRef;
use postroom_model::digest::Digest;

use super::{BLOB_BYTES_MAX, BlobError, Blobs, SnapshotName};

fn open() -> (tempfile::TempDir, Blobs) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(folder.path().join("blobs")).unwrap();
    (folder, blobs)
}

fn name(ledger_seq: u64) -> SnapshotName {
    SnapshotName { ledger_seq, ledger_hash: Digest::of(&ledger_seq.to_be_bytes()) }
}

#[tokio::test]
async fn blob_is_read_back_by_its_hash_and_stored_once() {
    let (_folder, blobs) = open();
    for content in [Bytes::new(), Bytes::from_static(b"raw mail"), Bytes::from(vec![7; 300_000])] {
        let blob = blobs.put(content.clone()).await.unwrap();
        assert_eq!(blob, BlobRef::of(&content));
        assert_eq!(blobs.put(content.clone()).await.unwrap(), blob);
        assert_eq!(blobs.get(&blob, content.len()).await.unwrap(), content);
        let shard = blobs.blob_path(&blob).parent().unwrap().to_owned();
        let shard_name = shard.file_name().unwrap().to_str().unwrap();
        assert!(shard_name.len() == 2 && blob.sha256.to_string().starts_with(shard_name));
        assert_eq!(fs::read_dir(shard).unwrap().count(), 1);
    }
    assert_eq!(fs::read_dir(blobs.folder.join("incoming")).unwrap().count(), 0);
}

#[tokio::test]
async fn blob_is_there_after_the_folder_is_opened_again() {
    let (folder, blobs) = open();
    let blob = blobs.put(Bytes::from_static(b"kept")).await.unwrap();
    drop(blobs);
    let again = Blobs::open(folder.path().join("blobs")).unwrap();
    assert_eq!(again.get(&blob, 4).await.unwrap(), "kept");
}

#[tokio::test]
async fn many_at_once_put_the_same_blob() {
    let (_folder, blobs) = open();
    let put = || blobs.put(Bytes::from(vec![1; 50_000]));
    let (a, b, c, d) = tokio::join!(put(), put(), put(), put());
    assert!([b, c, d].into_iter().all(|other| other == a) && a.is_ok());
}

#[tokio::test]
async fn missing_damaged_and_too_large_blobs_are_told_apart() {
    let (_folder, blobs) = open();
    let absent = BlobRef::of(b"never put");
    assert_eq!(blobs.get(&absent, 99).await.unwrap_err().code(), "blob_missing");

    let content = Bytes::from_static(b"0123456789");
    let blob = blobs.put(content.clone()).await.unwrap();
    let too_large = blobs.get(&blob, 9).await;
    assert_eq!(too_large, Err(BlobError::TooLarge { bytes: 10, bytes_max: 9 }));
    let lie = BlobRef { size_bytes: 9, ..blob };
    assert_eq!(blobs.get(&lie, 99).await.unwrap_err().code(), "blob_damaged");

    for damaged in ["012345678", "0123456780", "01234567890"] {
        fs::write(blobs.blob_path(&blob), damaged).unwrap();
        assert_eq!(blobs.get(&blob, 99).await.unwrap_err().code(), "blob_damaged", "{damaged}");
    }
    blobs.put(content.clone()).await.unwrap();
    assert_eq!(blobs.get(&blob, 99).await.unwrap(), content, "put anew, it is whole again");
}

#[tokio::test]
async fn blob_over_the_limit_is_not_stored() {
    let (_folder, blobs) = open();
    let refused = blobs.put(Bytes::from(vec![0; BLOB_BYTES_MAX + 1])).await.unwrap_err();
    assert_eq!(refused.code(), "blob_too_large");
    assert!(!refused.retryable());
}

#[test]
fn folder_that_cannot_be_made_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let refused = Blobs::open(file.join("blobs")).unwrap_err();
    assert_eq!((refused.code(), refused.retryable()), ("blob_unavailable", true));
}

#[test]
fn what_a_crash_left_is_swept_after_a_day() {
    let (folder, blobs) = open();
    let incoming = blobs.folder.join("incoming");
    for (name, age) in [("old", 25), ("new", 23)] {
        let file = fs::File::create(incoming.join(name)).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.set_modified(modified - Duration::from_secs(age * 60 * 60)).unwrap();
    }
    Blobs::open(folder.path().join("blobs")).unwrap();
    let left: Vec<_> =
        fs::read_dir(incoming).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["new"]);
}

#[tokio::test]
async fn snapshots_are_listed_newest_first_and_dropped_from_the_oldest() {
    let (_folder, blobs) = open();
    assert!(blobs.snapshots().await.unwrap().is_empty());
    for seq in [9, 100, 20, 3] {
        blobs.put_snapshot(&name(seq), Bytes::from(seq.to_string())).await.unwrap();
    }
    fs::write(blobs.folder.join("snapshots/notes.txt"), "not a snapshot").unwrap();
    assert_eq!(blobs.snapshots().await.unwrap(), [name(100), name(20), name(9), name(3)]);
    assert_eq!(blobs.get_snapshot(&name(20)).await.unwrap(), "20");

    blobs.drop_snapshots_before(20, 1).await.unwrap();
    assert_eq!(blobs.snapshots().await.unwrap(), [name(100), name(20)]);
    blobs.drop_snapshots_before(1_000, 1).await.unwrap();
    assert_eq!(blobs.snapshots().await.unwrap(), [name(100)], "the newest stays");
    assert_eq!(blobs.get_snapshot(&name(20)).await.unwrap_err().code(), "blob_missing");
}

#[tokio::test]
async fn damaged_snapshot_is_found() {
    let (_folder, blobs) = open();
    let name = name(7);
    blobs.put_snapshot(&name, Bytes::from_static(b"state")).await.unwrap();
    let path = blobs.snapshot_path(&name);
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        for damaged in [&flipped[..], &whole[..at]] {
            fs::write(&path, damaged).unwrap();
            let error = blobs.get_snapshot(&name).await.unwrap_err();
            assert_eq!(error.code(), "blob_damaged", "at {at}");
        }
    }
    blobs.put_snapshot(&name, Bytes::from_static(b"anew")).await.unwrap();
    assert_eq!(blobs.get_snapshot(&name).await.unwrap(), "anew");
}
