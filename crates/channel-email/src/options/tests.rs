//! Each mistake in the options, with the key at which it is told.

use serde_json::{Map, Value, json};

use super::EmailOptions;

fn table(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn good() -> Value {
    json!({
        "address": "Support@Example.COM",
        "aliases": ["help@example.com"],
        "name": "Example Support",
        "token_secret": "canary-of-the-tests",
        "listen": { "protocol": "lmtp", "address": "127.0.0.1:2424" },
        "smtp": { "host": "smtp.example.com", "user": "support", "password": "canary-password" },
    })
}

#[test]
fn options_are_read_with_their_defaults_and_hide_their_secrets() {
    let options = EmailOptions::parse(&table(good())).unwrap();
    assert_eq!(options.address.to_string(), "Support@example.com");
    let listen = options.listen.as_ref().unwrap();
    assert_eq!((listen.mail_bytes_max, listen.recipients_max), (25 * 1024 * 1024, 100));
    let smtp = options.smtp.as_ref().unwrap();
    assert_eq!((smtp.port, smtp.security), (587, super::Security::StartTls));
    assert!(!format!("{options:?}").contains("canary"), "{options:?}");
}

#[test]
fn every_mistake_is_told_with_its_key() {
    let change = |key: &str, value: Value| {
        let mut options = good();
        let (head, tail) = key.split_once('.').unwrap_or(("", key));
        let table = if head.is_empty() { &mut options } else { &mut options[head] };
        match value {
            Value::Null => drop(table.as_object_mut().unwrap().remove(tail)),
            value => table[tail] = value,
        }
        options
    };
    for (key, value, at, words) in [
        ("address", json!(null), "address", "has an address"),
        ("address", json!("support"), "address", "no mail address"),
        ("address", json!("a-name-that-is-far-too-long@example.com"), "address", "at most 21"),
        ("aliases", json!(["help"]), "aliases", "no mail address"),
        ("aliases", json!("help@example.com"), "aliases", "list"),
        ("adress", json!("x"), "adress", "no such key"),
        ("name", json!("a\nb"), "name", "one line"),
        ("token_secret", json!("canary"), "token_secret", "at least 16"),
        ("token_secret", json!(null), "token_secret", "needs one"),
        ("dkim", json!({"selector": "s", "key": "canary"}), "dkim.key", "no private key"),
        ("dkim", json!({"selector": "s"}), "dkim.key", "must be set"),
        ("listen", json!(5), "listen", "a table"),
        ("listen.protocol", json!("uucp"), "listen.protocol", "no such protocol"),
        ("listen.protocol", json!(null), "listen.protocol", "must be set"),
        ("listen.address", json!("localhost"), "listen.address", "listen on"),
        ("listen.mail_bytes_max", json!(0), "listen.mail_bytes_max", "from 1024"),
        ("listen.received_by", json!("mx.example.com"), "listen.received_by", "nobody would look"),
        ("listen.certificate", json!("canary"), "listen.certificate", "go together"),
        ("smtp.host", json!("smtp.example.com:25"), "smtp.host", "no server"),
        ("smtp.tls", json!("none"), "smtp.tls", "in the clear"),
        ("smtp.tls", json!("ssl"), "smtp.tls", "no such way"),
        ("smtp.user", json!(null), "smtp.user", "go together"),
        ("smtp.port", json!(70_000), "smtp.port", "65535"),
        ("smtp.ca", json!("canary"), "smtp.ca", "no certificate"),
    ] {
        let errors = EmailOptions::parse(&table(change(key, value))).unwrap_err();
        let told: Vec<_> = errors.iter().map(|error| error.key.as_str()).collect();
        assert_eq!(told, [at], "{errors:?}");
        assert!(errors[0].message.contains(words), "{errors:?}");
        assert!(!format!("{errors:?}").contains("canary"), "{errors:?}");
    }
}
