//! `/v1/conversations/{id}/replies`: answering the customer, and sending again what did not leave.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use postroom_model::digest::Digest;
use postroom_model::limits::ATTACHMENTS_MAX;
use postroom_model::{Action, Address, Attachment, DeliveryState, MessageId, Outcome, ReplyDraft};
use serde::{Deserialize, Serialize};

use super::outcomes::{Nothing, asked, check_length, check_words, conversation_id};
use crate::auth::Caller;
use crate::body::{Check, Payload, Segments};
use crate::gateway::App;
use crate::problem::{FieldError, Problem};
use crate::reach;
use crate::submit::command_id;

/// Characters in the name of a file.
const NAME_CHARS_MAX: usize = 255;
/// Addresses in `cc`, and in `bcc`.
const COPIES_MAX: usize = 20;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplyBody {
    #[serde(default)]
    text: String,
    html: Option<String>,
    #[serde(default)]
    attachments: Vec<FileBody>,
    /// Further recipients of a mail; other channels have none.
    #[serde(default)]
    cc: Vec<String>,
    /// Recipients of a mail whom the others do not see.
    #[serde(default)]
    bcc: Vec<String>,
    /// Refused with 409 if any message came after this version of the conversation.
    if_version: Option<u64>,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileBody {
    name: String,
    media_type: Option<String>,
    content_base64: String,
    /// Shown in the HTML where that has `cid:` and this.
    content_id: Option<String>,
}

impl Check for ReplyBody {
    fn check(&self, errors: &mut Vec<FieldError>) {
        if self.attachments.is_empty() {
            check_words(&self.text, "/text", errors);
        } else {
            check_length(&self.text, "/text", errors);
        }
        if let Some(html) = &self.html {
            check_length(html, "/html", errors);
        }
        if self.attachments.len() > ATTACHMENTS_MAX {
            let detail = format!("may have {ATTACHMENTS_MAX} files");
            errors.push(FieldError::new("/attachments", detail));
        }
        for (field, addresses) in [("cc", &self.cc), ("bcc", &self.bcc)] {
            if addresses.len() > COPIES_MAX {
                let detail = format!("may have {COPIES_MAX} addresses");
                errors.push(FieldError::new(format!("/{field}"), detail));
            }
            for (index, address) in addresses.iter().enumerate() {
                if Address::mail(address).is_err() {
                    let pointer = format!("/{field}/{index}");
                    errors.push(FieldError::new(pointer, "is no mail address".to_owned()));
                }
            }
        }
        for (index, file) in self.attachments.iter().enumerate() {
            let plain = |id: &String| !id.is_empty() && id.bytes().all(|c| c.is_ascii_graphic());
            if !file.content_id.as_ref().is_none_or(plain) {
                let pointer = format!("/attachments/{index}/content_id");
                errors.push(FieldError::new(pointer, "has letters and signs only".to_owned()));
            }
            let bad = file.name.trim().is_empty() || file.name.chars().any(char::is_control);
            if bad || file.name.chars().count() > NAME_CHARS_MAX {
                let detail = format!("a name has 1 to {NAME_CHARS_MAX} characters");
                errors.push(FieldError::new(format!("/attachments/{index}/name"), detail));
            }
        }
    }
}

/// A reply that was taken.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ReplyTaken {
    /// The message's id; `/v1/commands/{id}` knows it too.
    #[schema(value_type = String, format = "uuid")]
    id: MessageId,
    state: DeliveryState,
}

/// Answers the customer. Any agent of the queue may.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/replies", tag = "commands", request_body = ReplyBody,
    params(("id" = String, Path, description = "Id of the conversation")),
    responses((status = 202, description = "On its way, or `pending` if there is no outcome yet", body = ReplyTaken))
)]
pub(crate) async fn reply(
    caller: Caller,
    State(app): State<App>,
    Segments(id): Segments<String>,
    headers: HeaderMap,
    Payload(body): Payload<ReplyBody>,
) -> Result<Response, Problem> {
    caller.staff()?;
    let command = command_id(&app, &caller, &headers)?;
    let conversation = conversation_id(&id)?;
    // The message has the id of the command, so that the same key makes the same message and one id
    // answers both questions: what became of the change, and of the reply.
    let message = MessageId(command.0.0);
    let (attachments, contents) = read_files(body.attachments)?;
    let copies = [("cc", body.cc), ("bcc", body.bcc)].into_iter();
    let copies = copies.filter(|(_, addresses)| !addresses.is_empty());
    let attributes =
        copies.map(|(field, addresses)| (field.to_owned(), addresses.into())).collect();
    let draft = ReplyDraft { text: body.text, html: body.html, attachments, attributes };
    let if_version = body.if_version;
    let action = Action::Reply { conversation, message, draft, if_version };
    let allowed = async {
        reach::for_changing(&app, &caller.principal, conversation).await?;
        // Files are durable before the inlet names them.
        for content in contents {
            app.blobs.put(content).await?;
        }
        Ok(())
    };
    Ok(match asked(&app, &caller, command, action, allowed).await? {
        Err(response) => response,
        Ok(outcome) => queued(&outcome, message),
    })
}

fn queued(outcome: &Outcome, message: MessageId) -> Response {
    let id = outcome.message.unwrap_or(message);
    let taken = ReplyTaken { id, state: DeliveryState::Queued };
    (StatusCode::ACCEPTED, Json(taken)).into_response()
}

/// What the message says of the files, and what is in them.
fn read_files(files: Vec<FileBody>) -> Result<(Vec<Attachment>, Vec<Bytes>), Problem> {
    let mut contents = Vec::with_capacity(files.len());
    let mut errors = Vec::new();
    for (index, file) in files.iter().enumerate() {
        match BASE64_STANDARD.decode(&file.content_base64) {
            Ok(content) => contents.push(Bytes::from(content)),
            Err(error) => {
                let pointer = format!("/attachments/{index}/content_base64");
                errors.push(FieldError::new(pointer, format!("not base64: {error}")));
            }
        }
    }
    if !errors.is_empty() {
        return Err(Problem::invalid_body(errors));
    }
    let mut attachments = Vec::with_capacity(files.len());
    for (file, content) in files.into_iter().zip(&contents) {
        attachments.push(Attachment {
            name: Some(file.name),
            media_type: file.media_type,
            disposition: Some(
                if file.content_id.is_some() { "inline" } else { "attachment" }.to_owned(),
            ),
            content_id: file.content_id,
            size_bytes: Some(content.len() as u64),
            sha256: Some(Digest::of(content)),
            ..Attachment::default()
        });
    }
    Ok((attachments, contents))
}

/// Sends again what failed or is uncertain, with the same delivery id.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/replies/{message}/resend", tag = "commands",
    params(("id" = String, Path, description = "Id of the conversation"),
        ("message" = String, Path, description = "Id of the reply")),
    responses((status = 202, description = "On its way again", body = ReplyTaken))
)]
pub(crate) async fn resend(
    caller: Caller,
    State(app): State<App>,
    Segments((id, message)): Segments<(String, String)>,
    headers: HeaderMap,
    _: Payload<Nothing>,
) -> Result<Response, Problem> {
    caller.staff()?;
    let message: MessageId = message.parse().map_err(|_| {
        Problem::new(StatusCode::NOT_FOUND, "message_not_found", "there is no such reply")
    })?;
    let command = command_id(&app, &caller, &headers)?;
    let conversation = conversation_id(&id)?;
    let action = Action::Resend { conversation, message };
    let allowed = async {
        reach::for_changing(&app, &caller.principal, conversation).await?;
        Ok(())
    };
    Ok(match asked(&app, &caller, command, action, allowed).await? {
        Err(response) => response,
        Ok(_) => {
            let taken = ReplyTaken { id: message, state: DeliveryState::Queued };
            (StatusCode::ACCEPTED, Json(taken)).into_response()
        }
    })
}
