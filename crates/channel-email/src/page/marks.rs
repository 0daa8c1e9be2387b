//! What mail programs write into their markup about quotations and signatures.

use super::tags::Tag;

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

/// Whether it is worth the time to look for marks: a piece of each name that says where a quotation is.
pub(crate) fn may_be_marked(html: &str) -> bool {
    const PIECES: &[&str] = &[
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
    ];
    PIECES.iter().any(|piece| html.contains(piece))
}

fn any_word(tag: &Tag<'_>, words: &[&str]) -> bool {
    ["class", "id"].into_iter().filter_map(|name| tag.attribute(name)).any(|value| {
        value.split_ascii_whitespace().any(|word| {
            // Outlook puts x_ before the names in what it quotes; Yahoo adds a number.
            let word = word.trim_start_matches("x_").to_ascii_lowercase();
            words.contains(&word.as_str()) || word.starts_with("yahoo_quoted_") && words == QUOTED
        })
    })
}

pub(super) fn begins_original(tag: &Tag<'_>) -> bool {
    // An element of its own in QQ Mail; ids and classes elsewhere.
    tag.name == "includetail" || !tag.rest.is_empty() && any_word(tag, ORIGINAL)
}

pub(super) fn region(tag: &Tag<'_>) -> Option<Region> {
    match tag.name.as_str() {
        "blockquote" => return Some(Region::Block),
        "pre" | "listing" | "plaintext" => return Some(Region::Pre),
        "head" => return None,
        _ => {}
    }
    if tag.rest.is_empty() {
        return None;
    }
    if let Some(style) = tag.attribute("style") {
        let style: String = style.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        if style.to_ascii_lowercase().contains("display:none") {
            return Some(Region::Hidden);
        }
    }
    let named = NAMED.iter().find(|(name, value, _)| {
        tag.attribute(name).is_some_and(|known| known.eq_ignore_ascii_case(value))
    });
    if let Some((_, _, region)) = named {
        return Some(*region);
    }
    if any_word(tag, QUOTED) {
        return Some(Region::Quoted);
    }
    any_word(tag, SIGNATURE).then_some(Region::Signature)
}
