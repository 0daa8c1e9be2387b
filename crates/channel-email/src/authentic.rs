//! Whether a mail is from whom it says: what a server of ours, or we ourselves, found (RFC 8601).

mod resinfo;

use self::resinfo::Finding;
use crate::addresses;

/// What is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The domain of the sender stands behind it.
    Pass,
    /// The domain asks not to take it for its own.
    Fail,
    /// Nobody says anything.
    None,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::None => "none",
        }
    }
}

/// The values of every field of that name, unfolded, in order.
pub(crate) fn fields<'a>(raw: &'a [u8], name: &'a str) -> impl Iterator<Item = String> + 'a {
    let mut lines = raw.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end).peekable();
    std::iter::from_fn(move || {
        loop {
            let line = lines.next().filter(|line| !line.is_empty())?;
            let mut value = line.to_vec();
            while let Some(more) =
                lines.next_if(|line| line.starts_with(b" ") || line.starts_with(b"\t"))
            {
                value.push(b' ');
                value.extend_from_slice(more.trim_ascii());
            }
            let text = String::from_utf8_lossy(&value);
            if let Some((key, value)) = text.split_once(':')
                && key.trim_end().eq_ignore_ascii_case(name)
            {
                return Some(value.trim().to_owned());
            }
        }
    })
}

/// What `server` found. Its topmost field counts, and no other server's; a further one of its own, as
/// programs beside it write them, can only refute. None if it wrote none.
pub(crate) fn results(raw: &[u8], server: &str, sender: Option<&str>) -> Option<Verdict> {
    let mut own = fields(raw, "Authentication-Results").filter_map(|value| {
        let found = resinfo::read(&value.to_lowercase());
        let (id, results) = found.split_first()?;
        (id.method == server).then(|| judged(results, sender))
    });
    let first = own.next()?;
    Some(if own.any(|further| further == Verdict::Fail) { Verdict::Fail } else { first })
}

/// What follows from results, which are in lower case, for mail from this sender.
pub(crate) fn verdict(results: &str, sender: Option<&str>) -> Verdict {
    judged(&resinfo::read(results), sender)
}

/// Whether a mail names one sender, as it must (RFC 5322, 3.6.2), in a way that everybody reads alike.
/// Else one is checked and another one shown.
pub(crate) fn names_one_sender(raw: &[u8]) -> bool {
    let mut from = fields(raw, "From");
    let (Some(value), None) = (from.next(), from.next()) else { return false };
    let parties = addresses::parse(value.as_bytes());
    let [party] = parties.as_slice() else { return false };
    // Some look up a domain with a dot behind it, and some do not.
    let dotted = value.trim_end().trim_end_matches('>').trim_end().ends_with('.');
    party.address.is_some() && !dotted
}

fn judged(results: &[Finding], sender: Option<&str>) -> Verdict {
    let domain = sender.and_then(|sender| Some(sender.rsplit_once('@')?.1.to_lowercase()));
    let domain = domain.as_deref();
    let mut aligned = false;
    let mut refuted = false;
    for result in results {
        match (result.method.as_str(), result.value.as_str()) {
            // What it is about must be who is shown: else the server read another sender than we do.
            ("dmarc", "pass") if result.names(&["header.from"], domain) == Some(false) => {
                return Verdict::Fail;
            }
            ("dmarc", "pass") => aligned = true,
            ("dmarc", "fail") if !result.asks_for_nothing() => return Verdict::Fail,
            // A domain that asks for nothing says nothing.
            ("dmarc", "fail") => refuted = true,
            ("dkim", "pass") => {
                aligned |= result.names(&["header.d", "header.i"], domain).unwrap_or(false);
            }
            ("spf", "pass") => aligned |= result.names(&["smtp.mailfrom"], domain).unwrap_or(false),
            _ => {}
        }
    }
    if aligned && !refuted { Verdict::Pass } else { Verdict::None }
}

impl Finding {
    /// Whether one of the properties names the domain of the sender, or one above it; none if there is
    /// no such property.
    fn names(&self, properties: &[&str], domain: Option<&str>) -> Option<bool> {
        let mut named =
            self.properties.iter().filter(|(key, _)| properties.contains(&key.as_str()));
        let mut first = named.next();
        first?;
        let Some(domain) = domain else { return Some(false) };
        while let Some((_, value)) = first {
            let value = value.rsplit('@').next().unwrap_or_default();
            let value = value.trim_end_matches('.');
            // A top-level domain stands behind nobody.
            let above = || domain.strip_suffix(value).is_some_and(|head| head.ends_with('.'));
            if value.contains('.') && (value == domain || above()) {
                return Some(true);
            }
            first = named.next();
        }
        Some(false)
    }

    /// Whether the published policy is none; that for subdomains, `sp`, is another matter.
    fn asks_for_nothing(&self) -> bool {
        let named = ["policy.dmarc", "policy.published-domain-policy"];
        self.comments.iter().any(|word| word == "p=none")
            || self
                .properties
                .iter()
                .any(|(key, value)| named.contains(&key.as_str()) && value == "none")
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, fields, names_one_sender, results, verdict};

    #[test]
    fn only_the_topmost_field_of_the_configured_server_counts() {
        let of = |lines: &str| {
            let mail = format!(
                "{lines}From: ada@example.com\r\n\r\nAuthentication-Results: mx; dmarc=fail\r\n"
            );
            results(mail.as_bytes(), "mx", Some("ada@mail.example.com"))
        };
        for (lines, verdict) in [
            ("", None),
            ("Authentication-Results: other; dmarc=pass\r\n", None),
            ("Authentication-Results: mx; none\r\n", Some(Verdict::None)),
            (
                "Authentication-Results: mx 1; dmarc=pass header.from=example.com\r\n",
                Some(Verdict::Pass),
            ),
            (
                "Authentication-Results: MX;\r\n\tspf=fail;\r\n\tdmarc=fail (p=REJECT)\r\n",
                Some(Verdict::Fail),
            ),
            ("Authentication-Results: mx; dmarc=fail (p=NONE)\r\n", Some(Verdict::None)),
            ("Authentication-Results: mx; dkim=pass header.d=example.com\r\n", Some(Verdict::Pass)),
            (
                "Authentication-Results: mx; dkim=pass header.i=@example.com\r\n",
                Some(Verdict::Pass),
            ),
            ("Authentication-Results: mx; dkim=pass header.d=example.org\r\n", Some(Verdict::None)),
            ("Authentication-Results: mx; dkim=pass header.d=com\r\n", Some(Verdict::None)),
            ("Authentication-Results: mx; dkim=pass header.d=le.com\r\n", Some(Verdict::None)),
            (
                "Authentication-Results: mx; spf=pass smtp.mailfrom=a@mail.example.com\r\n",
                Some(Verdict::Pass),
            ),
            (
                "Authentication-Results: mx; dmarc=fail\r\nAuthentication-Results: mx; dmarc=pass\r\n",
                Some(Verdict::Fail),
            ),
            (
                "Authentication-Results: mx; spf=pass smtp.mailfrom=example.com\r\n\
                 Authentication-Results: mx; dmarc=fail (p=reject)\r\n",
                Some(Verdict::Fail),
            ),
            (
                "Authentication-Results: mx; dkim=none\r\nAuthentication-Results: mx; dmarc=pass\r\n",
                Some(Verdict::None),
            ),
        ] {
            assert_eq!(of(lines), verdict, "{lines}");
        }
    }

    #[test]
    fn what_the_sender_wrote_into_it_proves_nothing() {
        for (results, expected) in [
            ("dmarc=pass header.from=example.org", Verdict::Fail),
            ("dmarc=pass header.from=mail.example.com", Verdict::Pass),
            ("dmarc=fail (p=reject sp=none dis=none) header.from=example.com", Verdict::Fail),
            ("dmarc=fail (p=none sp=reject) header.from=example.com", Verdict::None),
            ("dmarc=fail policy.dmarc=none; dkim=pass header.d=example.com", Verdict::None),
            (
                "spf=pass (mailfrom) smtp.mailfrom=a.example (client-ip=::1; helo=x;dmarc=pass; x)",
                Verdict::None,
            ),
            (
                "spf=pass smtp.mailfrom=\"; dmarc=pass \"@a.example; dmarc=fail (p=reject)",
                Verdict::Fail,
            ),
            ("spf=pass smtp.mailfrom=\"x smtp.mailfrom=example.com y\"@a.example", Verdict::None),
            ("spf=pass smtp.mailfrom=\"x\\\" smtp.mailfrom=example.com\"@a.example", Verdict::None),
            ("dkim=pass (a (b) \\) dkim=pass) header.d=a.example", Verdict::None),
            ("dkim=pass (header.d=example.com", Verdict::None),
        ] {
            assert_eq!(verdict(results, Some("ada@mail.example.com")), expected, "{results}");
        }
    }

    #[test]
    fn one_sender_is_one_field_with_one_address() {
        for (header, one) in [
            ("From: Ada <ada@example.com>\r\n", true),
            ("From: \"Byron, Ada\" <ada@example.com>\r\nSender: b@example.org\r\n", true),
            ("From: ada@example.com, b@example.org\r\n", false),
            ("From: ada@example.com\r\nFrom: b@example.org\r\n", false),
            ("Sender: ada@example.com\r\n", false),
            ("From: nobody\r\nSender: ada@example.com\r\n", false),
            ("From: ada@example.com.\r\n", false),
        ] {
            assert_eq!(names_one_sender(header.as_bytes()), one, "{header}");
        }
    }

    #[test]
    fn fields_are_unfolded_and_end_with_the_header() {
        let mail = b"A: 1\r\nB: x\r\n y\r\n\tz\nb : 2\n\nB: body";
        assert_eq!(fields(mail, "B").collect::<Vec<_>>(), ["x y z", "2"]);
        assert_eq!(fields(b"", "B").count(), 0);
    }
}
