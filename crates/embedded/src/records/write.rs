//! Writing: rows and standing together, and throwing everything away.

use std::sync::Arc;

use postroom_model::Timestamp;
use postroom_records::{Change, SCHEMA_VERSION, Standing};
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, params_from_iter};

use super::rows::{TABLES, columns, put_columns, table_of};
use crate::failure::Failure;
use crate::hints::Hint;
use crate::numbers;
use crate::schema::RECORD_TABLES;
use crate::writer::{About, Writer, Written};

/// Rows thrown away in one piece, so that publishes get in between.
const CLEAR_ROWS: i64 = 2_000;

/// The schema of records that are being thrown away.
const NO_SCHEMA: u32 = 0;

/// One statement with what it binds, ready before the writer takes it.
struct Prepared {
    table: usize,
    sql: &'static str,
    values: Vec<Value>,
}

/// Makes new records stand at the beginning; changes nothing in others.
pub(crate) fn begin(db: &Connection) -> rusqlite::Result<()> {
    let sql = "INSERT INTO standing (one, schema, seq, last_event, at) VALUES (1, ?1, 0, 0, 0)
        ON CONFLICT (one) DO NOTHING";
    db.execute(sql, [SCHEMA_VERSION]).map(drop)
}

/// Where the records stand, if they have the schema of this program.
pub(super) fn standing(db: &Connection) -> Result<Standing, Failure> {
    let mut statement = db.prepare_cached("SELECT schema, seq, last_event, at FROM standing")?;
    let (schema, standing) = statement.query_row([], |row| {
        let standing = Standing {
            seq: numbers::from_sql(row.get(1)?),
            last_event: numbers::from_sql(row.get(2)?),
            at: Timestamp::from_millis(row.get(3)?),
        };
        Ok((row.get::<_, u32>(0)?, standing))
    })?;
    if schema == SCHEMA_VERSION {
        Ok(standing)
    } else {
        Err(Failure::OtherSchema { expected: SCHEMA_VERSION, actual: schema })
    }
}

pub(super) async fn write(
    writer: &Writer,
    from: u64,
    to: Standing,
    changes: Arc<[Change]>,
) -> Result<(), Failure> {
    let encoding = tokio::task::spawn_blocking(move || prepare(&changes));
    let prepared = encoding.await.map_err(|error| Failure::Unavailable(error.to_string()))??;
    let bytes = prepared.iter().flat_map(|change| &change.values).map(value_bytes).sum();
    let apply = move |db: &Connection| {
        let actual = standing(db)?.seq;
        if actual != from {
            return Err(Failure::Moved { expected: from, actual });
        }
        apply(db, &prepared)?;
        stand_at(db, SCHEMA_VERSION, to)?;
        Ok(Written { value: (), hint: Some(Hint::Records(to.seq)) })
    };
    writer.write(About { bytes, urgent: false }, apply).await
}

/// In pieces. If it is broken off, the records have no schema and ask for a rebuild again.
pub(super) async fn clear(writer: &Writer) -> Result<(), Failure> {
    let stand = |schema: u32, hinted: bool| {
        move |db: &Connection| {
            stand_at(db, schema, Standing::default())?;
            Ok(Written { value: (), hint: hinted.then_some(Hint::Records(0)) })
        }
    };
    writer.write(About::default(), stand(NO_SCHEMA, false)).await?;
    for (table, key) in RECORD_TABLES {
        while writer.write(About::default(), move |db| clear_some(db, table, key)).await? {}
    }
    writer.write(About::default(), stand(SCHEMA_VERSION, true)).await
}

/// Whether there may be more.
fn clear_some(db: &Connection, table: &str, key: &str) -> Result<Written<bool>, Failure> {
    let sql = format!("DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} LIMIT ?1)");
    let deleted = db.prepare_cached(&sql)?.execute([CLEAR_ROWS])?;
    Ok(Written { value: numbers::limit_to_sql(deleted) == CLEAR_ROWS, hint: None })
}

fn stand_at(db: &Connection, schema: u32, to: Standing) -> Result<(), Failure> {
    let sql = "UPDATE standing SET schema = ?1, seq = ?2, last_event = ?3, at = ?4";
    let (seq, last_event) = (numbers::to_sql(to.seq), numbers::to_sql(to.last_event));
    db.prepare_cached(sql)?.execute((schema, seq, last_event, to.at.millis()))?;
    Ok(())
}

/// Table by table, so that a statement serves many rows; within a table in the given order.
fn prepare(changes: &[Change]) -> Result<Vec<Prepared>, Failure> {
    let mut prepared = Vec::with_capacity(changes.len());
    for change in changes {
        prepared.push(match change {
            Change::Put(key, row) => {
                let table = table_of(key);
                Prepared { table, sql: TABLES[table].put, values: put_columns(key, row)? }
            }
            Change::Delete(key) => {
                let table = table_of(key);
                Prepared { table, sql: TABLES[table].delete, values: columns(key) }
            }
            Change::ForgetSeen { before } => Prepared {
                table: SEEN,
                sql: "DELETE FROM seen WHERE at < ?1",
                values: vec![Value::Integer(before.millis())],
            },
        });
    }
    prepared.sort_by_key(|change| change.table);
    Ok(prepared)
}

/// The place of the seen inputs among the tables.
const SEEN: usize = 5;

fn apply(db: &Connection, prepared: &[Prepared]) -> Result<(), Failure> {
    let mut held: Option<(&'static str, CachedStatement<'_>)> = None;
    for change in prepared {
        let mut statement = match held.take() {
            Some((sql, statement)) if std::ptr::eq(sql, change.sql) => statement,
            _ => db.prepare_cached(change.sql)?,
        };
        statement.execute(params_from_iter(&change.values))?;
        held = Some((change.sql, statement));
    }
    Ok(())
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Integer(_) | Value::Real(_) => 8,
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
    }
}
