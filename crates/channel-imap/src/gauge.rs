//! How much a server may say at once. Pure: it is fed the bytes as they come, before the library that
//! reads them, which would hold half a gigabyte for whoever announces it.
//!
//! It only counts. Where it is in doubt whether a line announces a literal, the limit holds and the bytes
//! are looked at as lines too.

use crate::limits::LINE_BYTES_MAX;

/// Bytes at the end of a line that can announce a literal.
const TAIL_BYTES: usize = 24;
/// Bytes at the start of a response that say whether it is a status with words in it.
const HEAD_BYTES: usize = 10;

/// What is over a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Excess {
    #[error("a line of the server has no end")]
    Line,
    #[error("the server announces {0} bytes at once")]
    Literal(u64),
    #[error("a response of the server has no end")]
    Response,
}

/// Where in the words of a server the next byte stands.
#[derive(Debug)]
pub(crate) struct Gauge {
    response_bytes_max: u64,
    /// Bytes of a literal that are still to come.
    literal: u64,
    /// Bytes of the response so far.
    response: u64,
    /// Bytes of the line so far.
    line: usize,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Gauge {
    pub(crate) fn new(response_bytes_max: u64) -> Self {
        Self {
            response_bytes_max,
            literal: 0,
            response: 0,
            line: 0,
            head: Vec::with_capacity(HEAD_BYTES),
            tail: Vec::with_capacity(TAIL_BYTES),
        }
    }

    /// Takes the next bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(), Excess> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.literal > 0 {
                let skipped = usize::try_from(self.literal).unwrap_or(usize::MAX).min(rest.len());
                self.literal -= skipped as u64;
                rest = rest.get(skipped..).unwrap_or_default();
                continue;
            }
            let end = rest.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let (line, after) =
                rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, &[]));
            self.line_part(line)?;
            if end.is_some() {
                self.line_end()?;
            }
            rest = after;
        }
        Ok(())
    }

    fn line_part(&mut self, part: &[u8]) -> Result<(), Excess> {
        self.line = self.line.saturating_add(part.len());
        if self.line > LINE_BYTES_MAX {
            return Err(Excess::Line);
        }
        self.add(part.len() as u64)?;
        let room = HEAD_BYTES.saturating_sub(self.head.len());
        self.head.extend(part.iter().take(room));
        let kept = part.get(part.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default();
        let over = (self.tail.len() + kept.len()).saturating_sub(TAIL_BYTES);
        self.tail.drain(..over.min(self.tail.len()));
        self.tail.extend_from_slice(kept);
        Ok(())
    }

    fn line_end(&mut self) -> Result<(), Excess> {
        let announced = announced(&self.tail);
        self.tail.clear();
        self.line = 0;
        if let Some(bytes) = announced {
            if bytes > self.response_bytes_max {
                return Err(Excess::Literal(bytes));
            }
            if !is_status(&self.head) {
                self.add(bytes)?;
                self.literal = bytes;
                return Ok(());
            }
        }
        self.head.clear();
        self.response = 0;
        Ok(())
    }

    fn add(&mut self, bytes: u64) -> Result<(), Excess> {
        self.response = self.response.saturating_add(bytes);
        if self.response > self.response_bytes_max { Err(Excess::Response) } else { Ok(()) }
    }
}

/// The bytes of the literal that a line announces at its end.
fn announced(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line).strip_suffix(b"}")?;
    let line = line.strip_suffix(b"+").unwrap_or(line);
    let digits = line.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (before, number) = line.split_at_checked(line.len() - digits)?;
    if digits == 0 || !before.ends_with(b"{") {
        return None;
    }
    // More digits than the tail holds are a number beyond every limit.
    Some(std::str::from_utf8(number).ok()?.parse().unwrap_or(u64::MAX))
}

/// Whether words for people may follow, which announce nothing.
fn is_status(head: &[u8]) -> bool {
    const STATUSES: [&[u8]; 6] = [b"OK ", b"NO ", b"BAD ", b"BYE ", b"PREAUTH", b"OK\r"];
    match head.strip_prefix(b"* ") {
        Some(rest) => STATUSES.iter().any(|status| {
            let start = rest.get(..status.len()).unwrap_or(rest);
            start.eq_ignore_ascii_case(status)
        }),
        // A tag, or a request to go on.
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Excess, Gauge, announced};
    use crate::limits::LINE_BYTES_MAX;

    fn say(words: &[&[u8]]) -> Result<(), Excess> {
        let mut gauge = Gauge::new(1_000);
        words.iter().try_for_each(|bytes| gauge.take(bytes))
    }

    #[test]
    fn announced_literals_are_read_at_the_end_of_a_line_only() {
        for (line, bytes) in [
            (&b"* 1 FETCH (BODY[] {12}\r\n"[..], Some(12)),
            (b"x {0+}\n", Some(0)),
            (b"{99999999999999999999999}\r\n", Some(u64::MAX)),
            (b"x {12} \r\n", None),
            (b"x {}\r\n", None),
            (b"x 12}\r\n", None),
            (b"x {1a}\r\n", None),
        ] {
            assert_eq!(announced(line), bytes, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn plain_traffic_passes_in_whatever_parts_it_comes() {
        let words = b"* OK [CAPABILITY IMAP4rev1] at {900}\r\n\
            * 1 FETCH (UID 1 BODY[] {5}\r\n{9}\r\n)\r\nA1 OK done\r\n";
        assert_eq!(say(&[words]), Ok(()));
        let single: Vec<&[u8]> = words.chunks(1).collect();
        assert_eq!(say(&single), Ok(()));
    }

    #[test]
    fn what_has_no_end_is_stopped_by_name() {
        assert_eq!(say(&[b"* 1 FETCH (BODY[] {1001}\r\n"]), Err(Excess::Literal(1_001)));
        assert_eq!(say(&[b"* OK {1001}\r\n"]), Err(Excess::Literal(1_001)));
        let parts = b"* 1 FETCH (BODY[1] {600}\r\n";
        assert_eq!(say(&[parts, &[b'x'; 600], b" BODY[2] {600}\r\n"]), Err(Excess::Response));
        let mut gauge = Gauge::new(u64::MAX);
        assert_eq!(gauge.take(&vec![b'x'; LINE_BYTES_MAX + 1]), Err(Excess::Line));
    }

    #[test]
    fn literal_behind_words_for_people_does_not_hide_the_next_one() {
        let hidden = b"* OK all {100}\r\n* 1 FETCH (BODY[] {4000}\r\n";
        assert_eq!(say(&[hidden]), Err(Excess::Literal(4_000)));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_parts_say_the_same(
            bytes in proptest::collection::vec(prop_oneof![
                Just(b'\r'), Just(b'\n'), Just(b'{'), Just(b'}'), Just(b'9'), Just(b'*'), Just(b' '), any::<u8>(),
            ], 0..300),
            parts in 1_usize..20,
        ) {
            let pieces: Vec<&[u8]> = bytes.chunks(parts).collect();
            prop_assert_eq!(say(&[&bytes]), say(&pieces));
        }
    }
}
