//! Looks whether what a channel fetches from is there and lets us in, for `doctor` and `check`. Reads no
//! call and moves no place.

use std::fs::File;
use std::io;
use std::path::Path;

use postroom_channel::OptionError;

use super::manager::{self, Login};
use crate::options::Source;

/// What is the matter: a code and words, without secrets; else words for what is good.
pub(crate) type Finding = Result<String, (&'static str, String)>;

/// Tries it as it is tried when the channel runs.
pub(crate) async fn examine(source: &Source, password: &str) -> Finding {
    match source {
        Source::File { path, .. } => log(path),
        Source::Folder(path) => folder(path),
        Source::Manager { address, username } => {
            let login = Login { address, username, password };
            match manager::try_login(login).await {
                Ok(()) => Ok(format!("{address} lets us in")),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    Err(("manager_login_refused", format!("{address}: {error}")))
                }
                Err(error) => Err(("manager_unreachable", format!("{address}: {error}"))),
            }
        }
    }
}

fn log(path: &Path) -> Finding {
    let shown = path.display();
    let opened = File::open(path).and_then(|file| file.metadata());
    match opened {
        Ok(metadata) if metadata.is_file() => {
            Ok(format!("{shown} can be read, {} bytes", metadata.len()))
        }
        Ok(_) => Err(("log_not_readable", format!("{shown} is no file"))),
        Err(error) => Err(of_io(path, &error)),
    }
}

fn folder(path: &Path) -> Finding {
    let shown = path.display();
    match std::fs::read_dir(path) {
        Ok(entries) => Ok(format!("{shown} can be read, {} files", entries.count())),
        Err(error) => Err(of_io(path, &error)),
    }
}

fn of_io(path: &Path, error: &io::Error) -> (&'static str, String) {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => ("log_not_found", format!("{shown} is not there")),
        _ => ("log_not_readable", format!("{shown}: {error}")),
    }
}

/// A folder that is named and not there. A log may still be written; its folder is there by then.
pub(crate) fn missing(source: &Source) -> Option<OptionError> {
    let (key, folder) = match source {
        Source::File { path, .. } => ("file", path.parent()?),
        Source::Folder(path) => ("folder", path.as_path()),
        Source::Manager { .. } => return None,
    };
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return None;
    }
    let message = format!("there is no folder {}", folder.display());
    let help = "make it, or write where the telephone system has its logs";
    Some(OptionError::new(key, message, help))
}

#[cfg(test)]
mod tests {
    use super::{examine, missing};
    use crate::options::{Source, Start};

    fn log(path: &std::path::Path) -> Source {
        Source::File { path: path.to_owned(), start: Start::New }
    }

    #[tokio::test]
    async fn log_and_folder_are_good_once_they_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Master.csv");
        assert_eq!(examine(&log(&path), "").await.unwrap_err().0, "log_not_found");
        assert_eq!(missing(&log(&path)), None);
        std::fs::write(&path, "four").unwrap();
        assert!(examine(&log(&path), "").await.unwrap().ends_with("can be read, 4 bytes"));
        assert_eq!(examine(&log(folder.path()), "").await.unwrap_err().0, "log_not_readable");
        let posts = Source::Folder(folder.path().to_owned());
        assert!(examine(&posts, "").await.unwrap().ends_with("can be read, 1 files"));
        let gone = folder.path().join("gone");
        assert_eq!(missing(&Source::Folder(gone.clone())).unwrap().key, "folder");
        let told = missing(&log(&gone.join("Master.csv"))).unwrap();
        assert_eq!(told.message, format!("there is no folder {}", gone.display()));
        let posts = Source::Folder(gone);
        assert_eq!(examine(&posts, "").await.unwrap_err().0, "log_not_found");
    }
}
