//! Fetches the recording of a call: only from hosts that the operator named, through the guard, and
//! not more than a limit. What proves who asks goes to those hosts alone, and into no log.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use postroom_channel::{
    Fetched, Guard, ReadError, SendError, innermost, is_public, read_bounded, refused_by_guard,
};
use url::Url;

use crate::limits::RECORDING_BYTES_MAX;

/// Headers that say how a request is sent, not by whom.
const NOT_FOR_LOGIN: [&str; 6] =
    ["connection", "content-length", "host", "te", "transfer-encoding", "upgrade"];

/// Where recordings may be fetched from, and how one logs in there.
#[derive(Clone, Default)]
pub(crate) struct Hosts {
    pub(crate) names: Vec<String>,
    pub(crate) login: Option<Login>,
}

/// What proves who asks. Its value is marked, so that nothing shows it.
#[derive(Clone)]
pub(crate) struct Login {
    header: HeaderName,
    value: HeaderValue,
}

impl Login {
    /// The error says what is wrong, without the password.
    pub(crate) fn basic(name: &str, password: &str) -> Result<Self, &'static str> {
        if name.is_empty() || name.contains(':') || password.is_empty() {
            return Err("a name has no colon, and neither it nor the password is empty");
        }
        Self::new(
            AUTHORIZATION,
            &format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))),
        )
    }

    /// As bearer, or as it is in a header of its own.
    pub(crate) fn token(header: Option<&str>, token: &str) -> Result<Self, &'static str> {
        let Some(header) = header else {
            return Self::new(AUTHORIZATION, &format!("Bearer {token}"));
        };
        let header = header.parse::<HeaderName>().ok();
        let header = header.filter(|header| !NOT_FOR_LOGIN.contains(&header.as_str()));
        Self::new(header.ok_or("there is no header for it by this name")?, token)
    }

    fn new(header: HeaderName, value: &str) -> Result<Self, &'static str> {
        let value = HeaderValue::from_str(value).ok().filter(|value| !value.is_empty());
        let mut value = value.ok_or("it is text of one line")?;
        value.set_sensitive(true);
        Ok(Self { header, value })
    }
}

/// The address, if it lies on one of the hosts.
fn allowed(url: &str, hosts: &[String]) -> Option<Url> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    hosts.iter().any(|known| known.eq_ignore_ascii_case(host)).then_some(url)
}

fn not_allowed(detail: impl Into<String>) -> SendError {
    SendError::permanent("recording_not_allowed", detail)
}

/// A login goes over an open line only in the operator's own network: what is reached there is a private
/// address that was allowed.
async fn is_safe(url: &Url, guard: &Guard) -> bool {
    if url.scheme() == "https" {
        return true;
    }
    let (host, port) = (url.host_str(), url.port_or_known_default());
    let Some((host, port)) = host.zip(port) else {
        return false;
    };
    let found = guard.addresses(host.trim_matches(['[', ']']), port).await;
    found.is_ok_and(|found| found.iter().all(|address| !is_public(address.ip())))
}

pub(crate) async fn fetch(url: &str, hosts: &Hosts, guard: &Guard) -> Result<Fetched, SendError> {
    let Some(parsed) = allowed(url, &hosts.names) else {
        let detail = "the recording lies on a host that the channel's recording_hosts do not name";
        return Err(not_allowed(detail));
    };
    let request = guard.request(Method::GET, url);
    let mut request = request.map_err(|error| not_allowed(error.to_string()))?;
    if let Some(Login { header, value }) = &hosts.login {
        if !is_safe(&parsed, guard).await {
            let detail = "the channel logs in where recordings lie, and this address is not https";
            return Err(not_allowed(detail));
        }
        request = request.header(header, value);
    }
    let answer = request.send().await.map_err(|error| match refused_by_guard(&error) {
        Some(refused) => not_allowed(refused.to_string()),
        None => SendError::retryable("recording_not_fetched", innermost(&error)),
    })?;
    if answer.status() != StatusCode::OK {
        let detail = format!("whoever has the recording answered {}", answer.status());
        return Err(SendError::retryable("recording_not_fetched", detail));
    }
    let media_type = answer.headers().get(CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok()).map(str::to_owned);
    match read_bounded(answer, RECORDING_BYTES_MAX).await {
        Ok(bytes) => Ok(Fetched { bytes, media_type }),
        Err(error @ ReadError::TooLarge(_)) => {
            Err(SendError::permanent("recording_too_large", error.to_string()))
        }
        Err(error) => Err(SendError::retryable("recording_not_fetched", error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use postroom_channel::{AllowList, Guard};
    use url::Url;

    use super::{Login, allowed, is_safe};

    #[test]
    fn only_hosts_that_are_named_are_asked() {
        let hosts = ["api.example.com".to_owned()];
        for (url, may) in [
            ("https://api.example.com/a.wav", true),
            ("https://API.example.com:8443/a.wav", true),
            ("https://api.example.com.evil.net/a.wav", false),
            ("https://evil.net/api.example.com", false),
            ("https://evil.net@other/api.example.com", false),
            ("https://api.example.com@evil.net/", false),
            ("file:///etc/passwd", false),
            ("nonsense", false),
        ] {
            assert_eq!(allowed(url, &hosts).is_some(), may, "{url}");
        }
        assert!(allowed("https://api.example.com/a.wav", &[]).is_none());
    }

    #[test]
    fn login_is_a_header_that_nothing_shows() {
        for (login, header, value) in [
            (Login::basic("ada", "canary"), "authorization", "Basic YWRhOmNhbmFyeQ=="),
            (Login::token(None, "canary"), "authorization", "Bearer canary"),
            (Login::token(Some("X-Api-Key"), "canary"), "x-api-key", "canary"),
        ] {
            let login = login.map_err(str::to_owned).unwrap();
            assert_eq!((login.header.as_str(), login.value.to_str().unwrap()), (header, value));
            assert_eq!(format!("{:?}", login.value), "Sensitive");
        }
        for wrong in [
            Login::basic("a:b", "canary"),
            Login::basic("", "canary"),
            Login::basic("ada", ""),
            Login::token(None, "can\nary"),
            Login::token(Some("Content-Length"), "canary"),
            Login::token(Some("no header"), "canary"),
            Login::token(Some("X-Key"), ""),
        ] {
            assert!(!wrong.err().unwrap().contains("canary"));
        }
    }

    #[tokio::test]
    async fn login_goes_unencrypted_only_where_the_operators_own_network_is() {
        let guard = Guard::new(AllowList::parse(&["127.0.0.1/32"]).unwrap()).unwrap();
        for (url, safe) in [
            ("https://203.0.113.5/a.wav", true),
            ("http://127.0.0.1:8080/a.wav", true),
            ("http://1.1.1.1/a.wav", false),
            ("http://10.0.0.1/a.wav", false),
        ] {
            assert_eq!(is_safe(&Url::parse(url).unwrap(), &guard).await, safe, "{url}");
        }
    }
}
