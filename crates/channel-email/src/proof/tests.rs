//! Mails over name servers that a test scripts.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use postroom_testkit::{Answer, ScriptedDns};
use ring::signature::KeyPair as _;
use serde_json::json;

use super::{Prover, Way};
use crate::authentic::{Verdict, verdict};
use crate::limits::{HEADER_FIELDS_MAX, SIGNATURES_CHECKED_MAX};
use crate::options::ProofOptions;
use crate::send::Signer;

const MAIL: &str = "From: Ada <ada@example.net>\r\nTo: support@example.com\r\nSubject: Hi\r\nDate: Sat, 28 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n\r\nHello\r\n";
const GOOD: &str = "192.0.2.1";
/// Nobody waits so long.
const LONG: Duration = Duration::from_secs(20);
const OTHER: &str = "198.51.100.7";

fn prover(dns: &ScriptedDns, limit: Duration) -> Prover {
    Prover::new(&ProofOptions { servers: vec![dns.address], limit, received_by: None })
}

fn way(client: &str, sender: &str) -> Way {
    Way {
        client: client.parse::<IpAddr>().ok(),
        hello: "mx.example.net".to_owned(),
        sender: sender.to_owned(),
        host: "mx.example.com".to_owned(),
    }
}

/// A key, and the record that publishes it.
struct Key {
    pem: String,
    record: String,
}

impl Key {
    fn new() -> Self {
        let random = ring::rand::SystemRandom::new();
        let der = ring::signature::Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let pair = ring::signature::Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap();
        let text = |bytes: &[u8]| {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode(bytes)
        };
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            text(der.as_ref())
        );
        let public = text(pair.public_key().as_ref());
        Self { pem, record: format!("v=DKIM1; k=ed25519; p={public}") }
    }

    /// The mail, signed for a domain.
    fn sign(&self, domain: &str) -> Vec<u8> {
        let options = json!({
            "address": "a@example.org",
            "token_secret": "0123456789abcdef",
            "smtp": { "host": "localhost" },
            "dkim": { "domain": domain, "selector": "s", "key": self.pem },
        });
        let options = crate::EmailOptions::parse(options.as_object().unwrap()).unwrap();
        Signer::new(&options.dkim.unwrap()).unwrap().sign(MAIL.as_bytes()).unwrap()
    }
}

async fn ask(prover: &Prover, mail: &[u8], way: Way) -> (String, Verdict) {
    let results = prover.results(&Bytes::copy_from_slice(mail), way).await;
    let judged = verdict(&results, Some("ada@example.net"));
    (results, judged)
}

/// Name servers that publish the keys and hosts of two domains, and a policy of the first.
async fn published(key: &Key, policy: Option<&str>) -> ScriptedDns {
    let mut zone = vec![
        ("s._domainkey.example.net", Answer::Txt(&key.record)),
        ("s._domainkey.evil.test", Answer::Txt(&key.record)),
        ("example.net", Answer::Txt("v=spf1 ip4:192.0.2.1 -all")),
        ("evil.test", Answer::Txt("v=spf1 ip4:198.51.100.7 -all")),
    ];
    zone.extend(policy.map(|policy| ("_dmarc.example.net", Answer::Txt(policy))));
    ScriptedDns::start(&zone).await
}

const REJECT: Option<&str> = Some("v=DMARC1; p=reject");
const STRICT: Option<&str> = Some("v=DMARC1; p=quarantine; adkim=s; aspf=s");
const LENIENT: Option<&str> = Some("v=DMARC1; p=none");

#[tokio::test]
async fn sender_whose_domain_has_a_policy_is_judged_by_it() {
    let key = Key::new();
    let (own, foreign, plain) =
        (key.sign("example.net"), key.sign("evil.test"), MAIL.as_bytes().to_vec());
    let changed = [own.as_slice(), b"Pay me.\r\n"].concat();
    let (ada, eve) = ("ada@example.net", "ada@evil.test");
    let passed = "dmarc=pass (p=reject) header.from=example.net";
    let failed = "dmarc=fail (p=reject) header.from=example.net";
    for (policy, mail, (client, sender), told, judged) in [
        // By the signature alone, as behind a server that forwards, and by the way alone.
        (
            REJECT,
            &own,
            (OTHER, eve),
            ["spf=pass smtp.mailfrom=evil.test", "dkim=pass header.d=example.net", passed],
            Verdict::Pass,
        ),
        (
            REJECT,
            &plain,
            (GOOD, ada),
            ["spf=pass smtp.mailfrom=example.net", "dkim=none", passed],
            Verdict::Pass,
        ),
        // A made up sender with a good signature of somebody else.
        (
            REJECT,
            &foreign,
            (OTHER, eve),
            ["spf=pass smtp.mailfrom=evil.test", "dkim=pass header.d=evil.test", failed],
            Verdict::Fail,
        ),
        (
            STRICT,
            &foreign,
            (OTHER, eve),
            [
                "spf=pass smtp.mailfrom=evil.test",
                "dkim=pass header.d=evil.test",
                "dmarc=fail (p=quarantine) header.from=example.net",
            ],
            Verdict::Fail,
        ),
        (
            LENIENT,
            &foreign,
            (OTHER, eve),
            [
                "spf=pass smtp.mailfrom=evil.test",
                "dkim=pass header.d=evil.test",
                "dmarc=fail (p=none) header.from=example.net",
            ],
            Verdict::None,
        ),
        // Changed on the way, and from a host that may not send.
        (
            REJECT,
            &changed,
            (OTHER, ada),
            ["spf=fail smtp.mailfrom=example.net", "dkim=neutral header.d=example.net", failed],
            Verdict::Fail,
        ),
    ] {
        let dns = published(&key, policy).await;
        let found = ask(&prover(&dns, LONG), mail, way(client, sender)).await;
        assert_eq!(found, (told.join("; "), judged));
    }
}

#[tokio::test]
async fn sender_without_a_policy_or_a_known_client_is_judged_by_the_rest() {
    let key = Key::new();
    let (own, foreign, plain) =
        (key.sign("example.net"), key.sign("evil.test"), MAIL.as_bytes().to_vec());
    for (policy, mail, client, sender, told, judged) in [
        // The signature of the domain is enough, and that of another proves nothing.
        (
            None,
            &own,
            OTHER,
            "",
            "spf=none smtp.helo=mx.example.net; dkim=pass header.d=example.net; dmarc=none",
            Verdict::Pass,
        ),
        (
            None,
            &foreign,
            OTHER,
            "ada@evil.test",
            "spf=pass smtp.mailfrom=evil.test; dkim=pass header.d=evil.test; dmarc=none",
            Verdict::None,
        ),
        // Nobody knows who handed it in.
        (
            REJECT,
            &own,
            "",
            "ada@example.net",
            "dkim=pass header.d=example.net; dmarc=pass (p=reject) header.from=example.net",
            Verdict::Pass,
        ),
        (
            REJECT,
            &plain,
            "",
            "ada@example.net",
            "dkim=none; dmarc=none (p=reject, client unknown) header.from=example.net",
            Verdict::None,
        ),
    ] {
        let dns = published(&key, policy).await;
        let found = ask(&prover(&dns, LONG), mail, way(client, sender)).await;
        assert_eq!(found, (told.to_owned(), judged));
    }
}

#[tokio::test]
async fn client_that_nobody_tells_is_read_where_the_named_server_wrote_it() {
    let key = Key::new();
    let dns = published(&key, REJECT).await;
    let options = ProofOptions {
        servers: vec![dns.address],
        limit: LONG,
        received_by: Some("mx.example.com".to_owned()),
    };
    let asker = Prover::new(&options);
    let from = |client: &str, server: &str| {
        format!(
            "Received: from mail.example.net (x [{client}]) by {server} with ESMTP id 1; Sat, 28 Nov 2026 10:00:00 +0000\r\n{MAIL}"
        )
    };
    for (client, server, judged) in [
        (GOOD, "mx.example.com", Verdict::Pass),
        (OTHER, "mx.example.com", Verdict::Fail),
        // Somebody else wrote it.
        (GOOD, "mx.evil.test", Verdict::None),
    ] {
        let mail = from(client, server);
        let found = ask(&asker, mail.as_bytes(), way("", "ada@example.net")).await;
        assert_eq!(found.1, judged, "{found:?}");
    }
    // What the server tells by itself comes first.
    let mail = from(GOOD, "mx.example.com");
    let found = ask(&asker, mail.as_bytes(), way(OTHER, "ada@example.net")).await;
    assert_eq!(found.1, Verdict::Fail, "{found:?}");
}

#[tokio::test]
async fn broken_and_silent_name_servers_prove_and_refute_nothing() {
    let key = Key::new();
    let own = key.sign("example.net");
    let broken = ScriptedDns::start(&[
        ("s._domainkey.example.net", Answer::Failure),
        ("example.net", Answer::Failure),
        ("_dmarc.example.net", Answer::Txt("v=DMARC1; p=reject")),
    ])
    .await;
    let asker = prover(&broken, LONG);
    let (results, judged) = ask(&asker, &own, way(GOOD, "ada@example.net")).await;
    assert_eq!(
        results,
        "spf=temperror smtp.mailfrom=example.net; dkim=temperror header.d=example.net; dmarc=temperror (p=reject) header.from=example.net"
    );
    assert_eq!(judged, Verdict::None);
    let policy = ScriptedDns::start(&[
        ("s._domainkey.example.net", Answer::Txt(&key.record)),
        ("_dmarc.example.net", Answer::Failure),
    ])
    .await;
    let asker = prover(&policy, LONG);
    // What the domain signed is its own, whatever its policy is.
    let (results, judged) = ask(&asker, &own, way("", "ada@example.net")).await;
    assert_eq!(
        (results.as_str(), judged),
        ("dkim=pass header.d=example.net; dmarc=temperror", Verdict::Pass)
    );
    let (_, judged) = ask(&asker, MAIL.as_bytes(), way("", "ada@example.net")).await;
    assert_eq!(judged, Verdict::None);

    let silent = ScriptedDns::start(&[("s._domainkey.example.net", Answer::Silence)]).await;
    let asker = prover(&silent, Duration::from_millis(300));
    let (results, judged) = ask(&asker, &own, way("", "ada@example.net")).await;
    assert_eq!((results.as_str(), judged), ("dmarc=temperror", Verdict::None));
}

#[tokio::test]
async fn answers_are_kept_and_questions_have_an_end() {
    let key = Key::new();
    let own = key.sign("example.net");
    let dns = ScriptedDns::start(&[("s._domainkey.example.net", Answer::Txt(&key.record))]).await;
    let asker = prover(&dns, LONG);
    for _ in 0..3 {
        assert_eq!(ask(&asker, &own, way("", "ada@example.net")).await.1, Verdict::Pass);
    }
    let of_key = |asked: Vec<String>| {
        asked.iter().filter(|name| name.as_str() == "s._domainkey.example.net").count()
    };
    assert_eq!(of_key(dns.asked()), 1);
    // Many signatures, each with a key of its own.
    let mail = String::from_utf8(own).unwrap();
    let (signature, rest) = mail.split_at(mail.find("From: ").unwrap());
    let many: String = (0..50).map(|n| signature.replace("s=s;", &format!("s=n{n};"))).collect();
    ask(&asker, format!("{many}{rest}").as_bytes(), way("", "ada@example.net")).await;
    let asked = dns.asked().iter().filter(|name| name.starts_with('n')).count();
    assert_eq!(asked, SIGNATURES_CHECKED_MAX);
    // A header that is set aside anyway is not looked at.
    let before = dns.asked().len();
    let fields = "DKIM-Signature: x\r\n".repeat(5 * HEADER_FIELDS_MAX);
    assert_eq!(ask(&asker, format!("{fields}{MAIL}").as_bytes(), way("", "a@b")).await.0, "none");
    assert_eq!(dns.asked().len(), before);
}

#[tokio::test]
async fn doctor_is_told_whether_the_name_servers_answer() {
    let dns = ScriptedDns::start(&[
        ("_dmarc.example.net", Answer::Txt("v=DMARC1; p=reject")),
        ("_dmarc.broken.test", Answer::Failure),
    ])
    .await;
    let asker = prover(&dns, LONG);
    assert!(asker.examine("example.net").await.unwrap().contains("has a policy"));
    assert!(asker.examine("example.org").await.unwrap().contains("has no policy"));
    assert!(asker.examine("broken.test").await.is_err());
}
