//! Writing: rows and standing in one transaction, under the condition that nobody has moved the
//! standing since it was read.
//!
//! The condition is a `WATCH` on the key that holds the standing, set and read before the write on the
//! same connection; the answer to a write brings it for the next one along, so that a write takes one
//! round trip. After anything but success the standing is read anew.

use std::sync::Arc;

use postroom_model::Random;
use postroom_records::{Change, RecordsError, SCHEMA_VERSION, Standing};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisError, Value, cmd};
use tokio::sync::Mutex;

use crate::keys::{self, Kind, Names};
use crate::link::{Link, send};
use crate::meta::{FIELDS, Forgotten, Mark, Meta};
use crate::plan::Plan;
use crate::{failure, scripts};

/// How often a write is tried while its condition is touched and the standing is as it was.
const TRIES_MAX: usize = 5;
/// Forgotten inputs that one write deletes at least, and at most.
const SWEEP_MIN: usize = 1_024;
const SWEEP_MAX: usize = scripts::ARGUMENTS_MAX;

/// The only writer of this process.
#[derive(Debug)]
pub(crate) struct Writer {
    link: Arc<Link>,
    names: Names,
    random: Arc<dyn Random>,
    slot: Mutex<Option<Held>>,
}

/// A connection and, if it watches, what it saw when it began to.
#[derive(Debug)]
struct Held {
    connection: MultiplexedConnection,
    watched: Option<Meta>,
}

/// How a transaction ended.
enum Ended {
    Written,
    /// The condition did not hold; nothing was written.
    Touched,
    /// The server refused it before it began; nothing was written.
    Refused(RedisError),
    /// A command failed in the middle: the rows are not those of any standing.
    Broken(RedisError),
}

impl Writer {
    pub(crate) fn new(link: Arc<Link>, names: Names, random: Arc<dyn Random>) -> Self {
        Self { link, names, random, slot: Mutex::default() }
    }

    pub(crate) async fn write(
        &self,
        from: u64,
        to: Standing,
        changes: Arc<[Change]>,
    ) -> Result<(), RecordsError> {
        let names = &self.names;
        let planned = {
            let names = names.clone();
            tokio::task::spawn_blocking(move || Plan::of(&names, to, &changes))
        };
        let mut plan =
            planned.await.map_err(|error| RecordsError::Unavailable(error.to_string()))??;
        let mut slot = self.slot.lock().await;
        for _ in 0..TRIES_MAX {
            // Taken out for as long as it is in use: whoever is dropped half-way leaves no connection
            // of which it is not known what it watches.
            let mut held = match slot.take() {
                Some(held) => held,
                None => Held { connection: self.link.connect().await?, watched: None },
            };
            let meta = held.watch(names, from).await?;
            meta.check(&names.workspace)?;
            let actual = meta.standing.seq;
            if actual != from {
                *slot = Some(held);
                return Err(RecordsError::Moved { expected: from, actual });
            }
            let ended = held.transact(names, &*self.random, &meta, to, &mut plan).await?;
            match ended {
                Ended::Written => {
                    *slot = Some(held);
                    return Ok(());
                }
                Ended::Touched => *slot = Some(held),
                Ended::Refused(error) => return Err(failure::of(&error)),
                Ended::Broken(error) => return Err(held.give_up(names, &error).await),
            }
        }
        Err(RecordsError::Unavailable("somebody else keeps writing".to_owned()))
    }

    /// Throws everything away at one moment, whatever it is and whoever wrote it.
    pub(crate) async fn clear(&self) -> Result<(), RecordsError> {
        let names = &self.names;
        let fixed: Vec<&str> = keys::fixed().collect();
        let meta = Meta {
            schema: Some(SCHEMA_VERSION),
            workspace: names.workspace.to_string(),
            generation: generation(&*self.random),
            ..Meta::default()
        };
        let mut command = cmd("EVAL");
        command.arg(scripts::CLEAR).arg(1).arg(names.key(keys::META));
        command.arg(names.prefix()).arg(fixed.len()).arg(fixed);
        for (name, value) in FIELDS.iter().zip(fields(&meta)) {
            command.arg(*name).arg(value);
        }
        self.link.ask_one(command).await.map(drop)
    }
}

impl Held {
    /// What the connection watches, if it is at `from`; else it is asked anew, since others may have
    /// written since.
    async fn watch(&mut self, names: &Names, from: u64) -> Result<Meta, RecordsError> {
        if let Some(meta) = self.watched.take()
            && meta.standing.seq == from
        {
            return Ok(meta);
        }
        let mut commands = Pipeline::with_capacity(3);
        // A condition that no longer holds would stay broken.
        commands.add_command(cmd("UNWATCH")).add_command(watch(names)).add_command(ask(names));
        let mut answers = self.send(&commands).await?;
        if let Some(error) = failure::first(&answers) {
            return Err(failure::of(&error));
        }
        Meta::read(answers.pop().unwrap_or(Value::Nil))
    }

    async fn transact(
        &mut self,
        names: &Names,
        random: &dyn Random,
        before: &Meta,
        to: Standing,
        plan: &mut Plan,
    ) -> Result<Ended, RecordsError> {
        let after = standing_after(before, names, random, to, plan);
        let count = plan.commands.len();
        let mut commands = Pipeline::with_capacity(count + 7);
        commands.add_command(cmd("MULTI"));
        for command in std::mem::take(&mut plan.commands) {
            commands.add_command(command);
        }
        commands.add_command(stand(names, &after));
        if after.sweeps {
            commands.add_command(sweep(names, &after.forgotten, plan.seen));
        }
        commands.add_command(tell(names, to.seq));
        commands.add_command(cmd("EXEC")).add_command(watch(names)).add_command(ask(names));
        let mut answers = self.send(&commands).await?;
        let (meta, watching, ended) = (answers.pop(), answers.pop(), answers.pop());
        if watching == Some(Value::Okay) {
            self.watched = meta.and_then(|meta| Meta::read(meta).ok());
        }
        Ok(match ended {
            Some(Value::Array(each)) => match failure::first(&each) {
                None => Ended::Written,
                Some(error) => Ended::Broken(error),
            },
            Some(Value::Nil) => {
                plan.commands = commands.cmd_iter().skip(1).take(count).cloned().collect();
                Ended::Touched
            }
            Some(Value::ServerError(error)) => {
                Ended::Refused(failure::first(&answers).unwrap_or_else(|| error.into()))
            }
            _ => return Err(failure::unexpected("the answer to a write")),
        })
    }

    /// Half of a write is worse than none: the records get a schema that nobody reads, so that
    /// whoever comes next builds them anew.
    async fn give_up(&mut self, names: &Names, error: &RedisError) -> RecordsError {
        let mut commands = Pipeline::with_capacity(1);
        commands.add_command(cmd("HSET").arg(names.key(keys::META)).arg("schema").arg(0).take());
        match self.send(&commands).await {
            Ok(_) => {
                tracing::error!(%error, "a write failed half-way; the records must be rebuilt");
            }
            Err(again) => tracing::error!(%error, %again, "a write failed half-way"),
        }
        failure::of(error)
    }

    async fn send(&mut self, commands: &Pipeline) -> Result<Vec<Value>, RecordsError> {
        send(&mut self.connection, commands).await.map_err(|error| failure::of(&error))
    }
}

/// What stands beside the rows once they are written.
fn standing_after(
    before: &Meta,
    names: &Names,
    random: &dyn Random,
    to: Standing,
    plan: &Plan,
) -> Meta {
    let mark = plan.forget.map(|before| Mark { before, seq: to.seq });
    Meta {
        schema: Some(SCHEMA_VERSION),
        workspace: names.workspace.to_string(),
        generation: match before.generation.as_str() {
            "" => generation(random),
            known => known.to_owned(),
        },
        standing: to,
        forgotten: match mark {
            Some(mark) => before.forgotten.and(mark),
            None => before.forgotten.clone(),
        },
        sweeps: before.sweeps || mark.is_some(),
    }
}

/// A new name for records that begin.
fn generation(random: &dyn Random) -> String {
    format!("{:016x}{:016x}", random.next_u64(), random.next_u64())
}

fn watch(names: &Names) -> Cmd {
    cmd("WATCH").arg(names.key(keys::META)).take()
}

/// Asks for what [`Meta::read`] reads.
pub(crate) fn ask(names: &Names) -> Cmd {
    cmd("HMGET").arg(names.key(keys::META)).arg(&FIELDS).take()
}

fn fields(meta: &Meta) -> [String; FIELDS.len()] {
    let Standing { seq, last_event, at } = meta.standing;
    [
        meta.schema.unwrap_or_default().to_string(),
        meta.workspace.clone(),
        meta.generation.clone(),
        seq.to_string(),
        last_event.to_string(),
        at.millis().to_string(),
        meta.forgotten.to_string(),
        u8::from(meta.sweeps).to_string(),
    ]
}

fn stand(names: &Names, meta: &Meta) -> Cmd {
    let mut command = cmd("HSET");
    command.arg(names.key(keys::META));
    for (name, value) in FIELDS.iter().zip(fields(meta)) {
        command.arg(*name).arg(value);
    }
    command
}

fn sweep(names: &Names, forgotten: &Forgotten, seen: usize) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(scripts::SWEEP).arg(3);
    command.arg(names.key(Kind::Seen.name())).arg(names.key(keys::SEEN_ORDER));
    command.arg(names.key(keys::META));
    // Faster than they come, so that it ends.
    command.arg(seen.saturating_mul(2).clamp(SWEEP_MIN, SWEEP_MAX));
    for mark in forgotten.marks() {
        command.arg(mark.before.millis()).arg(mark.seq);
    }
    command
}

fn tell(names: &Names, seq: u64) -> Cmd {
    cmd("PUBLISH").arg(names.key(keys::CHANGES)).arg(seq).take()
}

/// What stands beside the rows now.
pub(crate) async fn meta(link: &Link, names: &Names) -> Result<Meta, RecordsError> {
    Meta::read(link.ask_one(ask(names)).await?)
}
