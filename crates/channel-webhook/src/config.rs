//! The options of a webhook channel, parsed and checked. Reads no file and no environment.

use std::fmt;

use postroom_channel::OptionError;
use postroom_channel::signature::Secret;
use serde_json::{Map, Value};

use crate::Dialect;
use crate::dialect::generic::nearest;

const KEYS: [&str; 4] = ["secret", "previous_secret", "callback_url", "callback_secret"];
const SECRET_HELP: &str =
    "write `whsec_` and the Base64 of 24 to 64 random bytes, or name a file with `…_file`";

/// A channel's own options, checked.
#[derive(Debug, Clone)]
pub struct WebhookOptions {
    pub dialect: Dialect,
    /// What may have signed a request: the secret, and the one before while it is replaced.
    pub secrets: Vec<Secret>,
    /// Where replies go; without it the channel does not send.
    pub callback: Option<Callback>,
}

/// Where replies are posted, and what signs them.
#[derive(Clone)]
pub struct Callback {
    /// May hold a token in its path or query, so it is never written anywhere.
    pub url: String,
    pub secret: Secret,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = url::Url::parse(&self.url);
        let origin = url.map(|url| url.origin().ascii_serialization());
        f.debug_struct("Callback")
            .field("origin", &origin.unwrap_or_default())
            .finish_non_exhaustive()
    }
}

impl WebhookOptions {
    /// Reads the keys of the channel's table that are not common to all channels. All mistakes are
    /// told at once, none with a value.
    pub fn parse(dialect: &str, table: &Map<String, Value>) -> Result<Self, Vec<OptionError>> {
        let mut errors = Vec::new();
        let known = Dialect::from_name(dialect);
        if known.is_none() {
            errors.push(no_such_dialect(dialect));
        }
        for key in table.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            errors.push(no_such_key(key));
        }
        let secret = secret(table, "secret", &mut errors);
        if secret.is_none() && !table.contains_key("secret") {
            let message = "a generic webhook channel needs a secret to check signatures with";
            errors.push(OptionError::new("secret", message, SECRET_HELP));
        }
        let previous = self::secret(table, "previous_secret", &mut errors);
        let callback_secret = self::secret(table, "callback_secret", &mut errors);
        let url = callback_url(table, &mut errors);
        if callback_secret.is_some() && !table.contains_key("callback_url") {
            let message = "there is no callback_url whose requests it could sign";
            let help = "add callback_url, or leave callback_secret out";
            errors.push(OptionError::new("callback_secret", message, help));
        }
        let (Some(dialect), Some(secret), true) = (known, secret, errors.is_empty()) else {
            return Err(errors);
        };
        let callback = url
            .map(|url| Callback { url, secret: callback_secret.unwrap_or_else(|| secret.clone()) });
        Ok(Self {
            dialect,
            secrets: [Some(secret), previous].into_iter().flatten().collect(),
            callback,
        })
    }
}

pub(crate) fn no_such_dialect(name: &str) -> OptionError {
    let names = Dialect::ALL.map(Dialect::name);
    let help = match nearest(name, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write one of: {}", names.join(", ")),
    };
    OptionError::new("dialect", format!("there is no dialect `{name}`"), help)
}

fn no_such_key(key: &str) -> OptionError {
    let help = match nearest(key, &KEYS) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("a generic webhook channel has: {}", KEYS.join(", ")),
    };
    OptionError::new(key, "no such key for a generic webhook channel", help)
}

fn text<'a>(
    table: &'a Map<String, Value>,
    key: &str,
    errors: &mut Vec<OptionError>,
) -> Option<&'a str> {
    match table.get(key)? {
        Value::String(text) => Some(text),
        _ => {
            errors.push(OptionError::new(key, "must be text", "put it in quotation marks"));
            None
        }
    }
}

fn secret(table: &Map<String, Value>, key: &str, errors: &mut Vec<OptionError>) -> Option<Secret> {
    let parsed = Secret::parse(text(table, key, errors)?);
    if let Err(error) = &parsed {
        errors.push(OptionError::new(key, error.to_string(), SECRET_HELP));
    }
    parsed.ok()
}

fn callback_url(table: &Map<String, Value>, errors: &mut Vec<OptionError>) -> Option<String> {
    let text = text(table, "callback_url", errors)?;
    match postroom_channel::check_url(text) {
        Ok(url) => Some(url.to_string()),
        Err(error) => {
            let help = "write an address such as https://example.com/replies";
            errors.push(OptionError::new("callback_url", error.to_string(), help));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::WebhookOptions;

    const SECRET: &str = "whsec_cG9zdHJvb20tdGVzdC1zZWNyZXQtMDEyMzQ1Njc4OQ==";

    fn table(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(table) => table,
            other => panic!("no table: {other}"),
        }
    }

    #[test]
    fn options_are_read_and_the_callback_secret_defaults_to_the_secret() {
        let options = table(json!({
            "secret": SECRET, "previous_secret": SECRET,
            "callback_url": "https://example.com/out?token=canary-in-url",
        }));
        let options = WebhookOptions::parse("generic", &options).unwrap();
        assert_eq!(options.secrets.len(), 2);
        let shown = format!("{options:?}");
        assert!(shown.contains("https://example.com"), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
        assert!(!shown.contains("cG9zdHJvb20"), "{shown}");

        let receiving = WebhookOptions::parse("generic", &table(json!({ "secret": SECRET })));
        assert!(receiving.unwrap().callback.is_none());
    }

    #[test]
    fn every_mistake_is_told_with_its_key_and_without_its_value() {
        for (dialect, options, key, words) in [
            ("generic", json!({}), "secret", "needs a secret"),
            ("generic", json!({ "secret": 5 }), "secret", "must be text"),
            ("generic", json!({ "secret": "whsec_canary" }), "secret", "this one holds 4"),
            ("generic", json!({ "secret": "canary!" }), "secret", "not Base64"),
            ("generic", json!({ "secret": SECRET, "calback_url": "x" }), "calback_url", "no such"),
            (
                "generic",
                json!({ "secret": SECRET, "callback_url": "ftp://x" }),
                "callback_url",
                "http",
            ),
            (
                "generic",
                json!({ "secret": SECRET, "callback_url": "http://a:canary@example.com" }),
                "callback_url",
                "password",
            ),
            (
                "generic",
                json!({ "secret": SECRET, "callback_secret": SECRET }),
                "callback_secret",
                "no callback_url",
            ),
            ("genric", json!({ "secret": SECRET }), "dialect", "no dialect"),
        ] {
            let errors = WebhookOptions::parse(dialect, &table(options)).unwrap_err();
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert_eq!(errors[0].key, key);
            assert!(errors[0].message.contains(words), "{errors:?}");
            assert!(!format!("{errors:?}").contains("canary"), "{errors:?}");
        }
    }

    #[test]
    fn help_names_the_nearest_key_and_dialect() {
        let options = table(json!({ "secret": SECRET, "previus_secret": SECRET }));
        let errors = WebhookOptions::parse("genric", &options).unwrap_err();
        let help: Vec<&str> = errors.iter().map(|error| error.help.as_str()).collect();
        assert_eq!(help, ["did you mean `generic`?", "did you mean `previous_secret`?"]);
    }
}
