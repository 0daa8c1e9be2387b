//! Reading rows by key, all as of one moment.

use std::collections::BTreeMap;

use postroom_records::{Key, RecordsError, Row};
use redis::{Cmd, Value, cmd};

use crate::keys::{self, Kind, Names};
use crate::link::Link;
use crate::meta::{Forgotten, Meta};
use crate::rows::{self, Stored};
use crate::{failure, values, write};

/// Fields that one command asks for; more go into further ones of the same transaction.
const FIELDS_MAX: usize = 4_000;

/// The rows of `keys`, in their order. What is forgotten is not there, whether its rows are or not.
pub(crate) async fn load(
    link: &Link,
    names: &Names,
    keys: &[Key],
) -> Result<Vec<Option<Row>>, RecordsError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    // By kind, with the place of each in the answer.
    let mut wanted: BTreeMap<Kind, Vec<usize>> = BTreeMap::new();
    for (place, key) in keys.iter().enumerate() {
        wanted.entry(Kind::of(key)).or_default().push(place);
    }
    let groups: Vec<(Kind, &[usize])> = wanted
        .iter()
        .flat_map(|(kind, places)| places.chunks(FIELDS_MAX).map(|chunk| (*kind, chunk)))
        .collect();
    let mut commands: Vec<Cmd> = vec![write::ask(names)];
    for (kind, places) in &groups {
        let fields = places.iter().filter_map(|place| keys.get(*place)).map(keys::field);
        commands.push(rows_at(names, *kind, fields));
    }
    let mut answers = link.ask_at_once(commands).await?.into_iter();
    let meta = Meta::read(answers.next().unwrap_or(Value::Nil))?;
    let mut found: Vec<Option<Row>> = Vec::new();
    found.resize_with(keys.len(), || None);
    for ((_, places), answer) in groups.into_iter().zip(answers) {
        let answer = values::array(answer)?;
        if answer.len() != places.len() {
            return Err(failure::unexpected("the number of rows"));
        }
        for (place, value) in places.iter().zip(answer) {
            if let (Some(key), Some(slot)) = (keys.get(*place), found.get_mut(*place)) {
                *slot = row(key, value, &meta.forgotten)?;
            }
        }
    }
    Ok(found)
}

fn rows_at(names: &Names, kind: Kind, fields: impl Iterator<Item = Vec<u8>>) -> Cmd {
    let mut command = cmd("HMGET");
    command.arg(names.key(kind.name()));
    for field in fields {
        command.arg(field);
    }
    command
}

fn row(key: &Key, value: Value, forgotten: &Forgotten) -> Result<Option<Row>, RecordsError> {
    match values::bytes(value)? {
        Some(data) => visible(rows::decode(key, &data)?, forgotten).map(Ok).transpose(),
        None => Ok(None),
    }
}

/// The row, unless it is an input that is forgotten.
pub(crate) fn visible(stored: Stored, forgotten: &Forgotten) -> Option<Row> {
    match &stored.row {
        Row::Seen(seen) if forgotten.hides(seen.at, stored.written) => None,
        _ => Some(stored.row),
    }
}
