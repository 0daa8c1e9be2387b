//! The webhook adapter passes the suite that every adapter passes.

use std::net::TcpListener;
use std::sync::Arc;

use postroom_channel::contract::{self, Fixture, Post};
use postroom_channel::signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use postroom_channel::{Adapter, Deadlines};
use postroom_model::{Outbound, Timestamp};
use serde_json::json;

use crate::support;

struct Generic {
    /// An address where nobody listens.
    callback_url: String,
}

impl Generic {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Self { callback_url: format!("http://{address}/out?token=canary-in-the-url") }
    }
}

impl Fixture for Generic {
    fn adapter(&self) -> Arc<dyn Adapter> {
        let deadlines = Deadlines::default();
        Arc::new(support::adapter(Some(&self.callback_url), deadlines))
    }

    fn secrets(&self) -> Vec<String> {
        let written = support::secret();
        let digits = written.trim_start_matches("whsec_").to_owned();
        vec![support::KEY.to_owned(), digits, "canary-in-the-url".to_owned()]
    }

    fn now(&self) -> Timestamp {
        support::now()
    }

    fn post(&self, number: u64) -> Post {
        let body = json!({
            "id": format!("event-{number}"),
            "thread": "order-77",
            "from": {
                "id": "u-42", "name": "林小雨", "email": "lin@Example.COM",
                "phone": "+86 138 0013 8000", "username": "lin",
            },
            "subject": "退款",
            "text": "我的包裹没有到 📦",
            "html": "<p>我的<b>包裹</b>没有到 📦</p>",
            "sent_at": "2026-03-01T17:29:58.250+08:00",
            "reply_to_id": "event-0",
            "attachments": [
                { "url": "https://example.com/a.png", "name": "a.png", "media_type": "image/png" },
                { "content_base64": "5Y+R56Wo", "name": "发票.txt", "media_type": "text/plain" },
            ],
            "attributes": { "order": "77", "vip": true, "total": 19.5 },
        });
        Post::json(body.to_string())
    }

    fn sign(&self, post: &mut Post) {
        support::sign(post, "delivery-1");
    }

    fn signature_headers(&self) -> &[&'static str] {
        &[ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER]
    }

    fn post_without_id(&self, number: u64) -> Option<Post> {
        let body = json!({ "from": { "id": "u-42" }, "text": format!("hello {number}") });
        Some(Post::json(body.to_string()))
    }

    fn outbound(&self) -> Option<Outbound> {
        Some(support::outbound())
    }
}

#[tokio::test]
async fn generic_dialect_keeps_the_contract_of_every_adapter() {
    if let Err(failures) = contract::run(&Generic::new()).await {
        panic!("{failures:#?}");
    }
}
