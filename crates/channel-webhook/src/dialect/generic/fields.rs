//! Reads the members of a JSON object one by one and notes every mistake with its pointer.

use postroom_channel::json::{Mistakes, Pointer};
use serde_json::{Map, Value};

/// An object and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Object<'a> {
    pub(super) members: &'a Map<String, Value>,
    pub(super) pointer: Pointer,
}

/// A member that is there and not null.
#[derive(Debug, Clone)]
pub(super) struct Member<'a> {
    pub(super) value: &'a Value,
    pub(super) pointer: Pointer,
}

impl<'a> Object<'a> {
    /// An object that has no members but those `known`. What else it has is noted.
    pub(super) fn new(
        member: &Member<'a>,
        known: &[&str],
        mistakes: &mut Mistakes,
    ) -> Option<Self> {
        let Value::Object(members) = member.value else {
            wrong_type(member, "an object", mistakes);
            return None;
        };
        let object = Self { members, pointer: member.pointer.clone() };
        for name in members.keys() {
            if !known.contains(&name.as_str()) {
                object.unknown(name, known, mistakes);
            }
        }
        Some(object)
    }

    fn unknown(&self, name: &str, known: &[&str], mistakes: &mut Mistakes) {
        // A body can hold thousands of them; the nearest name is looked for only while it is told.
        let near = if mistakes.is_full() { None } else { nearest(name, known) };
        let words = match near {
            Some(near) => format!("no such field here; did you mean `{near}`?"),
            None => "no such field here".to_owned(),
        };
        mistakes.add("body_unknown_field", self.pointer.member(name), words);
    }

    pub(super) fn get(&self, name: &str) -> Option<Member<'a>> {
        let value = self.members.get(name).filter(|value| !value.is_null())?;
        Some(Member { value, pointer: self.pointer.member(name) })
    }

    /// A text of at most `chars_max` characters; none if it is absent or empty.
    pub(super) fn text(
        &self,
        name: &str,
        chars_max: usize,
        mistakes: &mut Mistakes,
    ) -> Option<&'a str> {
        text(&self.get(name)?, chars_max, mistakes)
    }

    /// As [`Self::text`], for a text without a limit of its own.
    pub(super) fn long_text(&self, name: &str, mistakes: &mut Mistakes) -> Option<&'a str> {
        self.text(name, usize::MAX, mistakes)
    }

    pub(super) fn list(&self, name: &str, mistakes: &mut Mistakes) -> Vec<Member<'a>> {
        let Some(member) = self.get(name) else {
            return Vec::new();
        };
        let Value::Array(items) = member.value else {
            wrong_type(&member, "a list", mistakes);
            return Vec::new();
        };
        let members = items
            .iter()
            .enumerate()
            .map(|(index, value)| Member { value, pointer: member.pointer.item(index) });
        members.collect()
    }
}

/// The text that a member is; none if it is empty.
pub(super) fn text<'a>(
    member: &Member<'a>,
    chars_max: usize,
    mistakes: &mut Mistakes,
) -> Option<&'a str> {
    let Value::String(text) = member.value else {
        wrong_type(member, "text", mistakes);
        return None;
    };
    if text.contains('\0') {
        mistakes.add("body_nul", member.pointer.clone(), "holds the character U+0000");
        return None;
    }
    if text.len() > chars_max && text.chars().count() > chars_max {
        let words = format!("longer than {chars_max} characters");
        mistakes.add("body_field_too_long", member.pointer.clone(), words);
        return None;
    }
    Some(text.as_str()).filter(|text| !text.trim().is_empty())
}

pub(super) fn wrong_type(member: &Member<'_>, expected: &str, mistakes: &mut Mistakes) {
    let found = match member.value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let words = format!("must be {expected}, is {found}");
    mistakes.add("body_wrong_type", member.pointer.clone(), words);
}

pub(super) fn invalid(pointer: &Pointer, words: impl Into<String>, mistakes: &mut Mistakes) {
    mistakes.add("body_field_invalid", pointer.clone(), words);
}

/// The name in `known` that is most like `name`, if any is like it at all.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    const LIKE: f64 = 0.7;
    if name.chars().count() > 2 * 64 {
        return None;
    }
    let scored = known.iter().map(|one| (strsim::jaro_winkler(&name.to_lowercase(), one), *one));
    scored
        .filter(|(score, _)| *score >= LIKE)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, one)| one)
}

/// One line: line breaks and tabs become spaces, other control characters and those that turn the
/// direction of writing are left out, and what is over `chars_max` is cut.
pub(super) fn one_line(text: &str, chars_max: usize) -> String {
    let spaced = text.chars().map(|c| match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
        other => other,
    });
    let clean: String = spaced.filter(|c| !c.is_control() && !turns_direction(*c)).collect();
    clean.trim().chars().take(chars_max).collect()
}

/// Characters that make text read in another order than it is stored in.
pub(super) fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `\n` line ends.
pub(super) fn unix_lines(text: &str) -> String {
    if !text.contains('\r') {
        return text.to_owned();
    }
    text.replace("\r\n", "\n").replace('\r', "\n")
}
