//! Reading answers: each function gives what was asked for, or says that the answer is of another form.

use postroom_records::RecordsError;
use redis::Value;

use crate::failure;

pub(crate) fn array(value: Value) -> Result<Vec<Value>, RecordsError> {
    match value {
        Value::Array(values) => Ok(values),
        Value::ServerError(error) => Err(failure::of(&error.into())),
        _ => Err(failure::unexpected("an answer")),
    }
}

/// None for what is not there.
pub(crate) fn bytes(value: Value) -> Result<Option<Vec<u8>>, RecordsError> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        Value::Int(number) => Ok(Some(number.to_string().into_bytes())),
        Value::ServerError(error) => Err(failure::of(&error.into())),
        _ => Err(failure::unexpected("a part of an answer")),
    }
}

pub(crate) fn text(value: Value) -> Result<Option<String>, RecordsError> {
    let text = bytes(value)?.map(String::from_utf8).transpose();
    text.map_err(|_| failure::unexpected("a text"))
}

/// The last of the answers, of a transaction that of its commands.
pub(crate) fn last(mut values: Vec<Value>) -> Result<Value, RecordsError> {
    values.pop().ok_or_else(|| failure::unexpected("an empty answer"))
}
