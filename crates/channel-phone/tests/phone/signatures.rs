//! Who may post: each provider's signature, and shared words where there is none. The signatures
//! were computed apart, with `openssl`.

use http::{HeaderMap, Method};
use postroom_channel::PushRequest;
use postroom_channel_phone::{Dialect, Secret, challenge, verify};

use crate::support::{headers, now};

const SECRET: &str = "postroom-own-vector";

fn check(
    dialect: Dialect,
    secret: &str,
    uri: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), &'static str> {
    let secrets = [Secret::parse(dialect, secret).unwrap()];
    let request = PushRequest { method: &Method::POST, uri, headers, body };
    verify(dialect, &secrets, &request, now()).map_err(|refusal| {
        assert_eq!(refusal.status, 401);
        refusal.code
    })
}

#[test]
fn twilio_signs_the_address_and_the_sorted_fields() {
    const BODY: &[u8] = b"To=%2B442079460099&CallSid=CA77&CallStatus=ringing&CallSid=CA77&Empty=";
    let uri = "https://example.com/v1/channels/calls/events?a=1";
    let signed = headers(&[("x-twilio-signature", "HwyxCV4sJeDoE8Eyko9CszS62M4=")]);
    let outcome = |uri: &str, body: &[u8]| check(Dialect::TwilioVoice, SECRET, uri, &signed, body);
    assert_eq!(outcome(uri, BODY), Ok(()));
    let with_port = uri.replace("example.com", "example.com:443");
    assert_eq!(outcome(&with_port, BODY), Ok(()));
    let reordered = b"Empty=&CallStatus=ringing&CallSid=CA77&To=%2b442079460099";
    assert_eq!(outcome(uri, reordered), Ok(()));
    for (uri, body) in [
        (uri, b"To=%2B442079460098&CallSid=CA77&CallStatus=ringing&Empty=".as_slice()),
        ("https://example.com/v1/channels/calls/events", BODY),
        ("http://example.com/v1/channels/calls/events?a=1", BODY),
        ("/v1/channels/calls/events?a=1", BODY),
    ] {
        assert_eq!(outcome(uri, body), Err("signature_mismatch"), "{uri}");
    }
    // A body that is no form is named by its hash in the address, and the address is signed.
    let uri = "https://example.com/e?bodySHA256=015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";
    let signed = headers(&[("x-twilio-signature", "dcI+6+xH1elcybTxMZPDBtrzC/0=")]);
    assert_eq!(check(Dialect::TwilioVoice, SECRET, uri, &signed, b"{\"a\":1}"), Ok(()));
    let other = check(Dialect::TwilioVoice, SECRET, uri, &signed, b"{\"a\":2}");
    assert_eq!(other, Err("signature_mismatch"));
}

#[test]
fn meta_and_placetel_sign_the_body() {
    const BODY: &[u8] = b"call_id=f4&event=HungUp";
    const DIGITS: &str = "99fafef7b2e3a6555e29223b4176c7901e685a957cb8cd777dd92d142c925b63";
    let meta = format!("sha256={DIGITS}");
    for (dialect, name, value) in [
        (Dialect::WhatsappCalls, "x-hub-signature-256", meta.as_str()),
        (Dialect::Placetel, "x-placetel-signature", DIGITS),
    ] {
        let outcome = |pairs: &[(&str, &str)], body: &[u8]| {
            check(dialect, SECRET, "/", &headers(pairs), body)
        };
        assert_eq!(outcome(&[(name, value)], BODY), Ok(()));
        assert_eq!(
            outcome(&[(name, value)], b"call_id=f5&event=HungUp"),
            Err("signature_mismatch")
        );
        assert_eq!(outcome(&[], BODY), Err("signature_header_missing"));
        assert_eq!(outcome(&[(name, value), (name, value)], BODY), Err("signature_header_doubled"));
        for bad in ["sha256=", "sha1=00", "zz", "0"] {
            assert_eq!(outcome(&[(name, bad)], BODY), Err("signature_mismatch"), "{bad}");
        }
    }
}

#[test]
fn systems_that_cannot_sign_send_a_shared_word() {
    // Basic of `pbx:postroom-own-vector`.
    let basic = "Basic cGJ4OnBvc3Ryb29tLW93bi12ZWN0b3I=";
    for dialect in
        [Dialect::ZammadCti, Dialect::Sipgate, Dialect::FreeswitchCdr, Dialect::AsteriskCdr]
    {
        for (uri, pairs, outcome) in [
            ("/", vec![("authorization", basic)], Ok(())),
            ("/", vec![("authorization", "Bearer postroom-own-vector")], Ok(())),
            ("/e?token=postroom-own-vector&x=1", vec![], Ok(())),
            ("/e?token=postroom-own-vectors", vec![], Err("signature_mismatch")),
            ("/e?token=", vec![], Err("signature_mismatch")),
            ("/", vec![], Err("signature_header_missing")),
            ("/", vec![("authorization", "Bearer other")], Err("signature_mismatch")),
            ("/", vec![("authorization", "Basic !")], Err("signature_mismatch")),
            ("/", vec![("authorization", "Digest x")], Err("signature_mismatch")),
            (
                "/",
                vec![("authorization", basic), ("authorization", basic)],
                Err("signature_header_doubled"),
            ),
        ] {
            assert_eq!(
                check(dialect, SECRET, uri, &headers(&pairs), b""),
                outcome,
                "{uri} {pairs:?}"
            );
        }
    }
}

#[test]
fn question_who_listens_is_answered_to_who_knows_the_word() {
    let secrets = [Secret::parse(Dialect::WhatsappCalls, SECRET).unwrap()];
    let headers = HeaderMap::new();
    let ask = |dialect, method: Method, uri: &str| {
        let request = PushRequest { method: &method, uri, headers: &headers, body: b"" };
        challenge(dialect, &secrets, &request).map(|answer| answer.map_err(|refusal| refusal.code))
    };
    let good = "/e?hub.mode=subscribe&hub.verify_token=postroom-own-vector&hub.challenge=1158";
    let answer = ask(Dialect::WhatsappCalls, Method::GET, good).unwrap().unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "1158"));
    let bad = good.replace("own", "foreign");
    let answer = ask(Dialect::WhatsappCalls, Method::GET, &bad);
    assert_eq!(answer, Some(Err("signature_mismatch")));
    assert_eq!(ask(Dialect::WhatsappCalls, Method::POST, good), None);
    assert_eq!(ask(Dialect::Placetel, Method::GET, good), None);
}

#[test]
fn secret_has_a_length_and_is_never_shown() {
    let long = "canary".repeat(100);
    for (dialect, text) in [
        (Dialect::Placetel, ""),
        (Dialect::Placetel, long.as_str()),
        (Dialect::Generic, "whsec_canary!"),
    ] {
        let error = Secret::parse(dialect, text).unwrap_err();
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
    let secret = Secret::parse(Dialect::Placetel, "canary-of-the-tests").unwrap();
    assert_eq!(format!("{secret:?}"), "Secret(…)");
}
