//! Reports: what a machine says of a mail that we sent. Delivery status (RFC 3464), abuse (RFC 5965),
//! reading (RFC 8098), and the many ways in which servers write that a mail came back.

mod dsn;
mod notice;
mod prose;
mod status;
mod verdict;

use mail_parser::{Message, MessagePart, PartType};
use postroom_model::{AutomationClass, Bounce};

use crate::header::Fields;
use crate::limits::BOUNCES_MAX;
use crate::{ids, mime};

/// What a report says.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// None where the mail is no report.
    pub(crate) class: Option<AutomationClass>,
    pub(crate) bounces: Vec<Bounce>,
    /// The id of the mail that it is about.
    pub(crate) original_id: Option<String>,
    pub(crate) feedback_type: Option<String>,
}

/// One mail as reports are read from it.
pub(crate) struct Mail<'a> {
    pub(crate) message: &'a Message<'a>,
    pub(crate) raw: &'a [u8],
    pub(crate) fields: Fields<'a>,
    pub(crate) subject: &'a str,
    /// Address of the sender.
    pub(crate) sender: &'a str,
    /// Addresses of the recipients.
    pub(crate) recipients: &'a [String],
    /// The words of the mail.
    pub(crate) text: &'a str,
}

pub(crate) fn of(mail: &Mail<'_>) -> Report {
    let parts = &mail.message.parts;
    let is = |kind: &'static str, subtype: &'static str| {
        move |part: &&MessagePart<'_>| mime::is_of_type(part, kind, subtype)
    };
    let feedback = parts.iter().find(is("message", "feedback-report"));
    let read = parts.iter().find(is("message", "disposition-notification"));
    let complaint = is_complaint(mail);
    let mut report = Report::default();
    if let Some(part) = feedback {
        report.class = Some(AutomationClass::FeedbackReport);
        report.feedback_type = dsn::field(&mime::bytes(part, mail.raw), "feedback-type");
        report.original_id = original_id(mail);
    } else if complaint {
        report.class = Some(AutomationClass::FeedbackReport);
        report.original_id = original_id(mail);
    } else if let Some(part) = read {
        report.class = Some(AutomationClass::ReadReceipt);
        let id = dsn::field(&mime::bytes(part, mail.raw), "original-message-id");
        report.original_id = id.map(|id| ids::bare(&id)).or_else(|| original_id(mail));
    } else {
        delivery(mail, &mut report);
    }
    report.bounces.truncate(BOUNCES_MAX);
    report
}

/// Outlook.com reports a complaint without saying so in its type.
fn is_complaint(mail: &Mail<'_>) -> bool {
    let encloses = mail.message.parts.iter().any(|part| matches!(part.body, PartType::Message(_)));
    encloses && mail.subject.to_lowercase().starts_with("complaint about message from")
}

/// Delivery status, in fields or in prose.
fn delivery(mail: &Mail<'_>, report: &mut Report) {
    let fields = mail.message.parts.iter().filter(|part| {
        mime::is_of_type(part, "message", "delivery-status")
            || mime::is_of_type(part, "message", "global-delivery-status")
    });
    let mut bounces = Vec::new();
    let mut is_status = false;
    for part in fields {
        is_status = true;
        bounces.extend(dsn::read(&mime::bytes(part, mail.raw)));
    }
    let prose = notice::looks_like(mail);
    if !is_status && !prose {
        return;
    }
    let human = notice::words(mail);
    let original = original(mail, &human);
    if bounces.is_empty() {
        bounces = prose::read(mail, &human, &original);
    } else {
        let single = bounces.len() == 1;
        for bounce in &mut bounces {
            prose::complete(bounce, &human, single);
        }
    }
    if bounces.is_empty() && !is_status {
        return;
    }
    for bounce in &mut bounces {
        status::settle(bounce);
    }
    report.original_id = original_id(mail).or(original.id);
    report.class = Some(class(&bounces));
    report.bounces = bounces.into_iter().map(dsn::Recipient::into_bounce).collect();
}

/// A bounce, unless nothing has failed for good.
fn class(recipients: &[dsn::Recipient]) -> AutomationClass {
    let fails = |recipient: &dsn::Recipient| match recipient.action.as_deref() {
        Some("failed") => true,
        Some("delayed" | "delivered" | "relayed" | "expanded") => false,
        _ => !recipient.status.as_deref().is_some_and(|status| status.starts_with(['2', '4'])),
    };
    if recipients.iter().any(fails) {
        AutomationClass::Bounce
    } else {
        AutomationClass::DeliveryReport
    }
}

/// What is known of the mail that came back.
#[derive(Debug, Default)]
pub(crate) struct Original {
    pub(crate) id: Option<String>,
    pub(crate) recipients: Vec<String>,
}

/// The id in the header of the enclosed mail, or in a part that holds only that header.
fn original_id(mail: &Mail<'_>) -> Option<String> {
    enclosed(mail).and_then(|header| header.id)
}

fn original(mail: &Mail<'_>, human: &notice::Words) -> Original {
    enclosed(mail).unwrap_or_else(|| of_header(&human.original))
}

fn enclosed(mail: &Mail<'_>) -> Option<Original> {
    let mut found = mail.message.parts.iter().filter_map(|part| match &part.body {
        PartType::Message(inner) => {
            let root = inner.parts.first()?;
            let fields = mime::fields(root, mime::raw_of(inner));
            let recipients = crate::addresses::parse(fields.raw("To").unwrap_or_default());
            let recipients = recipients.into_iter().filter_map(|party| party.address);
            Some(Original {
                id: ids::own(fields),
                recipients: recipients.map(|address| address.name().to_owned()).collect(),
            })
        }
        _ if mime::is_of_type(part, "text", "rfc822-headers")
            || mime::is_of_type(part, "message", "global-headers")
            || mime::is_of_type(part, "message", "rfc822-headers") =>
        {
            Some(of_header(&String::from_utf8_lossy(&mime::bytes(part, mail.raw))))
        }
        _ => None,
    });
    found.find(|original| original.id.is_some() || !original.recipients.is_empty())
}

/// The same from a header in plain text.
pub(crate) fn of_header(text: &str) -> Original {
    let id = dsn::field(text.as_bytes(), "message-id").map(|id| ids::bare(&id));
    let to = dsn::field(text.as_bytes(), "to").unwrap_or_default();
    let recipients = crate::addresses::parse(to.as_bytes());
    let recipients = recipients.into_iter().filter_map(|party| party.address);
    Original {
        id: id.filter(|id| !id.is_empty()),
        recipients: recipients.map(|address| address.name().to_owned()).collect(),
    }
}
