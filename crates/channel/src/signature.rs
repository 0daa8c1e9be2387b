//! Standard Webhooks signatures, version `v1`: HMAC-SHA256 over `id.timestamp.body`, in Base64.
//!
//! The signature covers the bytes as they came, so it is checked before anything is parsed. All
//! comparing is constant in time. Asymmetric signatures (`v1a`) are skipped like any other version
//! that is not known. This module does no I/O and never writes a secret anywhere.
//!
//! Source: the Standard Webhooks specification, standardwebhooks.com.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use postroom_model::Timestamp;
use ring::hmac;

use crate::Refusal;

/// The id of the event, the same at every attempt.
pub const ID_HEADER: &str = "webhook-id";
/// Seconds since 1970 of this attempt.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// `v1,<Base64>`, several with a space between them while a secret is replaced.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// How far the sender's clock may be from ours, both ways.
pub const TOLERANCE_SECONDS: i64 = 5 * 60;
/// Signatures tried in one header; a sender in the middle of a rotation sends two.
pub const SIGNATURES_MAX: usize = 16;
/// Bytes of key. The specification asks for 24 to 64; senders in use have given out slightly
/// shorter ones, and 128 bits are enough.
pub const KEY_BYTES_MIN: usize = 16;
pub const KEY_BYTES_MAX: usize = 64;

const PREFIX: &str = "whsec_";
const VERSION: &str = "v1";

/// Senders differ on how Base64 ends: with padding or without, and with bits left over when a
/// secret was cut from a longer text. All of it is taken.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A shared secret.
#[derive(Clone)]
pub struct Secret(hmac::Key);

/// Why a text is not a secret. It never repeats the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("a secret is `whsec_` and Base64; this one is not Base64")]
    NotBase64,
    #[error("a secret holds {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes; this one holds {0}")]
    Length(usize),
}

impl Secret {
    /// Reads `whsec_` and Base64, padded or not; the prefix may be left out.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        let digits = text.strip_prefix(PREFIX).unwrap_or(text);
        let key = BASE64.decode(digits).map_err(|_| SecretError::NotBase64)?;
        if key.len() < KEY_BYTES_MIN || key.len() > KEY_BYTES_MAX {
            return Err(SecretError::Length(key.len()));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The value of `webhook-signature` for one attempt; `timestamp` goes out in whole seconds.
    pub fn sign(&self, id: &str, timestamp: Timestamp, body: &[u8]) -> String {
        let tag = self.tag(id, &timestamp.seconds().to_string(), body);
        format!("{VERSION},{}", BASE64.encode(tag.as_ref()))
    }

    fn tag(&self, id: &str, seconds: &str, body: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
            context.update(part);
        }
        context.sign()
    }

    fn matches(&self, signed: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.0, signed, tag).is_ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a good signature vouches for, beside the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub id: String,
    pub timestamp: Timestamp,
}

/// Why a request is not provably from somebody who holds the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the header {0} is missing")]
    Missing(&'static str),
    #[error("the header {0} stands there more than once")]
    Doubled(&'static str),
    #[error("the header {0} cannot be read")]
    Unreadable(&'static str),
    #[error("the header {TIMESTAMP_HEADER} is more than {TOLERANCE_SECONDS} seconds in the past")]
    TooOld,
    #[error("the header {TIMESTAMP_HEADER} is more than {TOLERANCE_SECONDS} seconds in the future")]
    TooNew,
    #[error("none of the signatures fits the body and a secret of this channel")]
    Mismatch,
}

impl SignatureError {
    /// Stable; each has a page in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "signature_header_missing",
            Self::Doubled(_) => "signature_header_doubled",
            Self::Unreadable(_) => "signature_header_invalid",
            Self::TooOld => "signature_too_old",
            Self::TooNew => "signature_too_new",
            Self::Mismatch => "signature_mismatch",
        }
    }

    /// A later attempt is signed anew, so only what is about the moment can change.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::TooOld | Self::TooNew)
    }
}

impl From<SignatureError> for Refusal {
    fn from(error: SignatureError) -> Self {
        Self::new(401, error.code(), error.to_string())
    }
}

/// Checks a request against every secret that is in force. Each of the three headers must stand
/// there exactly once.
pub fn verify(
    secrets: &[Secret],
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<Verified, SignatureError> {
    let id = single(headers, ID_HEADER)?;
    let seconds = single(headers, TIMESTAMP_HEADER)?;
    let signatures = single(headers, SIGNATURE_HEADER)?;
    let timestamp = check_timestamp(seconds, now)?;
    let signed = [id.as_bytes(), b".", seconds.as_bytes(), b".", body].concat();
    let good = signatures
        .split(' ')
        .filter(|one| !one.is_empty())
        .take(SIGNATURES_MAX)
        .filter_map(|one| one.split_once(','))
        .filter(|(version, _)| *version == VERSION)
        .filter_map(|(_, digits)| BASE64.decode(digits).ok())
        .any(|tag| secrets.iter().any(|secret| secret.matches(&signed, &tag)));
    if good { Ok(Verified { id: id.to_owned(), timestamp }) } else { Err(SignatureError::Mismatch) }
}

/// The value of a header that must stand there exactly once, not empty and in printable ASCII.
fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, SignatureError> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(SignatureError::Missing(name))?;
    if values.next().is_some() {
        return Err(SignatureError::Doubled(name));
    }
    let text = value.to_str().map_err(|_| SignatureError::Unreadable(name))?;
    if text.trim().is_empty() {
        return Err(SignatureError::Missing(name));
    }
    Ok(text)
}

fn check_timestamp(seconds: &str, now: Timestamp) -> Result<Timestamp, SignatureError> {
    let digits_only = seconds.bytes().all(|digit| digit.is_ascii_digit());
    let parsed: Option<i64> = seconds.parse().ok().filter(|_| digits_only);
    let sent = parsed.ok_or(SignatureError::Unreadable(TIMESTAMP_HEADER))?;
    let age = now.seconds().saturating_sub(sent);
    if age > TOLERANCE_SECONDS {
        return Err(SignatureError::TooOld);
    }
    if age < -TOLERANCE_SECONDS {
        return Err(SignatureError::TooNew);
    }
    Ok(Timestamp::from_seconds(sent))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};
    use postroom_model::Timestamp;

    use super::{
        ID_HEADER, SIGNATURE_HEADER, Secret, SecretError, SignatureError, TIMESTAMP_HEADER, verify,
    };

    const SECRET: &str = "whsec_cG9zdHJvb20tb3duLXZlY3Rvci1rZXktMDEyMzQ1Njc=";
    const OTHER: &str = "whsec_YW5vdGhlci1rZXktb2YtdGhlLXRlc3RzLTAxMjM0NTY=";
    const BODY: &[u8] = br#"{"text":"hello"}"#;
    /// HMAC-SHA256 of `evt_1.1772357400.{"text":"hello"}`, computed apart.
    const SIGNATURE: &str = "v1,zPNka1vAVXFMgWFVL2vkdpMq7DfmzM4TKUwzjsE3Vfs=";

    fn now() -> Timestamp {
        Timestamp::from_seconds(1_772_357_400)
    }

    fn secret(text: &str) -> Secret {
        Secret::parse(text).unwrap()
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            (HeaderName::from_static(name), value)
        });
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        headers
    }

    fn check(id: &str, seconds: &str, signature: &str, body: &[u8]) -> Result<(), SignatureError> {
        let headers =
            headers(&[(ID_HEADER, id), (TIMESTAMP_HEADER, seconds), (SIGNATURE_HEADER, signature)]);
        verify(&[secret(SECRET)], &headers, body, now()).map(drop)
    }

    #[test]
    fn signature_is_the_one_of_the_specification() {
        for (id, body, signature) in [
            ("evt_1", BODY, SIGNATURE),
            (
                "evt_2",
                "{\"text\":\"你好 🎉\"}".as_bytes(),
                "v1,BnDi5N1k2T7iQgS9yDUf54dKtbacpaFIIWI2T1+XoFI=",
            ),
            ("evt.3", b"", "v1,DTZw0fGmUp0RzKWLt5qmG4J9S/WocgOFSS963q/ypRo="),
        ] {
            assert_eq!(secret(SECRET).sign(id, now(), body), signature);
            assert_eq!(check(id, "1772357400", signature, body), Ok(()), "{id}");
        }
    }

    #[test]
    fn any_good_signature_among_several_is_enough() {
        let unpadded = SIGNATURE.trim_end_matches('=');
        let after = format!("v1,AAAA v2,x v1a,AAAA nonsense  {SIGNATURE}");
        let before = format!("{SIGNATURE} v1,AAAA");
        for good in [SIGNATURE, unpadded, after.as_str(), before.as_str()] {
            assert_eq!(check("evt_1", "1772357400", good, BODY), Ok(()), "{good}");
        }
        let flood = format!("{}{SIGNATURE}", "v1,AAAA ".repeat(16));
        let digits = SIGNATURE.trim_start_matches("v1,");
        let other_version = format!("v2,{digits}");
        for bad in ["v1,", "v1", ",", "v1,AAAA", digits, other_version.as_str(), flood.as_str()] {
            let refused = check("evt_1", "1772357400", bad, BODY);
            assert_eq!(refused, Err(SignatureError::Mismatch), "{bad}");
        }
    }

    #[test]
    fn what_is_signed_cannot_be_changed() {
        for (id, seconds, body) in [
            ("evt_2", "1772357400", BODY),
            ("evt_1", "1772357401", BODY),
            ("evt_1", "01772357400", BODY),
            ("evt_1", "1772357400", br#"{"text":"Hello"}"#.as_slice()),
            ("evt_1", "1772357400", br#"{"text": "hello"}"#.as_slice()),
        ] {
            let refused = check(id, seconds, SIGNATURE, body);
            assert_eq!(refused, Err(SignatureError::Mismatch), "{id} {seconds}");
        }
    }

    #[test]
    fn time_may_be_off_by_five_minutes_both_ways() {
        for (offset, outcome) in [
            (0, Ok(())),
            (-300, Ok(())),
            (300, Ok(())),
            (-301, Err(SignatureError::TooOld)),
            (301, Err(SignatureError::TooNew)),
            (-1_772_357_400, Err(SignatureError::TooOld)),
        ] {
            let sent = now().plus_millis(offset * 1_000);
            let signature = secret(SECRET).sign("evt_1", sent, BODY);
            let seconds = sent.seconds().to_string();
            assert_eq!(check("evt_1", &seconds, &signature, BODY), outcome, "{offset}");
        }
        let unreadable = SignatureError::Unreadable(TIMESTAMP_HEADER);
        for text in ["now", "-5", "+5", "1.5", "0x10", "99999999999999999999", "1772357400 "] {
            let refused = check("evt_1", text, SIGNATURE, BODY);
            assert_eq!(refused, Err(unreadable.clone()), "{text}");
        }
    }

    #[test]
    fn each_header_stands_there_exactly_once() {
        let all =
            [(ID_HEADER, "evt_1"), (TIMESTAMP_HEADER, "1772357400"), (SIGNATURE_HEADER, SIGNATURE)];
        let secrets = [secret(SECRET)];
        let outcome = |pairs: &[(&'static str, &str)]| {
            verify(&secrets, &headers(pairs), BODY, now()).map(drop)
        };
        assert_eq!(outcome(&all), Ok(()));
        for (index, (name, value)) in all.into_iter().enumerate() {
            let mut pairs = all.to_vec();
            pairs.remove(index);
            assert_eq!(outcome(&pairs), Err(SignatureError::Missing(name)));
            pairs.push((name, " "));
            assert_eq!(outcome(&pairs), Err(SignatureError::Missing(name)));
            pairs.push((name, value));
            assert_eq!(outcome(&pairs), Err(SignatureError::Doubled(name)));
            let mut pairs = all.to_vec();
            pairs[index].1 = "é";
            assert_eq!(outcome(&pairs), Err(SignatureError::Unreadable(name)));
        }
    }

    #[test]
    fn both_secrets_are_good_while_one_is_replaced() {
        let headers = headers(&[
            (ID_HEADER, "evt_1"),
            (TIMESTAMP_HEADER, "1772357400"),
            (SIGNATURE_HEADER, SIGNATURE),
        ]);
        let verified = |secrets: &[Secret]| verify(secrets, &headers, BODY, now());
        assert!(verified(&[secret(OTHER), secret(SECRET)]).is_ok());
        assert!(verified(&[secret(SECRET), secret(OTHER)]).is_ok());
        assert_eq!(verified(&[secret(OTHER)]), Err(SignatureError::Mismatch));
        assert_eq!(verified(&[]), Err(SignatureError::Mismatch));
    }

    #[test]
    fn secret_is_read_with_and_without_prefix_and_padding_and_never_shown() {
        let bare = SECRET.trim_start_matches("whsec_");
        let signed = secret(SECRET).sign("a", now(), BODY);
        for text in [
            SECRET,
            bare,
            SECRET.trim_end_matches('='),
            " whsec_cG9zdHJvb20tb3duLXZlY3Rvci1rZXktMDEyMzQ1Njc\n",
        ] {
            assert_eq!(secret(text).sign("a", now(), BODY), signed, "{text}");
        }
        assert_eq!(format!("{:?}", secret(SECRET)), "Secret(…)");
        for (text, error) in [
            ("whsec_!", SecretError::NotBase64),
            ("", SecretError::Length(0)),
            ("whsec_AAAA", SecretError::Length(3)),
        ] {
            assert_eq!(Secret::parse(text).unwrap_err(), error);
        }
        let long = "A".repeat(88);
        assert_eq!(Secret::parse(&long).unwrap_err(), SecretError::Length(66));
    }
}
