//! Every dialect that is posted passes the suite that every adapter passes.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use postroom_channel::contract::{self, Fixture, Post};
use postroom_channel::signature::{ID_HEADER, SIGNATURE_HEADER, Secret, TIMESTAMP_HEADER};
use postroom_channel::{Adapter, PushRequest};
use postroom_channel_phone::{Dialect, PhoneAdapter, PhoneOptions};
use postroom_model::{ChannelId, Outbound, Timestamp};
use ring::hmac;
use serde_json::json;

use crate::support::now;

const STANDARD_SECRET: &str = "whsec_cG9zdHJvb20tb3duLXZlY3Rvci1rZXktMDEyMzQ1Njc=";
const SHARED_SECRET: &str = "canary-shared-word";
const PUBLIC_URL: &str = "https://calls.example.com";

struct Posted(Dialect);

impl Posted {
    fn secret(&self) -> &'static str {
        if self.0 == Dialect::Generic { STANDARD_SECRET } else { SHARED_SECRET }
    }

    fn body(&self, number: u64) -> String {
        match self.0 {
            Dialect::Generic => json!({"call_id": format!("call-{number}"), "state": "ringing",
                "at": "2026-03-01T09:30:00Z", "direction": "in", "from": "+442079460011",
                "from_name": "林小雨", "agents": ["Lin"], "queue": "退款"})
            .to_string(),
            Dialect::FreeswitchCdr => json!({"variables": {"uuid": format!("call-{number}"),
                "start_uepoch": "1772357400500000", "hangup_cause": "NO_ANSWER"}, "callflow": []})
            .to_string(),
            Dialect::WhatsappCalls => json!({"entry": [{"changes": [{"value": {"calls": [{
                "id": format!("call-{number}"), "event": "connect", "timestamp": "1772357400",
                "from": "442079460011"}]}}]}]})
            .to_string(),
            Dialect::TwilioVoice => {
                format!("CallSid=call-{number}&CallStatus=ringing&To=%2B442079460099")
            }
            Dialect::Placetel => format!("event=IncomingCall&call_id=call-{number}&from=030901820"),
            _ => format!("event=newCall&callId=call-{number}&direction=in&user%5B%5D=Lin"),
        }
    }

    fn header(&self) -> &'static str {
        match self.0 {
            Dialect::TwilioVoice => "x-twilio-signature",
            Dialect::WhatsappCalls => "x-hub-signature-256",
            Dialect::Placetel => "x-placetel-signature",
            _ => "authorization",
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

impl Fixture for Posted {
    fn adapter(&self) -> Arc<dyn Adapter> {
        let table = json!({ "secret": self.secret(), "region": "GB" });
        let options = PhoneOptions::parse(self.0.name(), table.as_object().unwrap()).unwrap();
        Arc::new(PhoneAdapter::new(ChannelId::new("calls").unwrap(), options, PUBLIC_URL))
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.secret().to_owned(), "postroom-own-vector-key-01234567".to_owned()]
    }

    fn now(&self) -> Timestamp {
        now()
    }

    fn post(&self, number: u64) -> Post {
        let mut post = Post::json(self.body(number));
        if !post.body.starts_with(b"{") {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            post.headers.insert("content-type", form);
        }
        post
    }

    fn sign(&self, post: &mut Post) {
        let shared = |algorithm, signed: &[u8]| {
            let key = hmac::Key::new(algorithm, SHARED_SECRET.as_bytes());
            hmac::sign(&key, signed).as_ref().to_vec()
        };
        let value = match self.0 {
            Dialect::Generic => {
                let secret = Secret::parse(STANDARD_SECRET).unwrap();
                let signature = secret.sign("delivery-1", now(), &post.body);
                for (name, value) in [
                    (ID_HEADER, "delivery-1".to_owned()),
                    (TIMESTAMP_HEADER, now().seconds().to_string()),
                    (SIGNATURE_HEADER, signature),
                ] {
                    post.headers.insert(name, HeaderValue::from_str(&value).unwrap());
                }
                return;
            }
            Dialect::TwilioVoice => {
                let pairs = url::form_urlencoded::parse(&post.body).into_owned();
                let mut pairs: Vec<(String, String)> = pairs.collect();
                pairs.sort();
                pairs.dedup();
                let fields: String = pairs.into_iter().map(|(name, value)| name + &value).collect();
                let signed = format!("{PUBLIC_URL}{}{fields}", post.uri);
                STANDARD.encode(shared(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, signed.as_bytes()))
            }
            Dialect::WhatsappCalls => {
                format!("sha256={}", hex(&shared(hmac::HMAC_SHA256, &post.body)))
            }
            Dialect::Placetel => hex(&shared(hmac::HMAC_SHA256, &post.body)),
            _ => format!("Bearer {SHARED_SECRET}"),
        };
        post.headers.insert(self.header(), HeaderValue::from_str(&value).unwrap());
    }

    fn signature_headers(&self) -> &[&'static str] {
        match self.0 {
            Dialect::Generic => &[ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER],
            Dialect::TwilioVoice => &["x-twilio-signature"],
            Dialect::WhatsappCalls => &["x-hub-signature-256"],
            Dialect::Placetel => &["x-placetel-signature"],
            _ => &["authorization"],
        }
    }

    fn post_without_id(&self, _: u64) -> Option<Post> {
        None
    }

    fn is_json(&self) -> bool {
        matches!(self.0, Dialect::Generic)
    }

    fn outbound(&self) -> Option<Outbound> {
        None
    }
}

#[tokio::test]
async fn generic_dialect_passes_the_contract_suite() {
    contract::run(&Posted(Dialect::Generic)).await.unwrap();
}

#[test]
fn what_is_posted_is_taken_from_who_signed_it_and_from_nobody_else() {
    for dialect in Dialect::ALL.into_iter().filter(|dialect| !dialect.is_log()) {
        let fixture = Posted(dialect);
        let adapter = fixture.adapter();
        let push = adapter.push().unwrap();
        let mut post = fixture.post(7);
        let refused = push.verify(&post.request(), now()).unwrap_err();
        assert_eq!(refused.code, "signature_header_missing", "{dialect:?}");
        fixture.sign(&mut post);
        assert_eq!(push.verify(&post.request(), now()), Ok(()), "{dialect:?}");
        let call = push.parse(&post.request()).unwrap().calls.remove(0);
        assert_eq!(call.call_id, "call-7", "{dialect:?}");
        if fixture.header() != "authorization" || dialect == Dialect::Generic {
            let other = fixture.body(8).into_bytes();
            let request = PushRequest { body: &other, ..post.request() };
            assert!(push.verify(&request, now()).is_err(), "{dialect:?}");
        }
    }
}
