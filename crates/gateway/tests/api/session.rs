//! Signing in by a one-time link, and what a signed-in browser may do.

use axum::body::Body;
use http::Request;
use postroom_access::{AccessStore as _, CredentialKind, Principal, hash_of};
use postroom_model::{AgentId, Role};
use serde_json::json;

use crate::house::{Answer, House, now};

async fn link(house: &House, secret: &str) {
    let agent = Some(AgentId::new("ada").unwrap());
    let principal = Principal { role: Role::Agent, agent, name: "ada".into(), channels: vec![] };
    let expires_at = Some(now().plus_millis(60_000));
    house.grant(secret, CredentialKind::Link, principal, expires_at).await;
}

/// Signs in and gives the cookie to send.
async fn signed_in(house: &House) -> String {
    link(house, "prl_one").await;
    let answer = house.get("", "/sign-in?token=prl_one").await;
    assert_eq!((answer.status.as_u16(), &answer.headers["location"]), (303, &"/".parse().unwrap()));
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    let (pair, rest) = cookie.split_once(';').unwrap();
    assert!(rest.contains("HttpOnly") && rest.contains("SameSite=Lax") && rest.contains("Path=/"));
    assert!(!rest.contains("Secure"), "the public URL is not https");
    pair.to_owned()
}

async fn with_cookie(
    house: &House,
    cookie: &str,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("cookie", cookie);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(house.send(request.body(Body::empty()).unwrap()).await).await
}

#[tokio::test]
async fn link_signs_in_once() {
    let house = House::open().await;
    let cookie = signed_in(&house).await;
    let me = with_cookie(&house, &cookie, ("GET", "/v1/me"), &[]).await;
    assert_eq!(me.json()["agent"]["id"], "ada");
    let again = house.get("", "/sign-in?token=prl_one").await;
    assert_eq!(again.status, 410);
    assert!(String::from_utf8_lossy(&again.body).contains("no longer works"));
    link(&house, "prl_two").await;
    house.clock.advance_millis(60_000);
    assert_eq!(house.get("", "/sign-in?token=prl_two").await.status, 410, "expired");
}

#[tokio::test]
async fn only_a_link_is_taken_and_only_by_who_opens_it() {
    let house = House::open().await;
    assert_eq!(house.get("", "/sign-in?token=ada").await.status, 410);
    assert_eq!(house.get("ada", "/v1/me").await.status, 200, "the token is still there");
    link(&house, "prl_one").await;
    assert_eq!(house.ask("", "HEAD", "/sign-in?token=prl_one", None).await.status, 204);
    signed_in(&house).await;
    let bearer = house.get("prl_one", "/v1/me").await;
    assert_eq!(bearer.problem(401), "token_invalid");
}

#[tokio::test]
async fn session_changes_things_only_from_our_own_pages() {
    let house = House::open().await;
    let cookie = signed_in(&house).await;
    let id = house.conversation("site", "1", "support").await;
    let path = format!("/v1/conversations/{id}/claim");
    let claim = ("POST", path.as_str());
    for headers in
        [vec![], vec![("sec-fetch-site", "cross-site")], vec![("origin", "http://evil.example")]]
    {
        let answer = with_cookie(&house, &cookie, claim, &headers).await;
        assert_eq!(answer.problem(403), "csrf", "{headers:?}");
    }
    let good = [("origin", "http://127.0.0.1:8080")];
    assert_eq!(with_cookie(&house, &cookie, claim, &good).await.status, 200);
}

#[tokio::test]
async fn signed_out_session_is_gone_and_expired_one_too() {
    let house = House::open().await;
    let cookie = signed_in(&house).await;
    let ours = [("sec-fetch-site", "same-origin")];
    let out = with_cookie(&house, &cookie, ("POST", "/v1/sign-out"), &ours).await;
    assert_eq!(out.status, 204);
    assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    let me = with_cookie(&house, &cookie, ("GET", "/v1/me"), &[]).await;
    assert_eq!(me.problem(401), "token_invalid");

    let cookie = signed_in(&house).await;
    house.clock.advance_millis(8 * 24 * 60 * 60 * 1_000);
    assert_eq!(with_cookie(&house, &cookie, ("GET", "/v1/me"), &[]).await.status, 401);
    let secret = cookie.split_once('=').unwrap().1;
    assert!(house.access.get(hash_of(secret)).await.unwrap().is_some(), "stored by its hash");
}

#[tokio::test]
async fn revoked_token_is_refused_at_once() {
    let house = House::open().await;
    assert_eq!(house.get("ada", "/v1/me").await.status, 200);
    assert!(house.access.take(hash_of("ada")).await.unwrap().is_some());
    assert_eq!(house.get("ada", "/v1/me").await.problem(401), "token_invalid");
}

#[tokio::test]
async fn token_is_not_a_session_and_no_other_scheme_is_a_token() {
    let house = House::open().await;
    let as_cookie = with_cookie(&house, "postroom_session=ada", ("GET", "/v1/me"), &[]).await;
    assert_eq!(as_cookie.problem(401), "token_invalid");
    let basic = Request::get("/v1/me").header("authorization", "Basic YWRh").body(Body::empty());
    assert_eq!(Answer::of(house.send(basic.unwrap()).await).await.problem(401), "token_invalid");
    let none = house.ask("", "POST", "/v1/sign-out", Some(json!({}))).await;
    assert_eq!(none.problem(401), "unauthenticated");
    assert_eq!(none.headers["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn supervisor_sets_the_status_of_an_agent() {
    let house = House::open().await;
    let set = async |token: &str, agent: &str, status: &str| {
        let path = format!("/v1/agents/{agent}/status");
        house.ask(token, "PUT", &path, Some(json!({ "status": status }))).await
    };
    let away = set("sue", "ada", "away").await;
    assert_eq!(away.status, 200);
    assert_eq!((away.text("id").as_str(), away.text("status").as_str()), ("ada", "away"));
    assert_eq!(house.get("ada", "/v1/me").await.json()["agent"]["status"], "away");
    assert_eq!(set("root", "ada", "offline").await.text("status"), "offline");
    assert_eq!(set("bob", "ada", "online").await.problem(403), "forbidden");
    assert_eq!(set("bob", "bob", "online").await.text("status"), "online");
    assert_eq!(house.get("ada", "/v1/me").await.json()["agent"]["status"], "offline");
    assert_eq!(set("sue", "zoe", "online").await.problem(404), "agent_not_found");
    assert_eq!(set("sue", "ada", "not_responding").await.problem(422), "invalid_body");
}
