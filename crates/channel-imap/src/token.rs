//! Access tokens for XOAUTH2: asked for when they are wanted, kept for four fifths of their life.

use std::sync::Arc;

use postroom_channel::{Guard, innermost, read_bounded, refused_by_guard};
use postroom_model::{Clock, Timestamp};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::ImapError;
use crate::limits::TOKEN_ANSWER_BYTES_MAX;
use crate::names::words;
use crate::options::OAuth;

/// The life of a token whose endpoint does not tell it, in seconds.
const LIFE_S: i64 = 3_600;

/// The tokens of one mailbox.
#[derive(Debug)]
pub(crate) struct Tokens {
    guard: Guard,
    clock: Arc<dyn Clock>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    token: Option<(String, Timestamp)>,
    /// Some endpoints give a new one each time; it is used until this process ends.
    refresh_token: Option<String>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    expires_in: Option<i64>,
    #[serde(default)]
    refresh_token: Option<String>,
}

/// RFC 6749, 5.2. The description may repeat what was sent, so only the code is told.
#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl Tokens {
    pub(crate) fn new(guard: Guard, clock: Arc<dyn Clock>) -> Self {
        Self { guard, clock, held: Mutex::default() }
    }

    /// A token that is good for a while. Whoever comes meanwhile waits for the same one.
    pub(crate) async fn get(&self, oauth: &OAuth) -> Result<String, ImapError> {
        let mut held = self.held.lock().await;
        let now = self.clock.now();
        if let Some((token, renew_at)) = &held.token
            && now < *renew_at
        {
            return Ok(token.clone());
        }
        let answer = self.ask(oauth, held.refresh_token.as_deref()).await?;
        let life_s = answer.expires_in.unwrap_or(LIFE_S).clamp(0, 86_400);
        held.token = Some((answer.access_token.clone(), now.plus_millis(life_s * 800)));
        held.refresh_token = answer.refresh_token.or_else(|| held.refresh_token.take());
        Ok(answer.access_token)
    }

    /// The server did not take this one.
    pub(crate) async fn forget(&self, token: &str) {
        let mut held = self.held.lock().await;
        held.token.take_if(|(known, _)| known == token);
    }

    async fn ask(&self, oauth: &OAuth, newer: Option<&str>) -> Result<Answer, ImapError> {
        let request = self.guard.request(reqwest::Method::POST, &oauth.token_url)?;
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(form(oauth, newer));
        let response = request.send().await.map_err(|error| match refused_by_guard(&error) {
            Some(refusal) => ImapError::NotAllowed(refusal),
            None => ImapError::TokenUnavailable(words(&innermost(&error))),
        })?;
        let status = response.status();
        let body = read_bounded(response, TOKEN_ANSWER_BYTES_MAX).await;
        let body = body.map_err(|error| ImapError::TokenUnavailable(error.to_string()))?;
        if status.is_success() {
            let answer = serde_json::from_slice::<Answer>(&body).ok();
            let good = |answer: &Answer| {
                let plain = answer.access_token.bytes().all(|byte| byte.is_ascii_graphic());
                plain && !answer.access_token.is_empty()
            };
            let unclear = || ImapError::TokenUnavailable("the answer holds no token".to_owned());
            return answer.filter(good).ok_or_else(unclear);
        }
        let code = serde_json::from_slice::<Refused>(&body).map(|refused| words(&refused.error));
        let told = code.unwrap_or_else(|_| format!("HTTP status {}", status.as_u16()));
        if status.is_client_error() && status.as_u16() != 429 {
            Err(ImapError::TokenRefused(told))
        } else {
            Err(ImapError::TokenUnavailable(told))
        }
    }
}

/// What an endpoint is asked.
fn form(oauth: &OAuth, newer: Option<&str>) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("client_id", &oauth.client_id);
    if let Some(secret) = &oauth.client_secret {
        form.append_pair("client_secret", secret);
    }
    match newer.or(oauth.refresh_token.as_deref()) {
        Some(token) => {
            form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", token);
        }
        None => {
            form.append_pair("grant_type", "client_credentials");
        }
    }
    if let Some(scope) = &oauth.scope {
        form.append_pair("scope", scope);
    }
    form.finish()
}

/// What XOAUTH2 sends: user and token, once; to the explanation of a refusal the answer is nothing.
pub(crate) struct XOAuth2 {
    first: Option<String>,
}

impl XOAuth2 {
    pub(crate) fn new(user: &str, token: &str) -> Self {
        Self { first: Some(format!("user={user}\x01auth=Bearer {token}\x01\x01")) }
    }
}

impl async_imap::Authenticator for XOAuth2 {
    type Response = String;

    fn process(&mut self, _challenge: &[u8]) -> String {
        self.first.take().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use async_imap::Authenticator as _;

    use super::XOAuth2;

    #[test]
    fn user_and_token_are_said_once() {
        let mut said = XOAuth2::new("ada@example.com", "t0k3n");
        assert_eq!(said.process(b""), "user=ada@example.com\x01auth=Bearer t0k3n\x01\x01");
        assert_eq!(said.process(b"{\"status\":\"400\"}"), "");
    }
}
