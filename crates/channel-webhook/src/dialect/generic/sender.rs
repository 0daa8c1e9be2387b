//! Who wrote: `from{id, name, email, phone, username}`.

use postroom_channel::json::Mistakes;
use postroom_model::limits::EXTERNAL_ID_CHARS_MAX;
use postroom_model::{Address, Party};

use super::NAME_CHARS_MAX;
use super::fields::{Member, Object, invalid, one_line};

const FIELDS: [&str; 5] = ["id", "name", "email", "phone", "username"];

/// Scheme of an address that only this channel's sender can resolve.
const SCHEME: &str = "webhook";

/// Digits of a number: from those that are dialled within a house to those of another country with the
/// extension behind it.
const PHONE_DIGITS_MIN: usize = 2;
const PHONE_DIGITS_MAX: usize = 20;

/// A sender with at least one address; the first is the one they are known by.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sender {
    pub(super) party: Party,
    /// All but the first.
    pub(super) further: Vec<Address>,
}

pub(super) fn read(member: &Member<'_>, mistakes: &mut Mistakes) -> Option<Sender> {
    let object = Object::new(member, &FIELDS, mistakes)?;
    let id = object.text("id", EXTERNAL_ID_CHARS_MAX, mistakes);
    let email = object.text("email", EXTERNAL_ID_CHARS_MAX, mistakes);
    let phone = object.text("phone", EXTERNAL_ID_CHARS_MAX, mistakes);
    let name = object.long_text("name", mistakes);
    let username = object.long_text("username", mistakes);

    let mut note = |field: &str, words: &str| {
        invalid(&object.pointer.member(field), words, mistakes);
    };
    let email = email.and_then(|text| {
        let address = Address::mail(text.trim()).ok();
        if address.is_none() {
            note("email", "not a mail address");
        }
        address
    });
    let phone = phone.and_then(|text| {
        let address = dialled(text).and_then(|number| Address::new("tel", &number).ok());
        if address.is_none() {
            let length = format!("{PHONE_DIGITS_MIN} to {PHONE_DIGITS_MAX}");
            let words = format!("not a telephone number: {length} digits, `+` before them");
            note("phone", &words);
        }
        address
    });
    let given_id = id.is_some();
    let id = id.and_then(|text| {
        let address = Address::new(SCHEME, text.trim()).ok();
        if address.is_none() {
            note("id", "holds control characters or is too long");
        }
        address
    });

    let any_given = given_id || email.is_some() || phone.is_some();
    let mut addresses = [email, phone, id].into_iter().flatten();
    let Some(first) = addresses.next() else {
        if !any_given && !["id", "email", "phone"].iter().any(|f| object.get(f).is_some()) {
            let words = "needs at least one of `id`, `email` and `phone`";
            mistakes.add("body_field_missing", object.pointer.clone(), words);
        }
        return None;
    };
    let line = |text: &str| Some(one_line(text, NAME_CHARS_MAX)).filter(|line| !line.is_empty());
    Some(Sender {
        party: Party {
            address: Some(first),
            name: name.and_then(line),
            username: username.and_then(line),
        },
        further: addresses.collect(),
    })
}

/// A number without the signs that people put between its digits; none if it has others. `00` before a
/// country code is what most networks dial for `+`.
fn dialled(text: &str) -> Option<String> {
    let between =
        |c: char| c.is_whitespace() || matches!(c, '-' | '(' | ')' | '.' | '/' | '\u{a0}');
    let stripped: String = text.chars().filter(|c| !between(*c)).collect();
    let digits = stripped.strip_prefix('+').unwrap_or(&stripped);
    let length = PHONE_DIGITS_MIN..=PHONE_DIGITS_MAX;
    if !length.contains(&digits.len()) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    Some(match stripped.strip_prefix("00") {
        Some(number) if (8..=15).contains(&number.len()) && !number.starts_with('0') => {
            format!("+{number}")
        }
        _ => stripped,
    })
}

#[cfg(test)]
mod tests {
    use super::{PHONE_DIGITS_MAX, dialled};

    #[test]
    fn number_is_freed_of_what_stands_between_its_digits() {
        for (sent, read) in [
            ("+49 (151) 123-45.67", "+491511234567"),
            ("+86 138 0013 8000", "+8613800138000"),
            ("030 / 1234", "0301234"),
            ("0086 139 0000 0000", "+8613900000000"),
            ("00123", "00123"),
            ("0001234567890", "0001234567890"),
            (" +44\u{a0}20 7946 0000 ", "+442079460000"),
            ("112", "112"),
        ] {
            assert_eq!(dialled(sent).as_deref(), Some(read), "{sent}");
        }
    }

    #[test]
    fn what_cannot_be_dialled_is_no_number() {
        let long = "1".repeat(PHONE_DIGITS_MAX + 1);
        for sent in ["abc", "0800-FLOWERS", "sip:ada", "+", "", "7", "１２３", "12+34", &long] {
            assert_eq!(dialled(sent), None, "{sent}");
        }
    }
}
