//! What a refusal of the server means for an answer.

use lettre::transport::smtp::Error;
use postroom_channel::{GuardError, SendError};

/// Characters of what a server said that are told on.
const SAID_CHARS_MAX: usize = 300;

/// How far an attempt had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Connect,
    Login,
    /// Sender, recipients, and the mail without its end: what breaks off here is thrown away.
    Envelope,
    /// The end of the mail was sent.
    Sent,
}

pub(super) fn of(phase: Phase, error: &Error) -> SendError {
    let said = said(error);
    match (phase, error.status()) {
        (Phase::Connect, _) if error.is_tls() => {
            SendError::retryable("smtp_tls_failed", format!("no encrypted connection: {said}"))
        }
        (Phase::Connect, _) => {
            SendError::retryable("smtp_unreachable", format!("the server cannot be used: {said}"))
        }
        (Phase::Login, _) => {
            SendError::retryable("smtp_login_refused", format!("the server lets us not in: {said}"))
        }
        (_, Some(code)) if matches!(code.to_string().as_str(), "530" | "534" | "535" | "538") => {
            SendError::retryable("smtp_login_refused", format!("the server wants a login: {said}"))
        }
        (_, Some(_)) if error.is_permanent() => {
            SendError::permanent("smtp_refused", format!("the server refused it: {said}"))
        }
        (_, Some(_)) => {
            SendError::retryable("smtp_deferred", format!("the server puts us off: {said}"))
        }
        (Phase::Envelope, None) if error.is_client() => {
            SendError::permanent("smtp_refused", format!("the server cannot take it: {said}"))
        }
        (Phase::Envelope, None) => {
            SendError::retryable("smtp_unreachable", format!("the connection broke off: {said}"))
        }
        (Phase::Sent, None) => uncertain(&said),
    }
}

pub(super) fn uncertain(cause: &str) -> SendError {
    let detail = format!("the mail was sent and the server's answer never came: {cause}");
    SendError::uncertain("smtp_uncertain", detail)
}

pub(super) fn too_slow(phase: Phase) -> SendError {
    match phase {
        Phase::Sent => uncertain("it took too long"),
        Phase::Login => SendError::retryable("smtp_login_refused", "the login took too long"),
        Phase::Connect | Phase::Envelope => {
            SendError::retryable("smtp_unreachable", "the server is too slow")
        }
    }
}

pub(super) fn guarded(error: &GuardError) -> SendError {
    // The operator can allow it meanwhile, and the answer waits.
    SendError::retryable(error.code(), format!("smtp.host: {error}"))
}

/// The words of the error and of its cause, on one line.
fn said(error: &Error) -> String {
    let mut words = error.to_string();
    if let Some(cause) = std::error::Error::source(error).map(ToString::to_string)
        && !words.contains(&cause)
    {
        words = format!("{words}: {cause}");
    }
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SAID_CHARS_MAX).collect()
}
