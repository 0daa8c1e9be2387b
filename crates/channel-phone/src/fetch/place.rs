//! A place in a log that others rotate: how far it was read, and by what it is known again.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use postroom_model::digest::Digest;
use serde::{Deserialize, Serialize};

/// Bytes before the place of which the mark is made.
const MARK_BYTES: u64 = 256;
/// Files beside the log that are looked at for the rest of one that was rotated.
const BESIDE_MAX: usize = 1_000;
/// Endings of files that hold a log in another form.
const PACKED: [&str; 5] = [".gz", ".bz2", ".xz", ".zst", ".zip"];

/// How far a log was read. Its text is the cursor.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Place {
    /// Device and number of the file, which a rename does not change.
    pub(super) file: (u64, u64),
    pub(super) offset: u64,
    /// Hash of what stands before the place: a file that was cut and written anew has another.
    mark: String,
}

impl Place {
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The place at `offset` of a file.
    pub(super) fn at(file: &std::fs::File, offset: u64) -> io::Result<Self> {
        let mark = mark(file, offset)?;
        Ok(Self { file: identity(&file.metadata()?), offset, mark })
    }

    /// The place behind the last whole line, of which at most so many bytes are looked at.
    pub(super) fn at_end(file: &std::fs::File, line_bytes_max: u64) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let from = length.saturating_sub(line_bytes_max);
        let last = read_at(file, from, length - from)?;
        let whole = last.iter().rposition(|byte| *byte == b'\n').map(|at| at as u64 + 1);
        Self::at(file, whole.map_or(from, |whole| from + whole))
    }

    /// Whether this file holds what was read, up to the place.
    pub(super) fn is_in(&self, file: &std::fs::File) -> io::Result<bool> {
        if file.metadata()?.len() < self.offset {
            return Ok(false);
        }
        Ok(mark(file, self.offset)? == self.mark)
    }

    /// The file beside `log` in which what was read goes on: renamed, or copied before `log` was cut.
    pub(super) fn find_beside(&self, log: &Path) -> Option<std::fs::File> {
        let candidates = beside(log);
        let opened = candidates.iter().filter_map(|path| std::fs::File::open(path).ok());
        // An empty place is in every file; that one is known by its number alone.
        let own = |file: &std::fs::File| {
            file.metadata().is_ok_and(|metadata| identity(&metadata) == self.file)
        };
        let mut fits = opened
            .filter(|file| (self.offset > 0 || own(file)) && self.is_in(file).unwrap_or(false));
        fits.next()
    }
}

/// The log's rotated files, by name.
pub(super) fn beside(log: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name().and_then(|name| name.to_str()))
    else {
        return vec![];
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| {
            let other = entry.file_name();
            let rest = other.to_str().and_then(|other| other.strip_prefix(name));
            let packed = |rest: &str| PACKED.iter().any(|ending| rest.ends_with(ending));
            rest.is_some_and(|rest| rest.starts_with(['.', '-', '_']) && !packed(rest))
        })
        .map(|entry| entry.path())
        .take(BESIDE_MAX)
        .collect();
    found.sort();
    found
}

/// What was written after a rotated file that was read to its end: the next one that was rotated, by
/// when it was last written, or the log.
pub(super) fn next_after(log: &Path, done: &std::fs::File) -> io::Result<std::fs::File> {
    let read = done.metadata()?;
    let last = read.modified()?;
    let later = beside(log).into_iter().filter_map(|path| {
        let file = std::fs::File::open(path).ok()?;
        let metadata = file.metadata().ok()?;
        let written = metadata.modified().ok()?;
        let newer = written > last && identity(&metadata) != identity(&read);
        newer.then_some((written, file))
    });
    match later.min_by_key(|(written, _)| *written) {
        Some((_, file)) => Ok(file),
        None => std::fs::File::open(log),
    }
}

pub(super) fn identity(metadata: &std::fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Up to `bytes_max` bytes from `offset` on.
pub(super) fn read_at(
    mut file: &std::fs::File,
    offset: u64,
    bytes_max: u64,
) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn mark(file: &std::fs::File, offset: u64) -> io::Result<String> {
    let from = offset.saturating_sub(MARK_BYTES);
    let before = read_at(file, from, offset - from)?;
    let mut text = Digest::of(&before).to_string();
    text.truncate(32);
    Ok(text)
}
