//! The wire form, pinned: a change of it shows as a changed file in `docs/schema`.

use std::path::Path;

use postroom_model::{
    ChannelId, Envelope, Event, EventBody, Inbound, Input, InputBody, InputId, Message, Party,
    Timestamp,
};
use schemars::JsonSchema;

fn check<T: JsonSchema>(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema").join(name);
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap_or_default();
    let now = serde_json::Value::from(schemars::schema_for!(T));
    assert!(
        kept == now,
        "the wire form of {name} changed: run `make gen` and review the difference"
    );
}

#[test]
fn schemas_are_the_ones_that_are_kept() {
    check::<Message>("message.json");
    check::<Input>("input.json");
    check::<Envelope>("envelope.json");
}

/// What is written today must be readable tomorrow: these texts are never edited, only added to.
#[test]
fn texts_written_before_are_still_read() {
    let message = Message {
        external_id: "m1".to_owned(),
        thread: Some("t1".to_owned()),
        from: Some(Party {
            address: Some("mailto:ada@example.com".parse().unwrap()),
            name: Some("Ada".to_owned()),
            username: None,
        }),
        text: Some("你好".to_owned()),
        ..Message::default()
    };
    let input = Input {
        id: InputId(uuid::Uuid::nil()),
        at: Timestamp::from_millis(1_700_000_000_123),
        body: InputBody::Inbound(Box::new(Inbound {
            channel: ChannelId::new("site").unwrap(),
            message,
        })),
    };
    let text = r#"{"id":"00000000-0000-0000-0000-000000000000","at":"2023-11-14T22:13:20.123Z","kind":"inbound","body":{"channel":"site","message":{"kind":"text","external_id":"m1","thread":"t1","from":{"address":"mailto:ada@example.com","name":"Ada"},"text":"你好"}}}"#;
    assert_eq!(serde_json::to_string(&input).unwrap(), text);
    assert_eq!(serde_json::from_str::<Input>(text).unwrap(), input);

    let event = Event::global(EventBody::DeliveryOwned {
        channel: ChannelId::new("site").unwrap(),
        host: postroom_model::HostId(uuid::Uuid::nil()),
        epoch: 3,
    });
    let text = r#"{"type":"delivery.owned","channel":"site","host":"00000000-0000-0000-0000-000000000000","epoch":3}"#;
    assert_eq!(serde_json::to_string(&event).unwrap(), text);
    assert_eq!(serde_json::from_str::<Event>(text).unwrap(), event);
}

/// What a dialect knows may be any number: live state and replay must read the same (P5).
#[test]
fn numbers_of_any_size_come_back_as_they_came() {
    for score in [1.821_367_699_834_826_6e90, 5e-324, 0.1 + 0.2, -1.797_693_134_862_315_7e308] {
        let mut message = Message::default();
        message.attributes.insert("score".to_owned(), serde_json::json!(score));
        let text = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), message, "{text}");
    }
}
