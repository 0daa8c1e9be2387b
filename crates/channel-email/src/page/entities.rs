//! Character references.

use std::borrow::Cow;

use encoding_rs::WINDOWS_1252;
use mail_parser::decoders::html::add_html_token;

/// Bytes in the longest name.
const NAME_BYTES_MAX: usize = 32;
/// Names that are read without a semicolon too.
const LEGACY: &[(&str, char)] =
    &[("nbsp", '\u{a0}'), ("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("copy", '©')];

pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '\0']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut pieces = text.split('&');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        reference(piece, &mut out);
    }
    out.retain(|c| c != '\0');
    Cow::Owned(out)
}

/// `piece` is what stands behind the sign.
fn reference(piece: &str, out: &mut String) {
    let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '#';
    let length = piece.chars().take(NAME_BYTES_MAX).take_while(is_name).count();
    let (name, rest) = piece.split_at_checked(length).unwrap_or((piece, ""));
    if let Some(rest) = rest.strip_prefix(';').filter(|_| !name.is_empty()) {
        let from = out.len();
        add_html_token(out, format!("&{name};").as_bytes(), false);
        // Numbers in the C1 range are meant as Windows-1252.
        let made = out.get(from..).and_then(|made| made.chars().next());
        if let Some(c @ '\u{80}'..='\u{9f}') = made
            && let Ok(byte) = u8::try_from(u32::from(c))
        {
            out.truncate(from);
            out.push_str(&WINDOWS_1252.decode_without_bom_handling(&[byte]).0);
        }
        out.push_str(rest);
        return;
    }
    match LEGACY.iter().find(|(legacy, _)| piece.starts_with(legacy)) {
        Some((legacy, c)) => {
            out.push(*c);
            out.push_str(piece.strip_prefix(legacy).unwrap_or_default());
        }
        None => {
            out.push('&');
            out.push_str(piece);
        }
    }
}
