//! Message ids: without their brackets, in order, and made up where there is none.

use postroom_model::digest::Digest;
use postroom_model::limits::EXTERNAL_ID_CHARS_MAX;

use crate::header::Fields;
use crate::limits::REFERENCES_MAX;
use crate::words;

/// The fields by which a mail without an id is known again. What a server adds on the way is not
/// among them.
const IDENTIFYING: &[&str] = &["From", "To", "Cc", "Date", "Subject", "In-Reply-To"];

/// The id of a mail, as its sender gave it.
pub(crate) fn own(fields: Fields<'_>) -> Option<String> {
    let raw = words::decode(fields.raw("Message-ID")?);
    let bracketed = bracketed(&raw).into_iter().next();
    let id = bracketed.unwrap_or_else(|| bare(&raw));
    fits(&id).then_some(id)
}

/// The id of a mail that has none: the same bytes, the same id.
pub(crate) fn generated(fields: Fields<'_>, body: &[u8]) -> String {
    let field = |name: &'static str| fields.raw(name).unwrap_or_default().trim_ascii();
    let mut parts: Vec<&[u8]> = IDENTIFYING.iter().map(|name| field(name)).collect();
    parts.push(body);
    format!("generated:{}", Digest::of_fields(&parts))
}

/// The ids in every field of that name; the last ones where they are too many.
pub(crate) fn all(fields: Fields<'_>, name: &'static str) -> Vec<String> {
    let mut ids = Vec::new();
    for raw in fields.all(name) {
        for id in list(&words::decode(raw)) {
            if fits(&id) && !ids.contains(&id) {
                ids.push(id);
            }
        }
        if ids.len() > REFERENCES_MAX {
            ids.drain(..ids.len() - REFERENCES_MAX);
        }
    }
    ids
}

/// Ids in brackets; where there is no bracket, words that look like one.
fn list(text: &str) -> Vec<String> {
    let found = bracketed(text);
    if !found.is_empty() || text.contains('<') {
        return last(found);
    }
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'));
    last(words.map(bare).filter(|word| word.contains('@')).collect())
}

fn last(mut ids: Vec<String>) -> Vec<String> {
    ids.drain(..ids.len().saturating_sub(REFERENCES_MAX));
    ids
}

fn bracketed(text: &str) -> Vec<String> {
    let pieces = text.split('<').skip(1).filter_map(|piece| piece.split_once('>'));
    pieces.map(|(id, _)| bare(id)).filter(|id| !id.is_empty()).collect()
}

/// Folding may have put white space inside.
pub(crate) fn bare(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    text.trim_matches(|c| matches!(c, '<' | '>')).to_owned()
}

fn fits(id: &str) -> bool {
    !id.is_empty() && id.chars().count() <= EXTERNAL_ID_CHARS_MAX
}

#[cfg(test)]
mod tests {
    use super::{bracketed, list};

    #[test]
    fn ids_are_read_with_and_without_brackets() {
        for (text, ids) in [
            ("<a@b> <c@d>", &["a@b", "c@d"][..]),
            ("<a@b><c @d>", &["a@b", "c@d"]),
            ("Your message of Monday <a@b>", &["a@b"]),
            ("a@b, c@d", &["a@b", "c@d"]),
            ("a@b c@d", &["a@b", "c@d"]),
            ("<>", &[]),
            ("", &[]),
            ("Monday", &[]),
            ("<no-at-sign>", &["no-at-sign"]),
        ] {
            assert_eq!(list(text), ids, "{text}");
        }
        assert_eq!(bracketed("<a@b"), Vec::<String>::new());
        let many: Vec<String> = (0..300).map(|number| format!("<{number}@x> ")).collect();
        let ids = list(&many.concat());
        assert_eq!((ids.len(), ids.last().map(String::as_str)), (100, Some("299@x")));
    }
}
