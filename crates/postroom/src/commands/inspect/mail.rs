//! Mail, as it comes over SMTP, LMTP or IMAP.

use postroom_channel::Inspection;
use postroom_channel_email::BareBody;

use super::sequence;
use crate::cli;
use crate::failure::Failure;

/// Mail has no dialect, no request and no signature.
pub(super) fn inspect(wanted: &cli::Inspect) -> Result<Option<Inspection>, Failure> {
    let foreign = wanted.dialect.is_some()
        || wanted.secret.is_some()
        || wanted.time_zone.is_some()
        || wanted.region.is_some()
        || wanted.content_type.is_some()
        || !wanted.headers.is_empty();
    if foreign {
        let detail = "of the options only --body says anything about mail";
        return Err(Failure::usage(detail));
    }
    let body = wanted.body.map(|body| match body {
        cli::BareBody::Text => BareBody::Text,
        cli::BareBody::Html => BareBody::Html,
    });
    sequence(wanted, |content| {
        Ok(match body {
            Some(kind) => postroom_channel_email::inspect_body(content, kind),
            None => postroom_channel_email::inspect(content),
        })
    })
}
