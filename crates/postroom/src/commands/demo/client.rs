//! The demo's way to the server: the same doors that everybody uses.

use postroom_channel::{AllowList, Guard, read_bounded, signature};
use postroom_model::{Clock as _, SystemClock};
use serde_json::Value;

use crate::failure::Failure;

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The server may run on this machine or in its network: the operator named the address.
const ALLOWED: [&str; 6] =
    ["127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

/// Speaks to one server.
#[derive(Debug)]
pub(super) struct Client {
    guard: Guard,
    base: String,
}

impl Client {
    pub(super) fn new(base: &str) -> Result<Self, Failure> {
        let allow = AllowList::parse(&ALLOWED).map_err(|e| Failure::failed(e.to_string()))?;
        let guard = Guard::new(allow).map_err(|error| Failure::failed(error.to_string()))?;
        Ok(Self { guard, base: base.trim_end_matches('/').to_owned() })
    }

    /// Posts a message as a customer's program does: signed as Standard Webhooks.
    pub(super) async fn post_event(
        &self,
        channel: &str,
        secret: &signature::Secret,
        id: &str,
        body: &Value,
    ) -> Result<Value, Failure> {
        let body = body.to_string();
        let now = SystemClock.now();
        let signed = secret.sign(id, now, body.as_bytes());
        let path = format!("/v1/channels/{channel}/events");
        let request = self
            .request(http::Method::POST, &path)?
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now.seconds().to_string())
            .header("webhook-signature", signed)
            .body(body);
        self.send(request, &path).await
    }

    /// Asks the API as the holder of `token`.
    pub(super) async fn ask(
        &self,
        method: http::Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let mut request = self.request(method, path)?.bearer_auth(token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        self.send(request, path).await
    }

    fn request(
        &self,
        method: http::Method,
        path: &str,
    ) -> Result<reqwest::RequestBuilder, Failure> {
        let url = format!("{}{path}", self.base);
        self.guard.request(method, &url).map_err(|error| Failure::failed(error.to_string()))
    }

    async fn send(&self, request: reqwest::RequestBuilder, path: &str) -> Result<Value, Failure> {
        let response = request.send().await.map_err(|error| {
            let base = &self.base;
            Failure::failed(format!("no server answers at {base}: {}", error.without_url()))
        })?;
        let status = response.status();
        let answer = read_bounded(response, ANSWER_BYTES_MAX).await;
        let answer = answer.map_err(|error| Failure::coded(error.code(), error))?;
        let value: Value = serde_json::from_slice(&answer).unwrap_or_default();
        if status.is_success() {
            return Ok(value);
        }
        let detail = value["detail"].as_str().unwrap_or("no reason given");
        Err(Failure::failed(format!("{path} answered {}: {detail}", status.as_u16())))
    }
}
