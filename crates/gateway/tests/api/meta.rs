//! Health, request ids, headers, pages, and that every problem has its page.

use std::fs;
use std::path::Path;

use axum::body::Body;
use http::Request;
use serde_json::json;

use crate::house::{Answer, House};

#[tokio::test]
async fn health_and_readiness() {
    let house = House::open().await;
    assert_eq!(house.get("", "/healthz").await.status, 200);
    assert_eq!(house.get("", "/readyz").await.status, 200);
    house.ready.send(false).unwrap();
    let answer = house.get("", "/readyz").await;
    assert_eq!(answer.problem(503), "not_ready");
    assert_eq!(house.get("", "/healthz").await.status, 200);
}

#[tokio::test]
async fn metrics_count_requests_by_route() {
    let house = House::open().await;
    house.conversation("site", "1", "support").await;
    let answer = house.get("", "/metrics").await;
    assert!(answer.headers["content-type"].to_str().unwrap().contains("openmetrics-text"));
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let route = "postroom_http_requests_total{route=\"/v1/channels/{channel}/events\",method=\"POST\",status=\"202\"} 1";
    assert!(text.contains(route), "{text}");
    assert!(text.contains("postroom_gateway_accepted_total 1"), "{text}");
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn request_id_is_taken_if_sane_and_always_answered() {
    let house = House::open().await;
    for (given, kept) in [("abc-123.X_y", true), ("a b", false), ("é", false), ("", false)] {
        let request = Request::get("/healthz").header("x-request-id", given).body(Body::empty());
        let response = house.send(request.unwrap()).await;
        let answered = response.headers()["x-request-id"].to_str().unwrap();
        assert_eq!(answered == given, kept, "{given}");
        assert!(!answered.is_empty());
    }
}

#[tokio::test]
async fn address_that_leads_nowhere_and_other_method_are_problems() {
    let house = House::open().await;
    assert_eq!(house.get("root", "/v1/nothing").await.problem(404), "not_found");
    let answer = house.ask("root", "DELETE", "/v1/me", None).await;
    assert_eq!(answer.problem(405), "method_not_allowed");
}

#[tokio::test]
async fn handler_that_panics_answers_a_problem() {
    let house = House::open().await;
    let answer = house.push("site", &json!({ "panic": true })).await;
    assert_eq!(answer.problem(500), "internal");
    assert!(!String::from_utf8_lossy(&answer.body).contains("asked to panic"));
    assert_eq!(house.push("site", &json!({ "id": "1" })).await.status, 202);
}

#[tokio::test]
async fn every_answer_has_its_headers() {
    let house = House::open().await;
    for path in ["/", "/assets/app.js", "/v1/me", "/v1/nothing", "/healthz"] {
        let headers = house.get("root", path).await.headers;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'"), "{path}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        let cache = if path.starts_with("/v1") { "no-store" } else { "no-" };
        assert!(headers["cache-control"].to_str().unwrap().starts_with(cache), "{path}");
    }
}

/// P10: what customers write only ever becomes text.
#[tokio::test]
async fn page_has_no_inline_script_and_script_writes_no_markup() {
    let house = House::open().await;
    let read =
        async |path: &str| String::from_utf8(house.get("", path).await.body.to_vec()).unwrap();
    let page = read("/").await;
    for bad in ["<script>", "onclick", "onload", "style=", "javascript:", "http://", "https://"] {
        assert!(!page.contains(bad), "{bad}");
    }
    let script = read("/assets/app.js").await;
    for bad in
        ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "https://"]
    {
        assert!(!script.contains(bad), "{bad}");
    }
}

/// The codes that stand in the sources of this crate, as `"code", "detail"` of a problem.
#[tokio::test]
async fn every_code_has_a_page_that_is_served() {
    let house = House::open().await;
    let mut codes = [
        "already_claimed",
        "conversation_changed",
        "conversation_resolved",
        "conversation_merged",
        "agent_not_found",
        "queue_not_found",
        "message_not_found",
        "busy",
        "storage_full",
        "storage_unavailable",
        "storage_damaged",
        "entry_too_large",
        "shutting_down",
        "fenced",
        "blob_missing",
        "blob_too_large",
        "blob_damaged",
        "blob_unavailable",
        "bad_cursor",
        "records_unavailable",
        "records_moved",
        "records_damaged",
        "records_other_schema",
    ]
    .map(str::to_owned)
    .to_vec();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut codes);
    assert!(codes.contains(&"conversation_not_found".to_owned()), "{codes:?}");
    let mut without = Vec::new();
    for code in codes {
        let answer = house.get("", &format!("/docs/errors/{code}")).await;
        let page = String::from_utf8_lossy(&answer.body).into_owned();
        if !page.starts_with(&format!("# {code}\n")) || !page.contains("What to do") {
            without.push(code);
        }
    }
    assert!(without.is_empty(), "without a page: {without:?}");
}

fn collect(folder: &Path, codes: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, codes);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            for start in ["Problem::new(", "Self::new(", "unavailable("] {
                for call in text.split(start).skip(1) {
                    let literal = call.split(')').next().unwrap().split('"').nth(1);
                    let word =
                        |text: &&str| text.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
                    codes.extend(
                        literal
                            .filter(|text| text.contains('_') || text.len() < 12)
                            .filter(word)
                            .map(str::to_owned),
                    );
                }
            }
        }
    }
}

/// The gauge of a state, or none where it is not told.
fn inputs(metrics: &str, state: &str) -> Option<i64> {
    let name = format!("postroom_inputs{{workspace=\"main\",state=\"{state}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok())
}

async fn metrics(house: &House) -> String {
    String::from_utf8(house.get("", "/metrics").await.body.to_vec()).unwrap()
}

#[tokio::test]
async fn p2_inputs_are_in_flight_until_they_are_decided_and_none_is_unaccounted() {
    let house = House::open().await;
    house.conversation("site", "1", "support").await;
    let text = metrics(&house).await;
    for (state, count) in [("accepted", 1), ("routed", 1), ("in_flight", 0), ("unaccounted", 0)] {
        assert_eq!(inputs(&text, state), Some(count), "{state}: {text}");
    }
    house.routing.send(false).unwrap();
    for id in ["2", "3"] {
        assert_eq!(house.push("site", &json!({ "id": id, "text": "x" })).await.status, 202);
    }
    let text = metrics(&house).await;
    for (state, count) in [("accepted", 3), ("routed", 1), ("in_flight", 2), ("unaccounted", 0)] {
        assert_eq!(inputs(&text, state), Some(count), "{state}: {text}");
    }
    house.routing.send(true).unwrap();
    house.conversation("site", "4", "support").await;
    let text = metrics(&house).await;
    for (state, count) in [("accepted", 4), ("routed", 4), ("in_flight", 0), ("unaccounted", 0)] {
        assert_eq!(inputs(&text, state), Some(count), "{state}: {text}");
    }
    assert!(text.contains("postroom_records_in_place 1"), "{text}");
    // Records that are built anew know nothing yet: better no gauge than a wrong one.
    postroom_records::Records::clear(house.backends.records.as_ref()).await.unwrap();
    assert_eq!(inputs(&metrics(&house).await, "unaccounted"), None);
}

#[tokio::test]
async fn icon_of_the_page_is_there() {
    let house = House::open().await;
    for path in ["/favicon.ico", "/assets/icon.svg"] {
        let answer = house.get("", path).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["content-type"]),
            (200, &"image/svg+xml".parse().unwrap())
        );
        assert!(answer.body.starts_with(b"<svg "));
    }
}

#[tokio::test]
async fn description_of_the_events_is_served_and_leads_nowhere_astray() {
    let house = House::open().await;
    let served = house.get("", "/asyncapi.json").await;
    assert_eq!(served.body, postroom_gateway::asyncapi());
    let document = served.json();
    assert_eq!(document["asyncapi"], "3.0.0");
    let addresses: Vec<&str> = document["channels"]
        .as_object()
        .unwrap()
        .values()
        .map(|channel| channel["address"].as_str().unwrap())
        .collect();
    assert_eq!(
        addresses,
        [
            "postroom.{workspace}.cmd.{name}",
            "/v1/events",
            "postroom.{workspace}.in.{channel}",
            "postroom.{workspace}.ledger",
            "postroom.{workspace}.out.{channel}",
        ]
    );
    let text = document.to_string();
    for reference in text.split("\"#/").skip(1) {
        let pointer = format!("/{}", reference.split('"').next().unwrap());
        assert!(document.pointer(&pointer).is_some(), "{pointer}");
    }
    assert!(!text.contains("#/$defs") && !text.contains("#/definitions"));
    for (address, channel) in document["channels"].as_object().unwrap() {
        let named = channel["address"].as_str().unwrap().matches('{').count();
        let told = channel["parameters"].as_object().map_or(0, serde_json::Map::len);
        assert_eq!(named, told, "{address}");
    }
    for field in ["position", "type", "message", "at"] {
        let property =
            document.pointer(&format!("/components/schemas/TimelineItem/properties/{field}"));
        assert!(property.is_some(), "{field}");
    }
}

#[tokio::test]
async fn description_is_served_as_it_is_generated() {
    let house = House::open().await;
    let served = house.get("", "/openapi.json").await;
    assert_eq!(served.body, postroom_gateway::openapi());
    assert_eq!(served.json()["openapi"], "3.1.0");
    let request = Request::get("/openapi.json").body(Body::empty()).unwrap();
    assert_eq!(Answer::of(house.send(request).await).await.body, served.body);
}

#[test]
fn description_has_unique_operations_and_no_reference_into_nowhere() {
    let document: serde_json::Value = serde_json::from_str(&postroom_gateway::openapi()).unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id), "{method} {path}: {id} is taken");
        }
    }
    let text = document.to_string();
    for reference in text.split("\"#/").skip(1) {
        let pointer = format!("/{}", reference.split('"').next().unwrap());
        assert!(document.pointer(&pointer).is_some(), "{pointer}");
    }
}

/// Whoever changes the API sees the change in review.
#[test]
fn description_of_the_api() {
    insta::assert_snapshot!("openapi", postroom_gateway::openapi());
}
