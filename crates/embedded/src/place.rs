//! Whether a file that is in use still stands where it was opened.
//!
//! A file that is removed or replaced under a running server lives on for those who have it open: what
//! is written goes into it and is gone with the process, and new connections find another file or none.
//! This only looks; what that means for the promises is said where it is asked.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A path, and which file stood there when it was opened.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    file: (u64, u64),
}

impl Place {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { file: identity(&fs::metadata(path)?), path: path.to_owned() })
    }

    /// An error if nothing or another file stands there now.
    pub(crate) fn look(&self) -> Result<(), Failure> {
        let what = match fs::metadata(&self.path) {
            Ok(about) if identity(&about) == self.file => return Ok(()),
            Ok(_) => "replaced".to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => "removed".to_owned(),
            Err(error) => return Err(Failure::Unavailable(error.to_string())),
        };
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Err(Failure::Misplaced { name, what })
    }
}

fn identity(about: &Metadata) -> (u64, u64) {
    (about.dev(), about.ino())
}
