//! A channel's own options, read and checked. Never shows a secret.

use std::fmt;
use std::time::Duration;

use postroom_channel::{OptionError, check_url};
use postroom_channel_email::{EmailOptions, Login, Pass, Security as Encryption};
use serde_json::{Map, Value};

use crate::limits::{FOLDERS_MAX, MESSAGE_BYTES_MAX, NAME_BYTES_MAX};
use crate::names;

const KEYS: [&str; 16] = [
    "after",
    "ca",
    "folders",
    "host",
    "keyword",
    "message_bytes_max",
    "move_to",
    "oauth",
    "password",
    "poll_s",
    "port",
    "secret",
    "security",
    "sent_folder",
    "start",
    "username",
];
const OAUTH_KEYS: [&str; 5] = ["client_id", "client_secret", "refresh_token", "scope", "token_url"];
/// A folder is looked at every second to once an hour.
const POLL_S: std::ops::RangeInclusive<u64> = 1..=3_600;
/// No mail that is worth anything has fewer bytes.
const MESSAGE_BYTES_MIN: u64 = 64 * 1024;

/// A mailbox as it is configured.
#[derive(Clone)]
pub struct ImapOptions {
    pub host: String,
    pub port: u16,
    pub security: Security,
    /// The only certificates that may vouch for the server, as PEM; those of the system otherwise.
    pub ca: Option<String>,
    pub username: String,
    pub sign_in: SignIn,
    pub folders: Vec<String>,
    pub start: Start,
    pub after: After,
    /// How often to look, whatever the server tells; none for what is usual.
    pub poll: Option<Duration>,
    pub message_bytes_max: u64,
    /// Whose mail it is, and by what answers leave.
    pub mail: Option<EmailOptions>,
    /// The folder that gets a copy of each answer.
    pub sent_folder: Option<String>,
}

/// How the line to the server is kept from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// From the first byte.
    Tls,
    /// Asked for in the clear, before anything else is said.
    StartTls,
    /// Not at all.
    None,
}

/// By what we sign in.
#[derive(Clone, PartialEq, Eq)]
pub enum SignIn {
    Password(String),
    OAuth(Box<OAuth>),
}

/// Where tokens come from.
#[derive(Clone, PartialEq, Eq)]
pub struct OAuth {
    pub token_url: String,
    pub client_id: String,
    pub client_secret: Option<String>,
    /// Without it the client asks in its own name.
    pub refresh_token: Option<String>,
    pub scope: Option<String>,
}

/// What is taken of a folder that is seen for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Everything,
    /// What comes from then on.
    New,
}

/// What is done with a mail once it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    Nothing,
    Seen,
    Keyword(String),
    Move(String),
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password",
            Self::OAuth(_) => "OAuth",
        })
    }
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for ImapOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImapOptions")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("security", &self.security)
            .field("username", &self.username)
            .field("sign_in", &self.sign_in)
            .field("folders", &self.folders)
            .finish_non_exhaustive()
    }
}

impl ImapOptions {
    /// Reads the keys of the channel's table that are not common to all channels. All mistakes are
    /// told at once, none with a secret.
    pub fn parse(table: &Map<String, Value>) -> Result<Self, Vec<OptionError>> {
        let mut reader = Reader { table, errors: Vec::new() };
        let known: Vec<&str> =
            KEYS.into_iter().chain(EmailOptions::mailbox_keys().iter().copied()).collect();
        reader.check_keys(&known, "");
        let host =
            reader.needed("host", "write the name of the server, such as `imap.example.com`");
        let username = reader.needed("username", "write what you sign in with, often the address");
        let security = reader.security();
        let port = reader.port(security);
        let sign_in = reader.sign_in();
        let folders = reader.folders();
        let after = reader.after(&folders);
        let start = reader.one_of("start", &[("all", Start::Everything), ("new", Start::New)]);
        let poll = reader.number("poll_s", POLL_S, "write in seconds how often to look");
        let bytes = reader.number(
            "message_bytes_max",
            MESSAGE_BYTES_MIN..=MESSAGE_BYTES_MAX,
            "write in bytes how large a mail may be that is fetched",
        );
        let ca = reader.text("ca").map(str::to_owned);
        let mail = reader.mail();
        let sent_folder = reader.sent_folder(&folders, mail.as_ref());
        let whole = host.zip(username).zip(sign_in).filter(|_| reader.errors.is_empty());
        let Some(((host, username), sign_in)) = whole else {
            return Err(reader.errors);
        };
        let mail = mail.map(|mail| signed_in(mail, &username, &sign_in));
        Ok(Self {
            host,
            port,
            security,
            ca,
            username,
            sign_in,
            folders,
            start: start.unwrap_or(Start::Everything),
            after,
            poll: poll.map(Duration::from_secs),
            message_bytes_max: bytes.unwrap_or(MESSAGE_BYTES_MAX),
            mail,
            sent_folder,
        })
    }

    /// What cursors of a folder are called: another mailbox has other ones.
    pub(crate) fn cursor(&self, folder: &str) -> String {
        format!("{folder} of {} at {}", self.username, self.host)
    }
}

/// Answers leave in the name of who reads, if nobody else is named and nothing goes in the clear.
fn signed_in(mut mail: EmailOptions, username: &str, sign_in: &SignIn) -> EmailOptions {
    if let Some(smtp) = &mut mail.smtp
        && smtp.security != Encryption::None
        && smtp.login.is_none()
    {
        let pass = match sign_in {
            SignIn::Password(password) => Pass::Password(password.clone()),
            SignIn::OAuth(_) => Pass::Token,
        };
        smtp.login = Some(Login { user: username.to_owned(), pass });
    }
    mail
}

struct Reader<'t> {
    table: &'t Map<String, Value>,
    errors: Vec<OptionError>,
}

impl<'t> Reader<'t> {
    fn wrong(&mut self, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.errors.push(OptionError::new(key, message, help));
    }

    fn check_keys(&mut self, known: &[&'static str], path: &str) {
        let unknown = self.table.keys().filter(|key| !known.contains(&key.as_str()));
        for key in unknown.cloned().collect::<Vec<String>>() {
            let help = match nearest(&key, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are: {}", known.join(", ")),
            };
            self.wrong(&format!("{path}{key}"), "no such key for a mailbox", help);
        }
    }

    fn text(&mut self, key: &str) -> Option<&'t str> {
        match self.table.get(key)? {
            Value::String(text) => Some(text),
            _ => {
                self.wrong(key, "must be text", "put it in quotation marks");
                None
            }
        }
    }

    /// A name in one line.
    fn needed(&mut self, key: &str, help: &str) -> Option<String> {
        if !self.table.contains_key(key) {
            self.wrong(key, "is missing", help);
            return None;
        }
        let text = self.text(key)?.trim();
        if !names::is_folder(text) {
            let message = format!("must be one line of at most {NAME_BYTES_MAX} bytes");
            self.wrong(key, message, help);
            return None;
        }
        Some(text.to_owned())
    }

    fn one_of<T: Clone>(&mut self, key: &str, choices: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = choices.iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let known: Vec<&'static str> = choices.iter().map(|(name, _)| *name).collect();
            let help = match nearest(text, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write one of: {}", known.join(", ")),
            };
            self.wrong(key, "is none of the choices", help);
        }
        found.map(|(_, choice)| choice.clone())
    }

    fn number(
        &mut self,
        key: &str,
        range: std::ops::RangeInclusive<u64>,
        help: &str,
    ) -> Option<u64> {
        let value = self.table.get(key)?;
        let number = value.as_u64().filter(|number| range.contains(number));
        if number.is_none() {
            let message = format!("must be a number from {} to {}", range.start(), range.end());
            self.wrong(key, message, help);
        }
        number
    }

    fn security(&mut self) -> Security {
        let choices =
            [("tls", Security::Tls), ("starttls", Security::StartTls), ("none", Security::None)];
        self.one_of("security", &choices).unwrap_or(Security::Tls)
    }

    fn port(&mut self, security: Security) -> u16 {
        let usual = if security == Security::Tls { 993 } else { 143 };
        let port = self.number("port", 1..=u64::from(u16::MAX), "leave it out for the usual one");
        port.and_then(|port| u16::try_from(port).ok()).unwrap_or(usual)
    }

    /// A password or tokens. `secret` is another word for the password.
    fn sign_in(&mut self) -> Option<SignIn> {
        const HELP: &str = "write `password_file` with the path of a file, or a table `oauth`";
        let keys = ["password", "secret", "oauth"];
        let given: Vec<&str> =
            keys.into_iter().filter(|key| self.table.contains_key(*key)).collect();
        let [key] = given.as_slice() else {
            let message = if given.is_empty() {
                "there is nothing to sign in with"
            } else {
                "there is more than one thing to sign in with"
            };
            self.wrong(given.first().copied().unwrap_or("password"), message, HELP);
            return None;
        };
        if *key == "oauth" {
            return self.oauth().map(Box::new).map(SignIn::OAuth);
        }
        let password = self.text(key)?.trim_end_matches(['\r', '\n']);
        if password.is_empty() || password.chars().any(char::is_control) {
            self.wrong(key, "must be one line, and not empty", HELP);
            return None;
        }
        Some(SignIn::Password(password.to_owned()))
    }

    fn oauth(&mut self) -> Option<OAuth> {
        let Some(Value::Object(table)) = self.table.get("oauth") else {
            self.wrong("oauth", "must be a table", "write it as [channels.oauth]");
            return None;
        };
        let mut inner = Reader { table, errors: Vec::new() };
        inner.check_keys(&OAUTH_KEYS, "");
        let url = inner.needed("token_url", "write the address that gives tokens");
        if let Some(url) = &url
            && let Err(error) = check_url(url)
        {
            inner.wrong("token_url", error.to_string(), "write it with https://");
        }
        let client_id = inner.needed("client_id", "write the id of the registered application");
        let secret = |inner: &mut Reader<'_>, key: &str| {
            inner.text(key).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let client_secret = secret(&mut inner, "client_secret");
        let refresh_token = secret(&mut inner, "refresh_token");
        let scope = inner.text("scope").map(str::to_owned);
        if client_secret.is_none() && refresh_token.is_none() {
            let help = "write `refresh_token_file`, or `client_secret_file` for an application that \
                        asks in its own name";
            inner.wrong("refresh_token", "there is nothing to get tokens with", help);
        }
        let good = inner.errors.is_empty();
        for error in inner.errors {
            self.errors.push(OptionError { key: format!("oauth.{}", error.key), ..error });
        }
        let (token_url, client_id) = url.zip(client_id).filter(|_| good)?;
        Some(OAuth { token_url, client_id, client_secret, refresh_token, scope })
    }

    fn folders(&mut self) -> Vec<String> {
        const HELP: &str = "write it as [\"INBOX\", \"Support\"]";
        let Some(value) = self.table.get("folders") else {
            return vec!["INBOX".to_owned()];
        };
        let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let texts = items.iter().filter_map(Value::as_str).filter(|name| names::is_folder(name));
        let mut texts: Vec<String> = texts.map(str::to_owned).collect();
        let all = texts.len();
        texts.sort();
        texts.dedup();
        if all == 0 || all != items.len() || all != texts.len() || all > FOLDERS_MAX {
            let message = format!("must be a list of 1 to {FOLDERS_MAX} different folders");
            self.wrong("folders", message, HELP);
        }
        texts
    }

    /// Whose mail it is, and how answers leave.
    fn mail(&mut self) -> Option<EmailOptions> {
        let parsed = EmailOptions::parse_mailbox(self.table);
        parsed.unwrap_or_else(|errors| {
            self.errors.extend(errors);
            None
        })
    }

    fn sent_folder(&mut self, folders: &[String], mail: Option<&EmailOptions>) -> Option<String> {
        if !self.table.contains_key("sent_folder") {
            return None;
        }
        let folder = self.needed("sent_folder", "write a folder such as `Sent`")?;
        if folders.contains(&folder) {
            let help = "write a folder that is not read";
            self.wrong("sent_folder", "this folder is read itself", help);
        } else if self.errors.is_empty() && mail.is_none_or(|mail| mail.smtp.is_none()) {
            self.wrong("sent_folder", "nothing is sent without smtp", "add [channels.smtp]");
        }
        Some(folder)
    }

    fn after(&mut self, folders: &[String]) -> After {
        let kinds = ["keep", "seen", "keyword", "move"].map(|kind| (kind, kind));
        let kind = self.one_of("after", &kinds).unwrap_or("keep");
        for (key, wanted) in [("keyword", "keyword"), ("move_to", "move")] {
            if self.table.contains_key(key) && kind != wanted {
                let message = format!("means nothing without `after = \"{wanted}\"`");
                self.wrong(key, message, "leave it out");
            }
        }
        match kind {
            "seen" => After::Seen,
            "keyword" => {
                let keyword = self.needed("keyword", "write a word such as `Postroom`");
                let keyword = keyword.unwrap_or_default();
                if !keyword.is_empty() && !names::is_keyword(&keyword) {
                    self.wrong("keyword", "must be one word", "write a word such as `Postroom`");
                }
                After::Keyword(keyword)
            }
            "move" => {
                let folder = self.needed("move_to", "write the folder that mails go to");
                let folder = folder.unwrap_or_default();
                if folders.contains(&folder) {
                    let help = "write a folder that is not read";
                    self.wrong("move_to", "this folder is read itself", help);
                }
                After::Move(folder)
            }
            _ => After::Nothing,
        }
    }
}

/// The name that was probably meant.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    const DISTANCE_MAX: usize = 2;
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let distances = known.iter().map(|known| (strsim::damerau_levenshtein(name, known), *known));
    distances.filter(|(distance, _)| *distance <= DISTANCE_MAX).min().map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Map, Value, json};

    use super::{After, ImapOptions, Pass, Security, SignIn, Start};

    /// A good table with these keys instead; null takes one out.
    fn table(changes: Value) -> Map<String, Value> {
        let good = json!({ "host": "imap.example.com", "username": "ada", "password": "canary" });
        let (Value::Object(mut table), Value::Object(changes)) = (good, changes) else {
            panic!("no table");
        };
        table.extend(changes);
        table.retain(|_, value| !value.is_null());
        table
    }

    #[test]
    fn little_is_needed_and_the_rest_is_careful() {
        let options = ImapOptions::parse(&table(json!({}))).unwrap();
        assert_eq!(
            (options.port, options.security, options.start),
            (993, Security::Tls, Start::Everything)
        );
        assert_eq!(
            (options.folders.as_slice(), &options.after),
            (&["INBOX".to_owned()][..], &After::Nothing)
        );
        assert_eq!(options.cursor("INBOX"), "INBOX of ada at imap.example.com");
        assert!(!format!("{options:?}").contains("canary"));
    }

    #[test]
    fn everything_can_be_said() {
        let oauth = json!({ "token_url": "https://login.example.com/token", "client_id": "id",
            "client_secret": "canary", "refresh_token": "canary\n", "scope": "mail" });
        let options = ImapOptions::parse(&table(json!({
            "password": null, "oauth": oauth, "security": "starttls", "folders": ["INBOX", "台北"],
            "start": "new", "after": "move", "move_to": "Done", "poll_s": 5, "message_bytes_max": 100_000,
        })));
        let options = options.unwrap();
        assert_eq!((options.port, options.poll), (143, Some(Duration::from_secs(5))));
        assert_eq!(options.after, After::Move("Done".to_owned()));
        let SignIn::OAuth(oauth) = &options.sign_in else { panic!("{options:?}") };
        assert_eq!(oauth.refresh_token.as_deref(), Some("canary"));
        assert!(!format!("{options:?} {oauth:?}").contains("canary"));
    }

    #[test]
    fn answers_leave_in_the_name_of_who_reads_unless_somebody_else_is_named() {
        let mail = |smtp: Value, more: Value| {
            let own = json!({ "address": "support@example.com", "smtp": smtp,
                "token_secret": "canary-canary-canary" });
            let mut changes = own.as_object().unwrap().clone();
            changes.extend(more.as_object().unwrap().clone());
            ImapOptions::parse(&table(Value::Object(changes))).unwrap()
        };
        let login = |options: &ImapOptions| {
            options.mail.as_ref().unwrap().smtp.as_ref().unwrap().login.clone()
        };
        let own = mail(json!({ "host": "smtp.example.com" }), json!({ "sent_folder": "Sent" }));
        let password = Pass::Password("canary".to_owned());
        assert_eq!(
            login(&own).map(|login| (login.user, login.pass)),
            Some(("ada".to_owned(), password))
        );
        assert_eq!(own.sent_folder.as_deref(), Some("Sent"));
        assert!(!format!("{own:?}").contains("canary"));
        let oauth = json!({ "token_url": "https://login.example.com/token", "client_id": "id",
            "client_secret": "canary" });
        let tokens = json!({ "password": null, "oauth": oauth });
        let tokens = mail(json!({ "host": "smtp.example.com" }), tokens);
        assert!(login(&tokens).is_some_and(|login| login.pass == Pass::Token));
        let other = json!({ "host": "smtp.example.com", "user": "bob", "password": "b" });
        assert!(login(&mail(other, json!({}))).is_some_and(|login| login.user == "bob"));
        let clear = json!({ "host": "127.0.0.1", "tls": "none" });
        assert_eq!(login(&mail(clear, json!({}))), None);
    }

    #[test]
    fn every_mistake_is_told_with_its_key() {
        for (changes, key, words) in [
            (
                json!({"smtp": {"host": "a"}, "token_secret": "0123456789abcdef"}),
                "address",
                "has an address",
            ),
            (
                json!({"address": "a@example.com", "smtp": {"host": "a"}}),
                "token_secret",
                "needs one",
            ),
            (json!({"address": "a@example.com", "listen": {}}), "listen", "no such key"),
            (json!({"sent_folder": "Sent"}), "sent_folder", "nothing is sent"),
            (json!({"sent_folder": "INBOX"}), "sent_folder", "read itself"),
            (json!({"host": null}), "host", "missing"),
            (json!({"host": "a\r\nb"}), "host", "one line"),
            (json!({"username": 5}), "username", "must be text"),
            (json!({"password": null}), "password", "nothing to sign in"),
            (json!({"password": "a\nb"}), "password", "one line"),
            (json!({"oauth": {}}), "password", "more than one"),
            (json!({"port": 0}), "port", "1 to 65535"),
            (json!({"security": "ssl"}), "security", "none of the choices"),
            (json!({"folders": []}), "folders", "1 to"),
            (json!({"folders": ["A", "A"]}), "folders", "different"),
            (json!({"folders": "INBOX"}), "folders", "list"),
            (json!({"after": "delete"}), "after", "choices"),
            (json!({"after": "move"}), "move_to", "missing"),
            (json!({"after": "move", "move_to": "INBOX"}), "move_to", "read itself"),
            (json!({"after": "keyword", "keyword": "a b"}), "keyword", "one word"),
            (json!({"move_to": "Done"}), "move_to", "means nothing"),
            (json!({"poll_s": 0}), "poll_s", "1 to"),
            (json!({"hots": "x"}), "hots", "no such key"),
            (
                json!({"password": null, "oauth": {"token_url": "https://x.example", "client_id": "i"}}),
                "oauth.refresh_token",
                "nothing to get tokens",
            ),
            (
                json!({"password": null, "oauth": {"token_url": "file:///x", "client_id": "i",
                "refresh_token": "canary"}}),
                "oauth.token_url",
                "http",
            ),
        ] {
            let errors = ImapOptions::parse(&table(changes)).unwrap_err();
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert_eq!(errors[0].key, key, "{errors:?}");
            assert!(errors[0].message.contains(words), "{errors:?}");
            assert!(!format!("{errors:?}").contains("canary"));
        }
    }
}
