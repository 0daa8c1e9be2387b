//! Logs of one record a line, with commas and quotation marks between. Records are read one after
//! the other into the same memory.
//!
//! A log is read while it is written, so its last line may break off anywhere: it is left for the
//! next time.

use csv::{ByteRecord, ReaderBuilder, Trim};
use postroom_channel::Refusal;

use crate::limits::{FIELDS_MAX, LOG_BYTES_MAX, RECORD_BYTES_MAX};

/// The records of one log.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    reader: csv::Reader<&'a [u8]>,
    record: ByteRecord,
    log: &'a [u8],
    /// How many columns the last record had; at first, how many one has.
    columns: usize,
    /// Bytes up to the end of the last whole record.
    pub(crate) whole_bytes: usize,
}

/// One record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    fields: &'a ByteRecord,
    pub(crate) line: u64,
    /// The bytes as they stand in the log.
    pub(crate) raw: &'a [u8],
}

impl<'a> Record<'a> {
    pub(crate) fn columns(&self) -> usize {
        self.fields.len()
    }

    pub(crate) fn get(&self, index: usize) -> &'a [u8] {
        self.fields.get(index).unwrap_or_default()
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter()
    }
}

impl<'a> Table<'a> {
    pub(crate) fn new(log: &'a [u8], columns: usize) -> Result<Self, Refusal> {
        if log.len() > LOG_BYTES_MAX {
            let detail = format!("the log is larger than {LOG_BYTES_MAX} bytes");
            return Err(Refusal::new(413, "body_too_large", detail));
        }
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true).trim(Trim::None).buffer_capacity(64 * 1024);
        let reader = builder.from_reader(log);
        Ok(Self { reader, record: ByteRecord::new(), log, columns, whole_bytes: 0 })
    }

    /// The next whole record; none at the end.
    pub(crate) fn read(&mut self) -> Result<Option<Record<'_>>, Refusal> {
        let start = self.reader.position().clone();
        let more = self.reader.read_byte_record(&mut self.record);
        let more = more.map_err(|error| {
            Refusal::new(422, "log_unreadable", format!("the log cannot be read: {error}"))
        })?;
        if !more {
            return Ok(None);
        }
        let end = usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX);
        let begin = usize::try_from(start.byte()).unwrap_or(usize::MAX);
        let line = start.line();
        let raw = self.log.get(begin..end.min(self.log.len())).unwrap_or_default();
        if raw.len() > RECORD_BYTES_MAX || self.record.len() > FIELDS_MAX {
            let detail = format!(
                "the record that begins in line {line} is longer than {RECORD_BYTES_MAX} bytes; \
                 is a quotation mark left open?"
            );
            return Err(Refusal::new(422, "log_record_too_long", detail));
        }
        if end >= self.log.len() && self.record.len() < self.columns && breaks_off(raw) {
            return Ok(None);
        }
        self.columns = self.record.len();
        self.whole_bytes = end.min(self.log.len());
        Ok(Some(Record { fields: &self.record, line, raw: raw.trim_ascii() }))
    }
}

/// A record whose line has no end, or a quotation mark without its other half.
fn breaks_off(raw: &[u8]) -> bool {
    let open = raw.iter().fold(false, |open, byte| open ^ (*byte == b'"'));
    open || !(raw.ends_with(b"\n") || raw.ends_with(b"\r"))
}
