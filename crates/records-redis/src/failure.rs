//! What the client and the server say went wrong, as an error of the records.

use postroom_records::RecordsError;
use redis::{ErrorKind, RedisError, ServerErrorKind, Value};

/// A write that was not answered or was refused may or may not have happened; where the records stand
/// tells.
pub(crate) fn of(error: &RedisError) -> RecordsError {
    if error.code() == Some("WRONGTYPE") {
        return RecordsError::Damaged(format!(
            "a key of the records holds something else: {error}"
        ));
    }
    match error.kind() {
        ErrorKind::UnexpectedReturnType => RecordsError::Damaged(error.to_string()),
        _ => RecordsError::Unavailable(in_words(error)),
    }
}

/// With what to do, where the words of the library leave that open.
fn in_words(error: &RedisError) -> String {
    let words = error.to_string();
    let remedy = match error.kind() {
        _ if words.contains("certificate") => {
            "name the certificate of its authority in [records] authorities_path, or the host as \
             the certificate has it in url"
        }
        ErrorKind::AuthenticationFailed => "correct user and password in [records] url",
        _ if words.contains("NOAUTH") || words.contains("WRONGPASS") => {
            "correct user and password in [records] url"
        }
        _ => return words,
    };
    format!("{words}; {remedy}")
}

/// Whether the connection is of no use after this: broken, silent, or to a server that is no longer
/// the one to write to.
pub(crate) fn breaks(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || matches!(
            error.kind(),
            ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
        )
}

/// The first answer that is a refusal.
pub(crate) fn first(values: &[Value]) -> Option<RedisError> {
    values.iter().find_map(|value| match value {
        Value::ServerError(error) => Some(error.clone().into()),
        _ => None,
    })
}

pub(crate) fn unexpected(what: &str) -> RecordsError {
    RecordsError::Damaged(format!("{what} is not what was asked for"))
}
