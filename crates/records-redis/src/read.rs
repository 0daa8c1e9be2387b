//! Reading rows by key, all as of one moment.

use std::collections::BTreeMap;

use postroom_records::{Key, RecordsError, Row};
use redis::{Cmd, Value, cmd, pipe};

use crate::keys::{self, Kind, Names};
use crate::link::Link;
use crate::meta::{Forgotten, Meta};
use crate::rows::{self, Stored};
use crate::{failure, values, write};

/// Fields that one command asks for; more go into further ones.
const FIELDS_MAX: usize = 4_000;
/// How often it is asked while somebody writes, before the writer has to wait.
const TRIES_MAX: usize = 4;

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
    let commands = groups.iter().map(|(kind, places)| {
        let fields = places.iter().filter_map(|place| keys.get(*place)).map(keys::field);
        rows_at(names, *kind, fields)
    });
    let (meta, answers) = at_once(link, names, commands).await?;
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

/// What the commands answer as of one moment, and where the records stood then.
///
/// They are asked between two questions for the standing: if it has not moved, nothing has. That costs
/// the server less than a transaction and is also answered when its memory is full; a transaction is
/// what ends it if somebody writes all the while.
pub(crate) async fn at_once(
    link: &Link,
    names: &Names,
    commands: impl Iterator<Item = Cmd>,
) -> Result<(Meta, Vec<Value>), RecordsError> {
    let mut asked = pipe();
    asked.add_command(write::ask(names));
    for command in commands {
        asked.add_command(command);
    }
    asked.add_command(write::ask(names));
    for _ in 0..TRIES_MAX {
        let (before, answers, after) = apart(link.ask(&asked).await?)?;
        if before == after {
            return Ok((after, answers));
        }
    }
    let answers = values::last(link.ask(asked.atomic()).await?)?;
    let (_, answers, meta) = apart(values::array(answers)?)?;
    Ok((meta, answers))
}

/// The standing before, the answers, and the standing after.
fn apart(answers: Vec<Value>) -> Result<(Meta, Vec<Value>, Meta), RecordsError> {
    if let Some(error) = failure::first(&answers) {
        return Err(failure::of(&error));
    }
    let mut answers = answers.into_iter();
    let (Some(before), Some(after)) = (answers.next(), answers.next_back()) else {
        return Err(failure::unexpected("an answer"));
    };
    Ok((Meta::read(before)?, answers.collect(), Meta::read(after)?))
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
