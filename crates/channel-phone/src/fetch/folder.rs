//! A folder into which FreeSWITCH writes the posts that did not arrive, one a file.

use std::path::{Path, PathBuf};

use postroom_channel::{AcceptError, Inlet, PushRequest, Received};
use postroom_model::{ChannelId, Timestamp};
use tokio_util::sync::CancellationToken;

use super::give;
use crate::Dialect;
use crate::desk::{Desk, Setting};
use crate::fold::Calls;
use crate::limits::POST_FILE_BYTES_MAX;

#[derive(Debug)]
pub(crate) struct Folder<'a> {
    pub(crate) channel: &'a ChannelId,
    pub(crate) setting: &'a Setting,
    pub(crate) path: &'a Path,
}

impl Folder<'_> {
    /// Reads every file that was written since then, and gives how many calls there were. The files
    /// stay: reading them again is safe.
    pub(crate) async fn read(
        &self,
        inlet: &dyn Inlet,
        since: Timestamp,
    ) -> Result<u64, AcceptError> {
        let mut count = 0;
        let never = CancellationToken::new();
        for path in files(self.path, since) {
            let body = match std::fs::read(&path) {
                Ok(body) => body,
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "not read");
                    continue;
                }
            };
            match self.calls(&body) {
                Ok(calls) => {
                    count += calls.len() as u64;
                    let received = Received { calls, ..Received::default() };
                    give(inlet, self.channel, &received, &never).await?;
                }
                Err((code, detail)) => {
                    inlet.accept_unparsed(self.channel, body.into(), code, &detail).await?;
                }
            }
        }
        Ok(count)
    }

    fn calls(&self, body: &[u8]) -> Result<Vec<postroom_model::Call>, (&'static str, String)> {
        let headers = http::HeaderMap::new();
        let request = PushRequest { method: &http::Method::POST, uri: "", headers: &headers, body };
        let desk = Desk::new(self.setting, None);
        let mut calls = Calls::default();
        let held = Dialect::FreeswitchCdr.parse(&request, &desk, &mut |event| {
            calls.apply(event);
        });
        held.map_err(|refusal| (refusal.code, refusal.detail))?;
        Ok(calls.all(&self.setting.places))
    }
}

/// Files that were written since then and are not too large, by name.
fn files(folder: &Path, since: Timestamp) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let recent = |entry: &std::fs::DirEntry| {
        let metadata = entry.metadata().ok()?;
        let written = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        let written = i64::try_from(written.as_millis()).ok()?;
        let fits = metadata.is_file() && metadata.len() <= POST_FILE_BYTES_MAX;
        (fits && written >= since.millis()).then_some(())
    };
    let mut found: Vec<PathBuf> =
        entries.filter(|entry| recent(entry).is_some()).map(|entry| entry.path()).collect();
    found.sort();
    found
}
