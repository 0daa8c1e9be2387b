//! Reads bodies through the public face of the crate.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use postroom_channel::{Inspection, PushRequest};
use postroom_channel_phone::{Calls, Desk, Dialect, Inspector, Places, Setting, Zone};
use postroom_model::{Call, Timestamp};

/// 2026-03-01T09:30:00Z.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_seconds(1_772_357_400)
}

pub(crate) fn berlin() -> Setting {
    Setting { zone: Zone::parse("Europe/Berlin").unwrap(), ..Setting::default() }
}

pub(crate) fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// What `postroom inspect` would print of these bodies.
pub(crate) fn inspect(dialect: Dialect, setting: Setting, bodies: &[&str]) -> Inspection {
    let bytes: Vec<&[u8]> = bodies.iter().map(|body| body.as_bytes()).collect();
    inspect_bytes(dialect, setting, &bytes)
}

pub(crate) fn inspect_bytes(dialect: Dialect, setting: Setting, bodies: &[&[u8]]) -> Inspection {
    let mut inspector = Inspector::new(dialect, setting, None, now()).unwrap();
    let headers = HeaderMap::new();
    for body in bodies {
        let uri = "https://example.com/v1/channels/calls/events";
        inspector.take(&PushRequest { method: &Method::POST, uri, headers: &headers, body });
    }
    inspector.finish().unwrap()
}

pub(crate) fn calls(dialect: Dialect, bodies: &[&str]) -> Vec<Call> {
    let inspection = inspect(dialect, Setting::default(), bodies);
    assert_eq!(inspection.exit_code(), 0, "{inspection:?}");
    inspection.calls
}

pub(crate) fn one(dialect: Dialect, bodies: &[&str]) -> Call {
    let mut calls = calls(dialect, bodies);
    assert_eq!(calls.len(), 1, "{calls:?}");
    calls.remove(0)
}

/// The events of a body.
pub(crate) fn events(dialect: Dialect, body: &[u8]) -> Vec<postroom_channel_phone::CallEvent> {
    let setting = Setting::default();
    let desk = Desk::new(&setting, Some(now()));
    let headers = HeaderMap::new();
    let request = PushRequest { method: &Method::POST, uri: "/", headers: &headers, body };
    let mut events = Vec::new();
    dialect.parse(&request, &desk, &mut |event| events.push(event)).unwrap();
    events
}

/// What events come to, in the order in which they are given.
pub(crate) fn folded(
    events: impl IntoIterator<Item = postroom_channel_phone::CallEvent>,
) -> Vec<Call> {
    let mut calls = Calls::default();
    for event in events {
        calls.apply(event);
    }
    let mut calls = calls.all(&Places::default());
    calls.sort_by(|a, b| a.call_id.cmp(&b.call_id));
    calls
}

pub(crate) fn at(text: &str) -> Option<Timestamp> {
    let at = text.parse().ok();
    assert!(at.is_some(), "{text}");
    at
}
