//! What stands beside the rows: where the records stand, whose they are, and what is forgotten.

use std::fmt;

use postroom_model::{Timestamp, WorkspaceId};
use postroom_records::{RecordsError, SCHEMA_VERSION, Standing};
use redis::Value;

use crate::{failure, values};

/// The fields, in the order in which they are asked for.
pub(crate) const FIELDS: [&str; 8] =
    ["schema", "workspace", "generation", "seq", "last_event", "at", "forgotten", "sweep"];

/// As read from Redis; never remembered across an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// None if there are no records at all.
    pub(crate) schema: Option<u32>,
    pub(crate) workspace: String,
    /// Another one each time the records begin anew.
    pub(crate) generation: String,
    pub(crate) standing: Standing,
    pub(crate) forgotten: Forgotten,
    /// Whether inputs that are forgotten may still take up room.
    pub(crate) sweeps: bool,
}

impl Meta {
    /// From the answer to a question for [`FIELDS`].
    pub(crate) fn read(answer: Value) -> Result<Self, RecordsError> {
        let mut fields = Vec::with_capacity(FIELDS.len());
        for value in values::array(answer)? {
            fields.push(values::text(value)?);
        }
        if fields.len() != FIELDS.len() {
            return Err(failure::unexpected("where the records stand"));
        }
        if fields.iter().all(Option::is_none) {
            return Ok(Self::default());
        }
        let mut fields = fields.into_iter().map(Option::unwrap_or_default);
        let mut next = || fields.next().unwrap_or_default();
        // What names no schema has one that nobody writes.
        let schema = Some(next().parse().unwrap_or(0));
        let (workspace, generation) = (next(), next());
        let standing = Standing {
            seq: number(&next(), "seq")?,
            last_event: number(&next(), "last_event")?,
            at: Timestamp::from_millis(number(&next(), "at")?),
        };
        let forgotten = Forgotten::read(&next())?;
        Ok(Self { schema, workspace, generation, standing, forgotten, sweeps: next() == "1" })
    }

    /// Refuses what another workspace or another version of the program wrote.
    pub(crate) fn check(&self, workspace: &WorkspaceId) -> Result<(), RecordsError> {
        let Some(actual) = self.schema else {
            return Ok(());
        };
        if actual != SCHEMA_VERSION {
            return Err(RecordsError::OtherSchema { expected: SCHEMA_VERSION, actual });
        }
        if self.workspace != workspace.as_str() {
            let found = &self.workspace;
            let words = format!("they belong to workspace {found:?}, not to {workspace}");
            return Err(RecordsError::Damaged(words));
        }
        Ok(())
    }
}

fn number<T: std::str::FromStr>(text: &str, name: &str) -> Result<T, RecordsError> {
    text.parse().map_err(|_| RecordsError::Damaged(format!("{name} of the records is {text:?}")))
}

/// Which inputs are forgotten, though their rows may still be there.
///
/// A mark says that rows from before a time, written before a sequence, count as gone. So forgetting
/// takes effect at once however many rows it hits, and the rows are deleted in pieces afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Forgotten(Vec<Mark>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) before: Timestamp,
    pub(crate) seq: u64,
}

impl Forgotten {
    pub(crate) fn hides(&self, at: Timestamp, written: u64) -> bool {
        self.0.iter().any(|mark| at < mark.before && written < mark.seq)
    }

    /// One more mark, newer than all. Those that it covers are dropped, so that there are several only
    /// where the ledger's clock went backwards.
    #[must_use]
    pub(crate) fn and(&self, mark: Mark) -> Self {
        let kept = self.0.iter().filter(|old| old.before > mark.before);
        Self(kept.copied().chain([mark]).collect())
    }

    pub(crate) fn marks(&self) -> &[Mark] {
        &self.0
    }

    fn read(text: &str) -> Result<Self, RecordsError> {
        let marks = text.split_whitespace().map(|mark| {
            let (before, seq) = mark.split_once(':').unwrap_or_default();
            let before = Timestamp::from_millis(number(before, "forgotten")?);
            Ok(Mark { before, seq: number(seq, "forgotten")? })
        });
        marks.collect::<Result<_, RecordsError>>().map(Self)
    }
}

/// `MILLIS:SEQ`, apart by blanks.
impl fmt::Display for Forgotten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marks = self.0.iter().map(|mark| format!("{}:{}", mark.before.millis(), mark.seq));
        f.write_str(&marks.collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use postroom_model::{Timestamp, WorkspaceId};
    use postroom_records::SCHEMA_VERSION;
    use redis::Value;

    use super::{FIELDS, Forgotten, Mark, Meta};

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn answer(fields: [&str; FIELDS.len()]) -> Value {
        let field = |text: &str| match text {
            "-" => Value::Nil,
            text => Value::BulkString(text.as_bytes().to_vec()),
        };
        Value::Array(fields.map(field).to_vec())
    }

    #[test]
    fn nothing_stands_at_the_beginning() {
        let meta = Meta::read(answer(["-"; 8])).unwrap();
        assert_eq!(meta, Meta::default());
        meta.check(&WorkspaceId::main()).unwrap();
    }

    #[test]
    fn what_another_wrote_is_refused() {
        let schema = SCHEMA_VERSION.to_string();
        for (schema, workspace, code) in [
            (schema.as_str(), "main", ""),
            (&schema, "other", "records_damaged"),
            ("99", "main", "records_other_schema"),
            ("99", "other", "records_other_schema"),
            ("-", "main", "records_other_schema"),
            ("new", "main", "records_other_schema"),
        ] {
            let fields = [schema, workspace, "g", "7", "70", "5", "-", "-"];
            let meta = Meta::read(answer(fields)).unwrap();
            let checked = meta.check(&WorkspaceId::main());
            let found = checked.map_err(|error| error.code()).err().unwrap_or_default();
            assert_eq!(found, code, "{schema} {workspace}");
        }
    }

    #[test]
    fn standing_that_cannot_be_read_is_damaged() {
        for fields in [
            ["1", "main", "g", "x", "1", "1", "-", "-"],
            ["1", "main", "g", "1", "-", "1", "-", "-"],
            ["1", "main", "g", "1", "1", "1", "5", "-"],
        ] {
            assert_eq!(Meta::read(answer(fields)).unwrap_err().code(), "records_damaged");
        }
        assert_eq!(Meta::read(Value::Okay).unwrap_err().code(), "records_damaged");
    }

    #[test]
    fn mark_hides_what_is_older_and_was_written_before_it() {
        let forgotten = Forgotten::default().and(Mark { before: at(20), seq: 5 });
        for (millis, written, hidden) in
            [(19, 4, true), (20, 4, false), (19, 5, false), (-1, 0, true), (19, 6, false)]
        {
            assert_eq!(forgotten.hides(at(millis), written), hidden, "{millis} {written}");
        }
        // A later one covers it; one of a clock that went back does not.
        let later = forgotten.and(Mark { before: at(20), seq: 9 });
        assert_eq!(later.to_string(), "20:9");
        let back = later.and(Mark { before: at(10), seq: 12 });
        assert_eq!(back.to_string(), "20:9 10:12");
        assert!(back.hides(at(9), 11) && !back.hides(at(11), 11) && back.hides(at(11), 8));
        assert_eq!(Forgotten::read(&back.to_string()).unwrap(), back);
        assert_eq!(back.and(Mark { before: at(30), seq: 13 }).to_string(), "30:13");
    }
}
