//! What an adapter outside of the process may ask for, and how its words become an input.
//!
//! It says what came in and nothing of ids or times: an id is the hash of where something came from,
//! so that the same message makes one message however often it is published (P3), and the time is
//! that at which the bus stored it. HTML is sanitised here, as every adapter does it. Pure: the same
//! words, the same input.

use postroom_model::limits::{
    ATTACHMENTS_MAX, EXTERNAL_ID_CHARS_MAX, INLINE_BODY_BYTES_MAX, SUBJECT_CHARS_MAX,
};
use postroom_model::{
    ChannelId, Inbound, Input, InputBody, InputId, Message, MessageId, Timestamp, WorkspaceId,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::html;

/// Bytes of one input from outside; what holds more is named by a URL.
pub const OUTSIDE_INPUT_BYTES_MAX: usize = 256 * 1024;

/// `id` and `at` may stand beside it, as in every input; here they say nothing.
#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(flatten)]
    body: InputBody,
}

/// The input that `words`, published for `channel` and stored `at`, ask for; or why they are set
/// aside, and what to do about it.
pub fn input_from_outside(
    workspace: &WorkspaceId,
    channel: &str,
    at: Timestamp,
    words: &str,
) -> Result<Input, String> {
    if words.len() > OUTSIDE_INPUT_BYTES_MAX {
        let bytes = words.len();
        return Err(format!(
            "{bytes} bytes are more than the {OUTSIDE_INPUT_BYTES_MAX} of one input"
        ));
    }
    let schema = "see docs/schema/input.json";
    let value: Value =
        serde_json::from_str(words).map_err(|e| format!("no JSON: {e}; {schema}"))?;
    if holds_nul(&value) {
        return Err("the character U+0000 stands in it; leave it out".to_owned());
    }
    let asked: Asked =
        serde_json::from_value(value).map_err(|error| format!("no input: {error}; {schema}"))?;
    let mut body = asked.body;
    let named = channel_of(&body).ok_or_else(|| may_not(channel))?;
    if named.as_str() != channel {
        return Err(format!(
            "it names the channel {named} and was published for {channel}: publish it on the \
             subject of its own channel"
        ));
    }
    let named = named.clone();
    let id = match &mut body {
        InputBody::Inbound(inbound) => {
            check(&inbound.message)?;
            clean(inbound)?;
            InputId(MessageId::of_external(workspace, &named, &inbound.message.external_id).0)
        }
        InputBody::Call(call) => InputId::of_call(workspace, &named, &call.call),
        InputBody::Receipt(inbound) => {
            one_id("receipt.external_id", &inbound.receipt.external_id)?;
            of_content(workspace, &named, &inbound.receipt)
        }
        InputBody::Unparsed(unparsed) => of_content(workspace, &named, &*unparsed),
        // A place is not the same twice: what is read may begin anew.
        InputBody::Cursor(cursor) => of_content(workspace, &named, &(&*cursor, at)),
        InputBody::Command(_) | InputBody::Settings(_) | InputBody::Delivery(_) => {
            return Err(may_not(channel));
        }
    };
    Ok(Input { id, at, body })
}

fn of_content(workspace: &WorkspaceId, channel: &ChannelId, content: &impl Serialize) -> InputId {
    let content = serde_json::to_string(content).unwrap_or_default();
    InputId::of_report(workspace, channel, &content)
}

fn may_not(channel: &str) -> String {
    format!(
        "published for channel {channel}, which may not ask for this: an adapter speaks of inbound \
         messages, receipts, calls and cursors of its own channel"
    )
}

fn channel_of(body: &InputBody) -> Option<&ChannelId> {
    match body {
        InputBody::Inbound(inbound) => Some(&inbound.channel),
        InputBody::Receipt(receipt) => Some(&receipt.channel),
        InputBody::Call(call) => Some(&call.channel),
        InputBody::Cursor(cursor) => Some(&cursor.channel),
        InputBody::Unparsed(unparsed) => Some(&unparsed.channel),
        InputBody::Command(_) | InputBody::Settings(_) | InputBody::Delivery(_) => None,
    }
}

/// The limits that every adapter keeps.
fn check(message: &Message) -> Result<(), String> {
    one_id("message.external_id", &message.external_id)?;
    if let Some(thread) = &message.thread {
        one_id("message.thread", thread)?;
    }
    let subject_chars = message.subject.as_ref().map_or(0, |subject| subject.chars().count());
    if subject_chars > SUBJECT_CHARS_MAX {
        return Err(format!("message.subject: at most {SUBJECT_CHARS_MAX} characters"));
    }
    if message.body_bytes() > INLINE_BODY_BYTES_MAX {
        return Err(format!(
            "message: text, visible_text and html have at most {INLINE_BODY_BYTES_MAX} bytes together"
        ));
    }
    if message.attachments.len() > ATTACHMENTS_MAX {
        return Err(format!("message.attachments: at most {ATTACHMENTS_MAX}"));
    }
    let stored = message.attachments.iter().any(|file| file.sha256.is_some());
    if stored || message.body_blob.is_some() {
        return Err("message: what stands in the blob store cannot be named from outside; name a \
                    file by its url"
            .to_owned());
    }
    Ok(())
}

fn one_id(what: &str, id: &str) -> Result<(), String> {
    let good = !id.is_empty() && !id.chars().any(char::is_control);
    if good && id.chars().count() <= EXTERNAL_ID_CHARS_MAX {
        return Ok(());
    }
    Err(format!("{what}: 1 to {EXTERNAL_ID_CHARS_MAX} characters, and no control characters"))
}

/// What may be shown of its HTML, and its words where there is nothing else.
fn clean(inbound: &mut Inbound) -> Result<(), String> {
    let message = &mut inbound.message;
    let Some(source) = message.html.take() else {
        return Ok(());
    };
    let clean = html::sanitize(&source).map_err(|error| format!("message.html: {error}"))?;
    if message.text.is_none() {
        message.text = Some(html::text_of(&clean)).filter(|text| !text.is_empty());
    }
    message.html = Some(clean).filter(|html| !html.is_empty());
    Ok(())
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains('\0') || holds_nul(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{OUTSIDE_INPUT_BYTES_MAX, input_from_outside};
    use postroom_model::{Input, InputBody, MessageId, Timestamp, WorkspaceId};
    use serde_json::{Value, json};

    fn taken(words: &Value) -> Result<Input, String> {
        let at = Timestamp::from_seconds(1_000);
        input_from_outside(&WorkspaceId::main(), "fax", at, &words.to_string())
    }

    fn inbound(change: impl FnOnce(&mut Value)) -> Value {
        let mut message = json!({ "kind": "text", "external_id": "7", "text": "hello" });
        change(&mut message);
        json!({ "kind": "inbound", "body": { "channel": "fax", "message": message } })
    }

    #[test]
    fn id_and_time_are_ours_whatever_stands_there() {
        let plain = inbound(|_| ());
        let mut claimed = plain.clone();
        claimed["id"] = json!("00000000-0000-4000-8000-000000000000");
        claimed["at"] = json!("2999-01-01T00:00:00Z");
        let input = taken(&plain).unwrap();
        assert_eq!(taken(&claimed), Ok(input.clone()));
        let channel = "fax".parse().unwrap();
        assert_eq!(input.id.0, MessageId::of_external(&WorkspaceId::main(), &channel, "7").0);
        assert_eq!(input.at, Timestamp::from_seconds(1_000));
    }

    #[test]
    fn html_is_sanitised_and_gives_the_words_where_there_are_none() {
        let words = inbound(|message| {
            message["text"] = Value::Null;
            message["html"] = json!("<p onclick='x()'>Hi <script>evil()</script>there</p>");
        });
        let InputBody::Inbound(inbound) = taken(&words).unwrap().body else { panic!() };
        assert_eq!(inbound.message.html.as_deref(), Some("<p>Hi there</p>"));
        assert_eq!(inbound.message.text.as_deref(), Some("Hi there"));
    }

    #[test]
    fn what_is_not_to_be_taken_is_told_with_what_to_do() {
        let receipt = |id: &str| {
            let receipt = json!({ "external_id": id, "status": "sent" });
            json!({ "kind": "receipt", "body": { "channel": "fax", "receipt": receipt } })
        };
        assert!(taken(&receipt("7")).is_ok());
        let own = json!({ "report": "own", "channel": "fax", "host": uuid() });
        let other = json!({ "channel": "site", "message": { "kind": "text", "external_id": "7" } });
        let sha256 = "0".repeat(64);
        let long = "x".repeat(70_000);
        let cases: Vec<(Value, &str)> = vec![
            (json!(7), "docs/schema/input.json"),
            (json!({ "kind": "later", "body": {} }), "docs/schema/input.json"),
            (json!({ "kind": "delivery", "body": own }), "may not ask"),
            (json!({ "kind": "inbound", "body": other }), "names the channel site"),
            (receipt(""), "receipt.external_id"),
            (inbound(|m| m["external_id"] = json!("")), "message.external_id"),
            (inbound(|m| m["external_id"] = json!("a\nb")), "message.external_id"),
            (inbound(|m| m["thread"] = json!("x".repeat(513))), "message.thread"),
            (inbound(|m| m["subject"] = json!("x".repeat(1_001))), "message.subject"),
            (inbound(|m| m["text"] = json!(long)), "bytes together"),
            (inbound(|m| m["text"] = json!("a\0b")), "U+0000"),
            (inbound(|m| m["attachments"] = json!(vec![json!({}); 101])), "attachments"),
            (inbound(|m| m["attachments"] = json!([{ "sha256": sha256 }])), "by its url"),
            (
                inbound(|m| m["attributes"] = json!({ "a": "x".repeat(OUTSIDE_INPUT_BYTES_MAX) })),
                "of one input",
            ),
        ];
        for (words, told) in cases {
            let reason = taken(&words).unwrap_err();
            assert!(reason.contains(told), "{told}: {reason}");
        }
    }

    fn uuid() -> String {
        "00000000-0000-7000-8000-000000000000".to_owned()
    }
}
