//! The files of a mail: what an agent can open, with the content that came along.

use bytes::Bytes;
use mail_parser::{Message, MessagePart, MimeHeaders, PartType};
use postroom_channel::Content;
use postroom_model::Attachment;
use postroom_model::digest::Digest;
use postroom_model::limits::ATTACHMENTS_MAX;

use crate::header::Fields;
use crate::limits::FILE_NAME_BYTES_MAX;
use crate::{mime, words};

/// The files of a mail and how many were left out, because there are too many.
#[derive(Default)]
pub(crate) struct Files {
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) contents: Vec<Content>,
    pub(crate) left_out: usize,
}

/// The files among the parts, in order, taken out of them. `is_body` says which parts are shown as the text.
pub(crate) fn of(message: &mut Message<'_>, raw: &[u8], is_body: impl Fn(usize) -> bool) -> Files {
    let mut files = Files::default();
    for (index, part) in message.parts.iter_mut().enumerate() {
        if matches!(part.body, PartType::Multipart(_)) || is_body(index) {
            continue;
        }
        if files.attachments.len() == ATTACHMENTS_MAX {
            files.left_out += 1;
            continue;
        }
        let mut attachment = described(part, mime::fields(part, raw));
        let bytes = mime::take_bytes(part, raw);
        attachment.size_bytes = Some(bytes.len() as u64);
        attachment.sha256 = Some(Digest::of(&bytes));
        let content = Content { attachment: files.attachments.len(), bytes: Bytes::from(bytes) };
        files.attachments.push(attachment);
        files.contents.push(content);
    }
    files
}

fn described(part: &MessagePart<'_>, fields: Fields<'_>) -> Attachment {
    let disposition = part.content_disposition();
    let kind = disposition.map(mail_parser::ContentType::ctype);
    let inline = match kind {
        Some(kind) if kind.eq_ignore_ascii_case("inline") => true,
        Some(_) => false,
        None => part.content_id().is_some() && !matches!(part.body, PartType::Message(_)),
    };
    Attachment {
        name: name(part, fields),
        media_type: Some(mime::media_type(part).unwrap_or_else(|| default_type(part).to_owned())),
        disposition: Some(if inline { "inline" } else { "attachment" }.to_owned()),
        content_id: fields.text("Content-ID").and_then(|id| content_id(&id)),
        ..Attachment::default()
    }
}

fn default_type(part: &MessagePart<'_>) -> &'static str {
    match part.body {
        PartType::Text(_) => "text/plain",
        PartType::Html(_) => "text/html",
        PartType::Message(_) => "message/rfc822",
        _ => "application/octet-stream",
    }
}

fn content_id(raw: &str) -> Option<String> {
    let id = raw.trim().trim_start_matches('<').trim_end_matches('>').trim();
    Some(id.to_owned()).filter(|id| !id.is_empty())
}

/// The name that the sender gave the file, fit to be shown and stored.
fn name(part: &MessagePart<'_>, fields: Fields<'_>) -> Option<String> {
    let filename = mime::attribute(part.content_disposition(), "filename");
    let name = mime::attribute(part.content_type(), "name");
    let damaged = |name: &&str| name.contains('\u{fffd}');
    let given = match (filename, name) {
        (Some(filename), Some(name)) if damaged(&filename) && !damaged(&name) => name.to_owned(),
        (Some(name), _) | (None, Some(name)) if damaged(&name) => {
            raw_name(fields).unwrap_or_else(|| name.to_owned())
        }
        (Some(name), _) | (None, Some(name)) => name.to_owned(),
        (None, None) => {
            of_message(part).or_else(|| raw_name(fields)).or_else(|| of_content_id(part))?
        }
    };
    Some(tidy(&words::decode(given.as_bytes()))).filter(|name| !name.is_empty())
}

/// An enclosed mail without a name has that of its subject.
fn of_message(part: &MessagePart<'_>) -> Option<String> {
    let PartType::Message(inner) = &part.body else { return None };
    let root = inner.parts.first()?;
    let subject = mime::fields(root, mime::raw_of(inner)).text("Subject")?;
    Some(format!("{subject}.eml")).filter(|_| !subject.is_empty())
}

/// Outlook names pictures in their ids only: `image001.png@01D0…`.
fn of_content_id(part: &MessagePart<'_>) -> Option<String> {
    let (name, _) = part.content_id()?.split_once('@')?;
    let (_, ending) = name.rsplit_once('.')?;
    let is_ending = (2..=4).contains(&ending.len()) && ending.chars().all(char::is_alphanumeric);
    (is_ending && ending.starts_with(char::is_alphabetic)).then(|| name.to_owned())
}

/// A name with bytes that are no ASCII, in neither of the ways in which that is allowed.
fn raw_name(fields: Fields<'_>) -> Option<String> {
    [("Content-Disposition", "filename="), ("Content-Type", "name=")].into_iter().find_map(
        |(field, parameter)| {
            let value = fields.raw(field)?;
            let lower = value.to_ascii_lowercase();
            let length = parameter.len();
            let at = lower.windows(length).position(|some| some == parameter.as_bytes())?;
            let rest = value.get(at + length..)?.trim_ascii_start();
            let (rest, end) = match rest.strip_prefix(b"\"") {
                Some(rest) => (rest, b'"'),
                None => (rest, b';'),
            };
            let end = rest.iter().position(|byte| *byte == end).unwrap_or(rest.len());
            let name = words::decode(rest.get(..end)?.trim_ascii());
            Some(name).filter(|name| !name.is_empty())
        },
    )
}

/// Without folders, invisible signs and what turns the direction of writing; not too long.
fn tidy(name: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
            || matches!(c, '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let name: String = name.chars().filter(|c| !hidden(*c)).collect();
    let last = name.rsplit(['/', '\\']).find(|part| !part.trim().is_empty()).unwrap_or_default();
    shortened(last.trim().trim_matches('"').trim())
}

/// At most [`FILE_NAME_BYTES_MAX`] bytes, with its ending.
fn shortened(name: &str) -> String {
    if name.len() <= FILE_NAME_BYTES_MAX {
        return name.to_owned();
    }
    let ending = name.rsplit_once('.').map(|(_, ending)| format!(".{ending}"));
    let ending = ending.filter(|ending| ending.len() <= 16).unwrap_or_default();
    let mut kept = String::new();
    for c in name.chars() {
        if kept.len() + c.len_utf8() + ending.len() > FILE_NAME_BYTES_MAX {
            break;
        }
        kept.push(c);
    }
    kept + &ending
}

#[cfg(test)]
mod tests {
    use super::tidy;

    #[test]
    fn file_name_has_no_folders_no_hidden_signs_and_a_limit() {
        for (raw, clean) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\temp\\a b.txt", "a b.txt"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("a\r\nb\u{0}.txt", "ab.txt"),
            ("合同.docx", "合同.docx"),
            ("/", ""),
        ] {
            assert_eq!(tidy(raw), clean, "{raw:?}");
        }
        let long = tidy(&format!("{}.pdf", "长".repeat(200)));
        assert!(long.len() <= 255 && long.ends_with("长.pdf"), "{long}");
    }
}
