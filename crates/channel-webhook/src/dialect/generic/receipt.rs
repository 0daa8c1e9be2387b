//! What became of a reply: `{"receipt": {id, status, at, code}}`.

use postroom_channel::json::Mistakes;
use postroom_model::limits::EXTERNAL_ID_CHARS_MAX;
use postroom_model::{Receipt, ReceiptStatus};

use super::fields::{Member, Object, invalid, nearest};
use super::parse::time;

const FIELDS: [&str; 4] = ["id", "status", "at", "code"];
const CODE_CHARS_MAX: usize = 200;

pub(super) fn read(member: &Member<'_>, mistakes: &mut Mistakes) -> Option<Receipt> {
    let object = Object::new(member, &FIELDS, mistakes)?;
    let id = object.text("id", EXTERNAL_ID_CHARS_MAX, mistakes);
    let status_text = object.text("status", CODE_CHARS_MAX, mistakes);
    for (name, value) in [("id", id), ("status", status_text)] {
        if value.is_none() && object.get(name).is_none_or(|member| member.value == "") {
            let words = "must be given";
            mistakes.add("body_field_missing", object.pointer.member(name), words);
        }
    }
    let status = status_text.and_then(|text| {
        let status = status_of(text);
        if status.is_none() {
            let known = ["sent", "delivered", "read", "failed"];
            let words = match nearest(text, &known) {
                Some(near) => format!("no such status; did you mean `{near}`?"),
                None => "must be sent, delivered, read or failed".to_owned(),
            };
            invalid(&object.pointer.member("status"), words, mistakes);
        }
        status
    });
    let at = time(&object, "at", mistakes);
    let code = object.text("code", CODE_CHARS_MAX, mistakes);
    Some(Receipt {
        external_id: id?.trim().to_owned(),
        status: status?,
        at,
        code: code.map(str::to_owned),
        dead: None,
    })
}

fn status_of(text: &str) -> Option<ReceiptStatus> {
    match text {
        "sent" => Some(ReceiptStatus::Sent),
        "delivered" => Some(ReceiptStatus::Delivered),
        "read" => Some(ReceiptStatus::Read),
        "failed" => Some(ReceiptStatus::Failed),
        _ => None,
    }
}
