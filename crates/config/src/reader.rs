//! Reads typed values out of the merged settings and collects every mistake on the way. A value
//! with a mistake reads as absent, so that reading goes on; whoever asks at the end sees that
//! there were some.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::checks::{Complaint, slug_of};
use crate::diagnostic::{Diagnostic, Severity};
use crate::environment::comma_separated;
use crate::names::suggestion;
use crate::source::{Part, Source};
use crate::toml_text::join;

/// A table of the settings and where it is.
pub(crate) struct Table {
    pub(crate) path: String,
    /// Which of a `[[list]]` it is in the file, counted from 0.
    pub(crate) index: usize,
    pub(crate) map: Map<String, Value>,
}

impl Table {
    pub(crate) fn key(&self, key: &str) -> String {
        join(&self.path, key)
    }
}

pub(crate) struct Reader<'s> {
    pub(crate) source: &'s Source,
    pub(crate) mistakes: Vec<Diagnostic>,
    pub(crate) notes: Vec<Diagnostic>,
}

impl<'s> Reader<'s> {
    pub(crate) fn new(source: &'s Source, mistakes: Vec<Diagnostic>) -> Self {
        Self { source, mistakes, notes: Vec::new() }
    }

    pub(crate) fn mistake(&mut self, key: &str, message: impl Into<String>, help: Option<String>) {
        let complaint = (message.into(), help);
        self.mistakes.push(self.source.diagnose(key, Part::Value, complaint, None));
    }

    pub(crate) fn note(&mut self, key: &str, message: impl Into<String>) {
        let mut note = self.source.diagnose(key, Part::Value, (message.into(), None), None);
        note.severity = Severity::Note;
        self.notes.push(note);
    }

    /// The value if there is nothing to complain about.
    pub(crate) fn checked<T>(&mut self, key: &str, result: Result<T, Complaint>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err((message, help)) => {
                self.mistake(key, message, help);
                None
            }
        }
    }

    /// Complains of every key that is not among `known`.
    pub(crate) fn only(&mut self, table: &Table, known: &[&str]) {
        let names: Vec<String> = known.iter().map(|&name| name.to_owned()).collect();
        for key in table.map.keys().filter(|key| !known.contains(&key.as_str())) {
            let complaint = ("unknown key".to_owned(), suggestion(key, "known keys", &names));
            let path = table.key(key);
            self.mistakes.push(self.source.diagnose(&path, Part::Key, complaint, None));
        }
    }

    /// A `[section]`; empty if there is none.
    pub(crate) fn section(&mut self, root: &Map<String, Value>, name: &str) -> Table {
        let path = name.to_owned();
        let map = match root.get(name) {
            Some(Value::Object(map)) => map.clone(),
            None | Some(Value::Null) => Map::new(),
            Some(other) => {
                let help = format!("write [{name}] on a line of its own, and its keys below");
                self.wrong_type(&path, "a table", other, Some(help));
                Map::new()
            }
        };
        Table { path, index: 0, map }
    }

    /// The tables of a `[[list]]`.
    pub(crate) fn tables(&mut self, root: &Map<String, Value>, name: &str) -> Vec<Table> {
        let help = format!("write [[{name}]] on a line of its own for each, and its keys below");
        let items = match root.get(name) {
            Some(Value::Array(items)) => items.as_slice(),
            None | Some(Value::Null) => &[],
            Some(other) => {
                self.wrong_type(name, "a list of tables", other, Some(help));
                return Vec::new();
            }
        };
        let mut tables = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{name}[{index}]");
            match item {
                Value::Object(map) => tables.push(Table { path, index, map: map.clone() }),
                other => self.wrong_type(&path, "a table", other, Some(help.clone())),
            }
        }
        tables
    }

    pub(crate) fn wrong_type(
        &mut self,
        key: &str,
        expected: &str,
        found: &Value,
        help: Option<String>,
    ) {
        self.mistake(key, format!("expected {expected}, found {}", type_of(found)), help);
    }

    /// Text that is not blank.
    pub(crate) fn text(&mut self, table: &Table, key: &str) -> Option<String> {
        let path = table.key(key);
        match table.map.get(key)? {
            Value::String(text) if text.trim().is_empty() => {
                self.mistake(&path, "must not be empty", None);
                None
            }
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => {
                let help = match other {
                    Value::Number(_) | Value::Bool(_) => Some("put it in quotes".to_owned()),
                    _ => None,
                };
                self.wrong_type(&path, "text", other, help);
                None
            }
        }
    }

    /// Complains where a key is missing.
    pub(crate) fn require(&mut self, table: &Table, key: &str, help: &str) {
        if !table.map.contains_key(key) {
            let complaint = (format!("`{key}` is missing"), Some(help.to_owned()));
            let path = table.key(key);
            self.mistakes.push(self.source.diagnose(&path, Part::Value, complaint, None));
        }
    }

    /// A whole number. From a variable it comes as text.
    pub(crate) fn number(
        &mut self,
        table: &Table,
        key: &str,
        range: &RangeInclusive<u64>,
    ) -> Option<u64> {
        let path = table.key(key);
        let value = table.map.get(key)?;
        self.number_of(&path, value, range)
    }

    fn number_of(&mut self, path: &str, value: &Value, range: &RangeInclusive<u64>) -> Option<u64> {
        let from_variable = self.source.variable(path).is_some();
        let number: Option<i128> = match value {
            Value::Number(number) => number.as_i64().map(i128::from),
            Value::String(text) if from_variable => text.trim().parse().ok(),
            Value::Null => return None,
            _ => None,
        };
        let Some(number) = number else {
            let help = match value {
                Value::String(text) if text.trim().parse::<i128>().is_ok() => {
                    Some("write it without quotes".to_owned())
                }
                _ => None,
            };
            self.wrong_type(path, "a whole number", value, help);
            return None;
        };
        let fits = u64::try_from(number).ok().filter(|number| range.contains(number));
        if fits.is_none() {
            let message = format!("must be from {} to {}", range.start(), range.end());
            self.mistake(path, message, None);
        }
        fits
    }

    /// True or false. From a variable it comes as text.
    pub(crate) fn flag(&mut self, table: &Table, key: &str) -> Option<bool> {
        let path = table.key(key);
        let from_variable = self.source.variable(&path).is_some();
        match table.map.get(key)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if from_variable && text.trim().parse::<bool>().is_ok() => {
                text.trim().parse().ok()
            }
            Value::Null => None,
            other => {
                self.wrong_type(&path, "true or false", other, None);
                None
            }
        }
    }

    /// A list of texts, each with its path. From a variable it may come as text with commas.
    pub(crate) fn texts(&mut self, table: &Table, key: &str) -> Vec<(String, String)> {
        let path = table.key(key);
        let items = match table.map.get(key) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(items)) => items.clone(),
            Some(Value::String(text)) if self.source.variable(&path).is_some() => {
                comma_separated(text).map(Value::from).collect()
            }
            Some(other) => {
                let help = matches!(other, Value::String(_)).then(|| "put it in [ ]".to_owned());
                self.wrong_type(&path, "a list", other, help);
                return Vec::new();
            }
        };
        let mut texts = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            match item {
                Value::String(text) if text.trim().is_empty() => {
                    self.mistake(&path, "must not be empty", None);
                }
                Value::String(text) => texts.push((path, text.clone())),
                other => self.wrong_type(&path, "text", other, None),
            }
        }
        texts
    }

    /// A table of names with small numbers, such as the levels of skills.
    pub(crate) fn levels(
        &mut self,
        table: &Table,
        key: &str,
        range: &RangeInclusive<u64>,
    ) -> BTreeMap<String, u8> {
        let path = table.key(key);
        let map = match table.map.get(key) {
            None | Some(Value::Null) => return BTreeMap::new(),
            Some(Value::Object(map)) => map,
            Some(other) => {
                let help = "as in { english = 3 }".to_owned();
                self.wrong_type(&path, "a table", other, Some(help));
                return BTreeMap::new();
            }
        };
        let mut levels = BTreeMap::new();
        for (name, value) in map {
            let path = join(&path, name);
            if name.trim().is_empty() {
                self.mistake(&path, "the name must not be empty", None);
            }
            let level = self.number_of(&path, value, range);
            if let Some(level) = level.and_then(|level| u8::try_from(level).ok()) {
                levels.insert(name.clone(), level);
            }
        }
        levels
    }

    /// An id, by its constructor.
    pub(crate) fn id<T>(
        &mut self,
        path: &str,
        text: &str,
        new: impl Fn(&str) -> Result<T, postroom_model::ids::NotASlug>,
    ) -> Option<T> {
        let result = new(text).map_err(|error| {
            let help = slug_of(text).map(|slug| format!("for instance `{slug}`"));
            (error.to_string(), help)
        });
        self.checked(path, result)
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a decimal number",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}
