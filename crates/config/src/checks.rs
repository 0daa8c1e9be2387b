//! What single values must be: addresses, URLs, networks, mail addresses. Pure; the answers never
//! repeat the value, which may hold a password.

use std::net::{IpAddr, SocketAddr};

use postroom_model::Address;
use url::Url;

/// A message, and what to do about it.
pub(crate) type Complaint = (String, Option<String>);

fn complain<T>(message: &str, help: impl Into<String>) -> Result<T, Complaint> {
    Err((message.to_owned(), Some(help.into())))
}

/// `ADDRESS:PORT`.
pub(crate) fn listen(text: &str) -> Result<SocketAddr, Complaint> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    if port.is_empty() {
        return complain("the port is missing", "write an IP address and a port: 127.0.0.1:8080");
    }
    if port.parse::<u16>().is_err() {
        return complain("the port is not a number from 0 to 65535", "as in 127.0.0.1:8080");
    }
    let host = if host.is_empty() { "all addresses" } else { host };
    let help = match host {
        "localhost" => format!("write 127.0.0.1:{port}"),
        "*" | "all addresses" => format!("write 0.0.0.0:{port} for all IPv4 addresses"),
        _ => format!("as in 127.0.0.1:{port}, or 0.0.0.0:{port} for all IPv4 addresses"),
    };
    complain("this is not an IP address and a port", help)
}

/// The address under which people reach the server; without a slash at its end.
pub(crate) fn public_url(text: &str) -> Result<String, Complaint> {
    let example = "as in https://desk.example.com";
    let Ok(url) = Url::parse(text) else {
        return complain("this is not a URL", example);
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return complain("this is not an http or https URL", example);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return complain("the URL must not have a user or password", example);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return complain("the URL must not have a query or fragment", example);
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// `embedded`, or a URL of an engine with one of `schemes` and a host.
pub(crate) fn engine_url(text: &str, schemes: &[&str], example: &str) -> Result<(), Complaint> {
    if text == "embedded" {
        return Ok(());
    }
    let help = format!("`embedded`, or as in {example}");
    let Ok(url) = Url::parse(text) else {
        return complain("this is neither `embedded` nor a URL", help);
    };
    if !schemes.contains(&url.scheme()) {
        let known = schemes.join("://, ");
        return complain(&format!("the URL must begin with {known}://"), help);
    }
    if url.scheme() == "redis+unix" {
        return match url.path() {
            "" | "/" => complain("the URL names no socket", "as in redis+unix:///run/redis.sock"),
            _ => Ok(()),
        };
    }
    if url.host_str().is_none_or(str::is_empty) {
        return complain("the URL names no host", help);
    }
    Ok(())
}

/// The monitoring endpoint of a server; read without encryption.
pub(crate) fn monitor_url(text: &str) -> Result<(), Complaint> {
    match Url::parse(text) {
        Ok(url) if url.scheme() == "http" && url.host_str().is_some() => Ok(()),
        _ => complain("this is not an http URL", "as in http://127.0.0.1:8222"),
    }
}

/// `file:FOLDER` or `s3://BUCKET/PREFIX`.
pub(crate) fn blobs_url(text: &str) -> Result<(), Complaint> {
    let help = "file:data/blobs, or as in s3://bucket/prefix";
    let folder = text.strip_prefix("file:").map(|path| !path.trim_matches('/').is_empty());
    let bucket = text.strip_prefix("s3://").map(|rest| !rest.starts_with('/') && !rest.is_empty());
    match folder.or(bucket) {
        Some(true) => Ok(()),
        Some(false) => complain("the URL names no folder or bucket", help),
        None => complain("the URL must begin with file: or s3://", help),
    }
}

/// A network such as `10.0.0.0/8` or `fd00::/8`, with nothing set behind its prefix.
pub(crate) fn network(text: &str) -> Result<(), Complaint> {
    let what = "this is not a network";
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return complain(what, "as in 127.0.0.1/32 or 10.0.0.0/8");
    };
    let bits: u8 = if address.is_ipv4() { 32 } else { 128 };
    let Some(prefix) = prefix else {
        return complain("the length of the network is missing", format!("write {address}/{bits}"));
    };
    let prefix = match prefix.parse::<u8>() {
        Ok(prefix) if prefix <= bits => prefix,
        _ => return complain(what, format!("the length is a number from 0 to {bits}")),
    };
    let first = first_of(address, prefix);
    if first != address {
        let help = format!("write {first}/{prefix}, or {address}/{bits} for the one address");
        return complain("the address is not the first of its network", help);
    }
    Ok(())
}

fn first_of(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

/// A mail address, bare.
pub(crate) fn mail(text: &str) -> Result<(), Complaint> {
    let bare = !text.contains(['<', '>', ',', '"']);
    match Address::mail(text) {
        Ok(_) if bare => Ok(()),
        _ => complain("this is not a mail address", "as in ada@example.com"),
    }
}

/// The id that somebody who wrote `text` may want; none if nothing of it can be in an id.
pub(crate) fn slug_of(text: &str) -> Option<String> {
    let mut slug = String::new();
    for c in text.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() || c == '_' && !slug.is_empty() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(postroom_model::limits::SLUG_CHARS_MAX);
    let slug = slug.trim_end_matches('-');
    (!slug.is_empty()).then(|| slug.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{blobs_url, engine_url, listen, mail, network, public_url, slug_of};

    #[test]
    fn listen_needs_an_address_and_a_port() {
        assert!(listen("127.0.0.1:0").is_ok() && listen("[::1]:8080").is_ok());
        for (bad, message, help) in [
            ("127.0.0.1", "port is missing", "127.0.0.1:8080"),
            ("127.0.0.1:http", "not a number", "127.0.0.1:8080"),
            ("127.0.0.1:70000", "not a number", "127.0.0.1:8080"),
            ("localhost:80", "not an IP address", "write 127.0.0.1:80"),
            (":80", "not an IP address", "write 0.0.0.0:80"),
            ("desk:80", "not an IP address", "127.0.0.1:80"),
        ] {
            let complaint = listen(bad).unwrap_err();
            assert!(complaint.0.contains(message), "{bad}: {complaint:?}");
            assert!(complaint.1.unwrap().contains(help), "{bad}");
        }
    }

    #[test]
    fn urls_are_checked_by_their_use() {
        assert_eq!(public_url("HTTPS://Desk.example/").as_deref(), Ok("https://desk.example"));
        assert_eq!(public_url("http://a/help/").as_deref(), Ok("http://a/help"));
        for bad in
            ["desk.example", "ftp://a", "http://u:p@a", "http://a?x=1", "http://a#x", "http://"]
        {
            assert!(public_url(bad).is_err(), "{bad}");
        }
        let nats = |text| engine_url(text, &["nats", "tls"], "nats://127.0.0.1:4222");
        assert!(nats("embedded").is_ok() && nats("nats://a:4222").is_ok());
        for bad in ["embeded", "redis://a", "nats://", ""] {
            assert!(nats(bad).is_err(), "{bad}");
        }
        assert!(blobs_url("file:data/blobs").is_ok() && blobs_url("s3://bucket/a").is_ok());
        for bad in ["data/blobs", "file:", "file:///", "s3://", "s3:///a", "http://a"] {
            assert!(blobs_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn network_is_an_address_and_a_length_with_nothing_behind() {
        for good in ["127.0.0.1/32", "10.0.0.0/8", "0.0.0.0/0", "::1/128", "fd00::/8", "::/0"] {
            assert_eq!(network(good), Ok(()), "{good}");
        }
        for (bad, help) in [
            ("127.0.0.1", "write 127.0.0.1/32"),
            ("10.1.2.3/8", "write 10.0.0.0/8, or 10.1.2.3/32"),
            ("10.0.0.0/33", "from 0 to 32"),
            ("10.0.0/8", "as in"),
            ("localhost", "as in"),
            ("fd00::1/64", "write fd00::/64"),
        ] {
            assert!(network(bad).unwrap_err().1.unwrap().contains(help), "{bad}");
        }
    }

    #[test]
    fn mail_address_stands_alone() {
        assert!(mail("ada@example.com").is_ok());
        for bad in ["ada", "Ada <ada@example.com>", "a@b, c@d", "@b", ""] {
            assert!(mail(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn slug_is_made_of_what_can_stay() {
        assert_eq!(slug_of("Support Mail!").as_deref(), Some("support-mail"));
        assert_eq!(slug_of("_a_b").as_deref(), Some("a_b"));
        assert_eq!(slug_of("客服"), None);
    }
}
