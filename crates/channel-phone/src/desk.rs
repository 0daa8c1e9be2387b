//! What a dialect reads with: the settings of its channel, and what was read a moment ago.

use std::borrow::Cow;
use std::cell::RefCell;

use postroom_channel::{PushResponse, Refusal};
use postroom_model::Timestamp;
use smol_str::SmolStr;

use crate::event::CallEvent;
use crate::limits::{
    ID_CHARS_MAX, NUMBERS_REMEMBERED_MAX, TEXT_CHARS_MAX, UNREADABLE_TOLD_MAX, URL_CHARS_MAX,
};
use crate::number::{self, Region, Style};
use crate::place::Places;
use crate::zone::{Clockwork, Zone};

/// How a telephone system writes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Setting {
    /// The zone of local times; UTC if it is not set.
    pub zone: Zone,
    /// Whose numbers those without a country are.
    pub region: Option<Region>,
    pub places: Places,
    /// Names of the columns of a log that has no line of names.
    pub columns: Vec<String>,
}

/// Reads texts, numbers and times of one body. Not shared between threads.
#[derive(Debug)]
pub struct Desk<'a> {
    pub setting: &'a Setting,
    /// When the body came; none where nobody waits at the door.
    pub arrived_at: Option<Timestamp>,
    pub clockwork: Clockwork<'a>,
    numbers: RefCell<Numbers>,
}

/// What a body holds.
#[derive(Debug, Clone, Default)]
pub struct Held {
    pub response: Option<PushResponse>,
    pub unreadable: Unreadable,
    /// Bytes up to the end of the last whole record; what follows is still being written.
    pub whole_bytes: usize,
}

/// Records that could not be read. The others are not harmed by them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unreadable {
    pub count: usize,
    /// The first of them: line, and why.
    pub told: Vec<(u64, &'static str)>,
    /// All of them, as they stand in the log, to be set aside.
    pub raw: Vec<u8>,
}

impl Unreadable {
    pub fn add(&mut self, line: u64, why: &'static str, raw: &[u8]) {
        self.count += 1;
        self.raw.extend_from_slice(raw);
        if !raw.ends_with(b"\n") {
            self.raw.push(b'\n');
        }
        if self.told.len() < UNREADABLE_TOLD_MAX {
            self.told.push((line, why));
        }
    }

    /// One sentence for all of them.
    pub fn detail(&self) -> String {
        let mut words = Vec::new();
        for (line, why) in &self.told {
            words.push(format!("line {line}: {why}"));
        }
        let further = self.count - self.told.len();
        if further > 0 {
            words.push(format!("and {further} more"));
        }
        words.join("; ")
    }

    /// As [`Self::detail`], and whether the last record breaks off.
    pub(crate) fn with_rest(&self, broken: bool) -> String {
        let rest = broken.then(|| "the last record breaks off".to_owned());
        let told = (self.count > 0).then(|| self.detail());
        told.into_iter().chain(rest).collect::<Vec<_>>().join("; ")
    }
}

/// Where events go.
pub type Sink<'a> = &'a mut dyn FnMut(CallEvent);

impl<'a> Desk<'a> {
    pub fn new(setting: &'a Setting, arrived_at: Option<Timestamp>) -> Self {
        let clockwork = Clockwork::new(&setting.zone);
        Self { setting, arrived_at, clockwork, numbers: RefCell::default() }
    }

    /// A number as it is dialled at the telephone system.
    pub fn dialled(&self, text: &str) -> Option<SmolStr> {
        self.number(text, Style::Dialled, self.setting.region.as_ref())
    }

    /// A number in full, the `+` often left out.
    pub fn international(&self, text: &str) -> Option<SmolStr> {
        self.number(text, Style::International, self.setting.region.as_ref())
    }

    /// A number as it is dialled in a region, unless the channel names another.
    pub fn dialled_in(&self, text: &str, home: &str) -> Option<SmolStr> {
        let home = if self.setting.region.is_some() { None } else { Region::parse(home) };
        let region = self.setting.region.as_ref().or(home.as_ref());
        self.number(text, Style::Dialled, region)
    }

    fn number(&self, text: &str, style: Style, region: Option<&Region>) -> Option<SmolStr> {
        let text = trimmed(text);
        if text.is_empty() {
            return None;
        }
        let inside_max = self.setting.places.extension_digits_max;
        if text.len() <= inside_max && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(SmolStr::new(text));
        }
        if let Some(number) = number::read_plain(text, style, region) {
            return Some(number);
        }
        let mut numbers = self.numbers.borrow_mut();
        if let Some(known) = numbers.get(text) {
            return Some(known.clone());
        }
        let text = short(text)?;
        let number = SmolStr::from(number::read(&text, style, region, inside_max));
        numbers.keep(text, number.clone());
        Some(number)
    }
}

/// Numbers that were read a moment ago, each in the one place that its hash gives it: a later one
/// takes the place of an earlier one, so that no choice of numbers makes this slow or large.
#[derive(Debug, Default)]
struct Numbers {
    places: Vec<Option<(SmolStr, SmolStr)>>,
    kept: usize,
}

impl Numbers {
    const FIRST: usize = 64;

    fn get(&self, text: &str) -> Option<&SmolStr> {
        let (known, number) = self.places.get(self.place(text))?.as_ref()?;
        (known == text).then_some(number)
    }

    fn keep(&mut self, text: SmolStr, number: SmolStr) {
        if self.kept >= self.places.len() && self.places.len() < NUMBERS_REMEMBERED_MAX {
            let more = (self.places.len() * 4).clamp(Self::FIRST, NUMBERS_REMEMBERED_MAX);
            let old = std::mem::replace(&mut self.places, vec![None; more]);
            for (text, number) in old.into_iter().flatten() {
                self.put(text, number);
            }
        }
        self.kept += 1;
        self.put(text, number);
    }

    fn put(&mut self, text: SmolStr, number: SmolStr) {
        let place = self.place(&text);
        if let Some(place) = self.places.get_mut(place) {
            *place = Some((text, number));
        }
    }

    fn place(&self, text: &str) -> usize {
        const PRIME: usize = 0x0100_0193;
        let mix = |hash: usize, byte| (hash ^ usize::from(byte)).wrapping_mul(PRIME);
        let hash = text.bytes().fold(0x811c_9dc5, mix);
        (hash ^ (hash >> 16)) & self.places.len().saturating_sub(1)
    }
}

/// Without space around it. Most texts have none, which their first and last byte say.
pub(crate) fn trimmed(text: &str) -> &str {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

/// A text without control characters and space around it, cut to the limit; none if nothing is left.
pub(crate) fn short(text: &str) -> Option<SmolStr> {
    let text = trimmed(text);
    let plain =
        text.len() <= TEXT_CHARS_MAX && text.bytes().all(|byte| byte >= 0x20 && byte != 0x7f);
    let text: SmolStr = if plain {
        SmolStr::new(text)
    } else {
        text.chars().filter(|letter| !letter.is_control()).take(TEXT_CHARS_MAX).collect()
    };
    (!text.is_empty()).then_some(text)
}

/// An address of the web, if it is one and not too long.
pub(crate) fn web_address(text: &str) -> Option<SmolStr> {
    let text = text.trim();
    let web = text.starts_with("https://") || text.starts_with("http://");
    let good = web && text.len() <= URL_CHARS_MAX && !text.chars().any(char::is_control);
    good.then(|| SmolStr::new(text))
}

/// An id as it is, or why it cannot be one.
pub(crate) fn id(text: &str) -> Result<Option<SmolStr>, Refusal> {
    let text = text.trim();
    if text.chars().count() > ID_CHARS_MAX {
        let detail = format!("the id of the call is longer than {ID_CHARS_MAX} characters");
        return Err(Refusal::new(422, "body_field_too_long", detail));
    }
    if text.chars().any(char::is_control) {
        let detail = "the id of the call holds control characters";
        return Err(Refusal::new(422, "body_field_invalid", detail));
    }
    Ok((!text.is_empty()).then(|| SmolStr::new(text)))
}

/// Text of a log: UTF-8 or, as older systems write, one byte a letter.
pub(crate) fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().copied().map(char::from).collect()),
    }
}
