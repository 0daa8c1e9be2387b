//! Telephone numbers: E.164 where one can be read so, else what was sent.
//!
//! The library knows the numbering plans; this module knows how telephone systems write. Extensions,
//! feature codes and names stay as they are, and so does a number that is valid nowhere.

use std::borrow::Cow;
use std::sync::Arc;

use phonenumber::country::Id;
use phonenumber::metadata::DATABASE;
use phonenumber::{Mode, PhoneNumber};
use smol_str::SmolStr;
use unicode_normalization::{UnicodeNormalization as _, is_nfkc};

use crate::plan::Plan;

/// E.164 allows 15; fewer than 7 are no number of the public network.
const DIGITS_MIN: usize = 7;
const DIGITS_MAX: usize = 15;
/// Characters of a text that may be a number at all.
const WRITTEN_CHARS_MAX: usize = 64;

/// Words that stand where a number is withheld, in lower case.
const WITHHELD: [&str; 10] = [
    "anonymous",
    "anonym",
    "blocked",
    "private",
    "restricted",
    "unavailable",
    "unknown",
    "withheld",
    "no number",
    "<unknown>",
];

/// How a telephone system writes numbers of the public network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As they are dialled there, so a bare number belongs to the region.
    Dialled,
    /// In full with the country, the `+` often left out.
    International,
}

/// Whose numbers a bare number belongs to, such as `DE`.
#[derive(Debug, Clone)]
pub struct Region {
    id: Id,
    plan: Option<Arc<Plan>>,
}

impl PartialEq for Region {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Region {}

impl Region {
    /// Two letters of ISO 3166, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let id: Id = text.trim().to_ascii_uppercase().parse().ok()?;
        // Some have a code and no telephones.
        DATABASE.by_id(id.as_ref()).map(|_| Self { id, plan: None })
    }

    /// Ready for many numbers; worth it where the region is kept.
    #[must_use]
    pub fn prepared(self) -> Self {
        let plan = Plan::new(self.id.as_ref()).map(Arc::new);
        Self { plan, ..self }
    }
}

/// Nobody is told who calls.
pub fn is_withheld(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || WITHHELD.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// What is plainly a number of the public network, as nearly all are that a log holds: in full with its
/// `+`, or valid in the plan of the region. None leaves it to [`read`].
pub(crate) fn read_plain(text: &str, style: Style, region: Option<&Region>) -> Option<SmolStr> {
    if let Some(digits) = text.strip_prefix('+') {
        let number = in_range(digits) && digits.bytes().all(|byte| byte.is_ascii_digit());
        return number.then(|| SmolStr::new(text));
    }
    let plan = region?.plan.as_ref().filter(|_| style == Style::Dialled)?;
    plan.read(text).filter(|number| number.strip_prefix('+').is_some_and(in_range))
}

/// The number, or the text as it was sent.
pub fn read(text: &str, style: Style, region: Option<&Region>, inside_digits_max: usize) -> String {
    let text = text.trim();
    read_number(text, style, region, inside_digits_max).unwrap_or_else(|| text.to_owned())
}

fn read_number(
    text: &str,
    style: Style,
    region: Option<&Region>,
    inside_digits_max: usize,
) -> Option<String> {
    if text.len() > WRITTEN_CHARS_MAX * 4 || is_withheld(text) {
        return None;
    }
    let text: Cow<'_, str> =
        if is_nfkc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfkc().collect()) };
    let compact = compact(bare(&text))?;
    let digits = compact.trim_start_matches('+');
    if let Some(digits) = compact.strip_prefix('+') {
        return in_range(digits).then(|| compact.clone());
    }
    if digits.len() <= inside_digits_max {
        return None;
    }
    if let Some(rest) = digits.strip_prefix("00").filter(|rest| !rest.starts_with('0')) {
        return valid_with_country(rest);
    }
    if style == Style::International && !digits.starts_with('0') {
        return valid_with_country(digits);
    }
    let region = region?;
    if let Some(number) = read_plain(digits, Style::Dialled, Some(region)) {
        return Some(number.into());
    }
    match abroad(digits, region) {
        Some(rest) => valid_with_country(rest),
        None => valid_in(digits, region),
    }
}

/// What follows the prefix with which one dials abroad in a region. The library is not left to find
/// it: it takes for granted that enough digits follow.
fn abroad<'a>(digits: &'a str, region: &Region) -> Option<&'a str> {
    let prefix = DATABASE.by_id(region.id.as_ref())?.international_prefix()?;
    let found = prefix.find(digits).filter(|found| found.start() == 0)?;
    digits.get(found.end()..).filter(|rest| !rest.starts_with('0'))
}

/// Without a scheme, without what follows the user of a SIP address.
fn bare(text: &str) -> &str {
    let schemes = ["tel:", "sip:", "sips:", "whatsapp:", "callto:"];
    let found = schemes.iter().find(|scheme| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let rest = found.and_then(|scheme| text.get(scheme.len()..)).unwrap_or(text);
    let end = rest.find(['@', ';']).unwrap_or(rest.len());
    rest.get(..end).unwrap_or(rest)
}

/// Digits with at most one `+` before them; none if there is anything else than what people write
/// between digits.
fn compact(text: &str) -> Option<String> {
    let text = text.trim();
    let international = text.starts_with('+') || text.starts_with("00");
    // "+49 (0) 30 …" names the trunk digit that is left out from abroad.
    let text = if international { text.replacen("(0)", "", 1) } else { text.to_owned() };
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '0'..='9' => out.push(letter),
            '+' if out.is_empty() => out.push('+'),
            ' ' | '\u{a0}' | '(' | ')' | '.' | '-' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}' => {
            }
            _ => return None,
        }
    }
    (!out.is_empty()).then_some(out)
}

fn in_range(digits: &str) -> bool {
    (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) && !digits.starts_with('0')
}

/// Digits that begin with a country, if they are a number that can exist.
fn valid_with_country(digits: &str) -> Option<String> {
    if !in_range(digits) {
        return None;
    }
    let number = phonenumber::parse(None, format!("+{digits}")).ok()?;
    number.is_valid().then(|| e164(&number))
}

/// A number as it is dialled inside a region.
fn valid_in(digits: &str, region: &Region) -> Option<String> {
    if digits.len() > DIGITS_MAX + 5 {
        return None;
    }
    let number = phonenumber::parse(Some(region.id), digits).ok()?;
    // Some plans take more digits than E.164 has room for.
    let number = number.is_valid().then(|| e164(&number))?;
    number.strip_prefix('+').is_some_and(in_range).then_some(number)
}

fn e164(number: &PhoneNumber) -> String {
    number.format().mode(Mode::E164).to_string()
}

#[cfg(test)]
mod tests {
    use super::{Region, Style, is_withheld, read};

    #[test]
    fn number_becomes_e164_where_it_can_be_read_so() {
        for (text, style, region, number) in [
            ("+44 20 7946 0000", Style::Dialled, None, "+442079460000"),
            ("+49 (0) 30 / 901820", Style::Dialled, None, "+4930901820"),
            ("＋４９ ３０ ９０１８２０", Style::Dialled, None, "+4930901820"),
            ("0049 30 901820", Style::Dialled, None, "+4930901820"),
            ("030 901820", Style::Dialled, Some("DE"), "+4930901820"),
            ("030/901820", Style::Dialled, Some("de"), "+4930901820"),
            ("030 901820", Style::Dialled, None, "030 901820"),
            ("06 7720 1234", Style::Dialled, Some("IT"), "+390677201234"),
            ("(212) 736-5000", Style::Dialled, Some("US"), "+12127365000"),
            ("12127365000", Style::Dialled, Some("US"), "+12127365000"),
            ("011 44 20 7946 0000", Style::Dialled, Some("US"), "+442079460000"),
            ("4930901820", Style::International, None, "+4930901820"),
            ("8613800138000", Style::International, None, "+8613800138000"),
            ("tel:+4930901820;ext=5", Style::Dialled, None, "+4930901820"),
            ("sip:+4930901820@example.com", Style::Dialled, None, "+4930901820"),
            ("whatsapp:+8613800138000", Style::Dialled, None, "+8613800138000"),
        ] {
            let region = region.map(|name| Region::parse(name).unwrap());
            let prepared = region.clone().map(Region::prepared);
            for region in [region.as_ref(), prepared.as_ref()] {
                assert_eq!(read(text, style, region, 6), number, "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_number_of_the_public_network_stays_as_it_was_sent() {
        for text in [
            "200",
            "112",
            "*97",
            "**9642",
            "#31#",
            "anonymous",
            "alice@example.com",
            "sip:alice@x",
            "s",
            "+",
            "+1",
            "++4930901820",
            "49+30901820",
            "00000000000000",
            "12345678901234567890123",
        ] {
            for style in [Style::Dialled, Style::International] {
                assert_eq!(read(text, style, Region::parse("DE").as_ref(), 6), text, "{text}");
            }
        }
    }

    #[test]
    fn withheld_is_told_by_its_words() {
        for text in ["", " ", "Anonymous", "UNKNOWN", "restricted"] {
            assert!(is_withheld(text), "{text}");
        }
        assert!(!is_withheld("200"));
    }
}
