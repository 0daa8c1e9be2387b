//! Logs of one record a line, with commas and quotation marks between, read one after the other
//! without copying: only a field with doubled quotation marks is put together elsewhere.
//!
//! A log is read while it is written, so its last line may break off anywhere: it is left for the
//! next time. What is no good CSV is read as the `csv` crate reads it, to which a test compares.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memchr3};
use postroom_channel::Refusal;

use crate::desk::decoded;
use crate::limits::{FIELDS_MAX, LOG_BYTES_MAX, RECORD_BYTES_MAX};

/// The records of one log.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    log: &'a [u8],
    at: usize,
    line: u64,
    fields: Vec<Field>,
    /// Fields that had to be put together.
    mended: Vec<u8>,
    /// How many columns the last record had; at first, how many one has.
    columns: usize,
    /// Bytes up to the end of the last whole record.
    pub(crate) whole_bytes: usize,
}

/// Where a field stands: in the log or in what was mended.
#[derive(Debug, Clone, Copy)]
struct Field {
    from: usize,
    to: usize,
    mended: bool,
}

/// One record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    fields: &'a [Field],
    log: &'a [u8],
    mended: &'a [u8],
    /// The record as text, if it is UTF-8, and where it begins.
    text: Option<(&'a str, usize)>,
    pub(crate) line: u64,
    /// The bytes as they stand in the log.
    pub(crate) raw: &'a [u8],
}

impl<'a> Record<'a> {
    pub(crate) fn columns(&self) -> usize {
        self.fields.len()
    }

    pub(crate) fn get(&self, index: usize) -> &'a [u8] {
        self.fields.get(index).map_or(&[], |field| self.bytes(*field))
    }

    /// The field as text; the whole record was looked at once.
    pub(crate) fn text(&self, index: usize) -> Cow<'a, str> {
        let Some(field) = self.fields.get(index) else {
            return Cow::Borrowed("");
        };
        let whole = self.text.filter(|_| !field.mended);
        let found = whole.and_then(|(text, begin)| text.get(field.from - begin..field.to - begin));
        found.map_or_else(|| decoded(self.bytes(*field)), Cow::Borrowed)
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().map(|field| self.bytes(*field))
    }

    fn bytes(&self, field: Field) -> &'a [u8] {
        let from = if field.mended { self.mended } else { self.log };
        from.get(field.from..field.to).unwrap_or_default()
    }
}

/// What follows a field.
enum After {
    Field,
    /// The end of the record; of the log too, if nothing follows.
    Record,
}

impl<'a> Table<'a> {
    pub(crate) fn new(log: &'a [u8], columns: usize) -> Result<Self, Refusal> {
        if log.len() > LOG_BYTES_MAX {
            let detail = format!("the log is larger than {LOG_BYTES_MAX} bytes");
            return Err(Refusal::new(413, "body_too_large", detail));
        }
        let (fields, mended) = (Vec::new(), Vec::new());
        Ok(Self { log, at: 0, line: 1, fields, mended, columns, whole_bytes: 0 })
    }

    /// The next whole record; none at the end.
    pub(crate) fn read(&mut self) -> Result<Option<Record<'_>>, Refusal> {
        while let Some(byte @ (b'\n' | b'\r')) = self.log.get(self.at) {
            self.line += u64::from(*byte == b'\n');
            self.at += 1;
        }
        let (begin, line) = (self.at, self.line);
        if begin >= self.log.len() {
            return Ok(None);
        }
        self.fields.clear();
        self.mended.clear();
        while let After::Field = self.field() {
            let bytes = self.at - begin;
            if bytes > RECORD_BYTES_MAX || self.fields.len() >= FIELDS_MAX {
                return Err(too_long(line));
            }
        }
        let end = self.at;
        let raw = self.log.get(begin..end).unwrap_or_default();
        if raw.len() > RECORD_BYTES_MAX || self.fields.len() > FIELDS_MAX {
            return Err(too_long(line));
        }
        if end >= self.log.len() && self.fields.len() < self.columns && breaks_off(raw) {
            return Ok(None);
        }
        self.line += memchr_iter(b'\n', raw).count() as u64;
        self.columns = self.fields.len();
        self.whole_bytes = end;
        let text = std::str::from_utf8(raw).ok().map(|text| (text, begin));
        Ok(Some(Record {
            fields: &self.fields,
            log: self.log,
            mended: &self.mended,
            text,
            line,
            raw: raw.trim_ascii(),
        }))
    }

    /// Reads one field and what ends it.
    fn field(&mut self) -> After {
        if self.log.get(self.at) != Some(&b'"') {
            let from = self.at;
            let to = self.to_delimiter(from);
            return self.end(Field { from, to, mended: false });
        }
        let from = self.at + 1;
        let to = self.to_quote(from);
        match self.log.get(to + 1) {
            // The usual: a quotation mark, and then what ends the field.
            None | Some(b',' | b'\n' | b'\r') => {
                let quoted = Field { from, to: to.min(self.log.len()), mended: false };
                self.at = (to + 1).min(self.log.len());
                self.end_at(quoted)
            }
            Some(_) => self.mend(from, to),
        }
    }

    /// A field with doubled quotation marks, or with something behind the last of them.
    fn mend(&mut self, mut from: usize, mut to: usize) -> After {
        let begin = self.mended.len();
        loop {
            self.mended.extend_from_slice(self.log.get(from..to).unwrap_or_default());
            if self.log.get(to + 1) != Some(&b'"') {
                break;
            }
            self.mended.push(b'"');
            from = to + 2;
            to = self.to_quote(from);
        }
        let behind = (to + 1).min(self.log.len());
        let end = self.to_delimiter(behind);
        self.mended.extend_from_slice(self.log.get(behind..end).unwrap_or_default());
        self.at = end;
        self.end_at(Field { from: begin, to: self.mended.len(), mended: true })
    }

    fn end(&mut self, field: Field) -> After {
        self.at = field.to;
        self.end_at(field)
    }

    /// Takes the field, and steps over what ends it.
    fn end_at(&mut self, field: Field) -> After {
        self.fields.push(field);
        match self.log.get(self.at) {
            Some(b',') => {
                self.at += 1;
                After::Field
            }
            Some(b'\r') if self.log.get(self.at + 1) == Some(&b'\n') => {
                self.at += 2;
                After::Record
            }
            Some(_) => {
                self.at += 1;
                After::Record
            }
            None => After::Record,
        }
    }

    fn to_delimiter(&self, from: usize) -> usize {
        let rest = self.log.get(from..).unwrap_or_default();
        let found = memchr3(b',', b'\n', b'\r', rest);
        found.map_or(self.log.len(), |length| from + length)
    }

    fn to_quote(&self, from: usize) -> usize {
        let rest = self.log.get(from..).unwrap_or_default();
        // One that is never closed need not be followed to the end of the log.
        let rest = rest.get(..RECORD_BYTES_MAX + 1).unwrap_or(rest);
        let found = memchr(b'"', rest);
        found.map_or(from + rest.len(), |length| from + length)
    }
}

fn too_long(line: u64) -> Refusal {
    let detail = format!(
        "the record that begins in line {line} is longer than {RECORD_BYTES_MAX} bytes; \
         is a quotation mark left open?"
    );
    Refusal::new(422, "log_record_too_long", detail)
}

/// A record whose line has no end, or a quotation mark without its other half.
fn breaks_off(raw: &[u8]) -> bool {
    let open = raw.iter().fold(false, |open, byte| open ^ (*byte == b'"'));
    open || !(raw.ends_with(b"\n") || raw.ends_with(b"\r"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Table;

    fn ours(log: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut table = Table::new(log, 0).unwrap();
        let mut records = Vec::new();
        while let Some(record) = table.read().unwrap() {
            records.push(record.fields().map(<[u8]>::to_vec).collect());
        }
        records
    }

    fn theirs(log: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut builder = csv::ReaderBuilder::new();
        let mut reader = builder.has_headers(false).flexible(true).from_reader(log);
        let records = reader.byte_records();
        records.map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect()).collect()
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_the_csv_crate_reads_it(log in "[a\",\r\n \u{e9}]{0,40}") {
            let (ours, theirs) = (ours(log.as_bytes()), theirs(log.as_bytes()));
            // A last record that breaks off is left for the next time.
            let left = theirs.len() == ours.len() + 1 && (log.contains('"') || !log.ends_with('\n'));
            prop_assert!(theirs.starts_with(&ours), "{:?} {:?}", ours, theirs);
            prop_assert!(theirs.len() == ours.len() || left, "{:?} {:?}", ours, theirs);
        }
    }

    #[test]
    fn record_knows_its_line_and_its_bytes() {
        let log = b"\n\"a\nb\",\"say \"\"hi\"\"\"\r\nc,\xe9\n";
        let mut table = Table::new(log, 0).unwrap();
        let first = table.read().unwrap().unwrap();
        assert_eq!(
            (first.line, first.text(0).as_ref(), first.text(1).as_ref()),
            (2, "a\nb", "say \"hi\"")
        );
        let second = table.read().unwrap().unwrap();
        assert_eq!(
            (second.line, second.text(1).as_ref(), second.raw),
            (4, "\u{e9}", &b"c,\xe9"[..])
        );
        assert!(table.read().unwrap().is_none());
        assert_eq!(table.whole_bytes, log.len());
    }

    #[test]
    fn quotation_mark_that_is_left_open_is_refused_by_name() {
        let log = format!("a,\"{}", "b\n".repeat(100_000));
        let mut table = Table::new(log.as_bytes(), 0).unwrap();
        assert_eq!(table.read().unwrap_err().code, "log_record_too_long");
    }
}
