//! The options of a mail channel, parsed and checked. Reads no file and no environment.

mod dkim;
mod listen;
mod proof;
mod smtp;
mod table;

use std::fmt;

use postroom_channel::OptionError;
use postroom_model::Address;
use serde_json::{Map, Value};

pub use self::dkim::DkimOptions;
pub use self::listen::{ListenOptions, Protocol, TlsFiles};
pub use self::proof::ProofOptions;
pub use self::smtp::{Login, Pass, Security, SmtpOptions};
use self::table::Table;
use crate::limits::{ADDRESS_LOCAL_BYTES_MAX, ALIASES_MAX, TOKEN_SECRET_BYTES_MIN};
use crate::token::TAG_CHARS;

const KEYS: [&str; 9] = [
    "address",
    "aliases",
    "authserv_id",
    "dkim",
    "listen",
    "name",
    "previous_token_secret",
    "smtp",
    "token_secret",
];

/// Those of them that a mailbox which is fetched has as well.
const MAILBOX_KEYS: [&str; 8] = [
    "address",
    "aliases",
    "authserv_id",
    "dkim",
    "name",
    "previous_token_secret",
    "smtp",
    "token_secret",
];

/// A channel's own options, checked.
#[derive(Clone)]
pub struct EmailOptions {
    /// What customers write to, and what answers come from.
    pub address: MailAddress,
    /// Further addresses whose mail belongs to the channel.
    pub aliases: Vec<MailAddress>,
    /// The name beside the address in answers; that of the agent, if there is none.
    pub name: Option<String>,
    /// The server whose `Authentication-Results` are believed.
    pub authserv_id: Option<String>,
    pub listen: Option<ListenOptions>,
    pub smtp: Option<SmtpOptions>,
    pub dkim: Option<DkimOptions>,
    /// What reply addresses are signed with: the secret, and the one before while it is replaced.
    pub token_secrets: Vec<Vec<u8>>,
}

/// A mail address that can stand in a header and in an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailAddress {
    pub local: String,
    /// In lower case.
    pub domain: String,
}

impl fmt::Debug for EmailOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmailOptions")
            .field("address", &self.address)
            .field("aliases", &self.aliases)
            .field("listen", &self.listen)
            .field("smtp", &self.smtp)
            .field("dkim", &self.dkim)
            .finish_non_exhaustive()
    }
}

impl MailAddress {
    /// Letters, digits and the few signs that need no quotation marks.
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.trim().rsplit_once('@')?;
        let plain = |c: char| c.is_alphanumeric() || "!#$%&'*/=?^_`{|}~.-+".contains(c);
        let good = !local.is_empty()
            && local.len() <= ADDRESS_LOCAL_BYTES_MAX
            && local.chars().all(plain)
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..");
        let label = |label: &str| {
            let edge = label.starts_with('-') || label.ends_with('-');
            !label.is_empty() && !edge && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        };
        let good = good && domain.split('.').all(label);
        good.then(|| Self { local: local.to_owned(), domain: domain.to_lowercase() })
    }

    /// As the model writes it.
    pub fn to_address(&self) -> Option<Address> {
        Address::mail(&self.to_string()).ok()
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

impl EmailOptions {
    /// Reads the keys of the channel's table that are not common to all channels. All mistakes are
    /// told at once, none with a secret.
    pub fn parse(table: &Map<String, Value>) -> Result<Self, Vec<OptionError>> {
        let mut errors = Vec::new();
        let mut root = Table::new("", table, &mut errors);
        root.only(&KEYS);
        let address = own_address(&mut root);
        let aliases = aliases(&mut root);
        let name = root.line("name").map(str::to_owned);
        let authserv_id = root.line("authserv_id").map(str::to_lowercase);
        let token_secrets = token_secrets(&mut root);
        let listen = root.inner("listen").map(ListenOptions::parse).unwrap_or_default();
        let smtp = root.inner("smtp").map(SmtpOptions::parse).unwrap_or_default();
        let domain = address.as_ref().map(|address| address.domain.as_str());
        let dkim =
            root.inner("dkim").map(|table| DkimOptions::parse(table, domain)).unwrap_or_default();
        if table.contains_key("smtp") && token_secrets.is_empty() && !root.has_mistake() {
            let help = "name a file with `token_secret_file` and let `token_secret_file_create = \
                        true` make it";
            root.mistake("token_secret", "a channel that sends needs one", help);
        }
        let asked = table.get("listen").and_then(|listen| listen.get("verify"));
        if authserv_id.is_some() && asked == Some(&Value::Bool(true)) {
            let help =
                "leave one of them out: the server before this one checks senders, or this one";
            root.mistake("listen.verify", "authserv_id names who checks senders", help);
        }
        if smtp.is_none() && table.contains_key("dkim") && !table.contains_key("smtp") {
            root.mistake("dkim", "nothing is sent without smtp", "add [channels.smtp]");
        }
        match (address, errors.is_empty()) {
            (Some(address), true) => {
                Ok(Self { address, aliases, name, authserv_id, listen, smtp, dkim, token_secrets })
            }
            _ => Err(errors),
        }
    }

    /// What a mailbox that is fetched may name of these.
    pub fn mailbox_keys() -> &'static [&'static str] {
        &MAILBOX_KEYS
    }

    /// Reads those keys of a mailbox's table; none if it has none of them.
    pub fn parse_mailbox(table: &Map<String, Value>) -> Result<Option<Self>, Vec<OptionError>> {
        let own = table.iter().filter(|(key, _)| MAILBOX_KEYS.contains(&key.as_str()));
        let own: Map<String, Value> =
            own.map(|(key, value)| (key.clone(), value.clone())).collect();
        if own.is_empty() {
            return Ok(None);
        }
        Self::parse(&own).map(Some)
    }

    /// Every address whose mail belongs to the channel.
    pub fn addresses(&self) -> impl Iterator<Item = &MailAddress> {
        std::iter::once(&self.address).chain(&self.aliases)
    }
}

fn own_address(root: &mut Table<'_>) -> Option<MailAddress> {
    let help = "write the address that customers write to, such as `support@example.com`";
    let Some(text) = root.line("address") else {
        if !root.has("address") {
            root.mistake("address", "a mail channel has an address", help);
        }
        return None;
    };
    let address = MailAddress::parse(text);
    match &address {
        None => root.mistake("address", "is no mail address", help),
        Some(address) if address.local.len() + 1 + TAG_CHARS > ADDRESS_LOCAL_BYTES_MAX => {
            let most = ADDRESS_LOCAL_BYTES_MAX - 1 - TAG_CHARS;
            let message = format!("what stands before the @ has at most {most} bytes");
            root.mistake("address", message, "answers carry a sign behind it; take a shorter one");
        }
        Some(_) => {}
    }
    address
}

fn aliases(root: &mut Table<'_>) -> Vec<MailAddress> {
    let texts = root.lines("aliases", ALIASES_MAX);
    let parsed: Vec<_> = texts.iter().map(|text| MailAddress::parse(text)).collect();
    if parsed.iter().any(Option::is_none) {
        let help = "write them as [\"help@example.com\"]";
        root.mistake("aliases", "one of them is no mail address", help);
    }
    parsed.into_iter().flatten().collect()
}

fn token_secrets(root: &mut Table<'_>) -> Vec<Vec<u8>> {
    let mut secrets = Vec::new();
    for key in ["token_secret", "previous_token_secret"] {
        let Some(text) = root.text(key) else { continue };
        let bytes = text.trim().as_bytes();
        if bytes.len() < TOKEN_SECRET_BYTES_MIN {
            let message = format!(
                "a secret has at least {TOKEN_SECRET_BYTES_MIN} bytes; this one has {}",
                bytes.len()
            );
            root.mistake(key, message, "let `token_secret_file_create = true` make one");
        } else {
            secrets.push(bytes.to_vec());
        }
    }
    secrets
}

#[cfg(test)]
mod tests;
