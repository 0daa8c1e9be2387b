//! Fetches the recording of a call: only from hosts that the operator named, through the guard, and
//! not more than a limit.

use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use postroom_channel::{
    Fetched, Guard, ReadError, SendError, innermost, read_bounded, refused_by_guard,
};
use url::Url;

use crate::limits::RECORDING_BYTES_MAX;

/// Whether `url` names one of the hosts.
fn is_allowed(url: &str, hosts: &[String]) -> bool {
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::host_str);
    host.is_some_and(|host| hosts.iter().any(|known| known.eq_ignore_ascii_case(host)))
}

pub(crate) async fn fetch(
    url: &str,
    hosts: &[String],
    guard: &Guard,
) -> Result<Fetched, SendError> {
    if !is_allowed(url, hosts) {
        let detail = "the recording lies on a host that the channel's recording_hosts do not name";
        return Err(SendError::permanent("recording_not_allowed", detail));
    }
    let request = guard.request(Method::GET, url);
    let request = request
        .map_err(|error| SendError::permanent("recording_not_allowed", error.to_string()))?;
    let answer = request.send().await.map_err(|error| match refused_by_guard(&error) {
        Some(refused) => SendError::permanent("recording_not_allowed", refused.to_string()),
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
    use super::is_allowed;

    #[test]
    fn only_hosts_that_are_named_are_asked() {
        let hosts = ["api.example.com".to_owned()];
        for (url, allowed) in [
            ("https://api.example.com/a.wav", true),
            ("https://API.example.com:8443/a.wav", true),
            ("https://api.example.com.evil.net/a.wav", false),
            ("https://evil.net/api.example.com", false),
            ("https://evil.net@other/api.example.com", false),
            ("https://api.example.com@evil.net/", false),
            ("file:///etc/passwd", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_allowed(url, &hosts), allowed, "{url}");
        }
        assert!(!is_allowed("https://api.example.com/a.wav", &[]));
    }
}
