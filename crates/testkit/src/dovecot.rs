//! A real Dovecot of a test's own: IMAP over TLS on loopback, every user with the same password, mail in
//! a temporary folder. Knows how versions 2.3 and 2.4 are configured.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{Certificates, again};

/// How long it may take to begin.
const PATIENCE: Duration = Duration::from_secs(30);
/// What every user signs in with.
pub const DOVECOT_PASSWORD: &str = "known-to-the-tests";

/// A running server and its folder.
#[derive(Debug)]
pub struct Dovecot {
    program: PathBuf,
    folder: TempDir,
    certificates: Certificates,
    port: u16,
    /// Where TLS has to be asked for.
    plain_port: u16,
    child: Option<Child>,
    /// Mails that were delivered, so that each has a name of its own.
    delivered: u64,
}

impl Dovecot {
    pub async fn start() -> Self {
        let program = program();
        let folder = tempfile::tempdir().unwrap();
        let mail = folder.path().join("mail");
        fs::create_dir(&mail).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        own(&mail);
        let certificates = Certificates::make("127.0.0.1");
        let (port, plain_port) = (free_port(), free_port());
        let mut server =
            Self { program, folder, certificates, port, plain_port, child: None, delivered: 0 };
        server.run().await;
        server
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn plain_port(&self) -> u16 {
        self.plain_port
    }

    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Ends it at once, with everything that it started.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The processes of connections end when their master does.
            drop(Command::new("kill").args(["-TERM", &child.id().to_string()]).status());
            child.wait().unwrap();
        }
    }

    /// Starts it again where it was, on the same port.
    pub async fn start_again(&mut self) {
        self.run().await;
    }

    /// Puts a mail into a folder of a user, as a delivery agent would: whole, under another name, then
    /// renamed.
    pub fn deliver(&mut self, user: &str, folder: &str, mail: &[u8]) {
        self.delivered += 1;
        let maildir = self.maildir(user, folder);
        let name = format!(
            "{}.M{}P1.test,S={}",
            1_772_357_400 + self.delivered,
            self.delivered,
            mail.len()
        );
        let waiting = maildir.join("tmp").join(&name);
        fs::write(&waiting, mail).unwrap();
        own(&waiting);
        fs::rename(waiting, maildir.join("new").join(name)).unwrap();
    }

    /// Where the folder is on the disk, or would be.
    fn place(&self, user: &str, folder: &str) -> PathBuf {
        let maildir = self.folder.path().join("mail").join(user).join("Maildir");
        if folder == "INBOX" { maildir } else { maildir.join(format!(".{folder}")) }
    }

    /// The folder on the disk, made if need be.
    fn maildir(&self, user: &str, folder: &str) -> PathBuf {
        let home = self.folder.path().join("mail").join(user);
        let maildir = home.join("Maildir");
        let inside = self.place(user, folder);
        if !inside.join("tmp").exists() {
            for part in ["cur", "new", "tmp"] {
                fs::create_dir_all(inside.join(part)).unwrap();
            }
            for owned in [&home, &maildir, &inside] {
                own(owned);
            }
            for part in ["cur", "new", "tmp"] {
                own(&inside.join(part));
            }
        }
        inside
    }

    /// Mails of a folder, whatever their flags; none where it is not there.
    pub fn count(&self, user: &str, folder: &str) -> usize {
        let place = self.place(user, folder);
        let files = |part: &str| fs::read_dir(place.join(part)).map_or(0, Iterator::count);
        files("cur") + files("new")
    }

    /// Nobody is connected any more. A client that was killed leaves a process behind that first carries out
    /// what it was told: two that move the same mails each make a copy.
    pub async fn left_alone(&self) {
        let master = self.child.as_ref().unwrap().id();
        let left = async {
            let mut again = again();
            while connections(master) > 0 {
                again.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, left).await.expect("a connection to Dovecot does not end");
    }

    /// The folder is made anew with what is in it: Dovecot gives it another UIDVALIDITY and other UIDs.
    pub fn forget_uids(&self, user: &str, folder: &str) {
        let maildir = self.maildir(user, folder);
        for entry in fs::read_dir(&maildir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with("dovecot") {
                fs::remove_file(path).unwrap();
            }
        }
    }

    async fn run(&mut self) {
        let config = self.folder.path().join("dovecot.conf");
        fs::write(&config, self.config()).unwrap();
        let mut command = Command::new(&self.program);
        command.arg("-F").arg("-c").arg(&config).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        let ready = async {
            let mut again = again();
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                again.tick().await;
            }
        };
        if tokio::time::timeout(PATIENCE, ready).await.is_err() {
            let log = fs::read_to_string(self.folder.path().join("dovecot.log"));
            panic!("Dovecot did not begin: {}", log.unwrap_or_default());
        }
    }

    fn config(&self) -> String {
        let folder = self.folder.path().display();
        let (port, plain_port) = (self.port, self.plain_port);
        let (uid, gid) = ids();
        let (cert, key) = (&self.certificates.server, &self.certificates.key);
        let (cert, key) = (cert.display(), key.display());
        let common = format!(
            "base_dir = {folder}/run\nstate_dir = {folder}/state\nlog_path = {folder}/dovecot.log\n\
             protocols = imap\nlisten = 127.0.0.1\nssl = required\nfirst_valid_uid = 1\n\
             service imap-login {{\n  process_min_avail = 1\n  inet_listener imap {{\n    port = {plain_port}\n  }}\n  \
             inet_listener imaps {{\n    port = {port}\n    ssl = yes\n  }}\n}}\n{}",
            unprivileged()
        );
        let rest = if self.is_old() {
            format!(
                "ssl_cert = <{cert}\nssl_key = <{key}\nmail_location = maildir:~/Maildir\n\
                 mail_max_userip_connections = 1000\n\
                 passdb {{\n  driver = static\n  args = password={DOVECOT_PASSWORD}\n}}\n\
                 userdb {{\n  driver = static\n  args = uid={uid} gid={gid} home={folder}/mail/%u\n}}\n"
            )
        } else {
            format!(
                "ssl_server_cert_file = {cert}\nssl_server_key_file = {key}\nmail_driver = maildir\n\
                 mail_path = ~/Maildir\nmail_max_userip_connections = 1000\n\
                 passdb static {{\n  password = {DOVECOT_PASSWORD}\n}}\n\
                 userdb static {{\n  fields {{\n    uid = {uid}\n    gid = {gid}\n    \
                 home = {folder}/mail/%{{user}}\n  }}\n}}\n"
            )
        };
        let head = if self.is_old() {
            String::new()
        } else {
            "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n".to_owned()
        };
        head + &common + &rest
    }

    /// Whether it is one before 2.4, which reads another configuration.
    fn is_old(&self) -> bool {
        let said = Command::new(&self.program).arg("--version").output().unwrap();
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        said.starts_with("2.3") || said.starts_with("2.2")
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The processes of a Dovecot that serve a mailbox, one for each connection.
fn connections(master: u32) -> usize {
    let mut found = 0;
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        // One that ended meanwhile has nothing to read.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let Some((name, rest)) = stat.split_once(") ") else { continue };
        let parent = rest.split(' ').nth(1).and_then(|parent| parent.parse().ok());
        found += usize::from(name.ends_with("(imap") && parent == Some(master));
    }
    found
}

/// The program that `POSTROOM_DOVECOT` names, else the one that Debian's package installs.
fn program() -> PathBuf {
    let named = std::env::var_os("POSTROOM_DOVECOT").map(PathBuf::from);
    let known = named.into_iter().chain([PathBuf::from("/usr/sbin/dovecot")]);
    let found = known.into_iter().find(|candidate| candidate.is_file());
    found.unwrap_or_else(|| {
        panic!("no dovecot: run `.ci/tools test`, or name one with POSTROOM_DOVECOT")
    })
}

/// It refuses to read mail as root; then somebody without rights does.
fn ids() -> (u32, u32) {
    let own = fs::metadata("/proc/self").unwrap();
    if own.uid() == 0 { (65_534, 65_534) } else { (own.uid(), own.gid()) }
}

fn own(path: &Path) {
    let (uid, gid) = ids();
    std::os::unix::fs::chown(path, Some(uid), Some(gid)).unwrap();
}

/// What it must be told where it cannot become other users.
fn unprivileged() -> String {
    let own = fs::metadata("/proc/self").unwrap();
    if own.uid() == 0 {
        return String::new();
    }
    let name = |flag: &str| {
        let said = Command::new("id").args([flag, "-n"]).output().unwrap();
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    };
    let (user, group) = (name("-u"), name("-g"));
    let free = ["imap-login", "anvil", "auth", "stats", "imap"]
        .map(|service| format!("service {service} {{\n  chroot =\n}}\n"));
    format!(
        "default_internal_user = {user}\ndefault_internal_group = {group}\ndefault_login_user = {user}\n{}",
        free.concat()
    )
}

/// A port that was free just now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
