//! What the tests of this crate share: secrets, a channel, requests, replies.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use postroom_channel::contract::Post;
use postroom_channel::signature::{ID_HEADER, SIGNATURE_HEADER, Secret, TIMESTAMP_HEADER};
use postroom_channel::{AllowList, Deadlines, Guard};
use postroom_channel_webhook::{WebhookAdapter, WebhookOptions};
use postroom_model::{
    Address, ChannelId, ConversationId, DeliveryState, ManualClock, Message, MessageId, Outbound,
    Party, Timestamp,
};
use serde_json::json;

/// The bytes of every key here, so that the tests can look for any form of it.
pub(crate) const KEY: &str = "canary-key-of-the-tests-0123456789";

pub(crate) fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(KEY))
}

pub(crate) fn now() -> Timestamp {
    "2026-03-01T09:30:00Z".parse().unwrap()
}

pub(crate) fn channel() -> ChannelId {
    ChannelId::new("site").unwrap()
}

pub(crate) fn sign(post: &mut Post, id: &str) {
    let signature = Secret::parse(&secret()).unwrap().sign(id, now(), &post.body);
    for (name, value) in [
        (ID_HEADER, id.to_owned()),
        (TIMESTAMP_HEADER, now().seconds().to_string()),
        (SIGNATURE_HEADER, signature),
    ] {
        post.headers.insert(name, HeaderValue::try_from(value).unwrap());
    }
}

/// An adapter that may reach loopback and nothing else that is private.
pub(crate) fn adapter(callback_url: Option<&str>, deadlines: Deadlines) -> WebhookAdapter {
    let mut options = json!({ "secret": secret() });
    if let Some(url) = callback_url {
        options["callback_url"] = url.into();
    }
    let options = WebhookOptions::parse("generic", options.as_object().unwrap()).unwrap();
    let allow = AllowList::parse(&["127.0.0.1/32"]).unwrap();
    let guard = Guard::with_deadlines(allow, deadlines).unwrap();
    WebhookAdapter::new(channel(), options, guard, Arc::new(ManualClock::at(now())))
}

pub(crate) fn outbound() -> Outbound {
    let id: MessageId = "0197c0de-0000-7000-8000-000000000001".parse().unwrap();
    let conversation: ConversationId = "0197c0de-0000-7000-8000-000000000002".parse().unwrap();
    let address = Address::mail("lin@example.com").unwrap();
    Outbound {
        id,
        channel: channel(),
        conversation,
        thread: Some("order-77".to_owned()),
        to: vec![Party {
            address: Some(address), name: Some("林小雨".to_owned()), username: None
        }],
        message: Message {
            external_id: id.to_string(),
            text: Some("您好！您的退款已处理。🎉".to_owned()),
            html: Some("<p>您好！</p>".to_owned()),
            ..Message::default()
        },
        state: DeliveryState::Sending,
        attempts: 1,
        next_at: now(),
        queued_at: now(),
        epoch: Some(1),
    }
}
