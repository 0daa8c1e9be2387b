//! What of a reply lies in the blob store: large bodies and attachments. Reads only.

use async_trait::async_trait;
use bytes::Bytes;
use postroom_bus::{BlobError, Blobs};
use postroom_channel::{Files, SendError};
use postroom_model::{BlobRef, Body, Message};

/// Bytes of one body that was too large to travel inside; text and HTML, as JSON.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of one attachment that leaves.
pub const FILE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The attachments of replies, from the blob store.
#[derive(Debug, Clone)]
pub struct BlobFiles {
    blobs: Blobs,
}

impl BlobFiles {
    pub fn new(blobs: Blobs) -> Self {
        Self { blobs }
    }
}

#[async_trait]
impl Files for BlobFiles {
    async fn read(&self, blob: &BlobRef) -> Result<Bytes, SendError> {
        let read = self.blobs.get(blob, FILE_BYTES_MAX).await;
        read.map_err(|error| not_read("an attachment", &error))
    }
}

/// Puts the words back into a message that only names them.
pub(crate) async fn fill_body(blobs: &Blobs, message: &mut Message) -> Result<(), SendError> {
    let Some(blob) = message.body_blob else {
        return Ok(());
    };
    let read = blobs.get(&blob, BODY_BYTES_MAX).await;
    let bytes = read.map_err(|error| not_read("the text", &error))?;
    let body: Body = serde_json::from_slice(&bytes).map_err(|error| {
        SendError::permanent("body_unreadable", format!("the stored text is not readable: {error}"))
    })?;
    body.put_into(message);
    Ok(())
}

/// Nothing has left yet, so a failure here is never uncertain.
fn not_read(what: &str, error: &BlobError) -> SendError {
    let detail = format!("{what} could not be read: {error}");
    if error.retryable() {
        SendError::retryable(error.code(), detail)
    } else {
        SendError::permanent(error.code(), detail)
    }
}

#[cfg(test)]
mod tests {
    use postroom_bus::Blobs;
    use postroom_channel::{Files as _, SendError};
    use postroom_model::{BlobRef, Body, Message};

    use super::{BODY_BYTES_MAX, BlobFiles, FILE_BYTES_MAX, fill_body};

    fn code(error: &SendError) -> &str {
        error.code
    }

    #[tokio::test]
    async fn large_body_is_put_back() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let body = Body { text: Some("word ".repeat(100_000)), ..Body::default() };
        let bytes = serde_json::to_vec(&body).unwrap();
        let mut message = Message {
            body_blob: Some(blobs.put(bytes.into()).await.unwrap()),
            ..Message::default()
        };
        fill_body(&blobs, &mut message).await.unwrap();
        assert_eq!(message.text, body.text);
    }

    #[tokio::test]
    async fn what_cannot_be_read_never_will_be() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let garbage = blobs.put("not json".into()).await.unwrap();
        let missing = BlobRef::of(b"nowhere");
        let huge = BlobRef { size_bytes: BODY_BYTES_MAX as u64 + 1, ..missing };
        for (blob, expected) in
            [(garbage, "body_unreadable"), (missing, "blob_missing"), (huge, "blob_too_large")]
        {
            let mut message = Message { body_blob: Some(blob), ..Message::default() };
            let error = fill_body(&blobs, &mut message).await.unwrap_err();
            assert_eq!(code(&error), expected);
        }
        let files = BlobFiles::new(blobs);
        assert_eq!(files.read(&garbage).await.unwrap(), "not json");
        let huge = BlobRef { size_bytes: FILE_BYTES_MAX as u64 + 1, ..missing };
        assert_eq!(code(&files.read(&huge).await.unwrap_err()), "blob_too_large");
    }
}
