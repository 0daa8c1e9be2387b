//! Reads `[[calendars]]`: opening hours of the week, holidays, written here or in iCalendar files, and
//! days with hours of their own.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use postroom_model::calendar::DAY_MINUTES;
use postroom_model::{CalendarId, CalendarSettings, OpenHours, SpecialDay};
use serde_json::{Map, Value};

use crate::checks::Complaint;
use crate::ical::{self, ICAL_BYTES_MAX, IcalMistake};
use crate::names::nearest;
use crate::reader::{Reader, Table};
use crate::routes::{Seen, own_id};
use crate::schema::keys_of;

const CALENDARS_MAX: usize = 200;
/// Hours of one day.
const HOURS_MAX: usize = 24;
/// Holidays and days with hours of their own, of one calendar.
const SPECIAL_DAYS_MAX: usize = 5_000;

const WEEK: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Hours with the path at which they stand.
type Placed = (String, OpenHours);
/// A day with the hours that it has; holidays have none. Its own `open` is filled from them.
type Special = (SpecialDay, Vec<Placed>);

const LEAP_YEAR: i16 = 2000;

pub(crate) fn calendars(
    reader: &mut Reader<'_>,
    root: &Map<String, Value>,
) -> Vec<CalendarSettings> {
    let mut seen = Seen::default();
    let mut calendars = Vec::new();
    let tables = reader.tables(root, "calendars");
    if tables.len() > CALENDARS_MAX {
        reader.mistake("calendars", format!("more than {CALENDARS_MAX} calendars"), None);
    }
    for table in &tables {
        reader.only(table, keys_of("calendars"));
        let id = own_id(reader, table, &mut seen, CalendarId::new);
        let time_zone = zone(reader, table);
        let placed = week(reader, table);
        let own = special(reader, table);
        apart_over_midnight(reader, &placed, &own);
        let hours = |placed: Vec<Placed>| placed.into_iter().map(|(_, hours)| hours).collect();
        let week = placed.map(hours);
        let special =
            own.into_iter().map(|(day, placed)| SpecialDay { open: hours(placed), ..day });
        let special = special.collect();
        if let Some(id) = id {
            // Told above; with it, rules that name the calendar are not told as well.
            let time_zone = time_zone.unwrap_or_else(|| "UTC".to_owned());
            calendars.push(CalendarSettings { id, time_zone, week, special });
        }
    }
    calendars
}

fn zone(reader: &mut Reader<'_>, table: &Table) -> Option<String> {
    reader.require(table, "time_zone", "as in time_zone = \"Europe/Berlin\"");
    let text = reader.text(table, "time_zone")?;
    if TimeZone::get(&text).is_ok() {
        return Some(text);
    }
    let names: Vec<String> =
        jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
    let near = nearest(&text, names.iter().map(String::as_str));
    let help = near.map_or_else(
        || "a name of the IANA database, as in `Europe/Berlin`".to_owned(),
        |name| format!("did you mean `{name}`?"),
    );
    reader.mistake(&table.key("time_zone"), "there is no time zone of this name", Some(help));
    None
}

/// The hours of each day; none of them may begin before those before it have ended.
fn week(reader: &mut Reader<'_>, table: &Table) -> [Vec<Placed>; 7] {
    let Some(days) = inner(reader, table, "hours", "{ monday = [\"09:00-17:00\"] }") else {
        return Default::default();
    };
    reader.only(&days, &WEEK);
    let week = WEEK.map(|day| hours(reader, &days, day));
    let begins = |day: usize, hours: OpenHours| {
        let before = u32::try_from(day).unwrap_or_default() * u32::from(DAY_MINUTES);
        (before + u32::from(hours.from_minute), before + u32::from(hours.to_minute))
    };
    let placed = week.iter().enumerate().flat_map(|(day, hours)| {
        hours.iter().map(move |(path, hours)| (begins(day, *hours), path.as_str()))
    });
    let mut placed: Vec<_> = placed.collect();
    placed.sort_unstable();
    // The first hours of the week come after the last ones.
    if let Some(((from, to), path)) = placed.first().copied() {
        let minutes = 7 * u32::from(DAY_MINUTES);
        placed.push(((from + minutes, to + minutes), path));
    }
    apart(reader, &placed);
    week
}

/// Complains where hours over midnight, of a day of its own or before one, meet those of the next day.
fn apart_over_midnight(reader: &mut Reader<'_>, week: &[Vec<Placed>; 7], special: &[Special]) {
    for (day, placed) in special {
        for (path, hours) in placed {
            if hours.to_minute > DAY_MINUTES {
                let next = neighbours(week, special, day, 1);
                let meets = |(_, next): &&Placed| next.from_minute < hours.to_minute - DAY_MINUTES;
                if let Some((other, _)) = next.into_iter().find(meets) {
                    overlap(reader, path, other);
                }
            }
            // Those of another day of its own complain themselves.
            let before = neighbours(week, &[], day, -1);
            let is_special = special.iter().any(|(other, _)| is_next(other, day));
            let meets = |(_, before): &&Placed| before.to_minute > DAY_MINUTES + hours.from_minute;
            if let Some((other, _)) = before.into_iter().find(meets).filter(|_| !is_special) {
                overlap(reader, path, other);
            }
        }
    }
}

fn overlap(reader: &mut Reader<'_>, path: &str, other: &str) {
    let help = reader.source.line(other).map(|line| format!("those of line {line}"));
    reader.mistake(path, format!("these hours overlap with {other}, over midnight"), help);
}

/// The hours of the day before or after a special one: its own if it has any, else those of its day of
/// the week, which is any of them where the day comes every year.
fn neighbours<'p>(
    week: &'p [Vec<Placed>; 7],
    special: &'p [Special],
    day: &SpecialDay,
    step: i64,
) -> Vec<&'p Placed> {
    let Some(date) = date_of(day, step) else { return Vec::new() };
    let same = |other: &&Special| {
        let (other, _) = other;
        (other.month, other.day) == (date.month(), date.day())
            && (other.year.is_none() || day.year.is_none() || other.year == Some(date.year()))
    };
    let own: Vec<&Special> = special.iter().filter(same).collect();
    // One of the year itself wins over one of every year.
    let dated = own.iter().find(|(other, _)| day.year.is_some() && other.year.is_some());
    if let Some((_, placed)) = dated {
        return placed.iter().collect();
    }
    if !own.is_empty() {
        return own.iter().flat_map(|(_, placed)| placed).collect();
    }
    let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or_default();
    let any = day.year.is_none();
    let days = week.iter().enumerate().filter(|(at, _)| any || *at == weekday);
    days.flat_map(|(_, placed)| placed).collect()
}

/// Whether the second comes a day after the first.
fn is_next(first: &SpecialDay, second: &SpecialDay) -> bool {
    let years = first.year.is_none() || second.year.is_none() || first.year == second.year;
    let date = date_of(second, -1);
    years && date.is_some_and(|date| (date.month(), date.day()) == (first.month, first.day))
}

/// A day of a year, or of a year with a 29th of February, so many days later.
fn date_of(day: &SpecialDay, step: i64) -> Option<Date> {
    let date = Date::new(day.year.unwrap_or(LEAP_YEAR), day.month, day.day).ok()?;
    date.checked_add(step.days()).ok()
}

/// Complains of hours that begin before those before them have ended.
fn apart(reader: &mut Reader<'_>, sorted: &[((u32, u32), &str)]) {
    for pair in sorted.windows(2) {
        if let [((_, ends), first), ((begins, _), second)] = pair
            && begins < ends
            && first != second
        {
            let help = reader.source.line(first).map(|line| format!("those of line {line}"));
            let message = format!("these hours overlap with {first}");
            reader.mistake(second, message, help);
        }
    }
}

/// Holidays, and days with hours of their own, which win over them.
fn special(reader: &mut Reader<'_>, table: &Table) -> Vec<Special> {
    let mut seen = Seen::default();
    let mut days: Vec<Special> = Vec::new();
    for (path, text) in reader.texts(table, "holidays") {
        seen.once(reader, &path, &text, "day");
        days.extend(reader.checked(&path, day(&text)).map(|day| (day, Vec::new())));
    }
    for day in days_of_files(reader, table) {
        if !days.iter().any(|(other, _)| is_same(other, &day)) {
            days.push((day, Vec::new()));
        }
    }
    if let Some(own) = inner(reader, table, "overrides", "{ 2026-12-24 = [\"09:00-12:00\"] }") {
        for key in own.map.keys() {
            let date = reader.checked(&own.key(key), day(key));
            let placed = hours(reader, &own, key);
            let mut sorted: Vec<_> = placed
                .iter()
                .map(|(path, hours)| {
                    ((u32::from(hours.from_minute), u32::from(hours.to_minute)), path.as_str())
                })
                .collect();
            sorted.sort_unstable();
            apart(reader, &sorted);
            let Some(date) = date else { continue };
            days.retain(|(day, _)| !is_same(day, &date));
            days.push((date, placed));
        }
    }
    if days.len() > SPECIAL_DAYS_MAX {
        reader.mistake(&table.path, format!("more than {SPECIAL_DAYS_MAX} special days"), None);
    }
    days.sort_by_key(|(day, _)| (day.year, day.month, day.day));
    days
}

fn is_same(one: &SpecialDay, other: &SpecialDay) -> bool {
    (one.year, one.month, one.day) == (other.year, other.month, other.day)
}

/// The holidays of iCalendar files, which stand beside the configuration.
fn days_of_files(reader: &mut Reader<'_>, table: &Table) -> Vec<SpecialDay> {
    let mut seen = Seen::default();
    let mut days = Vec::new();
    for (path, name) in reader.texts(table, "holiday_files") {
        seen.once(reader, &path, &name, "file");
        let text = match ical_text(&reader.source.folder().join(&name)) {
            Ok(text) => text,
            Err(message) => {
                reader.mistake(&path, message, None);
                continue;
            }
        };
        match ical::holidays(&text) {
            Ok(more) => days.extend(more),
            Err(mistakes) => {
                for mistake in mistakes {
                    let IcalMistake { line, column, message } = mistake;
                    reader.mistake(&path, format!("{name}:{line}:{column}: {message}"), None);
                }
            }
        }
    }
    days
}

fn ical_text(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut bytes = Vec::new();
    let most = ICAL_BYTES_MAX as u64 + 1;
    file.take(most).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() > ICAL_BYTES_MAX {
        return Err(format!("has more than {ICAL_BYTES_MAX} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "is no UTF-8 text".to_owned())
}

/// A table within a table.
fn inner(reader: &mut Reader<'_>, table: &Table, key: &str, example: &str) -> Option<Table> {
    let path = table.key(key);
    match table.map.get(key)? {
        Value::Object(map) => Some(Table { path, index: 0, map: map.clone() }),
        other => {
            reader.wrong_type(&path, "a table", other, Some(format!("as in {example}")));
            None
        }
    }
}

fn hours(reader: &mut Reader<'_>, table: &Table, day: &str) -> Vec<Placed> {
    let mut placed = Vec::new();
    for (path, text) in reader.texts(table, day) {
        let hours = reader.checked(&path, open_hours(&text));
        placed.extend(hours.map(|hours| (path, hours)));
    }
    if placed.len() > HOURS_MAX {
        reader.mistake(&table.key(day), format!("more than {HOURS_MAX} in one day"), None);
    }
    placed.sort_by_key(|(_, hours)| *hours);
    placed
}

fn complain<T>(message: &str, help: &str) -> Result<T, Complaint> {
    Err((message.to_owned(), Some(help.to_owned())))
}

/// `09:00-17:00`; what ends before it begins ends on the next day.
fn open_hours(text: &str) -> Result<OpenHours, Complaint> {
    let example = "two times of the day, as in 09:00-17:00, or 22:00-06:00 over night";
    let times = text.split_once('-').map(|(from, to)| (minute(from.trim()), minute(to.trim())));
    let Some((Some(from_minute), Some(to_minute))) = times else {
        return complain("these are no hours", example);
    };
    if from_minute == DAY_MINUTES {
        return complain("hours cannot begin at 24:00", "write 00:00 on the next day");
    }
    if from_minute == to_minute {
        return complain("these hours end as they begin", "write 00:00-24:00 for the whole day");
    }
    let over_night = if to_minute < from_minute { DAY_MINUTES } else { 0 };
    Ok(OpenHours { from_minute, to_minute: to_minute + over_night })
}

/// Of `HH:MM`, up to `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= DAY_MINUTES).then_some(minutes)
}

/// `2026-12-24`, or `12-25` for every year.
fn day(text: &str) -> Result<SpecialDay, Complaint> {
    let example = "a date as in 2026-12-24, or 12-25 for every year";
    let whole = if text.len() == 5 { format!("2000-{text}") } else { text.to_owned() };
    match whole.parse::<Date>() {
        Ok(date) if whole.len() == 10 => Ok(SpecialDay {
            year: (text.len() == 10).then_some(date.year()),
            month: date.month(),
            day: date.day(),
            open: Vec::new(),
        }),
        _ => complain("this is no day", example),
    }
}
