//! The server through which answers leave.

use std::fmt;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::table::Table;
use crate::limits::{SMTP_TIMEOUT_S_DEFAULT, SMTP_TIMEOUT_S_MAX};

const KEYS: [&str; 8] = ["ca", "hello", "host", "password", "port", "timeout_s", "tls", "user"];

/// When the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// From the first byte.
    Implicit,
    /// By STARTTLS, or nothing is sent.
    StartTls,
    /// Never: for a server on the same machine.
    None,
}

/// Who sends.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub pass: Pass,
}

/// By what the server lets somebody in.
#[derive(Clone, PartialEq, Eq)]
pub enum Pass {
    Password(String),
    /// A token that is asked for when it is wanted (XOAUTH2).
    Token,
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password",
            Self::Token => "Token",
        })
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpOptions {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub login: Option<Login>,
    /// The name that it is greeted with.
    pub hello: Option<String>,
    /// A further authority to trust, in PEM.
    pub ca: Option<String>,
    /// How long it may take until the server is ready for the mail.
    pub timeout: Duration,
}

impl SmtpOptions {
    pub(super) fn parse(mut table: Table<'_>) -> Option<Self> {
        table.only(&KEYS);
        let host = host(&mut table);
        let security = security(&mut table);
        let port = match security {
            Some(Security::Implicit) => 465,
            Some(Security::None) => 25,
            _ => 587,
        };
        let port = table.number("port", 1..=u64::from(u16::MAX), port);
        let login = login(&mut table);
        if login.is_some() && security == Some(Security::None) {
            let help = "write `starttls` or `implicit`";
            table.mistake("tls", "a password is not sent in the clear", help);
        }
        let timeout_s = table.number("timeout_s", 1..=SMTP_TIMEOUT_S_MAX, SMTP_TIMEOUT_S_DEFAULT);
        let ca = ca(&mut table);
        let hello = table.line("hello").map(str::to_owned);
        Some(Self {
            host: host?,
            port: u16::try_from(port).unwrap_or(587),
            security: security?,
            login,
            hello,
            ca,
            timeout: Duration::from_secs(timeout_s),
        })
    }
}

fn host(table: &mut Table<'_>) -> Option<String> {
    let help = "write the name of the server, such as `smtp.example.com`, without the port";
    let text = table.line("host");
    let good = |host: &&str| {
        !host.contains(['/', '@'])
            && !host.contains(char::is_whitespace)
            && (!host.contains(':') || host.parse::<std::net::Ipv6Addr>().is_ok())
    };
    let host = text.filter(good);
    if host.is_none() && (text.is_some() || !table.has("host")) {
        table.mistake("host", "names no server", help);
    }
    host.map(str::to_owned)
}

fn security(table: &mut Table<'_>) -> Option<Security> {
    match table.line("tls") {
        None if table.has("tls") => None,
        None | Some("starttls") => Some(Security::StartTls),
        Some("implicit") => Some(Security::Implicit),
        Some("none") => Some(Security::None),
        Some(_) => {
            let help = "write `starttls` (port 587), `implicit` (port 465) or `none`";
            table.mistake("tls", "there is no such way", help);
            None
        }
    }
}

fn login(table: &mut Table<'_>) -> Option<Login> {
    let (user, password) = (table.line("user"), table.line("password"));
    if table.has("user") != table.has("password") {
        let help = "write `user` and `password_file`, or neither";
        table.mistake("user", "a user and a password go together", help);
    }
    let (user, password) = (user?.to_owned(), password?.to_owned());
    Some(Login { user, pass: Pass::Password(password) })
}

fn ca(table: &mut Table<'_>) -> Option<String> {
    let text = table.text("ca")?;
    let mut certificates = CertificateDer::pem_slice_iter(text.as_bytes());
    if !matches!(certificates.next(), Some(Ok(_))) {
        table.mistake("ca", "is no certificate in PEM", "name the file with `ca_file`");
        return None;
    }
    Some(text.to_owned())
}
