//! Postfix in a folder of its own, on a port of its own: what is for `postroom.test` goes to the
//! program by LMTP, what is for `customer.test` into mailboxes, what is for `gone.test` to a server that
//! refuses it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::Mailbox;
use crate::process::{WAIT, again};

/// Services of Postfix, as `master.cf` names them; the first column behind the name is its type.
const SERVICES: &str = "\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

/// A running Postfix; ends when it is dropped.
#[derive(Debug)]
pub struct Postfix {
    folder: TempDir,
    pub address: SocketAddr,
    refuser: Refuser,
}

/// A port that nobody has now.
pub async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("an address").port()
}

impl Postfix {
    /// `lmtp` is where the program takes mail; `customers` have mailboxes.
    pub async fn start(lmtp: u16, customers: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let refuser = Refuser::start().await;
        let port = free_port().await;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let postfix = Self { folder, address, refuser };
        postfix.write(lmtp, customers);
        let log = std::fs::File::create(postfix.path("said")).expect("a log");
        let started = postfix
            .command("start")
            .stdout(Stdio::from(log.try_clone().expect("one more")))
            .stderr(Stdio::from(log))
            .status()
            .expect("postfix is installed: .ci/tools test");
        assert!(started.success(), "{}", postfix.log());
        let wait = async {
            let mut again = again();
            while TcpStream::connect(address).await.is_err() {
                again.tick().await;
            }
        };
        tokio::time::timeout(WAIT, wait).await.expect("it listens");
        postfix
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it wrote about its mail.
    pub fn log(&self) -> String {
        let read = |name| std::fs::read_to_string(self.path(name)).unwrap_or_default();
        format!("{}{}", read("said"), read("log"))
    }

    pub fn mailbox(&self, customer: &str) -> Mailbox {
        Mailbox::new(self.path("mail").join(customer).join("new"))
    }

    /// Whether it has delivered everything.
    pub fn is_idle(&self) -> bool {
        ["incoming", "active", "deferred"]
            .iter()
            .all(|queue| is_empty(&self.path("queue").join(queue)))
    }

    /// As root, which Postfix has to be at its start.
    fn command(&self, action: &str) -> Command {
        let mut command = as_root("postfix");
        command.arg("-c").arg(self.path("conf")).arg(action).stdin(Stdio::null());
        command
    }

    fn write(&self, lmtp: u16, customers: &[&str]) {
        let root = self.folder.path();
        for name in ["conf", "queue", "data", "mail"] {
            std::fs::create_dir(self.path(name)).expect("a folder");
        }
        let boxes = customers.iter().map(|one| format!(" {{ {one}@customer.test = {one}/ }}"));
        let boxes = boxes.collect::<Vec<_>>().concat();
        let main = format!(
            "compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = {root}/log
maillog_file_prefixes = {root}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.test
mydestination =
alias_maps =
local_recipient_maps =
mynetworks = 127.0.0.0/8
smtpd_recipient_restrictions = permit_mynetworks, reject
recipient_delimiter = +
virtual_mailbox_domains = customer.test
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = inline:{{{boxes} }}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
relay_domains = postroom.test, gone.test
transport_maps = inline:{{ {{ postroom.test = lmtp:inet:127.0.0.1:{lmtp} }} {{ gone.test = smtp:[127.0.0.1]:{gone} }} }}
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
lmtp_send_xforward_command = yes
lmtp_destination_concurrency_failed_cohort_limit = 0
",
            root = root.display(),
            gone = self.refuser.port,
        );
        let port = self.address.port();
        let master = format!("127.0.0.1:{port} inet n - n - - smtpd\n{SERVICES}");
        for (name, text) in [("main.cf", main), ("master.cf", master)] {
            std::fs::write(self.path("conf").join(name), text).expect("a file");
        }
        // Its own users have to come in.
        let own = |owner: &str, path: PathBuf| {
            let done = as_root("chown").arg(owner).arg(path).status().expect("chown runs");
            assert!(done.success());
        };
        let open = as_root("chmod").arg("755").arg(root).status().expect("chmod runs");
        assert!(open.success());
        own("root", root.join("conf"));
        own("root", root.join("queue"));
        own("postfix", root.join("data"));
        own("nobody", root.join("mail"));
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        drop(self.command("abort").stdout(Stdio::null()).stderr(Stdio::null()).status());
        // Its files are its own.
        drop(as_root("rm").arg("-rf").arg(self.path("queue")).status());
    }
}

fn as_root(program: &str) -> Command {
    let own = Command::new("id").arg("-u").output().expect("id runs");
    if own.stdout.trim_ascii() == b"0" {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["-n", program]);
    command
}

/// Queues are folders, some of them with folders by the first letter.
fn is_empty(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return true };
    entries.flatten().all(|entry| {
        let path = entry.path();
        path.is_dir() && is_empty(&path)
    })
}

/// A server that knows nobody.
#[derive(Debug)]
pub struct Refuser {
    port: u16,
    _listening: AbortOnDropHandle<()>,
}

impl Refuser {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let listening = tokio_util::task::TaskTracker::new().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // One after the other is enough.
                drop(refuse(stream).await);
            }
        });
        Self { port, _listening: AbortOnDropHandle::new(listening) }
    }
}

async fn refuse(stream: TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.get_mut().write_all(b"220 gone.test ESMTP\r\n").await?;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let answer = match line.get(..4) {
            Some("RCPT") => "550 5.1.1 there is no such user",
            Some("DATA") => "503 5.5.1 nobody is named",
            Some("QUIT") => "221 2.0.0 bye",
            _ => "250 gone.test",
        };
        stream.get_mut().write_all(format!("{answer}\r\n").as_bytes()).await?;
        line.clear();
    }
    Ok(())
}
