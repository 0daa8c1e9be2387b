//! Notices that a file has changed, by its content: editors and orchestrators replace files by
//! renaming, touch them without a change, and keep times to the second. It has no timer of its
//! own.

use std::path::PathBuf;

use postroom_model::digest::Digest;

/// Remembers the content of some files.
#[derive(Debug, Clone)]
pub struct Watcher {
    files: Vec<(PathBuf, Option<Digest>)>,
}

impl Watcher {
    /// Watches one file from its content of now.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let seen = digest(&path);
        Self { files: vec![(path, seen)] }
    }

    /// Watches files from the content that was read earlier, so that no change in between is
    /// missed.
    pub(crate) fn since(files: Vec<(PathBuf, Digest)>) -> Self {
        let seen = files.into_iter().map(|(path, digest)| (path, Some(digest)));
        Self { files: seen.collect() }
    }

    /// Whether any file has another content than at the last call. A file that is away for the
    /// moment, as in the middle of a rename, has not changed. Reads the files; for a blocking
    /// thread.
    pub fn changed(&mut self) -> bool {
        let mut changed = false;
        for (path, seen) in &mut self.files {
            let now = digest(path);
            if now.is_some() && now != *seen {
                *seen = now;
                changed = true;
            }
        }
        changed
    }
}

fn digest(path: &PathBuf) -> Option<Digest> {
    std::fs::read(path).ok().map(|content| Digest::of(&content))
}

#[cfg(test)]
mod tests {
    use super::Watcher;

    #[test]
    fn change_is_noticed_once_through_renames_and_absence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        std::fs::write(&path, "one").unwrap();
        let mut watcher = Watcher::new(&path);
        assert!(!watcher.changed());
        std::fs::write(&path, "one").unwrap();
        assert!(!watcher.changed(), "written again with the same content");
        std::fs::remove_file(&path).unwrap();
        assert!(!watcher.changed(), "away for the moment");
        std::fs::write(folder.path().join("b.toml"), "two").unwrap();
        std::fs::rename(folder.path().join("b.toml"), &path).unwrap();
        assert!(watcher.changed());
        assert!(!watcher.changed());
    }
}
