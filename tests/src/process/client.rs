//! A small HTTP/1.1 client: enough for the tests, with nothing between them and the bytes.

use postroom_channel::signature::Secret;
use postroom_model::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::{SECRET, WAIT, again};

/// Speaks to one server; a connection for each request.
#[derive(Debug, Clone)]
pub struct Client {
    pub address: String,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// 0 if there was none.
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    fn none() -> Self {
        Self { status: 0, headers: vec![], body: vec![] }
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// The problem's code.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// The three headers of Standard Webhooks.
pub fn sign(secret: &str, id: &str, at: Timestamp, body: &[u8]) -> Vec<(String, String)> {
    let signature = Secret::parse(secret).expect("a secret").sign(id, at, body);
    vec![
        ("webhook-id".to_owned(), id.to_owned()),
        ("webhook-timestamp".to_owned(), at.seconds().to_string()),
        ("webhook-signature".to_owned(), signature),
    ]
}

impl Client {
    pub fn new(address: &str) -> Self {
        Self { address: address.to_owned() }
    }

    /// Sends exactly this and reads one answer; status 0 if the server is not there or hangs up.
    pub async fn raw(&self, request: &[u8]) -> Reply {
        let exchange = async {
            let mut stream = TcpStream::connect(&self.address).await.ok()?;
            // A refusal may come before everything is written.
            drop(stream.write_all(request).await);
            let mut reader = BufReader::new(stream);
            let (status, headers) = head(&mut reader).await?;
            let length = headers.iter().find(|(name, _)| name == "content-length");
            let length = length.and_then(|(_, value)| value.parse::<usize>().ok());
            let mut body = Vec::new();
            match length {
                Some(length) => {
                    body.resize(length, 0);
                    reader.read_exact(&mut body).await.ok()?;
                }
                None => {
                    drop(reader.read_to_end(&mut body).await);
                }
            }
            Some(Reply { status, headers, body })
        };
        let mut exchange = std::pin::pin!(exchange);
        let mut answered = tokio::time::timeout(WAIT, exchange.as_mut()).await;
        if answered.is_err() {
            // Where the test itself was held up, the first wait was over before anybody looked.
            answered = tokio::time::timeout(WAIT, exchange).await;
        }
        answered.expect("the server answers in time").unwrap_or_else(Reply::none)
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Reply {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n",
            self.address,
            body.len()
        );
        for (name, value) in headers {
            request.push_str(name);
            request.push_str(": ");
            request.push_str(value);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        self.raw(&bytes).await
    }

    fn bearer(token: &str) -> Vec<(String, String)> {
        if token.is_empty() {
            return vec![];
        }
        vec![("authorization".to_owned(), format!("Bearer {token}"))]
    }

    pub async fn get(&self, path: &str, token: &str) -> Reply {
        self.send("GET", path, &Self::bearer(token), b"").await
    }

    pub async fn get_json(&self, path: &str, token: &str) -> Reply {
        let mut headers = Self::bearer(token);
        headers.push(("accept".to_owned(), "application/json".to_owned()));
        self.send("GET", path, &headers, b"").await
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Reply {
        self.change("POST", path, token, body, None).await
    }

    pub async fn put(&self, path: &str, token: &str, body: &Value) -> Reply {
        self.change("PUT", path, token, body, None).await
    }

    pub async fn change(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Reply {
        let mut headers = Self::bearer(token);
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        headers.extend(key.map(|key| ("idempotency-key".to_owned(), key.to_owned())));
        self.send(method, path, &headers, body.to_string().as_bytes()).await
    }

    /// Posts a signed event of the generic dialect to the channel `site`.
    pub async fn event(&self, body: &Value) -> Reply {
        let body = body.to_string();
        let id = "tests";
        let mut headers = sign(SECRET, id, SystemClock.now(), body.as_bytes());
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        self.send("POST", "/v1/channels/site/events", &headers, body.as_bytes()).await
    }

    /// A customer's message; gives its id.
    pub async fn says(&self, thread: &str, id: &str, text: &str) -> String {
        let from = json!({ "id": thread, "name": format!("Customer {thread}") });
        let event = json!({ "id": id, "thread": thread, "from": from, "text": text });
        let reply = self.event(&event).await;
        assert_eq!(reply.status, 202, "{}", reply.text());
        reply.json()["id"].as_str().expect("an id").to_owned()
    }

    /// The conversation of a message, once it is routed.
    pub async fn routed(&self, message: &str, admin: &str) -> Value {
        let find = async {
            let mut again = again();
            loop {
                again.tick().await;
                let found = self.get(&format!("/v1/commands/{message}"), admin).await.json();
                if let Some(id) = found["outcome"]["conversation"].as_str() {
                    return self.get(&format!("/v1/conversations/{id}"), admin).await.json();
                }
            }
        };
        tokio::time::timeout(WAIT, find).await.expect("the message is routed")
    }

    /// Asks until the answer is as wanted.
    pub async fn until(&self, path: &str, token: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let ask = async {
            let mut again = again();
            loop {
                again.tick().await;
                let found = self.get(path, token).await.json();
                if wanted(&found) {
                    return found;
                }
            }
        };
        tokio::time::timeout(WAIT, ask).await.unwrap_or_else(|_| panic!("{path} stays otherwise"))
    }

    /// Asks until the words stand in the answer, whatever its form.
    pub async fn until_text(&self, path: &str, words: &str) {
        let ask = async {
            let mut again = again();
            while !self.get(path, "").await.text().contains(words) {
                again.tick().await;
            }
        };
        let asked = tokio::time::timeout(WAIT, ask).await;
        assert!(asked.is_ok(), "{path} never says {words}");
    }

    /// Opens the event stream.
    pub async fn stream(&self, query: &str, token: &str, last_event_id: Option<&str>) -> Stream {
        self.try_stream(query, token, last_event_id).await.expect("the server is there")
    }

    /// Opens the event stream, if the server is there and gives one.
    pub async fn try_stream(
        &self,
        query: &str,
        token: &str,
        last_event_id: Option<&str>,
    ) -> Option<Stream> {
        let last = last_event_id.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        let request = format!(
            "GET /v1/events{query} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n{last}\r\n",
            self.address
        );
        let open = async {
            let mut stream = TcpStream::connect(&self.address).await.ok()?;
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut reader = BufReader::new(stream);
            let (status, _) = head(&mut reader).await?;
            (status == 200).then_some(Stream { reader })
        };
        tokio::time::timeout(WAIT, open).await.expect("the server answers in time")
    }
}

async fn head(reader: &mut BufReader<TcpStream>) -> Option<(u16, Vec<(String, String)>)> {
    let mut line = String::new();
    if reader.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let status = line.split(' ').nth(1)?.parse().ok()?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Some((status, headers));
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// Server-sent events as they come.
#[derive(Debug)]
pub struct Stream {
    reader: BufReader<TcpStream>,
}

impl Stream {
    /// The next event: its id and data.
    pub async fn next(&mut self) -> (String, Value) {
        let next = tokio::time::timeout(WAIT, self.try_next()).await.expect("an event comes");
        next.expect("the stream goes on")
    }

    /// The next event, however late; none if the stream ends.
    pub async fn try_next(&mut self) -> Option<(String, Value)> {
        let (mut id, mut data) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            if let Some(value) = line.strip_prefix("id:") {
                value.trim().clone_into(&mut id);
            } else if let Some(value) = line.strip_prefix("data:") {
                data.push_str(value.trim());
            } else if line.is_empty() && !data.is_empty() {
                return Some((id, serde_json::from_str(&data).expect("data is JSON")));
            }
        }
    }

    /// Skips to the next event of this type.
    pub async fn next_of(&mut self, kind: &str) -> (String, Value) {
        loop {
            let (id, event) = self.next().await;
            if event["type"] == kind {
                return (id, event);
            }
        }
    }
}
