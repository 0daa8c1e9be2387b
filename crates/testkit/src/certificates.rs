//! Certificates for one test, made by `openssl` when it runs: an authority of its own, and a server's
//! certificate for `localhost` and one address of loopback.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Files in a folder that is deleted with this.
#[derive(Debug)]
pub struct Certificates {
    folder: TempDir,
    /// The certificate of the authority.
    pub authority: PathBuf,
    /// The certificate of the server, and its key.
    pub server: PathBuf,
    pub key: PathBuf,
}

impl Certificates {
    /// For a server at `address`.
    pub fn make(address: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let (authority, server, key) = (file("ca.pem"), file("server.pem"), file("server.key"));
        let of_server = format!(
            "subjectAltName=DNS:localhost,IP:{address}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
        );
        std::fs::write(file("extensions"), of_server).unwrap();
        let at = folder.path();
        let new = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        openssl(at, &format!("{new} -x509 -days 2 -subj /CN=tests -keyout ca.key -out ca.pem"));
        openssl(at, &format!("{new} -subj /CN=server -keyout server.key -out server.csr"));
        openssl(
            at,
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
             -extfile extensions -out server.pem",
        );
        Self { folder, authority, server, key }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn openssl(folder: &Path, words: &str) {
    let mut command = Command::new("openssl");
    let done = command.args(words.split_whitespace()).current_dir(folder).output();
    let done = done.unwrap_or_else(|error| panic!("these tests need openssl: {error}"));
    assert!(done.status.success(), "{words}: {}", String::from_utf8_lossy(&done.stderr));
}
