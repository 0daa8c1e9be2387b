//! With which key answers are signed (RFC 6376).

use std::fmt;

use super::table::Table;
use crate::send::Signer;

const KEYS: [&str; 3] = ["domain", "key", "selector"];

/// Selector, domain and key.
#[derive(Clone, PartialEq, Eq)]
pub struct DkimOptions {
    pub domain: String,
    pub selector: String,
    /// PEM: RSA or Ed25519.
    pub(crate) key: String,
}

impl fmt::Debug for DkimOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DkimOptions")
            .field("domain", &self.domain)
            .field("selector", &self.selector)
            .finish_non_exhaustive()
    }
}

impl DkimOptions {
    /// `own` is the domain of the channel's address.
    pub(super) fn parse(mut table: Table<'_>, own: Option<&str>) -> Option<Self> {
        table.only(&KEYS);
        let domain = match table.line("domain") {
            Some(domain) => Some(domain.to_lowercase()),
            None => own.map(str::to_owned),
        };
        let name = |text: &str| text.chars().all(|c| c.is_alphanumeric() || ".-_".contains(c));
        let selector = table.line("selector").map(str::to_owned).filter(|text| name(text));
        if selector.is_none() {
            let help = "write the name before `._domainkey` in the DNS";
            table.mistake("selector", "must be a name", help);
        }
        if domain.as_deref().is_some_and(|domain| !name(domain)) {
            table.mistake("domain", "is no domain", "write it as `example.com`");
        }
        let Some(key) = table.text("key").map(str::to_owned) else {
            if !table.has("key") {
                table.mistake("key", "must be set", "name the file with `key_file`");
            }
            return None;
        };
        let options = Self { domain: domain?, selector: selector?, key };
        if Signer::new(&options).is_err() {
            let help =
                "make one with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`";
            table.mistake("key", "is no private key, RSA or Ed25519, in PEM", help);
            return None;
        }
        Some(options)
    }
}
