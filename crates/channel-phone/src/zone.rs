//! Times as telephone systems write them: local, with an offset, or in seconds since 1970.
//!
//! A local time is read in the zone of the channel, daylight saving included. It is by far the most
//! frequent thing in a log, so its digits are read by hand and the offset of an hour is remembered.

use std::cell::Cell;

use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};
use postroom_model::Timestamp;

use crate::options::nearest;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// How far a length that is told may be from that of the two times: both are cut to whole seconds.
const LENGTH_SLACK_MS: u64 = 2_000;
/// Bytes of `2026-03-01 17`.
const HEAD: usize = 13;

/// A time zone by its name in the IANA database, such as `Europe/Berlin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl Zone {
    pub fn parse(name: &str) -> Option<Self> {
        TimeZone::get(name.trim()).ok().map(Self)
    }

    /// The name that was probably meant.
    pub(crate) fn nearest(name: &str) -> Option<String> {
        let known: Vec<String> =
            jiff::tz::db().available().map(|known| known.as_str().to_owned()).collect();
        let near = nearest(name.trim(), known.iter().map(String::as_str));
        near.map(str::to_owned)
    }
}

/// Reads times; remembers the offset of the hours that it read last, an even and an odd one, so that
/// calls which go on over the end of an hour do not make it forget.
#[derive(Debug)]
pub struct Clockwork<'a> {
    zone: &'a Zone,
    even: Hour,
    odd: Hour,
    /// A time was read that the clocks had left out.
    skipped: Cell<bool>,
}

/// What is remembered of an hour.
#[derive(Debug, Default)]
struct Hour {
    /// An hour of local time in which nothing changes, and its offset.
    offset: Cell<Option<(i64, i64)>>,
    /// Day and hour as they were written, and when that hour began.
    head: Cell<Option<([u8; HEAD], i64)>>,
}

impl<'a> Clockwork<'a> {
    pub fn new(zone: &'a Zone) -> Self {
        Self { zone, even: Hour::default(), odd: Hour::default(), skipped: Cell::new(false) }
    }

    /// Whether a local time was read since this was last asked that never was, since the clocks had been
    /// put forward over it. It is read as if they had not been.
    pub fn take_skipped(&self) -> bool {
        self.skipped.replace(false)
    }

    /// Begin and end, read so that what lies between them has this length; none if there is no such
    /// reading. An hour that comes twice has two.
    pub fn span(&self, start: &str, end: &str, seconds: u64) -> Option<(Timestamp, Timestamp)> {
        let length_ms = i64::try_from(seconds.checked_mul(1_000)?).ok()?;
        let readings = |text| [self.read(text), self.read_again(text)].into_iter().flatten();
        let pairs = readings(start).flat_map(|start| readings(end).map(move |end| (start, end)));
        let mut fits =
            pairs.filter(|(start, end)| end.since(*start).abs_diff(length_ms) <= LENGTH_SLACK_MS);
        fits.next()
    }

    /// The other reading of a time in an hour that comes twice.
    fn read_again(&self, text: &str) -> Option<Timestamp> {
        let written = Written::read(text.trim_ascii().as_bytes())?;
        let local = civil(written.local_ms).filter(|_| written.offset_ms.is_none())?;
        let ambiguous = self.zone.0.to_ambiguous_timestamp(local);
        let twice = matches!(ambiguous.offset(), AmbiguousOffset::Fold { .. });
        let later = ambiguous.later().ok().filter(|_| twice)?;
        Some(Timestamp::from_millis(later.as_millisecond()))
    }

    fn hour(&self, even: bool) -> &Hour {
        if even { &self.even } else { &self.odd }
    }

    /// A moment; none if the text is empty, all zeros, or no time.
    pub fn read(&self, text: &str) -> Option<Timestamp> {
        self.read_after(text, None)
    }

    /// A moment that is not before another one: of the two readings of an hour that comes twice, the
    /// first that fits.
    pub fn read_after(&self, text: &str, not_before: Option<Timestamp>) -> Option<Timestamp> {
        let bytes = text.trim_ascii().as_bytes();
        if let Some(at) = self.in_known_hour(bytes) {
            return Some(at);
        }
        let Some(written) = Written::read(bytes) else {
            return read_epoch(bytes);
        };
        if let Some(offset) = written.offset_ms {
            return Some(Timestamp::from_millis(written.local_ms - offset));
        }
        let at = self.local(written.local_ms, not_before);
        let hour = written.local_ms.div_euclid(HOUR_MS);
        let memory = self.hour(hour % 2 == 0);
        if let (Some((head, _)), Some((known, offset))) =
            (bytes.split_first_chunk(), memory.offset.get())
            && known == hour
        {
            memory.head.set(Some((*head, hour * HOUR_MS - offset)));
        }
        at
    }

    /// Minute and second of the hour that was read last.
    fn in_known_hour(&self, bytes: &[u8]) -> Option<Timestamp> {
        let (written, rest) = bytes.split_first_chunk::<HEAD>()?;
        // The hours of a day are even and odd as those since 1970 are.
        let (head, began_ms) = self.hour(written.last()? % 2 == 0).head.get()?;
        let [b':', m, n, b':', s, t] = rest else {
            return None;
        };
        let (minute, second) = (two(*m, *n)?, two(*s, *t)?);
        let good = *written == head && minute < 60 && second <= 60;
        good.then(|| Timestamp::from_millis(began_ms + (minute * 60 + second.min(59)) * 1_000))
    }

    fn local(&self, local_ms: i64, not_before: Option<Timestamp>) -> Option<Timestamp> {
        let hour = local_ms.div_euclid(HOUR_MS);
        let memory = self.hour(hour % 2 == 0);
        if let Some((known, offset)) = memory.offset.get()
            && known == hour
        {
            return Some(Timestamp::from_millis(local_ms - offset));
        }
        let first = self.offset(hour * HOUR_MS);
        if let Some(offset) = first
            && self.offset(hour * HOUR_MS + HOUR_MS - 1_000) == first
        {
            memory.offset.set(Some((hour, offset)));
            return Some(Timestamp::from_millis(local_ms - offset));
        }
        let ambiguous = self.zone.0.to_ambiguous_timestamp(civil(local_ms)?);
        if matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. }) {
            self.skipped.set(true);
        }
        let compatible = ambiguous.compatible().ok()?.as_millisecond();
        let later = ambiguous.later().ok()?.as_millisecond();
        let wanted = not_before.map_or(compatible, Timestamp::millis);
        let chosen = if compatible < wanted && later >= wanted { later } else { compatible };
        Some(Timestamp::from_millis(chosen))
    }

    /// How far local time is ahead of UTC; none where that is not certain.
    fn offset(&self, local_ms: i64) -> Option<i64> {
        let ambiguous = self.zone.0.to_ambiguous_timestamp(civil(local_ms)?);
        let certain = ambiguous.unambiguous().ok()?;
        Some(local_ms - certain.as_millisecond())
    }
}

fn civil(local_ms: i64) -> Option<civil::DateTime> {
    let as_utc = jiff::Timestamp::from_millisecond(local_ms).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(as_utc))
}

/// `2026-03-01 17:29:58`, with a fraction and an offset if they are there.
struct Written {
    local_ms: i64,
    offset_ms: Option<i64>,
}

impl Written {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<19>()?;
        let byte = |at: usize| head.get(at).copied();
        let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
        let parted = matches!(byte(10), Some(b' ' | b'T'))
            && marks.iter().all(|(at, mark)| byte(*at) == Some(*mark));
        if !parted {
            return None;
        }
        let pair = |at: usize| two(byte(at)?, byte(at + 1)?);
        let year = pair(0)? * 100 + pair(2)?;
        let (month, day, hour) = (pair(5)?, pair(8)?, pair(11)?);
        let (minute, second) = (pair(14)?, pair(17)?);
        let in_range = (1..=12).contains(&month)
            && (1..=month_days(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60;
        if !in_range || year == 0 {
            return None;
        }
        let (millis, rest) = fraction(rest)?;
        let seconds = (hour * 60 + minute) * 60 + second.min(59);
        let local_ms = days(year, month, day) * DAY_MS + seconds * 1_000 + millis;
        Some(Self { local_ms, offset_ms: offset(rest)? })
    }
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    Some(digit(tens)? * 10 + digit(ones)?)
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar; years are counted from March, so that the leap
/// day stands last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Milliseconds of `.123456`, and what follows.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.' | b',', digits)) = rest.split_first() else {
        return Some((0, rest));
    };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = digits.split_at_checked(length)?;
    let mut millis = 0;
    for place in 0..3 {
        let digit = digits.get(place).map_or(0, |byte| i64::from(byte - b'0'));
        millis = millis * 10 + digit;
    }
    Some((millis, rest))
}

/// The offset in milliseconds: none if there is no offset at all, an error if it is none.
#[expect(clippy::option_option, reason = "an absent offset and a broken one are two things")]
fn offset(rest: &[u8]) -> Option<Option<i64>> {
    let rest = rest.trim_ascii_start();
    let (sign, digits) = match rest.split_first() {
        None => return Some(None),
        Some((b'Z' | b'z', [])) => return Some(Some(0)),
        Some((b'+', digits)) => (1, digits),
        Some((b'-', digits)) => (-1, digits),
        Some(_) => return None,
    };
    let (hours, minutes) = match digits {
        [h, o] => (two(*h, *o)?, 0),
        [h, o, b':', m, n] | [h, o, m, n] => (two(*h, *o)?, two(*m, *n)?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(Some(sign * (hours * 60 + minutes) * 60_000))
}

/// `1772357400`, `1772357400.123456`, and the same in milliseconds or microseconds.
fn read_epoch(bytes: &[u8]) -> Option<Timestamp> {
    let whole = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (whole, rest) = bytes.split_at_checked(whole)?;
    let count: i64 = std::str::from_utf8(whole).ok()?.parse().ok()?;
    let (millis, rest) = fraction(rest)?;
    if !rest.is_empty() || count == 0 {
        return None;
    }
    match whole.len() {
        9..=11 => Some(Timestamp::from_millis(count * 1_000 + millis)),
        12..=14 => Some(Timestamp::from_millis(count)),
        15..=17 => Some(Timestamp::from_millis(count / 1_000)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use postroom_model::Timestamp;

    use super::{Clockwork, Zone};

    fn read(zone: &str, text: &str) -> Option<String> {
        let zone = Zone::parse(zone).unwrap();
        Clockwork::new(&zone).read(text).map(|at| at.to_string())
    }

    #[test]
    fn local_time_is_read_in_its_zone_with_daylight_saving() {
        for (zone, text, moment) in [
            ("UTC", "2026-03-01 17:29:58", "2026-03-01T17:29:58.000Z"),
            ("Europe/Berlin", "2026-03-01 17:29:58", "2026-03-01T16:29:58.000Z"),
            ("Europe/Berlin", "2026-07-01 17:29:58", "2026-07-01T15:29:58.000Z"),
            // The hour that is left out, and the first of the hour that comes twice.
            ("Europe/Berlin", "2026-03-29 02:30:00", "2026-03-29T01:30:00.000Z"),
            ("Europe/Berlin", "2026-10-25 02:30:00", "2026-10-25T00:30:00.000Z"),
            ("Europe/Berlin", "2026-10-25 03:00:00", "2026-10-25T02:00:00.000Z"),
            ("Australia/Lord_Howe", "2026-01-01 12:00:00", "2026-01-01T01:00:00.000Z"),
            ("Asia/Kolkata", "2026-02-28T23:59:60.5", "2026-02-28T18:29:59.500Z"),
            ("Europe/Berlin", "2026-03-01 17:29:58.123456-04", "2026-03-01T21:29:58.123Z"),
            ("Europe/Berlin", "2026-03-01 17:29:58+0530", "2026-03-01T11:59:58.000Z"),
            ("Europe/Berlin", "2026-03-01T17:29:58Z", "2026-03-01T17:29:58.000Z"),
            ("Europe/Berlin", "1772357400", "2026-03-01T09:30:00.000Z"),
            ("Europe/Berlin", "1772357400.25", "2026-03-01T09:30:00.250Z"),
            ("Europe/Berlin", "1772357400250", "2026-03-01T09:30:00.250Z"),
            ("Europe/Berlin", "1772357400250001", "2026-03-01T09:30:00.250Z"),
        ] {
            assert_eq!(read(zone, text).as_deref(), Some(moment), "{zone} {text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "0",
            "0000-00-00 00:00:00",
            "2026-02-29 10:00:00",
            "2026-13-01 10:00:00",
            "2026-03-01",
            "2026-03-01 24:00:00",
            "2026-03-01 10:00:00 x",
            "2026-03-01 10:00:00+9",
            "-1772357400",
            "17723574001772357400",
            "yesterday",
            "2026-03-0１ 10:00:00",
        ] {
            assert_eq!(read("Europe/Berlin", text), None, "{text}");
        }
        assert!(Zone::parse("Mars/Olympus").is_none());
    }

    #[test]
    fn end_in_the_hour_that_comes_twice_is_not_before_the_start() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let clockwork = Clockwork::new(&zone);
        let start = clockwork.read("2026-10-25 02:50:00").unwrap();
        let end = clockwork.read_after("2026-10-25 02:10:00", Some(start)).unwrap();
        assert_eq!(end.since(start), 20 * 60_000);
        let later = clockwork.read_after("2026-10-25 02:55:00", Some(start)).unwrap();
        assert_eq!(later.since(start), 5 * 60_000);
    }

    #[test]
    fn length_says_which_of_two_readings_it_is() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let clockwork = Clockwork::new(&zone);
        for (start, end, seconds, read) in [
            // Only the end, only the start, and neither is certain by itself.
            ("01:50:00", "02:10:00", 4_800, ("23:50:00", "01:10:00")),
            ("01:50:00", "02:10:00", 1_200, ("23:50:00", "00:10:00")),
            ("02:30:00", "03:10:00", 2_400, ("01:30:00", "02:10:00")),
            ("02:30:00", "03:10:00", 6_001, ("00:30:00", "02:10:00")),
            ("02:30:00", "02:40:00", 4_200, ("00:30:00", "01:40:00")),
        ] {
            let (start, end) = (format!("2026-10-25 {start}"), format!("2026-10-25 {end}"));
            let (begun, over) = clockwork.span(&start, &end, seconds).unwrap();
            let told = (begun.to_string(), over.to_string());
            assert!(told.0.contains(read.0) && told.1.contains(read.1), "{told:?} {start} {end}");
        }
        assert_eq!(clockwork.span("2026-10-25 02:30:00", "2026-10-25 02:40:00", 60), None);
    }

    #[test]
    fn time_that_never_was_is_told_once() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let clockwork = Clockwork::new(&zone);
        for (text, skipped) in [
            ("2026-03-29 01:59:59", false),
            ("2026-03-29 02:30:00", true),
            ("2026-03-29 03:00:00", false),
            ("2026-10-25 02:30:00", false),
        ] {
            assert!(clockwork.read(text).is_some());
            assert_eq!((clockwork.take_skipped(), clockwork.take_skipped()), (skipped, false));
        }
    }

    #[test]
    fn zone_that_is_not_there_has_a_nearest() {
        assert_eq!(Zone::nearest("Europe/Berln").as_deref(), Some("Europe/Berlin"));
        assert_eq!(Zone::nearest("europe/berlin2").as_deref(), Some("Europe/Berlin"));
        assert_eq!(Zone::nearest("Mars/Olympus"), None);
    }

    #[test]
    fn remembered_hour_gives_what_each_time_gives_alone() {
        let zone = Zone::parse("Australia/Lord_Howe").unwrap();
        let clockwork = Clockwork::new(&zone);
        // Over both changes of the year, each of half an hour, in steps of seven minutes.
        for day in ["2026-04-05", "2026-10-04"] {
            for minute in (0..24 * 60).step_by(7) {
                let text = format!("{day} {:02}:{:02}:00", minute / 60, minute % 60);
                let alone: Option<Timestamp> = Clockwork::new(&zone).read(&text);
                assert_eq!(clockwork.read(&text), alone, "{text}");
            }
        }
    }
}
