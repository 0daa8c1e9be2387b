//! Files that come with a message: named by URL, or carried in Base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use postroom_channel::Content;
use postroom_channel::json::Mistakes;
use postroom_model::limits::ATTACHMENTS_MAX;
use postroom_model::{Attachment, BlobRef, MessageKind};

use super::fields::{Member, Object, invalid, turns_direction};
use super::{ATTACHMENT_BYTES_MAX, ATTACHMENTS_BYTES_MAX, FILE_NAME_BYTES_MAX};

const FIELDS: [&str; 4] = ["url", "content_base64", "name", "media_type"];
const MEDIA_TYPE_CHARS_MAX: usize = 127;

#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) attachments: Vec<Attachment>,
    pub(super) contents: Vec<Content>,
}

pub(super) fn read(object: &Object<'_>, mistakes: &mut Mistakes) -> Files {
    let mut files = Files::default();
    let list = object.list("attachments", mistakes);
    if list.len() > ATTACHMENTS_MAX {
        let words = format!("more than {ATTACHMENTS_MAX} attachments");
        mistakes.add("body_field_too_long", object.pointer.member("attachments"), words);
        return files;
    }
    for member in &list {
        read_one(member, &mut files, mistakes);
    }
    let total: usize = files.contents.iter().map(|content| content.bytes.len()).sum();
    if total > ATTACHMENTS_BYTES_MAX {
        let words = format!("more than {ATTACHMENTS_BYTES_MAX} bytes together");
        mistakes.add("body_field_too_long", object.pointer.member("attachments"), words);
    }
    files
}

fn read_one(member: &Member<'_>, files: &mut Files, mistakes: &mut Mistakes) {
    let Some(object) = Object::new(member, &FIELDS, mistakes) else {
        return;
    };
    let name = object.long_text("name", mistakes).and_then(file_name);
    let media_type = media_type(&object, mistakes);
    let url = url(&object, mistakes);
    let content = content(&object, mistakes);
    match (object.get("url"), object.get("content_base64")) {
        (None, None) => {
            let words = "needs `url` or `content_base64`";
            mistakes.add("body_field_missing", object.pointer.clone(), words);
        }
        (Some(_), Some(_)) => {
            invalid(&object.pointer, "has both `url` and `content_base64`", mistakes);
        }
        _ => {}
    }
    let blob = content.as_ref().map(|bytes| BlobRef::of(bytes));
    if let Some(bytes) = content {
        files.contents.push(Content { attachment: files.attachments.len(), bytes });
    }
    files.attachments.push(Attachment {
        name,
        media_type,
        disposition: Some("attachment".to_owned()),
        size_bytes: blob.map(|blob| blob.size_bytes),
        sha256: blob.map(|blob| blob.sha256),
        url,
        ..Attachment::default()
    });
}

fn content(object: &Object<'_>, mistakes: &mut Mistakes) -> Option<Bytes> {
    let text = object.long_text("content_base64", mistakes)?;
    let pointer = object.pointer.member("content_base64");
    let compact: Vec<u8> = text.bytes().filter(|c| !c.is_ascii_whitespace()).collect();
    if compact.len() / 4 * 3 > ATTACHMENT_BYTES_MAX + 3 {
        let words = format!("more than {ATTACHMENT_BYTES_MAX} bytes");
        mistakes.add("body_field_too_long", pointer, words);
        return None;
    }
    let decoded = STANDARD.decode(compact);
    if decoded.is_err() {
        invalid(&pointer, "not Base64 with padding", mistakes);
    }
    decoded.ok().map(Bytes::from)
}

fn url(object: &Object<'_>, mistakes: &mut Mistakes) -> Option<String> {
    let text = object.text("url", postroom_channel::URL_CHARS_MAX, mistakes)?;
    match postroom_channel::check_url(text) {
        Ok(url) => Some(url.to_string()),
        Err(error) => {
            invalid(&object.pointer.member("url"), error.to_string(), mistakes);
            None
        }
    }
}

fn media_type(object: &Object<'_>, mistakes: &mut Mistakes) -> Option<String> {
    let text = object.text("media_type", MEDIA_TYPE_CHARS_MAX, mistakes)?;
    let essence = text.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let token = |part: &str| {
        let good = |c: u8| c.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&c);
        !part.is_empty() && part.bytes().all(good)
    };
    let fits = essence.split_once('/').is_some_and(|(class, name)| token(class) && token(name));
    if !fits {
        let pointer = object.pointer.member("media_type");
        invalid(&pointer, "not a media type such as image/png", mistakes);
        return None;
    }
    Some(essence)
}

/// A name without path, control characters and characters that are not seen or turn the direction
/// of writing; the end of a long one is kept, for its extension.
fn file_name(text: &str) -> Option<String> {
    let unseen =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}');
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String =
        last.chars().filter(|c| !c.is_control() && !turns_direction(*c) && !unseen(*c)).collect();
    let clean = clean.trim().trim_start_matches('.').trim();
    if clean.is_empty() {
        return None;
    }
    if clean.len() <= FILE_NAME_BYTES_MAX {
        return Some(clean.to_owned());
    }
    let (stem, extension) = match clean.rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= 16 => (stem, format!(".{extension}")),
        _ => (clean, String::new()),
    };
    let room = FILE_NAME_BYTES_MAX - extension.len();
    let mut name = String::with_capacity(FILE_NAME_BYTES_MAX);
    for c in stem.chars() {
        if name.len() + c.len_utf8() > room {
            break;
        }
        name.push(c);
    }
    Some(name + &extension)
}

/// What a message without words is, by its first attachment.
pub(super) fn kind_of(attachments: &[Attachment]) -> MessageKind {
    let Some(first) = attachments.first() else {
        return MessageKind::Text;
    };
    let class = first.media_type.as_deref().unwrap_or_default();
    match class.split('/').next() {
        Some("image") => MessageKind::Image,
        Some("audio") => MessageKind::Audio,
        Some("video") => MessageKind::Video,
        _ => MessageKind::File,
    }
}

#[cfg(test)]
mod tests {
    use super::{FILE_NAME_BYTES_MAX, file_name};

    #[test]
    fn file_name_has_no_path_and_nothing_unseen() {
        for (sent, kept) in [
            ("invoice.pdf", Some("invoice.pdf")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\Users\\ada\\发票.pdf", Some("发票.pdf")),
            ("invoice\u{202e}fdp.exe", Some("invoicefdp.exe")),
            ("a\u{200b}b\r\n.txt", Some("ab.txt")),
            (".htaccess", Some("htaccess")),
            ("..", None),
            ("folder/", None),
            ("📷.jpeg", Some("📷.jpeg")),
        ] {
            assert_eq!(file_name(sent).as_deref(), kept, "{sent:?}");
        }
    }

    #[test]
    fn long_file_name_keeps_its_extension() {
        let name = file_name(&format!("{}.pdf", "票".repeat(200))).unwrap();
        assert!(name.len() <= FILE_NAME_BYTES_MAX);
        assert_eq!(name, format!("{}.pdf", "票".repeat(83)));
    }
}
