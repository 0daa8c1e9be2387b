//! The fields of one header, as raw bytes, with the values that mail needs decoded on demand.

use mail_parser::parsers::MessageStream;
use mail_parser::{Header, HeaderValue};
use postroom_model::Timestamp;

use crate::words;

/// The header of a mail or of a mail inside it.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    headers: &'a [Header<'a>],
    raw: &'a [u8],
}

impl<'a> Fields<'a> {
    /// `raw` is what the offsets of `headers` are about.
    pub(crate) fn new(headers: &'a [Header<'a>], raw: &'a [u8]) -> Self {
        Self { headers, raw }
    }

    fn value(self, header: &Header<'_>) -> &'a [u8] {
        let value = self.raw.get(header.offset_start as usize..header.offset_end as usize);
        value.unwrap_or_default()
    }

    /// The raw values of every field of that name.
    pub(crate) fn all(self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        // What stands before the value is the name, the colon, and white space in rare mails.
        const SLACK: usize = 8;
        let fits = name.len() + 1..name.len() + 1 + SLACK;
        let headers = self.headers.iter().filter(move |header| {
            let length =
                (header.offset_start as usize).saturating_sub(header.offset_field as usize);
            fits.contains(&length) && header.name.as_str().eq_ignore_ascii_case(name)
        });
        headers.map(move |header| self.value(header))
    }

    /// The first that holds anything, else the first.
    pub(crate) fn raw(self, name: &'a str) -> Option<&'a [u8]> {
        let mut first = None;
        for raw in self.all(name) {
            if !raw.trim_ascii().is_empty() {
                return Some(raw);
            }
            first.get_or_insert(raw);
        }
        first
    }

    pub(crate) fn has(self, name: &'a str) -> bool {
        self.all(name).next().is_some()
    }

    /// Decoded, on one line.
    pub(crate) fn text(self, name: &'a str) -> Option<String> {
        self.raw(name).map(words::decode)
    }

    /// Decoded, in lower case, empty where there is none.
    pub(crate) fn lower(self, name: &'a str) -> String {
        self.text(name).unwrap_or_default().to_lowercase()
    }

    /// A date as RFC 5322 and those who do not read it write it.
    pub(crate) fn date(self, name: &'a str) -> Option<Timestamp> {
        let mut value = self.raw(name)?.trim_ascii().to_vec();
        value.push(b'\n');
        let HeaderValue::DateTime(date) = MessageStream::new(&value).parse_date() else {
            return None;
        };
        date.is_valid().then(|| Timestamp::from_seconds(date.to_timestamp()))
    }
}
