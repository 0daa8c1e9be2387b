//! Logs of one record a line, with commas and quotation marks between, read one after the other
//! without copying: only a field with doubled quotation marks is put together elsewhere.
//!
//! A log is read while it is written, so its last line may break off anywhere: it is left for the
//! next time. What is no good CSV is read as the `csv` crate reads it, to which a test compares.

use std::cell::Cell;

use memchr::{memchr, memchr_iter, memchr3};
use postroom_channel::Refusal;

use crate::desk::decoded;
use crate::limits::{FIELDS_MAX, LOG_BYTES_MAX, RECORD_BYTES_MAX, TOO_LONG_MAX};

/// The records of one log.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    log: &'a [u8],
    at: usize,
    lines: Lines,
    fields: Vec<Field>,
    /// Fields that had to be put together.
    mended: Vec<u8>,
    /// How many columns the last record had; at first, how many one has.
    columns: usize,
    /// Bytes up to the end of the last whole record.
    pub(crate) whole_bytes: usize,
    /// Records that were too long.
    passed_over: usize,
}

/// What stands next in a log.
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    Record(Record<'a>),
    /// It begins in this line, which is passed over, and is too long.
    TooLong(u64, &'a [u8]),
}

/// Where a field stands: in the record or in what was mended.
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
    text: &'a str,
    mended: &'a str,
    /// Whether all of it is printable ASCII, as most is.
    pub(crate) plain: bool,
    /// The bytes as they stand in the log.
    pub(crate) raw: &'a [u8],
    log: &'a [u8],
    begin: usize,
    lines: &'a Lines,
}

impl<'a> Record<'a> {
    pub(crate) fn columns(&self) -> usize {
        self.fields.len()
    }

    pub(crate) fn get(&self, index: usize) -> &'a str {
        self.fields.get(index).map_or("", |field| self.text(*field))
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = &'a str> {
        self.fields.iter().map(|field| self.text(*field))
    }

    /// The line in which it begins.
    pub(crate) fn line(&self) -> u64 {
        self.lines.of(self.log, self.begin)
    }

    fn text(&self, field: Field) -> &'a str {
        let from = if field.mended { self.mended } else { self.text };
        from.get(field.from..field.to).unwrap_or_default()
    }
}

/// Counts lines when somebody asks: up to where, and how many.
#[derive(Debug, Default)]
struct Lines(Cell<(usize, u64)>);

impl Lines {
    fn of(&self, log: &[u8], at: usize) -> u64 {
        let (counted, before) = self.0.get();
        let further = memchr_iter(b'\n', log.get(counted..at).unwrap_or_default()).count();
        let before = before + further as u64;
        self.0.set((at, before));
        before + 1
    }
}

impl<'a> Table<'a> {
    pub(crate) fn new(log: &'a [u8], columns: usize) -> Result<Self, Refusal> {
        if log.len() > LOG_BYTES_MAX {
            let detail = format!("the log is larger than {LOG_BYTES_MAX} bytes");
            return Err(Refusal::new(413, "body_too_large", detail));
        }
        let (fields, mended, lines) = (Vec::new(), Vec::new(), Lines::default());
        Ok(Self { log, at: 0, lines, fields, mended, columns, whole_bytes: 0, passed_over: 0 })
    }

    /// The next whole record; none at the end. One that is too long takes its line with it and no other:
    /// most such records are a quotation mark that was never closed.
    pub(crate) fn read(&mut self) -> Result<Option<Piece<'_>>, Refusal> {
        while let Some(b'\n' | b'\r') = self.log.get(self.at) {
            self.at += 1;
        }
        let begin = self.at;
        let rest = self.log.get(begin..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let Some(bytes) = self.part(rest) else {
            let line = self.lines.of(self.log, begin);
            self.passed_over += 1;
            if self.passed_over > TOO_LONG_MAX {
                return Err(too_long(line));
            }
            let bytes = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            self.at = begin + bytes;
            self.whole_bytes = self.at;
            let passed = rest.get(..bytes).unwrap_or_default();
            return Ok(Some(Piece::TooLong(line, passed)));
        };
        let whole = rest.get(..bytes).unwrap_or_default();
        self.at = begin + bytes;
        if bytes == rest.len() && self.fields.len() < self.columns && breaks_off(whole) {
            return Ok(None);
        }
        self.columns = self.fields.len();
        self.whole_bytes = self.at;
        let text = std::str::from_utf8(whole).unwrap_or_else(|_| self.decode(whole));
        let raw = whole.trim_ascii();
        Ok(Some(Piece::Record(Record {
            fields: &self.fields,
            text,
            // Of text only text is put together.
            mended: std::str::from_utf8(&self.mended).unwrap_or_default(),
            plain: is_plain(raw),
            raw,
            log: self.log,
            begin,
            lines: &self.lines,
        })))
    }

    /// The first record, if it is one.
    pub(crate) fn first(&mut self) -> Option<Record<'_>> {
        match self.read() {
            Ok(Some(Piece::Record(record))) => Some(record),
            _ => None,
        }
    }

    /// Parts the first record into its fields, and says how many bytes it has; none if it is too long.
    fn part(&mut self, rest: &[u8]) -> Option<usize> {
        self.fields.clear();
        self.mended.clear();
        let mut at = 0;
        loop {
            let end = if rest.get(at) == Some(&b'"') {
                self.quoted(rest, at + 1)
            } else {
                let to = to_delimiter(rest, at);
                self.fields.push(Field { from: at, to, mended: false });
                to
            };
            let more = rest.get(end) == Some(&b',');
            let next = if more { end + 1 } else { behind_line(rest, end) };
            let most = FIELDS_MAX - usize::from(more);
            if next > RECORD_BYTES_MAX || self.fields.len() > most {
                return None;
            }
            if !more {
                return Some(next);
            }
            at = next;
        }
    }

    /// Takes the field behind a quotation mark, and says where it ends.
    fn quoted(&mut self, rest: &[u8], mut from: usize) -> usize {
        let mut to = to_quote(rest, from);
        // The usual: a quotation mark, and then what ends the field.
        if rest.get(to + 1).is_none_or(|byte| ends_field(*byte)) {
            self.fields.push(Field { from, to: to.min(rest.len()), mended: false });
            return (to + 1).min(rest.len());
        }
        // A field with doubled quotation marks, or with something behind the last of them.
        let begin = self.mended.len();
        loop {
            self.mended.extend_from_slice(rest.get(from..to).unwrap_or_default());
            if rest.get(to + 1) != Some(&b'"') {
                break;
            }
            self.mended.push(b'"');
            from = to + 2;
            to = to_quote(rest, from);
        }
        let behind = (to + 1).min(rest.len());
        let end = to_delimiter(rest, behind);
        self.mended.extend_from_slice(rest.get(behind..end).unwrap_or_default());
        self.fields.push(Field { from: begin, to: self.mended.len(), mended: true });
        end
    }

    /// A record that is no UTF-8: each field is read for itself, and stands with what was mended.
    fn decode(&mut self, whole: &[u8]) -> &'static str {
        let mut texts = String::new();
        for field in &mut self.fields {
            let from = if field.mended { self.mended.as_slice() } else { whole };
            let begin = texts.len();
            texts.push_str(&decoded(from.get(field.from..field.to).unwrap_or_default()));
            *field = Field { from: begin, to: texts.len(), mended: true };
        }
        self.mended = texts.into_bytes();
        ""
    }
}

/// Nearly always a comma, which is why it is asked for first.
fn ends_field(byte: u8) -> bool {
    byte == b',' || byte == b'\n' || byte == b'\r'
}

/// The place behind the end of a line.
fn behind_line(rest: &[u8], end: usize) -> usize {
    let two = rest.get(end..end + 2) == Some(b"\r\n");
    if two { end + 2 } else { (end + 1).min(rest.len()) }
}

/// On its own: of all bytes that are asked for the compiler would make one jump, which no processor
/// foresees.
#[inline(never)]
fn to_delimiter(rest: &[u8], from: usize) -> usize {
    // Many are empty, or a short number.
    if rest.get(from).is_some_and(|byte| ends_field(*byte)) {
        return from;
    }
    let found = memchr3(b',', b'\n', b'\r', rest.get(from..).unwrap_or_default());
    found.map_or(rest.len(), |length| from + length)
}

fn to_quote(rest: &[u8], from: usize) -> usize {
    let rest = rest.get(from..).unwrap_or_default();
    if let Some(length) = near_quote(rest) {
        return from + length;
    }
    // One that is never closed need not be followed to the end of the log.
    let rest = rest.get(..RECORD_BYTES_MAX + 1).unwrap_or(rest);
    memchr(b'"', rest).map_or(from + rest.len(), |length| from + length)
}

/// A quotation mark within the first bytes, eight at a time: most fields are so short that calling
/// the library takes longer than looking.
fn near_quote(rest: &[u8]) -> Option<usize> {
    const NEAR: usize = 24;
    const ONES: u64 = 0x0101_0101_0101_0101;
    let near = rest.first_chunk::<NEAR>()?;
    for (eight, begin) in near.as_chunks::<8>().0.iter().zip((0..).step_by(8)) {
        let zeros = u64::from_le_bytes(*eight) ^ (ONES * u64::from(b'"'));
        // The high bit of the first byte that is zero, and perhaps of later ones.
        let found = zeros.wrapping_sub(ONES) & !zeros & (ONES << 7);
        if found != 0 {
            return Some(begin + (found.trailing_zeros() / 8) as usize);
        }
    }
    None
}

/// Looks at every byte, which is faster than stopping at the first.
fn is_plain(raw: &[u8]) -> bool {
    raw.iter().fold(true, |plain, byte| plain & (0x20..0x7f).contains(byte))
}

/// Why a record is told that is too long.
pub(crate) const TOO_LONG: &str = "longer than 64 KiB; is a quotation mark left open?";

fn too_long(line: u64) -> Refusal {
    let detail = format!(
        "{TOO_LONG_MAX} records and that which begins in line {line} are longer than \
         {RECORD_BYTES_MAX} bytes; is a quotation mark left open?"
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

    use super::{Piece, RECORD_BYTES_MAX, TOO_LONG_MAX, Table};

    fn ours(log: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut table = Table::new(log, 0).unwrap();
        let mut records = Vec::new();
        while let Some(Piece::Record(record)) = table.read().unwrap() {
            records.push(record.fields().map(|field| field.as_bytes().to_vec()).collect());
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
        let first = table.first().unwrap();
        assert_eq!((first.line(), first.get(0), first.get(1)), (2, "a\nb", "say \"hi\""));
        let second = table.first().unwrap();
        assert_eq!((second.line(), second.get(1), second.raw), (4, "\u{e9}", &b"c,\xe9"[..]));
        assert!(table.read().unwrap().is_none());
        assert_eq!(table.whole_bytes, log.len());
    }

    #[test]
    fn quotation_mark_that_is_left_open_takes_only_its_line() {
        let log = format!("a,\"{}c,d\n", "b\n".repeat(100_000));
        let mut table = Table::new(log.as_bytes(), 0).unwrap();
        assert!(matches!(table.read(), Ok(Some(Piece::TooLong(1, b"a,\"b\n")))));
        assert_eq!((table.whole_bytes, table.first().unwrap().get(0)), (5, "b"));
        let mut count = 2;
        while table.first().is_some() {
            count += 1;
        }
        assert_eq!((count, table.whole_bytes), (100_001, log.len()));
        // Each of them is looked through as far as a record may be long, so not too many of them.
        let log = format!("{}\n", "x".repeat(RECORD_BYTES_MAX + 1)).repeat(TOO_LONG_MAX + 1);
        let mut table = Table::new(log.as_bytes(), 0).unwrap();
        let refused = loop {
            match table.read() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it is taken"),
                Err(refused) => break refused,
            }
        };
        assert_eq!(refused.code, "log_record_too_long");
    }
}
