//! JSON from strangers, read strictly: UTF-8, bounded depth, no name twice in one object.
//!
//! Whatever is wrong is told with a JSON pointer (RFC 6901) to where it is. Dialects read the tree
//! that this module gives; none of them parses bytes itself.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::Refusal;
use crate::limits::{JSON_DEPTH_MAX, JSON_VALUES_MAX, POINTER_NAME_CHARS_MAX, POINTERS_MAX};

/// A JSON pointer (RFC 6901); empty for the whole document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Pointer(String);

impl Pointer {
    pub fn root() -> Self {
        Self::default()
    }

    /// The member `name` of the object that this points to. A name that is too long to repeat is
    /// left out: the pointer then stays at the object.
    #[must_use]
    pub fn member(&self, name: &str) -> Self {
        if name.len() > POINTER_NAME_CHARS_MAX && name.chars().count() > POINTER_NAME_CHARS_MAX {
            return self.clone();
        }
        // Every field of every body comes by here, and few have anything to escape.
        let mut path = String::with_capacity(self.0.len() + 1 + name.len());
        path.push_str(&self.0);
        path.push('/');
        if name.contains(['~', '/']) {
            path.push_str(&name.replace('~', "~0").replace('/', "~1"));
        } else {
            path.push_str(name);
        }
        Self(path)
    }

    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Collects what is wrong with a body, up to [`POINTERS_MAX`], and becomes one refusal.
#[derive(Debug, Default)]
pub struct Mistakes {
    found: Vec<(&'static str, Pointer, String)>,
    more: usize,
}

impl Mistakes {
    pub fn add(&mut self, code: &'static str, pointer: Pointer, detail: impl Into<String>) {
        if self.found.len() < POINTERS_MAX {
            self.found.push((code, pointer, detail.into()));
        } else {
            self.more += 1;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether further mistakes are only counted; what describes them need not be made.
    pub fn is_full(&self) -> bool {
        self.found.len() >= POINTERS_MAX
    }

    /// One refusal with the code of the first mistake and pointers to all of them.
    pub fn into_result(self) -> Result<(), Refusal> {
        let Some((code, pointer, detail)) = self.found.first() else {
            return Ok(());
        };
        let place = if pointer.as_str().is_empty() { "the body" } else { pointer.as_str() };
        let others = self.found.len() - 1 + self.more;
        let words = match others {
            0 => format!("{place}: {detail}"),
            1 => format!("{place}: {detail}; and 1 more mistake"),
            _ => format!("{place}: {detail}; and {others} more mistakes"),
        };
        let mut refusal = Refusal::new(422, code, words);
        for (_, pointer, detail) in self.found {
            refusal = refusal.at(pointer.0, detail);
        }
        Err(refusal)
    }
}

/// Reads a body: `body_not_utf8`, `body_too_deep`, `body_too_many_values`,
/// `body_field_doubled` or `body_not_json` if it
/// cannot be read.
pub fn parse(body: &[u8]) -> Result<Value, Refusal> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let place = error.valid_up_to();
        let detail = format!("not UTF-8: the byte at offset {place} belongs to no character");
        Refusal::new(422, "body_not_utf8", detail.clone()).at("", detail)
    })?;
    check_depth(text.as_bytes())?;
    let reading = Reading::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Tree(&reading)
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| reading.refusal(&error))
}

/// Counts brackets outside of strings, without recursion; what else is wrong is found later.
fn check_depth(body: &[u8]) -> Result<(), Refusal> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (offset, byte) in body.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > JSON_DEPTH_MAX {
            let detail = format!("deeper than {JSON_DEPTH_MAX} levels at offset {offset}");
            return Err(Refusal::new(422, "body_too_deep", detail.clone()).at("", detail));
        }
    }
    Ok(())
}

/// One step from a value into one that it holds.
enum Step {
    Member(String),
    Item(usize),
}

/// Where the reader stands. After an error it stands where the error is.
#[derive(Default)]
struct Reading {
    path: RefCell<Vec<Step>>,
    doubled: Cell<bool>,
    values: Cell<usize>,
}

impl Reading {
    fn place(&self) -> Pointer {
        let path = self.path.borrow();
        path.iter().fold(Pointer::root(), |pointer, step| match step {
            Step::Member(name) => pointer.member(name),
            Step::Item(index) => pointer.item(*index),
        })
    }

    fn enter(&self, step: Step) {
        self.path.borrow_mut().push(step);
    }

    /// Leaves a member and gives its name back.
    fn leave_member(&self) -> String {
        match self.path.borrow_mut().pop() {
            Some(Step::Member(name)) => name,
            _ => String::new(),
        }
    }

    fn leave(&self) {
        self.path.borrow_mut().pop();
    }

    fn refusal(&self, error: &serde_json::Error) -> Refusal {
        if self.doubled.get() {
            let pointer = self.place();
            let detail = "this name stands twice in one object";
            return Refusal::new(422, "body_field_doubled", format!("{pointer}: {detail}"))
                .at(pointer.0, detail);
        }
        if self.values.get() > JSON_VALUES_MAX {
            let detail = format!("more than {JSON_VALUES_MAX} values");
            return Refusal::new(422, "body_too_many_values", detail.clone()).at("", detail);
        }
        let detail = format!("not JSON: {error}");
        Refusal::new(422, "body_not_json", detail.clone()).at(self.place().0, detail)
    }
}

#[derive(Clone, Copy)]
struct Tree<'a>(&'a Reading);

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        self.0.values.set(self.0.values.get() + 1);
        if self.0.values.get() > JSON_VALUES_MAX {
            return Err(D::Error::custom("too many values"));
        }
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        loop {
            self.0.enter(Step::Item(out.len()));
            let Some(item) = items.next_element_seed(self)? else {
                self.0.leave();
                return Ok(Value::Array(out));
            };
            self.0.leave();
            out.push(item);
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let doubled = out.contains_key(&name);
            self.0.enter(Step::Member(name));
            if doubled {
                self.0.doubled.set(true);
                return Err(A::Error::custom("a name stands twice"));
            }
            let value = members.next_value_seed(self)?;
            out.insert(self.0.leave_member(), value);
        }
        Ok(Value::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Mistakes, Pointer, parse};
    use crate::limits::{JSON_VALUES_MAX, POINTERS_MAX};

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let deep = format!("{}1{}", "[".repeat(65), "]".repeat(65));
        let many = format!("[{}0]", "0,".repeat(JSON_VALUES_MAX));
        for (body, code, pointer) in [
            ("", "body_not_json", ""),
            ("{} x", "body_not_json", ""),
            ("{\"a\":[1,{\"b/c~\":01}]}", "body_not_json", "/a/1/b~1c~0"),
            ("{\"a\":\"\\ud800\"}", "body_not_json", "/a"),
            ("{\"a\":1e999}", "body_not_json", "/a"),
            ("{\"a\":{\"b\":1,\"b\":2}}", "body_field_doubled", "/a/b"),
            ("{\"a\":1,\"\\u0061\":2}", "body_field_doubled", "/a"),
            (deep.as_str(), "body_too_deep", ""),
            (many.as_str(), "body_too_many_values", ""),
        ] {
            let refusal = parse(body.as_bytes()).unwrap_err();
            assert_eq!((refusal.status, refusal.code), (422, code), "{refusal}");
            assert_eq!(refusal.pointers[0].0, pointer, "{refusal}");
        }
        let refusal = parse(b"{\"a\":\"\xff\"}").unwrap_err();
        assert_eq!(refusal.code, "body_not_utf8");
        assert!(refusal.detail.contains("offset 6"), "{refusal}");
    }

    #[test]
    fn good_json_is_read_as_it_stands() {
        let body = json!({
            "a": [null, true, -1, 18_446_744_073_709_551_615_u64, 0.5, "茶 🍵 \u{0}"],
            "": { "b": {} },
        });
        assert_eq!(parse(body.to_string().as_bytes()), Ok(body));
        let deep = format!("{}\"[[[\"{}", "[".repeat(64), "]".repeat(64));
        assert!(parse(deep.as_bytes()).is_ok());
    }

    #[test]
    fn mistakes_beyond_the_limit_are_counted() {
        let mut mistakes = Mistakes::default();
        for index in 0..POINTERS_MAX + 7 {
            mistakes.add("body_wrong_type", Pointer::root().item(index), "must be text");
        }
        assert!(mistakes.is_full());
        let refusal = mistakes.into_result().unwrap_err();
        assert_eq!(refusal.pointers.len(), POINTERS_MAX);
        assert_eq!(refusal.detail, "/0: must be text; and 106 more mistakes");
        assert_eq!(Mistakes::default().into_result(), Ok(()));
    }

    #[test]
    fn pointer_does_not_repeat_a_name_that_is_too_long() {
        let pointer = Pointer::root().member("a").member(&"x".repeat(101));
        assert_eq!(pointer.as_str(), "/a");
    }
}
