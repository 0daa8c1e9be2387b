//! A mail server that tests start, and customers who write by it.

mod customer;
mod postfix;

use std::net::SocketAddr;

use crate::process::config;

pub use self::customer::{Delivered, Mailbox, submit};
pub use self::postfix::{Postfix, Refuser, free_port};

/// The same, where senders are checked by the answers of this name server.
pub fn config_with_checks(port: u16, server: SocketAddr, dns: SocketAddr) -> String {
    let checks = format!("protocol = \"lmtp\"\nverify = true\ndns = [\"{dns}\"]\n");
    config_with_mail(port, server).replace("protocol = \"lmtp\"\n", &checks)
}

/// A whole configuration with a mail channel beside the others: mail comes in at `port`, answers leave
/// through `server`.
pub fn config_with_mail(port: u16, server: SocketAddr) -> String {
    let (host, out) = (server.ip(), server.port());
    format!(
        r#"{}
[[channels]]
id = "mail"
kind = "email"
address = "support@postroom.test"
name = "Support"
token_secret = "a secret that the tests may know"

[channels.listen]
protocol = "lmtp"
address = "127.0.0.1:{port}"

[channels.smtp]
host = "{host}"
port = {out}
tls = "none"
"#,
        config("")
    )
}
