//! Snapshots: what is no snapshot of this program is refused, and nothing is made up from it.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support {
    pub(crate) mod model;
    pub(crate) mod script;
    pub(crate) mod words;
    pub(crate) mod world;
}

use postroom_routing::State;
use serde_json::{Value, json};
use support::script::check;

/// A state with something of everything.
fn bytes() -> Vec<u8> {
    check(
        r#"
        queue support
        queue sales
        rule when="message.text == 'sales'" queue=sales
        rule when="message.text == 'deutsch'" skills=german:3
        agent ada queues=support,sales
        agent bob queues=support
        ada online           -> ada online
        msg c1 "sales"       -> opened sales by rule 1, assigned ada
        msg c2 "deutsch"     -> opened support needs german 3 by rule 2
        msg c3 "x"           -> opened support, assigned ada
        snooze ada c3 60     -> snoozed freeing ada
        reply ada c1 "hi"    -> queued for site
        own site h1          -> site owned, epoch 1
        attempt r1           -> attempt 1
        without rules
        without sales
        without ada
        config -> ada offline, installed; c1 released ada (gone), c1 moved to support (sales is gone)
        "#,
    )
}

#[test]
fn snapshot_is_read_back_as_it_was() {
    let bytes = bytes();
    let state = State::from_snapshot(&bytes).unwrap();
    assert_eq!(state.to_snapshot().unwrap(), bytes);
    assert_eq!((state.conversation_count(), state.waiting_count()), (3, 1));
    assert!(state.settings().is_some());
    let empty = State::new().to_snapshot().unwrap();
    assert_eq!(State::from_snapshot(&empty).unwrap().to_snapshot().unwrap(), empty);
}

#[test]
fn snapshot_of_another_form_is_refused_by_its_version() {
    let mut later: Value = serde_json::from_slice(&bytes()).unwrap();
    later["v"] = json!(99);
    let refused = |value: &Value| {
        let refused = State::from_snapshot(&serde_json::to_vec(value).unwrap());
        refused.unwrap_err().to_string()
    };
    assert!(refused(&later).ends_with("version 99"), "{}", refused(&later));
    assert!(refused(&json!({ "v": 7, "other": [] })).ends_with("version 7"));
}

#[test]
fn what_is_no_snapshot_is_refused() {
    let good = bytes();
    for cut in [0, 1, good.len() / 2, good.len() - 1] {
        assert!(State::from_snapshot(&good[..cut]).is_err(), "cut at {cut}");
    }
    for garbage in ["", "null", "[]", "{}", "\u{0}\u{1}", r#"{"v":1}"#, r#"{"v":"1"}"#] {
        assert!(State::from_snapshot(garbage.as_bytes()).is_err(), "{garbage}");
    }
    let value: Value = serde_json::from_slice(&good).unwrap();
    // A conversation in a queue, with an owner, or with a need that is not there.
    for part in [0, 1, 4] {
        let mut stray = value.clone();
        stray["conversations"][0][1][part] = json!(99);
        let refused = State::from_snapshot(&serde_json::to_vec(&stray).unwrap());
        assert!(refused.unwrap_err().to_string().ends_with("is nowhere"), "part {part}");
    }
}
