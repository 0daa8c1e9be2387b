//! How a row stands in its table: the key in columns, the content in `data`. Content is JSON, or the
//! 16 bytes of an id where the row is nothing else.

use postroom_model::{
    Address, AgentId, CallId, ChannelId, ContactId, Conversation, ConversationId, DeliveryState,
    InputId, MessageId, ParkedId, Status,
};
use postroom_records::{Key, OutboundRow, Row};
use rusqlite::types::{FromSqlError, Value, ValueRef};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::failure::Failure;
use crate::numbers;

/// The statements of one kind of row. `scan` and `scan_after` give the key's columns (two of them,
/// the second null where there is one) and the data.
pub(crate) struct Table {
    pub(crate) get: &'static str,
    pub(crate) put: &'static str,
    pub(crate) delete: &'static str,
    pub(crate) scan: &'static str,
    pub(crate) scan_after: &'static str,
}

macro_rules! table {
    ($table:literal, [$key:literal]) => {
        table!($table, [$key], put: concat!(
            "INSERT INTO ", $table, " (", $key, ", data) VALUES (?1, ?2) ",
            "ON CONFLICT (", $key, ") DO UPDATE SET data = excluded.data"
        ))
    };
    ($table:literal, [$key:literal], put: $put:expr) => {
        Table {
            get: concat!("SELECT data FROM ", $table, " WHERE ", $key, " = ?1"),
            put: $put,
            delete: concat!("DELETE FROM ", $table, " WHERE ", $key, " = ?1"),
            scan: concat!(
                "SELECT ", $key, ", NULL, data FROM ", $table, " ORDER BY ", $key, " LIMIT ?1"
            ),
            scan_after: concat!(
                "SELECT ", $key, ", NULL, data FROM ", $table, " WHERE ", $key, " > ?1 ",
                "ORDER BY ", $key, " LIMIT ?2"
            ),
        }
    };
    ($table:literal, [$one:literal, $two:literal]) => {
        Table {
            get: concat!(
                "SELECT data FROM ", $table, " WHERE ", $one, " = ?1 AND ", $two, " = ?2"
            ),
            put: concat!(
                "INSERT INTO ", $table, " (", $one, ", ", $two, ", data) VALUES (?1, ?2, ?3) ",
                "ON CONFLICT (", $one, ", ", $two, ") DO UPDATE SET data = excluded.data"
            ),
            delete: concat!("DELETE FROM ", $table, " WHERE ", $one, " = ?1 AND ", $two, " = ?2"),
            scan: concat!(
                "SELECT ", $one, ", ", $two, ", data FROM ", $table,
                " ORDER BY ", $one, ", ", $two, " LIMIT ?1"
            ),
            scan_after: concat!(
                "SELECT ", $one, ", ", $two, ", data FROM ", $table,
                " WHERE (", $one, ", ", $two, ") > (?1, ?2)",
                " ORDER BY ", $one, ", ", $two, " LIMIT ?3"
            ),
        }
    };
}

/// The tables in the order of the kinds of keys. The last holds both settings and totals, whose
/// names have the order of the kinds.
pub(crate) static TABLES: [Table; 13] = [
    table!("conversation", ["id"], put: "
        INSERT INTO conversation
            (id, status, last_message_at, assignee, queue, waiting_since, data)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT (id) DO UPDATE SET status = excluded.status,
            last_message_at = excluded.last_message_at, assignee = excluded.assignee,
            queue = excluded.queue, waiting_since = excluded.waiting_since, data = excluded.data"),
    table!("timeline", ["conversation", "position"]),
    table!("contact", ["id"]),
    table!("address", ["address"]),
    table!("thread", ["channel", "thread"]),
    table!("seen", ["id"], put: "
        INSERT INTO seen (id, at, data) VALUES (?1, ?2, ?3)
        ON CONFLICT (id) DO UPDATE SET at = excluded.at, data = excluded.data"),
    table!("presence", ["agent"]),
    table!("outbound", ["id"], put: "
        INSERT INTO outbound (id, position, unsent, data) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (id) DO UPDATE SET
            position = excluded.position, unsent = excluded.unsent, data = excluded.data"),
    table!("sent", ["channel", "external_id"]),
    table!("parked", ["id"]),
    table!("cursor", ["channel", "name"]),
    table!("live_call", ["id"]),
    table!("single", ["name"]),
];

const SETTINGS: &str = "settings";
const TOTALS: &str = "totals";

/// At which place of [`TABLES`] the rows of a key are.
pub(crate) const fn table_of(key: &Key) -> usize {
    match key {
        Key::Conversation(_) => 0,
        Key::Timeline(..) => 1,
        Key::Contact(_) => 2,
        Key::Address(_) => 3,
        Key::Thread(..) => 4,
        Key::Seen(_) => 5,
        Key::Presence(_) => 6,
        Key::Outbound(_) => 7,
        Key::Sent(..) => 8,
        Key::Parked(_) => 9,
        Key::Cursor(..) => 10,
        Key::Call(_) => 11,
        Key::Settings | Key::Totals => 12,
    }
}

/// The key's columns.
pub(crate) fn columns(key: &Key) -> Vec<Value> {
    match key {
        Key::Conversation(ConversationId(id))
        | Key::Contact(ContactId(id))
        | Key::Seen(InputId(id))
        | Key::Outbound(MessageId(id))
        | Key::Parked(ParkedId(id))
        | Key::Call(CallId(id)) => vec![blob(id)],
        Key::Timeline(id, position) => {
            vec![blob(&id.0), Value::Integer(numbers::to_sql(*position))]
        }
        Key::Address(address) => vec![text(address.as_str())],
        Key::Thread(channel, name) | Key::Sent(channel, name) | Key::Cursor(channel, name) => {
            vec![text(channel.as_str()), text(name)]
        }
        Key::Presence(agent) => vec![text(agent.as_str())],
        Key::Settings => vec![text(SETTINGS)],
        Key::Totals => vec![text(TOTALS)],
    }
}

/// Everything that a put binds: the key's columns, those for listings, the data.
pub(crate) fn put_columns(key: &Key, row: &Row) -> Result<Vec<Value>, Failure> {
    let mut values = columns(key);
    let data = match (key, row) {
        (Key::Conversation(_), Row::Conversation(row)) => {
            values.extend(conversation_columns(row));
            json(row)?
        }
        (Key::Timeline(..), Row::Timeline(row)) | (Key::Call(_), Row::Call(row)) => json(row)?,
        (Key::Contact(_), Row::Contact(row)) => json(row)?,
        (Key::Address(_), Row::Address(ContactId(id)))
        | (Key::Thread(..), Row::Thread(ConversationId(id)))
        | (Key::Sent(..), Row::Sent(MessageId(id))) => blob(id),
        (Key::Seen(_), Row::Seen(row)) => {
            values.push(Value::Integer(row.at.millis()));
            json(row)?
        }
        (Key::Presence(_), Row::Presence(row)) => json(row)?,
        (Key::Outbound(_), Row::Outbound(row)) => {
            values.push(Value::Integer(numbers::to_sql(row.position)));
            values.push(Value::Integer(i64::from(unsent(row))));
            json(row)?
        }
        (Key::Parked(_), Row::Parked(row)) => json(row)?,
        (Key::Cursor(..), Row::Cursor(row)) => json(row)?,
        (Key::Settings, Row::Settings(row)) => json(row)?,
        (Key::Totals, Row::Totals(row)) => json(row)?,
        _ => return Err(Failure::Damaged(format!("a row of another kind stands at {key:?}"))),
    };
    values.push(data);
    Ok(values)
}

/// The row whose data stands at a key.
pub(crate) fn decode(key: &Key, data: &[u8]) -> Result<Row, Failure> {
    let read = match key {
        Key::Conversation(_) => from_json(data).map(Row::Conversation),
        Key::Timeline(..) => from_json(data).map(Row::Timeline),
        Key::Contact(_) => from_json(data).map(Row::Contact),
        Key::Address(_) => from_id(data).map(|id| Row::Address(ContactId(id))),
        Key::Thread(..) => from_id(data).map(|id| Row::Thread(ConversationId(id))),
        Key::Seen(_) => from_json(data).map(Row::Seen),
        Key::Presence(_) => from_json(data).map(Row::Presence),
        Key::Outbound(_) => from_json(data).map(Row::Outbound),
        Key::Sent(..) => from_id(data).map(|id| Row::Sent(MessageId(id))),
        Key::Parked(_) => from_json(data).map(Row::Parked),
        Key::Cursor(..) => from_json(data).map(Row::Cursor),
        Key::Call(_) => from_json(data).map(Row::Call),
        Key::Settings => from_json(data).map(Row::Settings),
        Key::Totals => from_json(data).map(Row::Totals),
    };
    read.map_err(|failure| Failure::Damaged(format!("the row at {key:?}: {failure}")))
}

/// The key whose columns a scan of the table gives.
pub(crate) fn key_at(table: usize, one: ValueRef<'_>, two: ValueRef<'_>) -> Result<Key, Failure> {
    let id = || from_id(one.as_blob()?);
    let channel_and_name = || -> Result<(ChannelId, String), Failure> {
        Ok((parse(as_text(one)?)?, as_text(two)?.to_owned()))
    };
    Ok(match table {
        0 => Key::Conversation(ConversationId(id()?)),
        1 => {
            let position = two.as_i64()?;
            Key::Timeline(ConversationId(id()?), numbers::from_sql(position))
        }
        2 => Key::Contact(ContactId(id()?)),
        3 => Key::Address(parse::<Address>(as_text(one)?)?),
        4 => {
            let (channel, name) = channel_and_name()?;
            Key::Thread(channel, name)
        }
        5 => Key::Seen(InputId(id()?)),
        6 => Key::Presence(parse::<AgentId>(as_text(one)?)?),
        7 => Key::Outbound(MessageId(id()?)),
        8 => {
            let (channel, name) = channel_and_name()?;
            Key::Sent(channel, name)
        }
        9 => Key::Parked(ParkedId(id()?)),
        10 => {
            let (channel, name) = channel_and_name()?;
            Key::Cursor(channel, name)
        }
        11 => Key::Call(CallId(id()?)),
        _ if as_text(one)? == SETTINGS => Key::Settings,
        _ => Key::Totals,
    })
}

/// How a status stands in its column. Those below 2 count as held.
pub(crate) const fn status_number(status: Status) -> i64 {
    match status {
        Status::Open => 0,
        Status::Pending => 1,
        Status::Snoozed => 2,
        Status::Resolved => 3,
    }
}

fn conversation_columns(row: &Conversation) -> [Value; 5] {
    let slug = |slug: Option<&str>| slug.map_or(Value::Null, text);
    [
        Value::Integer(status_number(row.status)),
        Value::Integer(row.last_message_at.millis()),
        slug(row.assignee.as_ref().map(AgentId::as_str)),
        slug(row.queue.as_ref().map(postroom_model::QueueId::as_str)),
        row.waiting_since.map_or(Value::Null, |since| Value::Integer(since.millis())),
    ]
}

const fn unsent(row: &OutboundRow) -> bool {
    use DeliveryState::{Queued, Sending, Waiting};
    matches!(row.outbound.state, Queued | Waiting | Sending)
}

pub(crate) fn blob(id: &Uuid) -> Value {
    Value::Blob(id.as_bytes().to_vec())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn json(row: &impl serde::Serialize) -> Result<Value, Failure> {
    Ok(Value::Blob(serde_json::to_vec(row)?))
}

pub(crate) fn from_json<T: DeserializeOwned>(data: &[u8]) -> Result<T, Failure> {
    Ok(serde_json::from_slice(data)?)
}

pub(super) fn from_id(data: &[u8]) -> Result<Uuid, Failure> {
    Uuid::from_slice(data).map_err(|error| Failure::Damaged(error.to_string()))
}

fn as_text(value: ValueRef<'_>) -> Result<&str, Failure> {
    Ok(value.as_str()?)
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, Failure>
where
    T::Err: std::fmt::Display,
{
    let damaged = |error: T::Err| Failure::Damaged(format!("{text:?} in a key: {error}"));
    text.parse().map_err(damaged)
}

impl From<FromSqlError> for Failure {
    fn from(error: FromSqlError) -> Self {
        rusqlite::Error::from(error).into()
    }
}
