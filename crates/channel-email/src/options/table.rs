//! Reading a table of options: each mistake is told with the whole key, and never with the value.

use postroom_channel::OptionError;
use serde_json::{Map, Value};

/// One table and where mistakes in it go.
pub(super) struct Table<'a> {
    /// What stands before its keys, with the dot.
    path: String,
    map: &'a Map<String, Value>,
    errors: &'a mut Vec<OptionError>,
}

impl<'a> Table<'a> {
    pub(super) fn new(
        path: &str,
        map: &'a Map<String, Value>,
        errors: &'a mut Vec<OptionError>,
    ) -> Self {
        Self { path: path.to_owned(), map, errors }
    }

    pub(super) fn mistake(&mut self, key: &str, message: impl Into<String>, help: &str) {
        self.errors.push(OptionError::new(format!("{}{key}", self.path), message, help));
    }

    pub(super) fn has_mistake(&self) -> bool {
        !self.errors.is_empty()
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// Tells every key that is not one of these.
    pub(super) fn only(&mut self, known: &[&str]) {
        let help = format!("it has: {}", known.join(", "));
        for key in self.map.keys().filter(|key| !known.contains(&key.as_str())) {
            let key = format!("{}{key}", self.path);
            self.errors.push(OptionError::new(key, "no such key for a mail channel", &help));
        }
    }

    pub(super) fn text(&mut self, key: &str) -> Option<&'a str> {
        match self.map.get(key)? {
            Value::String(text) => Some(text),
            _ => {
                self.mistake(key, "must be text", "put it in quotation marks");
                None
            }
        }
    }

    /// Text on one line, without control characters, that is not empty.
    pub(super) fn line(&mut self, key: &str) -> Option<&'a str> {
        let text = self.text(key)?.trim();
        if text.is_empty() || text.chars().any(char::is_control) {
            self.mistake(key, "must be one line of text", "write it without line breaks");
            return None;
        }
        Some(text)
    }

    pub(super) fn lines(&mut self, key: &str, count_max: usize) -> Vec<&'a str> {
        let Some(value) = self.map.get(key) else { return Vec::new() };
        let items = value.as_array().filter(|items| items.len() <= count_max);
        let texts = items.and_then(|items| items.iter().map(Value::as_str).collect());
        texts.unwrap_or_else(|| {
            let message = format!("must be a list of at most {count_max} texts");
            self.mistake(key, message, "write it as [\"a\", \"b\"]");
            Vec::new()
        })
    }

    /// A number within these bounds, or what stands for it if there is none.
    pub(super) fn number(
        &mut self,
        key: &str,
        bounds: std::ops::RangeInclusive<u64>,
        default: u64,
    ) -> u64 {
        let Some(value) = self.map.get(key) else { return default };
        match value.as_u64().filter(|number| bounds.contains(number)) {
            Some(number) => number,
            None => {
                let message =
                    format!("must be a number from {} to {}", bounds.start(), bounds.end());
                self.mistake(key, message, "write it without quotation marks");
                default
            }
        }
    }

    pub(super) fn flag(&mut self, key: &str, default: bool) -> bool {
        match self.map.get(key) {
            None => default,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.mistake(key, "must be true or false", "write it without quotation marks");
                default
            }
        }
    }

    /// The table under this key.
    pub(super) fn inner(&mut self, key: &str) -> Option<Table<'_>> {
        match self.map.get(key)? {
            Value::Object(map) => {
                Some(Table { path: format!("{}{key}.", self.path), map, errors: self.errors })
            }
            _ => {
                self.mistake(key, "must be a table", "write it as [channels.…] below the channel");
                None
            }
        }
    }
}
