//! Parses the text of the file into values, with the place of every key and value in it. It checks
//! the syntax of TOML and nothing else.

use std::collections::BTreeMap;
use std::ops::Range;

use config::{Map, Value, ValueKind};
use toml::de::{DeTable, DeValue};

/// Where a key and its value stand, as byte ranges of the text.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The name of the key; for an element of a list the element.
    pub(crate) key: Range<usize>,
    /// The value; for a table under a header, the header.
    pub(crate) value: Range<usize>,
}

/// A parsed file.
pub(crate) struct Parsed {
    pub(crate) values: Map<String, Value>,
    /// By path, such as `rules[2].queue`.
    pub(crate) places: BTreeMap<String, Place>,
    /// What is wrong with the syntax: place and message.
    pub(crate) errors: Vec<(Range<usize>, String)>,
}

/// The text of a syntax error that leaves the rest of the file readable.
const DUPLICATE_KEY: &str = "duplicate key";

impl Parsed {
    pub(crate) fn new(text: &str) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut walk = Walk { places: BTreeMap::new(), errors: Vec::new() };
        let values = walk.table("", root.get_ref());
        walk.errors.extend(without_follow_ups(&errors));
        Self { values, places: walk.places, errors: walk.errors }
    }

    /// Whether what was read is what the operator wrote, so that checking it further makes sense.
    pub(crate) fn is_sound(&self) -> bool {
        self.errors.iter().all(|(_, message)| {
            message.starts_with(DUPLICATE_KEY) || message.starts_with(TOO_LARGE)
        })
    }
}

/// Behind a line that cannot be read, a key may only seem to come twice.
fn without_follow_ups(errors: &[toml::de::Error]) -> Vec<(Range<usize>, String)> {
    let mut broken = false;
    let mut kept = Vec::new();
    for error in errors {
        let duplicate = error.message().starts_with(DUPLICATE_KEY);
        if duplicate && broken {
            continue;
        }
        broken |= !duplicate;
        let span = error.span().unwrap_or(0..0);
        kept.push((span, error.message().trim().to_owned()));
    }
    kept
}

const TOO_LARGE: &str = "the number does not fit into 64 bits";

struct Walk {
    places: BTreeMap<String, Place>,
    errors: Vec<(Range<usize>, String)>,
}

impl Walk {
    fn table(&mut self, path: &str, table: &DeTable<'_>) -> Map<String, Value> {
        let mut values = Map::new();
        for (key, value) in table {
            let path = join(path, key.get_ref());
            let place = Place { key: key.span(), value: value.span() };
            self.places.insert(path.clone(), place);
            let value = self.value(&path, &value.span(), value.get_ref());
            values.insert(key.get_ref().to_string(), value);
        }
        values
    }

    fn value(&mut self, path: &str, span: &Range<usize>, value: &DeValue<'_>) -> Value {
        let kind = match value {
            DeValue::String(text) => ValueKind::String(text.to_string()),
            DeValue::Boolean(flag) => ValueKind::Boolean(*flag),
            // Options of an adapter may be times; text is the form that every adapter can take.
            DeValue::Datetime(time) => ValueKind::String(time.to_string()),
            DeValue::Float(number) => {
                number.as_str().replace('_', "").parse().map_or(ValueKind::Nil, ValueKind::Float)
            }
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => ValueKind::I64(number),
                    Err(_) => {
                        self.errors.push((span.clone(), TOO_LARGE.to_owned()));
                        ValueKind::Nil
                    }
                }
            }
            DeValue::Array(items) => {
                let items = items.iter().enumerate().map(|(index, item)| {
                    let path = format!("{path}[{index}]");
                    let place = Place { key: item.span(), value: item.span() };
                    self.places.insert(path.clone(), place);
                    self.value(&path, &item.span(), item.get_ref())
                });
                ValueKind::Array(items.collect())
            }
            DeValue::Table(table) => ValueKind::Table(self.table(path, table)),
        };
        Value::new(None, kind)
    }
}

/// The path of `key` in the table at `path`.
pub(crate) fn join(path: &str, key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let quoted = key.is_empty() || !key.chars().all(bare);
    match (path.is_empty(), quoted) {
        (true, false) => key.to_owned(),
        (true, true) => format!("{key:?}"),
        (false, false) => format!("{path}.{key}"),
        (false, true) => format!("{path}.{key:?}"),
    }
}

/// The path one level up; none for the root.
pub(crate) fn parent(path: &str) -> Option<&str> {
    if path.is_empty() {
        return None;
    }
    if path.ends_with('"') {
        // A quoted key: its opening quote is the last one after a dot or at the start.
        let at = path.rfind(".\"").unwrap_or(0);
        return path.get(..at);
    }
    let at = path.rfind(['.', '[']).unwrap_or(0);
    path.get(..at)
}

/// Where the byte `offset` of a string's value stands in `raw`, the string as it is written with
/// its quotes: 0 is the opening quote. Offsets beyond the end give the closing quote.
pub(crate) fn offset_in_raw(raw: &str, offset: usize) -> usize {
    let Some(quote) = raw.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return 0;
    };
    let triple: String = [quote; 3].iter().collect();
    let multiline = raw.len() >= 6 && raw.starts_with(&triple);
    let mut at = if multiline { 3 } else { 1 };
    let end = raw.len().saturating_sub(at).max(at);
    if multiline {
        let rest = raw.get(at..).unwrap_or_default();
        // The first line break after the opening quotes is not part of the value.
        at += if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    }
    let mut decoded = 0;
    while decoded < offset && at < end {
        let rest = raw.get(at..end).unwrap_or_default();
        let (written, value) = step(rest, quote == '"');
        at += written;
        decoded += value;
    }
    at.min(end)
}

/// How many bytes the next character takes as written and in the value.
fn step(rest: &str, escapes: bool) -> (usize, usize) {
    let mut chars = rest.chars();
    let Some(first) = chars.next() else {
        return (1, 1);
    };
    if first != '\\' || !escapes {
        return (first.len_utf8(), first.len_utf8());
    }
    let digits = match chars.next() {
        Some('x') => 2,
        Some('u') => 4,
        Some('U') => 8,
        Some(c) if c.is_whitespace() => {
            let after = chars.as_str().trim_start();
            return (rest.len() - after.len(), 0);
        }
        _ => return (2, 1),
    };
    let code = rest.get(2..2 + digits).and_then(|code| u32::from_str_radix(code, 16).ok());
    let value = code.and_then(char::from_u32).map_or(1, char::len_utf8);
    (2 + digits, value)
}

#[cfg(test)]
mod tests {
    use super::{Parsed, offset_in_raw, parent};

    #[test]
    fn every_key_and_value_has_its_place() {
        let text = "a = 1\n[server]\nlisten = \"x\"\n[[rules]]\n\"odd key\" = [1, 22]\n";
        let parsed = Parsed::new(text);
        let at = |path: &str| {
            let place = &parsed.places[path];
            (text.get(place.key.clone()).unwrap(), text.get(place.value.clone()).unwrap())
        };
        assert_eq!(at("a"), ("a", "1"));
        assert_eq!(at("server.listen"), ("listen", "\"x\""));
        assert_eq!(at("server"), ("server", "[server]"));
        assert_eq!(at("rules[0]").1, "[[rules]]");
        assert_eq!(at("rules[0].\"odd key\""), ("\"odd key\"", "[1, 22]"));
        assert_eq!(at("rules[0].\"odd key\"[1]"), ("22", "22"));
        assert!(parsed.errors.is_empty());
    }

    #[test]
    fn parent_goes_up_one_level_at_a_time() {
        let mut path = "rules[0].\"odd. key\"[1]";
        let mut seen = Vec::new();
        while let Some(up) = parent(path) {
            seen.push(up);
            path = up;
        }
        assert_eq!(seen, ["rules[0].\"odd. key\"", "rules[0]", "rules", ""]);
    }

    #[test]
    fn offset_in_a_string_is_found_behind_quotes_and_escapes() {
        for (raw, offset, expected) in [
            ("\"abc\"", 0, 1),
            ("\"abc\"", 2, 3),
            ("\"abc\"", 9, 4),
            ("'a\\c'", 2, 3),
            (r#""a\"c""#, 2, 4),
            (r#""\u00e9c""#, 2, 7),
            ("\"\"\"\nab\"\"\"", 1, 5),
            ("\"\"\"a\\\n  b\"\"\"", 2, 9),
            ("\"\"", 0, 1),
            ("12", 1, 0),
        ] {
            assert_eq!(offset_in_raw(raw, offset), expected, "{raw} {offset}");
        }
    }
}
