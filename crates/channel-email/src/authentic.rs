//! Whether a mail is from whom it says: what a server of ours, or we ourselves, found (RFC 8601).

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

/// What `server` found: its topmost field counts, and no other server's. None if it wrote none.
pub(crate) fn results(raw: &[u8], server: &str, sender: Option<&str>) -> Option<Verdict> {
    fields(raw, "Authentication-Results").find_map(|value| {
        let value = value.to_lowercase();
        let (id, results) = value.split_once(';').unwrap_or((&value, ""));
        let id = id.split_whitespace().next()?;
        (id == server).then(|| verdict(results, sender))
    })
}

/// What follows from results, which are in lower case, for mail from this sender.
pub(crate) fn verdict(results: &str, sender: Option<&str>) -> Verdict {
    let domain = sender.and_then(|sender| Some(sender.rsplit_once('@')?.1.to_lowercase()));
    let domain = domain.as_deref();
    let mut aligned = false;
    for result in results.split(';').map(str::trim) {
        let word = result.split([' ', '\t', '(']).next().unwrap_or_default();
        match word.split_once('=') {
            Some(("dmarc", "pass")) => return Verdict::Pass,
            // A domain that asks for nothing says nothing.
            Some(("dmarc", "fail")) if result.contains("p=none") => {}
            Some(("dmarc", "fail")) => return Verdict::Fail,
            Some(("dkim", "pass")) => aligned |= names(result, &["header.d=", "header.i="], domain),
            Some(("spf", "pass")) => aligned |= names(result, &["smtp.mailfrom="], domain),
            _ => {}
        }
    }
    if aligned { Verdict::Pass } else { Verdict::None }
}

/// Whether a property names the domain of the sender, or one above it.
fn names(result: &str, properties: &[&str], domain: Option<&str>) -> bool {
    let Some(domain) = domain else { return false };
    result.split_whitespace().any(|word| {
        let value = properties.iter().find_map(|property| word.strip_prefix(property));
        let value = value.map(|value| value.rsplit('@').next().unwrap_or_default());
        value.is_some_and(|value| {
            let value = value.trim_matches(|c| matches!(c, '"' | '.'));
            // A top-level domain stands behind nobody.
            value.contains('.')
                && (value == domain
                    || domain.strip_suffix(value).is_some_and(|head| head.ends_with('.')))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{Verdict, fields, results};

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
        ] {
            assert_eq!(of(lines), verdict, "{lines}");
        }
    }

    #[test]
    fn fields_are_unfolded_and_end_with_the_header() {
        let mail = b"A: 1\r\nB: x\r\n y\r\n\tz\nb : 2\n\nB: body";
        assert_eq!(fields(mail, "B").collect::<Vec<_>>(), ["x y z", "2"]);
        assert_eq!(fields(b"", "B").count(), 0);
    }
}
