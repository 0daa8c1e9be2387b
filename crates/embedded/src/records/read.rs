//! Reading rows by key, and all of them in the order of their keys.

use postroom_records::{Key, Row};
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, params_from_iter};

use super::rows::{TABLES, columns, decode, key_at, table_of};
use crate::failure::Failure;
use crate::numbers;

/// The rows of `keys`, in their order. Looks them up in the order of the tables and of their keys,
/// so that one statement and one page serve many.
pub(super) fn load(db: &Connection, keys: &[Key]) -> Result<Vec<Option<Row>>, Failure> {
    let mut sorted: Vec<(usize, &Key)> = keys.iter().enumerate().collect();
    sorted.sort_unstable_by_key(|(_, key)| *key);
    let mut found: Vec<Option<Row>> = Vec::new();
    found.resize_with(keys.len(), || None);
    let mut held: Option<(usize, CachedStatement<'_>)> = None;
    for (place, key) in sorted {
        let table = table_of(key);
        let mut statement = match held.take() {
            Some((of, statement)) if of == table => statement,
            _ => db.prepare_cached(TABLES[table].get)?,
        };
        let mut rows = statement.query(params_from_iter(columns(key)))?;
        if let Some(row) = rows.next()? {
            found[place] = Some(decode(key, row.get_ref(0)?.as_blob()?)?);
        }
        drop(rows);
        held = Some((table, statement));
    }
    Ok(found)
}

/// Rows after `after` in the order of their keys.
pub(super) fn scan(
    db: &Connection,
    after: Option<&Key>,
    limit: usize,
) -> Result<Vec<(Key, Row)>, Failure> {
    let mut found = Vec::new();
    let first = after.map_or(0, table_of);
    for (table, statements) in TABLES.iter().enumerate().skip(first) {
        let limit = Value::Integer(numbers::limit_to_sql(limit.saturating_sub(found.len())));
        let (sql, mut values) = match after {
            Some(after) if table == first => (statements.scan_after, columns(after)),
            _ => (statements.scan, Vec::new()),
        };
        values.push(limit);
        let mut statement = db.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            let key = key_at(table, row.get_ref(0)?, row.get_ref(1)?)?;
            let content = decode(&key, row.get_ref(2)?.as_blob()?)?;
            found.push((key, content));
        }
    }
    Ok(found)
}
