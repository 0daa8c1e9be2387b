//! All rows in the order of their keys, for comparing two records. Nobody pays for that order at each
//! write: a hash is gone through as it lies, and a window of the rows that come next is kept.

use std::collections::BTreeMap;

use postroom_records::{Key, RecordsError, Row};
use redis::{Value, cmd};
use tokio::sync::Mutex;

use crate::keys::{self, Kind, Names};
use crate::link::Link;
use crate::meta::Meta;
use crate::{failure, read, rows, values, write};

/// Rows that are kept, of one kind.
const WINDOW_ROWS: usize = 50_000;
/// Fields looked at in one step; each is answered before the next, so that others get in between.
const STEP_FIELDS: usize = 1_000;
/// How often a hash is gone through while the records are written all the while.
const TRIES_MAX: usize = 3;

/// The rows of one kind that come after a field, as far as they were kept.
#[derive(Debug)]
struct Window {
    kind: Kind,
    after: Option<Vec<u8>>,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Whether more come behind them.
    more: bool,
    /// As of when.
    meta: Meta,
}

impl Window {
    /// Whether this says what comes after `after`.
    fn serves(&self, kind: Kind, after: Option<&[u8]>, meta: &Meta) -> bool {
        let (generation, seq) = (&self.meta.generation, self.meta.standing.seq);
        let current = (generation, seq) == (&meta.generation, meta.standing.seq);
        let begins = self.after.as_deref() <= after;
        let reaches = !self.more || self.rows.keys().next_back().map(Vec::as_slice) > after;
        current && self.kind == kind && begins && reaches
    }
}

/// Goes through the records; one at a time.
#[derive(Debug, Default)]
pub(crate) struct Scanner(Mutex<Option<Window>>);

impl Scanner {
    pub(crate) async fn scan(
        &self,
        link: &Link,
        names: &Names,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Row)>, RecordsError> {
        let mut window = self.0.lock().await;
        let mut found = Vec::new();
        let first = after.map(Kind::of);
        for kind in Kind::ALL.into_iter().filter(|kind| first.is_none_or(|first| *kind >= first)) {
            let mut after = after.filter(|_| first == Some(kind)).map(keys::field);
            while found.len() < limit {
                let meta = write::meta(link, names).await?;
                let serves = |window: &Window| window.serves(kind, after.as_deref(), &meta);
                let fits = window.take().filter(serves);
                let served = match fits {
                    Some(fits) => fits,
                    None => look(link, names, kind, after.clone()).await?,
                };
                let served = window.insert(served);
                after = take(served, after.as_deref(), limit, &mut found)?.or(after);
                if !served.more {
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// Moves on through the window; gives the field up to which it came.
fn take(
    window: &Window,
    after: Option<&[u8]>,
    limit: usize,
    found: &mut Vec<(Key, Row)>,
) -> Result<Option<Vec<u8>>, RecordsError> {
    let mut last = None;
    let rest = window.rows.iter().filter(|(field, _)| Some(field.as_slice()) > after);
    for (field, data) in rest {
        if found.len() >= limit {
            break;
        }
        let key = keys::key_of(window.kind, field)?;
        if let Some(row) = read::visible(rows::decode(&key, data)?, &window.meta.forgotten) {
            found.push((key, row));
        }
        last = Some(field.clone());
    }
    Ok(last)
}

/// Goes through the hash of a kind, as of one moment if that can be had.
async fn look(
    link: &Link,
    names: &Names,
    kind: Kind,
    after: Option<Vec<u8>>,
) -> Result<Window, RecordsError> {
    let mut tries = 1;
    let mut before = write::meta(link, names).await?;
    loop {
        let (rows, more) = go_through(link, names, kind, after.as_deref()).await?;
        let now = write::meta(link, names).await?;
        if now == before || tries >= TRIES_MAX {
            return Ok(Window { kind, after, rows, more, meta: now });
        }
        before = now;
        tries += 1;
    }
}

async fn go_through(
    link: &Link,
    names: &Names,
    kind: Kind,
    after: Option<&[u8]>,
) -> Result<(BTreeMap<Vec<u8>, Vec<u8>>, bool), RecordsError> {
    let (mut rows, mut more) = (BTreeMap::new(), false);
    let mut cursor = b"0".to_vec();
    loop {
        let mut command = cmd("HSCAN");
        command.arg(names.key(kind.name())).arg(cursor).arg("COUNT").arg(STEP_FIELDS);
        let mut answer = values::array(link.ask_one(command).await?)?;
        let (Some(pairs), Some(next)) = (answer.pop(), answer.pop()) else {
            return Err(failure::unexpected("a step through a hash"));
        };
        let mut pairs = values::array(pairs)?.into_iter();
        while let (Some(field), Some(data)) = (pairs.next(), pairs.next()) {
            let (field, data) = (part(field)?, part(data)?);
            if Some(field.as_slice()) > after {
                rows.insert(field, data);
            }
            if rows.len() > WINDOW_ROWS {
                rows.pop_last();
                more = true;
            }
        }
        cursor = part(next)?;
        if cursor == b"0" {
            return Ok((rows, more));
        }
    }
}

fn part(value: Value) -> Result<Vec<u8>, RecordsError> {
    values::bytes(value)?.ok_or_else(|| failure::unexpected("a part of a hash"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use postroom_records::Standing;

    use super::Window;
    use crate::keys::Kind;
    use crate::meta::Meta;

    fn at(seq: u64) -> Meta {
        let standing = Standing { seq, ..Standing::default() };
        Meta { generation: "g".to_owned(), standing, ..Meta::default() }
    }

    #[test]
    fn window_serves_what_it_holds_as_of_the_same_moment() {
        let window = |more| Window {
            kind: Kind::Seen,
            after: Some(b"b".to_vec()),
            rows: BTreeMap::from([(b"c".to_vec(), vec![]), (b"f".to_vec(), vec![])]),
            more,
            meta: at(7),
        };
        let other = Meta { generation: "h".to_owned(), ..at(7) };
        for (kind, after, meta, more, serves) in [
            (Kind::Seen, Some("b"), at(7), true, true),
            (Kind::Seen, Some("e"), at(7), true, true),
            (Kind::Seen, Some("f"), at(7), true, false),
            (Kind::Seen, Some("f"), at(7), false, true),
            (Kind::Seen, Some("a"), at(7), false, false),
            (Kind::Seen, None, at(7), false, false),
            (Kind::Sent, Some("b"), at(7), true, false),
            (Kind::Seen, Some("b"), at(8), true, false),
            (Kind::Seen, Some("b"), other, true, false),
        ] {
            let after = after.map(str::as_bytes);
            assert_eq!(window(more).serves(kind, after, &meta), serves, "{kind:?} {after:?}");
        }
    }
}
