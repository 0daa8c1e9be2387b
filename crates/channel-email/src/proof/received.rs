//! Whom a mail server had before it, as it wrote into its own `Received` field (RFC 5321, 4.4). Only the
//! topmost field of the server that the operator names counts: what stands below it, anybody wrote.

use std::net::IpAddr;

use mail_parser::parsers::MessageStream;
use mail_parser::{HeaderValue, Host};

use crate::authentic;
use crate::limits::PATH_BYTES_MAX;

/// The client of this server, and the name by which it greeted.
pub(super) fn client(mail: &[u8], server: &str) -> Option<(IpAddr, String)> {
    authentic::fields(mail, "Received").find_map(|value| {
        let line = format!("{value}\n");
        let HeaderValue::Received(told) = MessageStream::new(line.as_bytes()).parse_received()
        else {
            return None;
        };
        let by_server = matches!(&told.by, Some(Host::Name(by)) if by.eq_ignore_ascii_case(server));
        // A field of the server that names nobody ends the search, too.
        by_server.then(|| {
            // What is in brackets at the start is the client only where its greeting is told apart.
            let bare = match told.from {
                Some(Host::IpAddr(ip)) if told.helo_cmd.is_some() => Some(ip),
                _ => None,
            };
            let client = told.from_ip.or(bare)?;
            let hello = match told.helo.as_ref().or(told.from.as_ref()) {
                Some(Host::Name(name)) if name.len() <= PATH_BYTES_MAX => name.to_string(),
                _ => String::new(),
            };
            Some((client, hello))
        })
    })?
}

#[cfg(test)]
mod tests {
    use super::client;

    const DATE: &str = "Sat, 28 Nov 2026 10:00:00 +0000";

    #[test]
    fn client_is_whom_the_named_server_met() {
        let good = Some(("192.0.2.1", "mail.example.net"));
        for (fields, met) in [
            (&[][..], None),
            // Postfix, Exim and sendmail.
            (
                &[
                    "from mail.example.net (mail.example.net [192.0.2.1])\r\n\tby MX.example.com (Postfix) with ESMTPS",
                ],
                good,
            ),
            (
                &[
                    "from [192.0.2.1] (helo=mail.example.net)\r\n\tby mx.example.com with esmtp (Exim 4.96) id 1r-0",
                ],
                good,
            ),
            (
                &[
                    "from mail.example.net (x [IPv6:2001:db8::1]) by mx.example.com (8.17.1/8.17.1) with ESMTP id 3A",
                ],
                Some(("2001:db8::1", "mail.example.net")),
            ),
            // A greeting that looks like an address.
            (
                &[
                    "from [192.0.2.1] (unknown [198.51.100.7]) by mx.example.com (Postfix) with SMTP id 4F",
                ],
                Some(("198.51.100.7", "")),
            ),
            (
                &[
                    "from [198.51.100.7] (helo=[192.0.2.1]) by mx.example.com with esmtp (Exim 4.96) id 1r-0",
                ],
                Some(("198.51.100.7", "")),
            ),
            // A relay of ours before it; what others wrote below does not count.
            (
                &[
                    "from mx.example.com (mx [10.0.0.2]) by inner.example.com with LMTP id 1",
                    "from a.test (a.test [198.51.100.7]) by mx.example.com with ESMTP id 2",
                    "from mail.example.net (x [192.0.2.1]) by mx.example.com with ESMTP id 3",
                ],
                Some(("198.51.100.7", "a.test")),
            ),
            (
                &[
                    "by mx.example.com (Postfix, from userid 0) id 7",
                    "from a (a [192.0.2.1]) by mx.example.com with ESMTP id 2",
                ],
                None,
            ),
            (&["from a (a [192.0.2.1]) by evil.test with ESMTP id 2"], None),
            (&["nonsense ((("], None),
        ] {
            let head: Vec<String> =
                fields.iter().map(|field| format!("Received: {field}; {DATE}\r\n")).collect();
            let head = head.concat();
            let body = "Received: from a ([192.0.2.9]) by mx.example.com";
            let mail = format!("{head}From: ada@example.net\r\n\r\n{body}\r\n");
            let found = client(mail.as_bytes(), "mx.example.com");
            let found = found.map(|(ip, hello)| (ip.to_string(), hello));
            let met = met.map(|(ip, hello)| (ip.to_owned(), hello.to_owned()));
            assert_eq!(found, met, "{head}");
        }
    }
}
