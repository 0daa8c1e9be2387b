//! The blob folder: what is too large for inlet and ledger, named by the hash of its content, and
//! beside it the snapshots of the router's state.
//!
//! Layout: `ab/abcd…` (one of 256 folders by the first byte of the hash), `snapshots/SEQ-HASH`, and
//! `incoming/` for files that are being written. A file gets its name only when its content is on
//! the disk, so what has a name is whole; what crashed on the way stays in `incoming` and is swept a
//! day later. Several processes may use one folder at once.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postroom_model::BlobRef;
use postroom_model::digest::Digest;

/// Bytes in one blob.
pub const BLOB_BYTES_MAX: usize = 100 * 1024 * 1024;

/// Bytes in one snapshot; only the program itself writes them.
pub const SNAPSHOT_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// What is in `incoming` for longer than this is left from a crash.
const INCOMING_AGE_MAX: Duration = Duration::from_hours(24);

/// A snapshot file starts with this, then the SHA-256 of the content, then the content.
const SNAPSHOT_MAGIC: &[u8; 8] = b"PRSNAP1\n";
const SNAPSHOT_HEAD_BYTES: usize = 8 + 32;

/// A failure of the blob folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// The disk or the quota is used up; nothing was stored.
    #[error("the blob storage is full")]
    Full,
    /// More bytes than may be stored, or than the reader is ready to take.
    #[error("{bytes} bytes are more than the {bytes_max} that are allowed here")]
    TooLarge { bytes: u64, bytes_max: u64 },
    /// There is no blob or snapshot of this name.
    #[error("{0} is not in the blob storage")]
    Missing(String),
    /// The file does not have the content that its name promises.
    #[error("{0} in the blob storage is damaged")]
    Damaged(String),
    /// The folder did not answer or answered with a failure.
    #[error("the blob storage is not available: {0}")]
    Unavailable(String),
}

impl BlobError {
    /// Stable, for programs; each has a page in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Full => "storage_full",
            Self::TooLarge { .. } => "blob_too_large",
            Self::Missing(_) => "blob_missing",
            Self::Damaged(_) => "blob_damaged",
            Self::Unavailable(_) => "blob_unavailable",
        }
    }

    /// Whether the same may succeed later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Full | Self::Unavailable(_))
    }
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// Which state of the ledger a snapshot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotName {
    pub ledger_seq: u64,
    /// Hash of the head of that envelope.
    pub ledger_hash: Digest,
}

impl SnapshotName {
    fn file_name(&self) -> String {
        format!("{:020}-{}", self.ledger_seq, self.ledger_hash)
    }

    fn parse(text: &str) -> Option<Self> {
        let (seq, hash) = text.split_once('-')?;
        let name = Self { ledger_seq: seq.parse().ok()?, ledger_hash: hash.parse().ok()? };
        (name.file_name() == text).then_some(name)
    }
}

/// A folder of blobs and snapshots. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Blobs {
    folder: Arc<Path>,
}

impl Blobs {
    /// Makes the folder if there is none, and checks that it can be written to. Blocks for as long
    /// as the file system takes.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, BlobError> {
        let blobs = Self { folder: folder.into().into() };
        for name in ["incoming", "snapshots"] {
            fs::create_dir_all(blobs.folder.join(name))?;
        }
        for byte in 0..=u8::MAX {
            match fs::create_dir(blobs.folder.join(format!("{byte:02x}"))) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        sync_folder(&blobs.folder)?;
        if let Some(parent) = blobs.folder.canonicalize()?.parent() {
            sync_folder(parent)?;
        }
        blobs.sweep_incoming()?;
        Ok(blobs)
    }

    /// Stores a blob durably and gives its name. The same content again is stored once; a damaged
    /// file is replaced.
    pub async fn put(&self, content: Bytes) -> Result<BlobRef, BlobError> {
        check_size(content.len() as u64, BLOB_BYTES_MAX)?;
        let blobs = self.clone();
        blocking(move || {
            let blob = BlobRef::of(&content);
            let path = blobs.blob_path(&blob);
            match read_blob(&path, &blob) {
                // Another process may have named it a moment ago: the name too must be on the disk.
                Ok(_) => sync_parent(&path)?,
                Err(BlobError::Missing(_) | BlobError::Damaged(_)) => {
                    blobs.store(&path, &[&content])?;
                }
                Err(error) => return Err(error),
            }
            Ok(blob)
        })
        .await
    }

    /// The content of a blob, checked against its name. [`BlobError::TooLarge`] if it has more than
    /// `max_bytes` bytes, without reading them.
    pub async fn get(&self, blob: &BlobRef, max_bytes: usize) -> Result<Bytes, BlobError> {
        check_size(blob.size_bytes, max_bytes)?;
        let (path, blob) = (self.blob_path(blob), *blob);
        blocking(move || read_blob(&path, &blob)).await
    }

    /// Stores a snapshot durably, in place of one of the same name.
    pub async fn put_snapshot(&self, name: &SnapshotName, content: Bytes) -> Result<(), BlobError> {
        check_size(content.len() as u64, SNAPSHOT_BYTES_MAX)?;
        let (blobs, path) = (self.clone(), self.snapshot_path(name));
        blocking(move || {
            let hash = Digest::of(&content);
            blobs.store(&path, &[SNAPSHOT_MAGIC, &hash.0, &content])
        })
        .await
    }

    /// The snapshots that there are, the newest first. Whether one is whole shows when it is read.
    pub async fn snapshots(&self) -> Result<Vec<SnapshotName>, BlobError> {
        let blobs = self.clone();
        blocking(move || blobs.list_snapshots()).await
    }

    /// The content of a snapshot; [`BlobError::Damaged`] if it is not what was put.
    pub async fn get_snapshot(&self, name: &SnapshotName) -> Result<Bytes, BlobError> {
        let (path, name) = (self.snapshot_path(name), name.file_name());
        blocking(move || read_snapshot(&path, &name)).await
    }

    /// Deletes snapshots of states before `ledger_seq`, except the newest `keep` of all.
    pub async fn drop_snapshots_before(
        &self,
        ledger_seq: u64,
        keep: usize,
    ) -> Result<(), BlobError> {
        let blobs = self.clone();
        blocking(move || {
            let names = blobs.list_snapshots()?;
            let older = names.iter().skip(keep).filter(|name| name.ledger_seq < ledger_seq);
            for name in older {
                absent_is_fine(fs::remove_file(blobs.snapshot_path(name)))?;
            }
            Ok(())
        })
        .await
    }

    fn blob_path(&self, blob: &BlobRef) -> PathBuf {
        let hash = blob.sha256.to_string();
        self.folder.join(format!("{:02x}", blob.sha256.0[0])).join(hash)
    }

    fn snapshot_path(&self, name: &SnapshotName) -> PathBuf {
        self.folder.join("snapshots").join(name.file_name())
    }

    /// Content first, then the name, then the folder that holds the name.
    fn store(&self, path: &Path, parts: &[&[u8]]) -> Result<(), BlobError> {
        let mut file = tempfile::NamedTempFile::new_in(self.folder.join("incoming"))?;
        for part in parts {
            file.write_all(part)?;
        }
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        sync_parent(path)
    }

    fn list_snapshots(&self) -> Result<Vec<SnapshotName>, BlobError> {
        let mut names = Vec::new();
        for file in fs::read_dir(self.folder.join("snapshots"))? {
            names.extend(file?.file_name().to_str().and_then(SnapshotName::parse));
        }
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(names)
    }

    /// Age is counted by the clock of the file system itself: from a file that is made now.
    fn sweep_incoming(&self) -> Result<(), BlobError> {
        let incoming = self.folder.join("incoming");
        let now = tempfile::NamedTempFile::new_in(&incoming)?.as_file().metadata()?.modified()?;
        for file in fs::read_dir(&incoming)? {
            let file = file?;
            // It may be gone by now: another process finished with it.
            let modified = file.metadata().and_then(|about| about.modified());
            let age = modified.ok().and_then(|modified| now.duration_since(modified).ok());
            if age.is_some_and(|age| age > INCOMING_AGE_MAX) {
                absent_is_fine(fs::remove_file(file.path()))?;
            }
        }
        Ok(())
    }
}

fn read_blob(path: &Path, blob: &BlobRef) -> Result<Bytes, BlobError> {
    let name = blob.sha256.to_string();
    let content = read_file(path, &name, blob.size_bytes)?;
    if content.len() as u64 == blob.size_bytes && Digest::of(&content) == blob.sha256 {
        Ok(content.into())
    } else {
        Err(BlobError::Damaged(name))
    }
}

fn read_snapshot(path: &Path, name: &str) -> Result<Bytes, BlobError> {
    let damaged = || BlobError::Damaged(format!("snapshot {name}"));
    let bytes_max = (SNAPSHOT_BYTES_MAX + SNAPSHOT_HEAD_BYTES) as u64;
    let file = Bytes::from(read_file(path, name, bytes_max)?);
    let (head, content) = file.split_at_checked(SNAPSHOT_HEAD_BYTES).ok_or_else(damaged)?;
    let hash = head.strip_prefix(SNAPSHOT_MAGIC.as_slice()).ok_or_else(damaged)?;
    if hash == Digest::of(content).0 {
        Ok(file.slice(SNAPSHOT_HEAD_BYTES..))
    } else {
        Err(damaged())
    }
}

/// Reads at most one byte more than `bytes_max`, which is enough to see that a file is too long.
fn read_file(path: &Path, name: &str, bytes_max: u64) -> Result<Vec<u8>, BlobError> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BlobError::Missing(name.to_owned()),
        _ => error.into(),
    })?;
    let length = file.metadata()?.len().min(bytes_max);
    let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut content)?;
    Ok(content)
}

fn check_size(bytes: u64, bytes_max: usize) -> Result<(), BlobError> {
    let bytes_max = bytes_max as u64;
    if bytes > bytes_max { Err(BlobError::TooLarge { bytes, bytes_max }) } else { Ok(()) }
}

fn absent_is_fine(removed: io::Result<()>) -> Result<(), BlobError> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn sync_parent(path: &Path) -> Result<(), BlobError> {
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> Result<(), BlobError> {
    Ok(File::open(folder)?.sync_all()?)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(BlobError::Unavailable(error.to_string())))
}

#[cfg(test)]
mod tests;
