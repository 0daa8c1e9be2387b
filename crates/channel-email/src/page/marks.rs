//! What mail programs write into their markup about quotations and signatures.

use super::tags::Tag;
use crate::phrases::Phrases;

/// What a line is, as far as the markup tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mark {
    #[default]
    Own,
    /// Inside something that is marked as a quotation.
    Quoted,
    Signature,
    /// Behind the point where the original message begins.
    Original,
}

/// What an element means for the lines inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Region {
    /// A block quotation: its lines get a sign of their own.
    Block,
    Quoted,
    Signature,
    Hidden,
    Pre,
}

/// Words in `class` and `id` of what is quoted, as one whole word each.
const QUOTED: &[&str] = &[
    "gmail_quote",
    "gmail_quote_container",
    "gmail_attr",
    "yahoo_quoted",
    "yahoo-quoted",
    "ydp-yahoo-quoted",
    "protonmail_quote",
    "tutanota_quote",
    "moz-cite-prefix",
    "moz-forward-container",
    "moz-email-headers-table",
    "zmail_extra",
    "zmail_extra_hr",
    "blockquote_zmail",
    "ntes-mailmaster-quote",
    "isreplycontent",
    "mail-quote-collapse",
    "wmquote",
    "reply-intro",
    "freshdesk_quote",
    "front-blockquote",
    "missive_quote",
    "sh-quoted-content",
    "airmail_on",
    "airmail_ext_on",
    "clean_bq",
    "hcom_quote",
    "quotelevel-1",
    "mimemail-quote",
    "mail_quoted",
    "skiff_quote",
    "hey_quote",
    "spark-quote",
];

/// The same for signatures.
const SIGNATURE: &[&str] = &[
    "gmail_signature",
    "gmail_signature_prefix",
    "moz-signature",
    "protonmail_signature_block",
    "applemailsignature",
    "linebreakatbeginningofsignature",
    "ms-outlook-mobile-signature",
    "ms-outlook-mobile-body-separator-line",
    "signature",
    "mobile_signature",
    "composer_signature",
    "yahoo_signature",
    "zmail_signature_below",
    "ntes-mailmaster-signature",
    "mail-signature",
    "tutanota_signature",
    "foxmailsigncontainer",
];

/// Ids and classes of what stands before the original message, which goes on to the end.
const ORIGINAL: &[&str] = &[
    "divrplyfwdmsg",
    "appendonsend",
    "stopspelling",
    "olk_src_body_section",
    "outlookmessageheader",
    "mail-editor-reference-message-container",
    "replysplit",
    "orc_origsection",
    "includetail",
];

/// Values of `name` and of attributes of one program's own.
const NAMED: &[(&str, &str, Region)] = &[
    ("name", "quote", Region::Quoted),
    ("name", "messagereplysection", Region::Quoted),
    ("name", "messagesignaturesection", Region::Signature),
    ("data-smartmail", "gmail_signature", Region::Signature),
    ("data-marker", "__sig_pre__", Region::Signature),
    ("data-marker", "__quoted_text__", Region::Quoted),
];

/// A piece of each name that says where a quotation is, in either case.
static PIECES: Phrases = Phrases::new(&[
    "quote",
    "Quote",
    "QUOTE",
    "gmail_attr",
    "divRply",
    "appendonsend",
    "topSpelling",
    "OLK_SRC",
    "OutlookMessageHeader",
    "reference-message",
    "plySplit",
    "orc_orig",
    "includetail",
    "moz-",
    "zmail",
    "eplyContent",
    "reply",
    "Reply",
    "airmail",
    "clean_bq",
]);

/// Whether it is worth the time to look for marks.
pub(crate) fn may_be_marked(html: &str) -> bool {
    PIECES.is_in(html)
}

/// The attributes that say something, each as it stands first.
#[derive(Debug, Default)]
pub(super) struct Known<'a> {
    class: Option<&'a str>,
    id: Option<&'a str>,
    style: Option<&'a str>,
    /// Those of [`NAMED`], in its order.
    named: [Option<&'a str>; NAMED.len()],
}

impl<'a> Known<'a> {
    pub(super) fn of(tag: &Tag<'a>) -> Self {
        let mut known = Self::default();
        for (name, value) in tag.attributes() {
            let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
            let slot = match name.len() {
                2 if is("id") => &mut known.id,
                5 if is("class") => &mut known.class,
                5 if is("style") => &mut known.style,
                _ => {
                    for (slot, (wanted, _, _)) in known.named.iter_mut().zip(NAMED) {
                        if is(wanted) {
                            slot.get_or_insert(value);
                        }
                    }
                    continue;
                }
            };
            slot.get_or_insert(value);
        }
        known
    }
}

fn any_word(known: &Known<'_>, words: &[&str]) -> bool {
    [known.class, known.id].into_iter().flatten().any(|value| {
        value.split_ascii_whitespace().any(|word| {
            // Outlook puts x_ before the names in what it quotes; Yahoo adds a number.
            let word = word.trim_start_matches("x_");
            words.iter().any(|known| known.eq_ignore_ascii_case(word))
                || begins_with(word, "yahoo_quoted_") && words == QUOTED
        })
    })
}

fn begins_with(word: &str, start: &str) -> bool {
    word.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// Whether a style hides what is inside.
fn hides(style: &str) -> bool {
    // Most styles say nothing of it, and that is told without a copy.
    const PROPERTY: &[u8] = b"display";
    let mut ends = memchr::memchr2_iter(b'y', b'Y', style.as_bytes());
    let named = ends.any(|end| {
        let head = style.as_bytes().get(..=end).unwrap_or_default();
        let from = head.len().saturating_sub(PROPERTY.len());
        head.get(from..).is_some_and(|name| name.eq_ignore_ascii_case(PROPERTY))
    });
    if !named {
        return false;
    }
    let style: String = style.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    style.to_ascii_lowercase().contains("display:none")
}

pub(super) fn begins_original(tag: &Tag<'_>, known: &Known<'_>) -> bool {
    // An element of its own in QQ Mail; ids and classes elsewhere.
    tag.name == "includetail" || any_word(known, ORIGINAL)
}

pub(super) fn region(tag: &Tag<'_>, known: &Known<'_>) -> Option<Region> {
    match tag.name.as_str() {
        "blockquote" => return Some(Region::Block),
        "pre" | "listing" | "plaintext" => return Some(Region::Pre),
        "head" => return None,
        _ => {}
    }
    if known.style.is_some_and(hides) {
        return Some(Region::Hidden);
    }
    let mut named = known.named.iter().zip(NAMED);
    let named = named.find(|(known, (_, value, _))| {
        known.is_some_and(|known| known.eq_ignore_ascii_case(value))
    });
    if let Some((_, (_, _, region))) = named {
        return Some(*region);
    }
    if any_word(known, QUOTED) {
        return Some(Region::Quoted);
    }
    any_word(known, SIGNATURE).then_some(Region::Signature)
}
