//! A small IMAP server of our own, for what a real one cannot be made to do: folders that are set back,
//! literals without end, silence, tokens that have expired. Speaks in the clear, on loopback.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// The folder that every mailbox has, and the only one.
const FOLDER: &str = "\"INBOX\"";

/// What is wrong with a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trick {
    /// A literal of four gigabytes is announced.
    Endless,
    /// The connection ends in the middle of it.
    BreaksOff,
    /// The answer is none.
    Nonsense,
    /// The server says NO, to whoever asks for it among others too.
    Refused,
    /// The server says that it has as many bytes.
    Claims(u32),
}

/// What is in the mailbox, and how the server behaves.
#[derive(Debug, Clone)]
pub struct ImapMailbox {
    pub epoch: Option<u32>,
    pub next: u32,
    pub mails: BTreeMap<u32, Vec<u8>>,
    pub tricks: BTreeMap<u32, Trick>,
    pub capabilities: String,
    /// Counts changes, for servers that tell of them.
    pub changes: u64,
    pub password: String,
    /// The only token that is good.
    pub token: String,
    /// Nothing is ever told of new mail.
    pub mute: bool,
    /// The order in which mails are told is turned round.
    pub backwards: bool,
    /// Who asks for mails gets none before they have asked for the next ones, and then those first; the
    /// last mail of the mailbox comes at once.
    pub overtakes: bool,
    /// Marked by whoever stored them, with what.
    pub flags: BTreeMap<u32, String>,
    /// Moved away, with where to.
    pub moved: BTreeMap<u32, String>,
    /// What was asked, without what signs in.
    pub asked: Vec<String>,
    /// Connections that were made.
    pub connections: usize,
}

impl Default for ImapMailbox {
    fn default() -> Self {
        Self {
            epoch: Some(7),
            next: 1,
            mails: BTreeMap::new(),
            tricks: BTreeMap::new(),
            capabilities: "IMAP4rev1 IDLE UIDPLUS MOVE CONDSTORE AUTH=XOAUTH2".to_owned(),
            changes: 1,
            password: "known-to-the-tests".to_owned(),
            token: "good-token".to_owned(),
            mute: false,
            backwards: false,
            overtakes: false,
            flags: BTreeMap::new(),
            moved: BTreeMap::new(),
            asked: Vec::new(),
            connections: 0,
        }
    }
}

impl ImapMailbox {
    pub fn add(&mut self, mail: impl Into<Vec<u8>>) -> u32 {
        let uid = self.next;
        self.mails.insert(uid, mail.into());
        self.next += 1;
        self.changes += 1;
        uid
    }
}

/// A running server with one mailbox that every user has.
#[derive(Debug)]
pub struct ScriptedImap {
    address: SocketAddr,
    mailbox: Arc<Mutex<ImapMailbox>>,
    changed: watch::Sender<u64>,
    _listening: AbortOnDropHandle<()>,
}

impl ScriptedImap {
    pub async fn start(mailbox: ImapMailbox) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mailbox = Arc::new(Mutex::new(mailbox));
        let (changed, news) = watch::channel(0);
        let tasks = TaskTracker::new();
        let (lines, shared) = (tasks.clone(), Arc::clone(&mailbox));
        let listening = tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(stream.set_nodelay(true));
                let talk = Talk { mailbox: Arc::clone(&shared), news: news.clone(), known: 0 };
                lines.spawn(talk.run(stream));
            }
        });
        Self { address, mailbox, changed, _listening: AbortOnDropHandle::new(listening) }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Changes the mailbox, and tells whoever waits for it.
    pub fn change<T>(&self, change: impl FnOnce(&mut ImapMailbox) -> T) -> T {
        let changed = change(&mut lock(&self.mailbox));
        self.changed.send_modify(|count| *count += 1);
        changed
    }

    pub fn mailbox(&self) -> ImapMailbox {
        lock(&self.mailbox).clone()
    }

    /// Returns once the mailbox is as it is wanted.
    pub async fn wait_until(&self, wanted: impl Fn(&ImapMailbox) -> bool) {
        let mut again = crate::again();
        while !wanted(&lock(&self.mailbox)) {
            again.tick().await;
        }
    }
}

fn lock(mailbox: &Mutex<ImapMailbox>) -> MutexGuard<'_, ImapMailbox> {
    mailbox.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection.
struct Talk {
    mailbox: Arc<Mutex<ImapMailbox>>,
    news: watch::Receiver<u64>,
    /// Changes of which this connection knows.
    known: u64,
}

impl Talk {
    async fn run(mut self, stream: TcpStream) {
        lock(&self.mailbox).connections += 1;
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::with_capacity(1_024, reader).lines();
        if writer.write_all(b"* OK a server of a test\r\n").await.is_err() {
            return;
        }
        while let Ok(Some(line)) = lines.next_line().await {
            let Some((tag, command)) = line.split_once(' ') else { return };
            let verb = command.split(' ').next().unwrap_or_default().to_ascii_uppercase();
            if verb != "LOGIN" && verb != "AUTHENTICATE" {
                lock(&self.mailbox).asked.push(command.to_owned());
            }
            if verb == "SELECT" {
                self.known = *self.news.borrow_and_update();
            }
            let answer = match verb.as_str() {
                "IDLE" => {
                    if writer.write_all(b"+ idling\r\n").await.is_err()
                        || !self.idle(&mut writer, &mut lines).await
                    {
                        return;
                    }
                    format!("{tag} OK done\r\n").into_bytes()
                }
                "AUTHENTICATE" => {
                    if writer.write_all(b"+ \r\n").await.is_err() {
                        return;
                    }
                    let Ok(Some(said)) = lines.next_line().await else { return };
                    let good = said == self.expected();
                    if good {
                        format!("{tag} OK welcome\r\n").into_bytes()
                    } else {
                        // The reason, in Base64, to which nothing is to be answered.
                        if writer.write_all(b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n").await.is_err() {
                            return;
                        }
                        let Ok(Some(_)) = lines.next_line().await else { return };
                        format!("{tag} NO the token has expired\r\n").into_bytes()
                    }
                }
                _ => {
                    if self.is_overtaken(command) {
                        let Ok(Some(line)) = lines.next_line().await else { return };
                        let Some((tag, command)) = line.split_once(' ') else { return };
                        lock(&self.mailbox).asked.push(command.to_owned());
                        let answer = self.answer(tag, "UID", command).unwrap_or_default();
                        if write(&mut writer, &answer).await.is_err() {
                            return;
                        }
                    }
                    match self.answer(tag, &verb, command) {
                        Ok(answer) => answer,
                        Err(last) => {
                            drop(writer.write_all(&last).await);
                            return;
                        }
                    }
                }
            };
            if write(&mut writer, &answer).await.is_err() || verb == "LOGOUT" {
                return;
            }
        }
    }

    /// Tells what changes until it is told to stop; false if the connection ends.
    async fn idle(
        &mut self,
        writer: &mut OwnedWriteHalf,
        lines: &mut tokio::io::Lines<BufReader<OwnedReadHalf>>,
    ) -> bool {
        loop {
            let (changes, mute, count) = {
                let mailbox = lock(&self.mailbox);
                (*self.news.borrow_and_update(), mailbox.mute, mailbox.mails.len())
            };
            if changes != self.known && !mute {
                let told = format!("* {count} EXISTS\r\n");
                if writer.write_all(told.as_bytes()).await.is_err() {
                    return false;
                }
            }
            self.known = changes;
            tokio::select! {
                changed = self.news.changed() => if changed.is_err() { return false },
                line = lines.next_line() => return matches!(line, Ok(Some(_))),
            }
        }
    }

    /// Whether the answer comes after that to the next command.
    fn is_overtaken(&self, command: &str) -> bool {
        let mailbox = lock(&self.mailbox);
        let set = command.split(' ').nth(2).unwrap_or_default();
        let is_wanted = mailbox.overtakes && command.contains("BODY.PEEK[]");
        is_wanted && chosen(&mailbox.mails, set).last() != mailbox.mails.keys().next_back()
    }

    /// What a client with the good token says.
    fn expected(&self) -> String {
        let token = lock(&self.mailbox).token.clone();
        encode(format!("user=ada\u{1}auth=Bearer {token}\u{1}\u{1}").as_bytes())
    }

    /// The answer, or the last words of the connection.
    fn answer(&self, tag: &str, verb: &str, command: &str) -> Result<Vec<u8>, Vec<u8>> {
        let mut mailbox = lock(&self.mailbox);
        let done = format!("{tag} OK done\r\n").into_bytes();
        match verb {
            "CAPABILITY" => {
                Ok([format!("* CAPABILITY {}\r\n", mailbox.capabilities).into_bytes(), done]
                    .concat())
            }
            "LOGIN" if command.ends_with(&format!("\"{}\"", mailbox.password)) => Ok(done),
            "LOGIN" => Ok(format!("{tag} NO who are you\r\n").into_bytes()),
            "SELECT" | "EXAMINE" if command.contains(FOLDER) => {
                let tells = mailbox.capabilities.contains("CONDSTORE");
                let said = [
                    Some(format!("* {} EXISTS\r\n", mailbox.mails.len())),
                    mailbox.epoch.map(|epoch| format!("* OK [UIDVALIDITY {epoch}] epoch\r\n")),
                    Some(format!("* OK [UIDNEXT {}] next\r\n", mailbox.next)),
                    tells.then(|| format!("* OK [HIGHESTMODSEQ {}] changes\r\n", mailbox.changes)),
                ];
                let said: String = said.into_iter().flatten().collect();
                Ok([said.into_bytes(), done].concat())
            }
            "LOGOUT" => Ok([b"* BYE\r\n".to_vec(), done].concat()),
            "NOOP" => Ok(done),
            "UID" => {
                let mut words = command.splitn(4, ' ').skip(1);
                let what = words.next().unwrap_or_default();
                let set = words.next().unwrap_or_default();
                let rest = words.next().unwrap_or_default();
                let uids = chosen(&mailbox.mails, set);
                match what {
                    "FETCH" => fetched(&mailbox, tag, &uids, rest),
                    "STORE" => {
                        mailbox.flags.extend(uids.iter().map(|uid| (*uid, rest.to_owned())));
                        Ok(done)
                    }
                    "MOVE" => {
                        for uid in uids {
                            mailbox.mails.remove(&uid);
                            mailbox.moved.insert(uid, rest.to_owned());
                        }
                        Ok(done)
                    }
                    _ => Ok(format!("{tag} BAD no such thing\r\n").into_bytes()),
                }
            }
            _ => Ok(format!("{tag} NO no such thing\r\n").into_bytes()),
        }
    }
}

fn fetched(
    mailbox: &ImapMailbox,
    tag: &str,
    uids: &[u32],
    items: &str,
) -> Result<Vec<u8>, Vec<u8>> {
    let mut said = Vec::new();
    let whole = items.contains("BODY.PEEK[]");
    let mut order = uids.to_vec();
    if mailbox.backwards {
        order.reverse();
    }
    for uid in order {
        let mail = mailbox.mails.get(&uid).map(Vec::as_slice).unwrap_or_default();
        let trick = mailbox.tricks.get(&uid).copied();
        let size = match trick {
            Some(Trick::Claims(bytes)) => bytes as usize,
            _ => mail.len(),
        };
        if whole && trick == Some(Trick::Nonsense) {
            said.extend_from_slice(b"* 5 FETCH )))(((\r\n");
            continue;
        }
        let number = mailbox.mails.range(..=uid).count();
        said.extend_from_slice(format!("* {number} FETCH (UID {uid}").as_bytes());
        if items.contains("RFC822.SIZE") {
            said.extend_from_slice(format!(" RFC822.SIZE {size}").as_bytes());
        }
        if items.contains("INTERNALDATE") {
            said.extend_from_slice(b" INTERNALDATE \"01-Mar-2026 10:30:00 +0100\"");
        }
        if items.contains("BODY.PEEK[HEADER]") {
            let end = mail
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
                .map_or(mail.len(), |at| at + 4);
            said.extend_from_slice(format!(" BODY[HEADER] {{{end}}}\r\n").as_bytes());
            said.extend_from_slice(mail.get(..end).unwrap_or_default());
        }
        if whole {
            match trick {
                Some(Trick::Endless) => {
                    said.extend_from_slice(b" BODY[] {4294967295}\r\n");
                    return Err(said);
                }
                Some(Trick::BreaksOff) => {
                    said.extend_from_slice(format!(" BODY[] {{{}}}\r\n", mail.len()).as_bytes());
                    said.extend_from_slice(mail.get(..mail.len() / 2).unwrap_or_default());
                    return Err(said);
                }
                Some(Trick::Refused) => {
                    return Ok(format!("{tag} NO the mail is damaged\r\n").into_bytes());
                }
                _ => {
                    said.extend_from_slice(format!(" BODY[] {{{}}}\r\n", mail.len()).as_bytes());
                    said.extend_from_slice(mail);
                }
            }
        }
        said.extend_from_slice(b")\r\n");
    }
    said.extend_from_slice(format!("{tag} OK done\r\n").as_bytes());
    Ok(said)
}

/// The mails of a set. `n:*` always holds the last one.
fn chosen(mails: &BTreeMap<u32, Vec<u8>>, set: &str) -> Vec<u32> {
    let last = mails.keys().next_back().copied().unwrap_or(0);
    let number = |text: &str| if text == "*" { last } else { text.parse().unwrap() };
    let mut found: Vec<u32> = Vec::new();
    for part in set.split(',') {
        let (from, to) = part.split_once(':').map_or((part, part), |(from, to)| (from, to));
        let (from, to) = (number(from), number(to));
        found.extend(mails.range(from.min(to)..=from.max(to)).map(|(uid, _)| *uid));
    }
    found.sort_unstable();
    found.dedup();
    found
}

async fn write(writer: &mut OwnedWriteHalf, bytes: &[u8]) -> std::io::Result<()> {
    writer.write_all(bytes).await
}

/// Base64, for which this crate needs no library.
fn encode(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let mut bits = 0_u32;
        for index in 0..3 {
            bits = (bits << 8) | u32::from(three.get(index).copied().unwrap_or(0));
        }
        for index in 0..4 {
            let letter = LETTERS[((bits >> (18 - 6 * index)) & 63) as usize] as char;
            text.push(if index <= three.len() { letter } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{chosen, encode};

    #[test]
    fn sets_are_read_as_servers_read_them() {
        let mails: BTreeMap<u32, Vec<u8>> =
            [2, 3, 9].into_iter().map(|uid| (uid, vec![])).collect();
        for (set, uids) in
            [("1:*", &[2, 3, 9][..]), ("20:*", &[9]), ("2,9", &[2, 9]), ("4:8", &[]), ("*", &[9])]
        {
            assert_eq!(chosen(&mails, set), uids, "{set}");
        }
        assert_eq!(
            (encode(b"a"), encode(b"ab"), encode(b"abc")),
            ("YQ==".into(), "YWI=".into(), "YWJj".into())
        );
    }
}
