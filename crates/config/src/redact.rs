//! Which values are secret, and what is shown in their place (P10). Everything that leaves this
//! crate for a log, a dump or a diagnostic goes through here or through `mask`.

use serde_json::{Map, Value};

/// What is shown instead of a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// Names of keys that hold secrets, and how longer names of such keys end.
const SECRET_NAMES: &[&str] = &[
    "secret",
    "token",
    "password",
    "passphrase",
    "key",
    "seed",
    "credential",
    "apikey",
    "authorization",
    "cookie",
];

/// Whether a key of this name holds a secret: `secret`, `bot_token`, `api-key`, `secrets`,
/// `Cookie`…
pub fn is_secret_key(name: &str) -> bool {
    let name = name.to_lowercase().replace('-', "_");
    let name = name.strip_suffix('s').unwrap_or(&name);
    SECRET_NAMES.iter().any(|secret| {
        name == *secret || name.strip_suffix(secret).is_some_and(|head| head.ends_with('_'))
    })
}

/// A URL without the user, the password and the query, which may hold credentials.
pub fn redact_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let user = if host.len() < authority.len() { "[redacted]@" } else { "" };
    let (path, query) = tail.split_once('?').map_or((tail, ""), |(path, _)| (path, "?[redacted]"));
    format!("{scheme}://{user}{host}{path}{query}")
}

/// As [`redact_url`], for one URL or several with commas between. A comma may stand in a password
/// too; where it is not clear which it is, nothing is shown.
pub(crate) fn redact_urls(urls: &str) -> String {
    if urls.matches("://").count() < 2 {
        return redact_url(urls);
    }
    let each: Vec<&str> = urls.split(',').map(str::trim).collect();
    if each.iter().any(|one| one.matches("://").count() != 1) {
        return REDACTED.to_owned();
    }
    each.into_iter().map(redact_url).collect::<Vec<_>>().join(",")
}

/// The table with every secret replaced, at any depth.
pub(crate) fn redact_table(table: &Map<String, Value>) -> Map<String, Value> {
    let redacted = table.iter().map(|(key, value)| {
        let shown = if is_secret_key(key) { REDACTED.into() } else { redact_value(value) };
        (key.clone(), shown)
    });
    redacted.collect()
}

/// As [`redact_url`], and without the path of an http URL: providers put tokens there too.
fn redact_option(text: &str) -> String {
    let shown = redact_url(text);
    let Some((scheme @ ("http" | "https"), rest)) = shown.split_once("://") else {
        return shown;
    };
    match rest.split_once('/') {
        Some((host, path)) if !path.is_empty() => format!("{scheme}://{host}/{REDACTED}"),
        _ => shown,
    }
}

fn redact_value(value: &Value) -> Value {
    match value {
        Value::String(text) => redact_option(text).into(),
        Value::Array(items) => items.iter().map(redact_value).collect(),
        Value::Object(table) => Value::Object(redact_table(table)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_secret_key, redact_table, redact_url, redact_urls};

    #[test]
    fn secret_keys_are_known_by_their_names() {
        for name in [
            "secret",
            "secrets",
            "app_secret",
            "token",
            "verify_token",
            "bot-token",
            "password",
            "smtp_password",
            "encoding_aes_key",
            "credentials",
            "seed",
            "api_keys",
            "Authorization",
            "X-Api-Key",
        ] {
            assert!(is_secret_key(name), "{name}");
        }
        for name in ["id", "callback_url", "secret_file", "keyboard", "tokenizer", "monkey"] {
            assert!(!is_secret_key(name), "{name}");
        }
    }

    #[test]
    fn url_loses_user_password_and_query() {
        for (url, shown) in [
            ("redis://:hunter2@db:6379/1", "redis://[redacted]@db:6379/1"),
            ("nats://u:p@w@a", "nats://[redacted]@a"),
            ("https://a.example/out?key=hunter2#x", "https://a.example/out?[redacted]"),
            ("https://a.example?key=hunter2", "https://a.example?[redacted]"),
            ("https://a.example/@user", "https://a.example/@user"),
            ("embedded", "embedded"),
        ] {
            assert_eq!(redact_url(url), shown);
        }
    }

    #[test]
    fn urls_with_commas_between_lose_each_secret() {
        for (urls, shown) in [
            ("nats://u:hunter2@a,nats://t@b", "nats://[redacted]@a,nats://[redacted]@b"),
            ("redis://:hun,ter2@db", "redis://[redacted]@db"),
            ("nats://u:hun,ter2@a,nats://b", "[redacted]"),
        ] {
            assert_eq!(redact_urls(urls), shown);
        }
    }

    #[test]
    fn table_is_redacted_at_any_depth() {
        let table = serde_json::json!({
            "secrets": ["hunter2"],
            "smtp": { "password": "hunter2", "host": "mail" },
            "list": [{ "token": "hunter2" }, "https://u:hunter2@a/"],
            "callback_url": "https://hooks.example/T1/hunter2",
        });
        let shown = serde_json::to_string(&redact_table(table.as_object().unwrap())).unwrap();
        assert!(!shown.contains("hunter2") && shown.contains("mail"), "{shown}");
        assert!(shown.contains("https://hooks.example/[redacted]"), "{shown}");
    }
}
