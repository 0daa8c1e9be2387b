//! What a channel would make of one request, for `postroom inspect`. Touches nothing.

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use postroom_channel::signature::{self, Secret};
use postroom_channel::{Inspection, OptionError, PushRequest};
use postroom_model::Timestamp;

use crate::Dialect;

/// Reads one request. With a secret its signature is checked as of `now`. A request without a
/// Content-Type is taken for the one that the dialect has. The error is about the secret.
pub fn inspect(
    dialect: Dialect,
    request: &PushRequest<'_>,
    secret: Option<&str>,
    now: Timestamp,
) -> Result<Inspection, OptionError> {
    if let Some(secret) = secret {
        let secret = Secret::parse(secret).map_err(|error| {
            let help = "write `whsec_` and the Base64 of 24 to 64 bytes";
            OptionError::new("secret", error.to_string(), help)
        })?;
        let verified = signature::verify(&[secret], request.headers, request.body, now);
        if let Err(error) = verified {
            return Ok(Inspection::of_refusal(error.into()));
        }
    }
    let mut headers = request.headers.clone();
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let request = PushRequest { headers: &headers, ..*request };
    Ok(Inspection::of(dialect.parse(&request)))
}
