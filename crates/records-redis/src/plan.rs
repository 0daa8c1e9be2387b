//! What a write does, as commands: rows of one kind go together, so that a message costs a few fields
//! and not a few commands.

use std::borrow::Cow;
use std::collections::BTreeMap;

use postroom_model::{Conversation, DeliveryState, Timestamp};
use postroom_records::{Change, Key, OutboundRow, RecordsError, Row, Standing};
use redis::{Cmd, cmd};

use crate::keys::{self, Kind, Names};
use crate::places::Place;
use crate::{rows, scripts};

/// Fields that one command carries; more go into further ones.
const FIELDS_MAX: usize = 2_000;
/// Bytes of rows that one write may carry. A batch of the router has a hundredth of it.
const WRITE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The commands of a write, without those that say where the records stand then.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) commands: Vec<Cmd>,
    /// The latest moment before which inputs are forgotten that were there before.
    pub(crate) forget: Option<Timestamp>,
    /// Inputs that are put.
    pub(crate) seen: usize,
}

impl Plan {
    pub(crate) fn of(
        names: &Names,
        to: Standing,
        changes: &[Change],
    ) -> Result<Self, RecordsError> {
        let (rows, forget) = settled(changes);
        let mut batch = Batch::new(names, to.seq);
        for (key, row) in &rows {
            batch.change(key, *row)?;
        }
        let seen = batch.order_seen();
        if batch.bytes > WRITE_BYTES_MAX {
            let bytes = batch.bytes;
            let words = format!("{bytes} bytes in one write are more than {WRITE_BYTES_MAX}");
            return Err(RecordsError::Damaged(words));
        }
        let commands = batch.open.into_values().flat_map(Variadic::into_commands).collect();
        Ok(Self { commands, forget, seen })
    }
}

/// Each row once, as it stands in the end, and what is forgotten of the rows that were there before.
fn settled(changes: &[Change]) -> (BTreeMap<&Key, Option<&Row>>, Option<Timestamp>) {
    let mut rows: BTreeMap<&Key, Option<&Row>> = BTreeMap::new();
    let mut forget: Option<Timestamp> = None;
    for change in changes {
        match change {
            Change::Put(key, row) => {
                rows.insert(key, Some(row));
            }
            Change::Delete(key) => {
                rows.insert(key, None);
            }
            Change::ForgetSeen { before } => {
                forget = forget.max(Some(*before));
                for row in rows.values_mut() {
                    if matches!(row, Some(Row::Seen(seen)) if seen.at < *before) {
                        *row = None;
                    }
                }
            }
        }
    }
    (rows, forget)
}

/// Commands that are being filled, by what they do to which key.
struct Batch<'n> {
    names: &'n Names,
    written: u64,
    bytes: usize,
    open: BTreeMap<(Verb, Cow<'static, str>), Variadic>,
    /// Inputs that are put, with their times.
    seen: Vec<(Timestamp, Vec<u8>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verb {
    Put,
    Delete,
    Sort,
    Unsort,
    Append,
    Place,
}

impl<'n> Batch<'n> {
    fn new(names: &'n Names, written: u64) -> Self {
        Self { names, written, bytes: 0, open: BTreeMap::new(), seen: Vec::new() }
    }

    fn change(&mut self, key: &Key, row: Option<&Row>) -> Result<(), RecordsError> {
        let (kind, field) = (Kind::of(key), keys::field(key));
        match row {
            Some(row) => {
                let data = rows::encode(key, row, self.written)?;
                self.bytes = self.bytes.saturating_add(data.len());
                self.add(Verb::Put, kind.name(), &[&field, &data]);
            }
            None => self.add(Verb::Delete, kind.name(), &[&field]),
        }
        if let Some(order) = kind.order() {
            match row {
                Some(_) => self.add(Verb::Sort, order, &[b"0", &field]),
                None => self.add(Verb::Unsort, order, &[&field]),
            }
        }
        match (kind, row) {
            (Kind::Conversation, Some(Row::Conversation(row))) => self.place(row, &field),
            (Kind::Conversation, _) => {
                self.add(Verb::Unsort, keys::ALL, &[&field]);
                self.add(Verb::Place, keys::PLACES, &[&field, b""]);
            }
            (Kind::Outbound, Some(Row::Outbound(row))) if unsent(row) => {
                let position = row.position.to_string();
                self.add(Verb::Sort, keys::OUTBOX, &[position.as_bytes(), &field]);
            }
            (Kind::Outbound, _) => self.add(Verb::Unsort, keys::OUTBOX, &[&field]),
            (Kind::Seen, Some(Row::Seen(row))) => self.seen.push((row.at, field)),
            _ => {}
        }
        Ok(())
    }

    /// In the order of their times, which is that in which they will be forgotten; gives how many.
    fn order_seen(&mut self) -> usize {
        let mut seen = std::mem::take(&mut self.seen);
        seen.sort_unstable();
        let written = self.written.to_string();
        for (_, field) in &seen {
            let entry = [field.as_slice(), written.as_bytes()].concat();
            self.add(Verb::Append, keys::SEEN_ORDER, &[&entry]);
        }
        seen.len()
    }

    fn place(&mut self, row: &Conversation, field: &[u8]) {
        let place = Place::of(row);
        let score = row.last_message_at.millis().to_string();
        self.add(Verb::Sort, keys::ALL, &[score.as_bytes(), field]);
        if let Some(listed) = place.listed {
            self.add(Verb::Sort, listed, &[score.as_bytes(), field]);
        }
        self.add(Verb::Place, keys::PLACES, &[field, place.indexes.as_bytes()]);
    }

    fn add(&mut self, verb: Verb, name: impl Into<Cow<'static, str>>, fields: &[&[u8]]) {
        let (names, name) = (self.names, name.into());
        let begin = || begin(verb, &name, names);
        let open = self.open.entry((verb, name.clone()));
        let fresh = || Variadic { full: Vec::new(), last: begin(), fields: 0 };
        open.or_insert_with(fresh).add(fields, begin);
    }
}

/// A command without its fields.
fn begin(verb: Verb, name: &str, names: &Names) -> Cmd {
    let key = names.key(name);
    let verb = match verb {
        Verb::Put => "HSET",
        Verb::Delete => "HDEL",
        Verb::Sort => "ZADD",
        Verb::Unsort => "ZREM",
        Verb::Append => "RPUSH",
        Verb::Place => {
            let mut place = cmd("EVAL");
            place.arg(scripts::PLACE).arg(2).arg(key).arg(names.key(keys::INDEXES));
            place.arg(names.prefix());
            return place;
        }
    };
    let mut command = cmd(verb);
    command.arg(key);
    command
}

const _: () = assert!(FIELDS_MAX <= scripts::ARGUMENTS_MAX, "a script takes what a command takes");

/// One command, or several once it is full.
struct Variadic {
    full: Vec<Cmd>,
    last: Cmd,
    fields: usize,
}

impl Variadic {
    fn add(&mut self, fields: &[&[u8]], begin: impl FnOnce() -> Cmd) {
        if self.fields + fields.len() > FIELDS_MAX {
            self.full.push(std::mem::replace(&mut self.last, begin()));
            self.fields = 0;
        }
        self.fields += fields.len();
        for field in fields {
            self.last.arg(*field);
        }
    }

    fn into_commands(mut self) -> Vec<Cmd> {
        self.full.push(self.last);
        self.full
    }
}

pub(crate) const fn unsent(row: &OutboundRow) -> bool {
    use DeliveryState::{Queued, Sending, Waiting};
    matches!(row.outbound.state, Queued | Waiting | Sending)
}
