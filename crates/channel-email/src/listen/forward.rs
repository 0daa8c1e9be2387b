//! What a mail server that delivers by LMTP tells of the client that it had itself: `XFORWARD`, as
//! Postfix speaks it.

use std::net::IpAddr;

use crate::limits::PATH_BYTES_MAX;

const COMMAND: &str = "XFORWARD ";

/// Whom the server had before it; nobody, where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Forward {
    pub(super) client: Option<IpAddr>,
    /// The name by which the client greeted.
    pub(super) hello: String,
}

impl Forward {
    /// What may be told.
    pub(super) const KEYS: &str = "NAME ADDR PORT PROTO HELO IDENT SOURCE";

    /// What stands behind the command, if it is this one.
    pub(super) fn line(line: &[u8]) -> Option<&str> {
        let line = std::str::from_utf8(line).ok()?;
        let (command, told) = line.split_at_checked(COMMAND.len())?;
        command.eq_ignore_ascii_case(COMMAND).then_some(told)
    }

    pub(super) fn take(&mut self, told: &str) {
        for word in told.split_whitespace() {
            match word.split_once('=') {
                Some((key, value)) if key.eq_ignore_ascii_case("ADDR") => {
                    let head = value.get(..5).filter(|head| head.eq_ignore_ascii_case("IPV6:"));
                    let address = head.and_then(|head| value.get(head.len()..)).unwrap_or(value);
                    self.client = address.parse().ok();
                }
                // Names that are none, such as [UNAVAILABLE], are not asked about.
                Some((key, value)) if key.eq_ignore_ascii_case("HELO") => {
                    let known = value.len() <= PATH_BYTES_MAX && !value.starts_with('[');
                    self.hello = if known { value.to_owned() } else { String::new() };
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Forward;

    #[test]
    fn client_is_who_the_server_names() {
        for (lines, client, hello) in [
            (
                &["XFORWARD NAME=a ADDR=192.0.2.1 PROTO=ESMTP", "xforward HELO=mx.a"][..],
                "192.0.2.1",
                "mx.a",
            ),
            (&["XFORWARD ADDR=IPv6:2001:db8::1"], "2001:db8::1", ""),
            (
                &["XFORWARD ADDR=192.0.2.1", "XFORWARD ADDR=[UNAVAILABLE] HELO=[UNAVAILABLE]"],
                "",
                "",
            ),
            (&["XFORWARD"], "", ""),
            (&["XFORWARD ADDR=x HELO"], "", ""),
        ] {
            let mut forward = Forward::default();
            for line in lines {
                if let Some(told) = Forward::line(line.as_bytes()) {
                    forward.take(told);
                }
            }
            assert_eq!(forward, Forward { client: client.parse().ok(), hello: hello.to_owned() });
        }
        assert_eq!(Forward::line(b"NOOP"), None);
        assert_eq!(Forward::line(b"XFORWARDED ADDR=1"), None);
    }
}
