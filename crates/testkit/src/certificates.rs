//! An authority of a test's own, and what it vouches for: made when the test begins, by `openssl`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Certificates in a folder.
#[derive(Debug, Clone)]
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// For a server on loopback.
    pub fn make(folder: &Path) -> Self {
        let made = Self { folder: folder.to_owned() };
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        made.openssl(
            &["req", "-x509", "-days", "2", "-subj", "/CN=Authority of a test"],
            &key,
            &["-keyout", "ca.key", "-out", "ca.pem"],
        );
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
        made.openssl(
            &["req", "-subj", "/CN=localhost", "-addext", names],
            &key,
            &["-keyout", "server.key", "-out", "server.csr"],
        );
        made.openssl(
            &["x509", "-req", "-in", "server.csr", "-days", "2", "-copy_extensions", "copy"],
            &["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
            &["-out", "server.pem"],
        );
        made
    }

    fn openssl(&self, first: &[&str], more: &[&str], last: &[&str]) {
        let mut command = Command::new("openssl");
        command.args(first).args(more).args(last).current_dir(&self.folder).stdin(Stdio::null());
        let done = command.output().expect("these tests need openssl: run `.ci/tools test`");
        let words = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "openssl {first:?}: {words}");
    }

    /// Of the authority.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    pub fn server(&self) -> PathBuf {
        self.folder.join("server.pem")
    }

    pub fn server_key(&self) -> PathBuf {
        self.folder.join("server.key")
    }
}
