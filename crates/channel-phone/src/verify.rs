//! Who sent it: each provider signs in a way of its own, over the bytes as they came. All comparing
//! is constant in time, and no secret is ever written anywhere.
//!
//! Telephone systems that cannot sign send a shared word instead: as a password (Basic), as a token
//! (Bearer) or as `token` in the query.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use postroom_channel::signature::{self, SignatureError};
use postroom_channel::{OptionError, PushRequest, PushResponse, Refusal};
use postroom_model::Timestamp;
use ring::{digest, hmac};
use url::{Url, form_urlencoded};

use crate::Dialect;

const TWILIO_HEADER: &str = "x-twilio-signature";
const META_HEADER: &str = "x-hub-signature-256";
const PLACETEL_HEADER: &str = "x-placetel-signature";

/// Bytes of a shared secret; a channel that is open to the world wants at least so many.
pub const SECRET_BYTES_MIN: usize = 8;
pub const SECRET_BYTES_MAX: usize = 512;

/// What a channel knows of its provider.
#[derive(Clone)]
pub struct Secret(Kind);

#[derive(Clone)]
enum Kind {
    Standard(Box<signature::Secret>),
    Shared(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// Reads the secret of a channel of this dialect. The error never repeats it.
    pub fn parse(dialect: Dialect, text: &str) -> Result<Self, OptionError> {
        if dialect == Dialect::Generic {
            let parsed = signature::Secret::parse(text);
            return parsed.map(|secret| Self(Kind::Standard(Box::new(secret)))).map_err(|error| {
                let help = "write `whsec_` and the Base64 of 24 to 64 bytes";
                OptionError::new("secret", error.to_string(), help)
            });
        }
        let text = text.trim();
        if text.is_empty() || text.len() > SECRET_BYTES_MAX {
            let message = format!("a secret has 1 to {SECRET_BYTES_MAX} bytes");
            return Err(OptionError::new("secret", message, "copy it from the provider once more"));
        }
        Ok(Self(Kind::Shared(text.to_owned())))
    }

    pub(crate) fn shared(&self) -> &str {
        match &self.0 {
            Kind::Standard(_) => "",
            Kind::Shared(text) => text,
        }
    }
}

/// Refuses what is not provably from somebody who holds one of the secrets.
pub fn verify(
    dialect: Dialect,
    secrets: &[Secret],
    request: &PushRequest<'_>,
    now: Timestamp,
) -> Result<(), Refusal> {
    match dialect {
        Dialect::Generic => {
            let standard = secrets.iter().filter_map(|secret| match &secret.0 {
                Kind::Standard(secret) => Some((**secret).clone()),
                Kind::Shared(_) => None,
            });
            let standard: Vec<signature::Secret> = standard.collect();
            signature::verify(&standard, request.headers, request.body, now)?;
        }
        Dialect::TwilioVoice => twilio(secrets, request)?,
        Dialect::WhatsappCalls => {
            let value = header(request.headers, META_HEADER)?;
            let digits = value.strip_prefix("sha256=").ok_or(SignatureError::Mismatch)?;
            body_sha256(secrets, request.body, digits)?;
        }
        Dialect::Placetel => {
            let digits = header(request.headers, PLACETEL_HEADER)?;
            body_sha256(secrets, request.body, digits)?;
        }
        Dialect::AsteriskCdr
        | Dialect::AsteriskCel
        | Dialect::AsteriskAmi
        | Dialect::FreeswitchCdr
        | Dialect::ZammadCti
        | Dialect::Sipgate => shared_word(secrets, request)?,
    }
    Ok(())
}

/// The answer to the question with which Meta finds out who listens; none if it is not that
/// question.
pub fn challenge(
    dialect: Dialect,
    secrets: &[Secret],
    request: &PushRequest<'_>,
) -> Option<Result<PushResponse, Refusal>> {
    let is_question = dialect == Dialect::WhatsappCalls && request.method == http::Method::GET;
    if !is_question {
        return None;
    }
    let query = query(request.uri);
    let value = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    let good = value("hub.mode").is_some_and(|mode| mode == "subscribe")
        && value("hub.verify_token").is_some_and(|token| is_shared(secrets, token));
    Some(match value("hub.challenge").filter(|_| good) {
        Some(answer) => {
            Ok(PushResponse { status: 200, media_type: "text/plain", body: answer.clone() })
        }
        None => Err(SignatureError::Mismatch.into()),
    })
}

/// The value of a header that must stand there exactly once.
fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, SignatureError> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(SignatureError::Missing(name))?;
    if values.next().is_some() {
        return Err(SignatureError::Doubled(name));
    }
    let text = value.to_str().map_err(|_| SignatureError::Unreadable(name))?.trim();
    if text.is_empty() { Err(SignatureError::Missing(name)) } else { Ok(text) }
}

/// HMAC-SHA256 over the body, in hexadecimal digits.
fn body_sha256(secrets: &[Secret], body: &[u8], digits: &str) -> Result<(), SignatureError> {
    let tag = from_hex(digits).ok_or(SignatureError::Mismatch)?;
    let good = secrets.iter().any(|secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.shared().as_bytes());
        hmac::verify(&key, body, &tag).is_ok()
    });
    good.then_some(()).ok_or(SignatureError::Mismatch)
}

/// HMAC-SHA1 over the address and the sorted fields; over the address alone where that names the
/// hash of a body that is no form.
fn twilio(secrets: &[Secret], request: &PushRequest<'_>) -> Result<(), SignatureError> {
    let signature = header(request.headers, TWILIO_HEADER)?;
    let tag = STANDARD.decode(signature).map_err(|_| SignatureError::Mismatch)?;
    let hash = query(request.uri).into_iter().find(|(name, _)| name == "bodySHA256");
    let fields = match hash {
        Some((_, digits)) => {
            let hash = digest::digest(&digest::SHA256, request.body);
            let same = from_hex(&digits).is_some_and(|told| told == hash.as_ref());
            if !same {
                return Err(SignatureError::Mismatch);
            }
            String::new()
        }
        None => sorted_fields(request.body),
    };
    let good = addresses(request.uri).iter().any(|address| {
        let signed = format!("{address}{fields}");
        secrets.iter().any(|secret| {
            let algorithm = hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY;
            let key = hmac::Key::new(algorithm, secret.shared().as_bytes());
            hmac::verify(&key, signed.as_bytes(), &tag).is_ok()
        })
    });
    good.then_some(()).ok_or(SignatureError::Mismatch)
}

/// Name and value of each field without anything between, each pair once.
fn sorted_fields(body: &[u8]) -> String {
    let pairs = form_urlencoded::parse(body);
    let pairs: BTreeSet<(String, String)> =
        pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    pairs.into_iter().flat_map(|(name, value)| [name, value]).collect()
}

/// The address as it is, with the port that its scheme has anyway, and without it: Twilio signs one
/// of them.
fn addresses(uri: &str) -> Vec<String> {
    let mut all = vec![uri.to_owned()];
    let Ok(url) = Url::parse(uri) else {
        return all;
    };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return all;
    };
    let Some((start, rest)) = uri.split_once("://") else {
        return all;
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let user = authority.rsplit_once('@').map_or(String::new(), |(user, _)| format!("{user}@"));
    all.push(format!("{start}://{user}{host}:{port}{path}"));
    all.push(format!("{start}://{user}{host}{path}"));
    all
}

fn query(uri: &str) -> Vec<(String, String)> {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or(query);
    let pairs = form_urlencoded::parse(query.as_bytes());
    pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// A password, a token, or a word in the query.
fn shared_word(secrets: &[Secret], request: &PushRequest<'_>) -> Result<(), SignatureError> {
    if !request.headers.contains_key(AUTHORIZATION) {
        let token = query(request.uri).into_iter().find(|(name, _)| name == "token");
        let (_, token) = token.ok_or(SignatureError::Missing("authorization"))?;
        return is_shared(secrets, &token).then_some(()).ok_or(SignatureError::Mismatch);
    }
    let value = header(request.headers, "authorization")?;
    let (scheme, rest) = value.split_once(' ').ok_or(SignatureError::Mismatch)?;
    let word = if scheme.eq_ignore_ascii_case("bearer") {
        rest.trim().to_owned()
    } else if scheme.eq_ignore_ascii_case("basic") {
        let decoded =
            STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let decoded = decoded.ok_or(SignatureError::Mismatch)?;
        decoded.split_once(':').map(|(_, word)| word.to_owned()).ok_or(SignatureError::Mismatch)?
    } else {
        return Err(SignatureError::Mismatch);
    };
    is_shared(secrets, &word).then_some(()).ok_or(SignatureError::Mismatch)
}

/// Compares by what the two sign, so that the time it takes says nothing about where they differ.
fn is_shared(secrets: &[Secret], word: &str) -> bool {
    const SAMPLE: &[u8] = b"postroom";
    let told = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, word.as_bytes()), SAMPLE);
    secrets.iter().any(|secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.shared().as_bytes());
        !secret.shared().is_empty() && hmac::verify(&key, SAMPLE, told.as_ref()).is_ok()
    })
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    const DIGITS_MAX: usize = 128;
    let digits = digits.as_bytes();
    if !digits.len().is_multiple_of(2) || digits.len() > DIGITS_MAX {
        return None;
    }
    let value =
        |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    digits
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(value(*high)? * 16 + value(*low)?),
            _ => None,
        })
        .collect()
}
