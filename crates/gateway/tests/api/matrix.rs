//! Who may ask for what: every route by everybody.

use postroom_access::{CredentialKind, Principal};
use postroom_model::Role;
use serde_json::{Value, json};

use crate::house::{House, now};

/// The callers of the table, in the order of its columns.
const CALLERS: [&str; 8] = ["", "wrong", "expired", "ada", "bob", "sue", "root", "shop"];

/// For open routes; for those that need only a token; for the inbox; for admins.
const OPEN: [u16; 8] = [200; 8];
const ANYBODY: [u16; 8] = [401, 401, 401, 200, 200, 200, 200, 200];
const STAFF: [u16; 8] = [401, 401, 401, 200, 200, 200, 200, 403];
const ADMIN: [u16; 8] = [401, 401, 401, 403, 403, 403, 200, 403];
/// A conversation of ada's queue on a channel that the integrator does not have.
const READ_ADAS: [u16; 8] = [401, 401, 401, 200, 404, 200, 200, 404];
const CHANGE_ADAS: [u16; 8] = [401, 401, 401, 200, 403, 200, 200, 403];
const REPLY_ADAS: [u16; 8] = [401, 401, 401, 202, 403, 202, 202, 403];
const AGENT_ON_ADAS: [u16; 8] = [401, 401, 401, 200, 403, 403, 403, 403];
/// Of an offer that there is not.
const ANSWER: [u16; 8] = [401, 401, 401, 409, 409, 403, 403, 403];
const AGENT: [u16; 8] = [401, 401, 401, 200, 200, 403, 403, 403];

type Row = (&'static str, &'static str, Option<Value>, [u16; 8]);

fn reads() -> Vec<Row> {
    vec![
        ("GET", "/", None, OPEN),
        ("GET", "/assets/app.js", None, OPEN),
        ("GET", "/assets/app.css", None, OPEN),
        ("GET", "/assets/icon.svg", None, OPEN),
        ("GET", "/favicon.ico", None, OPEN),
        ("GET", "/healthz", None, OPEN),
        ("GET", "/readyz", None, OPEN),
        ("GET", "/metrics", None, OPEN),
        ("GET", "/openapi.json", None, OPEN),
        ("GET", "/asyncapi.json", None, OPEN),
        ("GET", "/docs/errors/not_found", None, OPEN),
        ("GET", "/sign-in", None, [410; 8]),
        ("GET", "/v1/channels/site/events?challenge=x", None, OPEN),
        ("POST", "/v1/channels/site/events", Some(json!({})), [401; 8]),
        ("GET", "/v1/me", None, ANYBODY),
        ("GET", "/v1/events", None, ANYBODY),
        ("GET", "/v1/conversations", None, ANYBODY),
        ("GET", "/v1/calls?state=live", None, ANYBODY),
        ("GET", "/v1/offers", None, STAFF),
        ("GET", "/v1/queues", None, STAFF),
        ("GET", "/v1/agents", None, STAFF),
        ("GET", "/v1/contacts/{none}", None, [401, 401, 401, 404, 404, 404, 404, 403]),
        ("GET", "/v1/commands/{none}", None, [401, 401, 401, 404, 404, 404, 404, 403]),
        ("GET", "/v1/conversations/{id}", None, READ_ADAS),
        ("GET", "/v1/conversations/{id}/timeline", None, READ_ADAS),
        (
            "GET",
            "/v1/conversations/{id}/explanation",
            None,
            [401, 401, 401, 200, 404, 200, 200, 403],
        ),
        ("GET", "/v1/attachments/{id}/1/0", None, [401, 401, 401, 404, 404, 404, 404, 404]),
        (
            "GET",
            "/v1/conversations/{id}/recordings/1",
            None,
            [401, 401, 401, 404, 404, 404, 404, 404],
        ),
        ("GET", "/v1/parked", None, ADMIN),
        ("GET", "/v1/parked/{none}", None, [401, 401, 401, 403, 403, 403, 404, 403]),
    ]
}

fn changes() -> Vec<Row> {
    let on = |what: &'static str, body: Value, row| ("POST", what, Some(body), row);
    let until = json!({ "until": "2030-01-01T00:00:00Z" });
    vec![
        on("/v1/conversations/{id}/replies", json!({ "text": "a" }), REPLY_ADAS),
        on("/v1/conversations/{id}/replies/{none}/resend", json!({}), REPLY_ADAS),
        on("/v1/conversations/{id}/notes", json!({ "text": "a" }), CHANGE_ADAS),
        on("/v1/conversations/{id}/calls", json!({ "disposition": "answered" }), CHANGE_ADAS),
        on("/v1/offers/{none}/accept", json!({}), ANSWER),
        on("/v1/offers/{none}/decline", json!({}), ANSWER),
        on("/v1/conversations/{id}/claim", json!({}), AGENT_ON_ADAS),
        on("/v1/conversations/{id}/release", json!({}), CHANGE_ADAS),
        on("/v1/conversations/{id}/assign", json!({ "agent": "ada" }), CHANGE_ADAS),
        on("/v1/conversations/{id}/transfer", json!({ "queue": "support" }), CHANGE_ADAS),
        on("/v1/conversations/{id}/snooze", until, CHANGE_ADAS),
        on("/v1/conversations/{id}/reopen", json!({}), CHANGE_ADAS),
        on("/v1/conversations/{id}/tags", json!({ "add": ["a"] }), CHANGE_ADAS),
        on("/v1/conversations/{id}/priority", json!({ "priority": 1 }), CHANGE_ADAS),
        on("/v1/conversations/{id}/merge", json!({ "into": "{id}" }), CHANGE_ADAS),
        on("/v1/conversations/{id}/resolve", json!({}), CHANGE_ADAS),
        on(
            "/v1/contacts/{none}/merge",
            json!({ "into": "{none}" }),
            [401, 401, 401, 404, 404, 404, 404, 403],
        ),
        ("PUT", "/v1/me/status", Some(json!({ "status": "online" })), AGENT),
        (
            "PUT",
            "/v1/agents/ada/status",
            Some(json!({ "status": "online" })),
            [401, 401, 401, 200, 403, 200, 200, 403],
        ),
        on("/v1/parked/{none}/retry", json!({}), ADMIN),
        on("/v1/parked/{none}/drop", json!({}), ADMIN),
        on("/v1/sign-out", json!({}), [401, 401, 401, 403, 403, 403, 403, 403]),
    ]
}

fn path_of(path: &str) -> &str {
    path.split('?').next().unwrap_or_default()
}

#[tokio::test]
async fn every_route_by_everybody() {
    let house = House::open().await;
    let principal =
        Principal { role: Role::Admin, agent: None, name: "expired".into(), channels: vec![] };
    house.grant("expired", CredentialKind::Token, principal, Some(now())).await;
    let none = "01890000-0000-7000-8000-000000000000";
    for (number, (method, path, body, expected)) in reads().into_iter().chain(changes()).enumerate()
    {
        for (caller, status) in CALLERS.into_iter().zip(expected) {
            // A conversation of its own for each, so that no change stands in another's way.
            let id = house.conversation("site", &format!("{number}-{caller}"), "support").await;
            let fill = |text: &str| text.replace("{id}", &id).replace("{none}", none);
            let body = body.as_ref().map(|body| fill(&body.to_string()).parse().unwrap());
            let request = request(caller, method, &fill(path), body);
            let answered = house.send(request).await.status();
            assert_eq!(answered, status, "{method} {path} by {caller:?}");
        }
    }
}

fn request(
    token: &str,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> http::Request<axum::body::Body> {
    let mut request = http::Request::builder().method(method).uri(path);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request
        .header("content-type", "application/json")
        .body(body.map_or_else(axum::body::Body::empty, |body| body.to_string().into()))
        .unwrap()
}

/// Whoever adds a route says here who may use it.
#[test]
fn matrix_names_every_route() {
    let document: Value = serde_json::from_str(&postroom_gateway::openapi()).unwrap();
    let shape = |path: &str| -> String {
        let steps = path_of(path).split('/').map(|step| {
            let variable =
                step.starts_with('{') || ["site", "ada", "not_found", "1", "0"].contains(&step);
            if variable { "*" } else { step }
        });
        steps.collect::<Vec<_>>().join("/")
    };
    let named: Vec<(String, String)> = reads()
        .into_iter()
        .chain(changes())
        .map(|(method, path, ..)| (method.to_lowercase(), shape(path)))
        .collect();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let route = (method.clone(), shape(path));
            assert!(named.contains(&route), "{method} {path} is not in the matrix");
        }
    }
}
