//! Holidays from an iCalendar file (RFC 5545): whole days of `VEVENT`, once or yearly. Pure, and narrow on
//! purpose: what it does not understand of an event it refuses, with the line, so that no holiday is
//! read wrongly. It reads no files.

use jiff::civil::{Date, Weekday};
use postroom_model::SpecialDay;

/// Bytes of one file.
pub(crate) const ICAL_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Days of one event.
const EVENT_DAYS_MAX: usize = 366;
/// Mistakes of one file that are told; who has more has another kind of file.
const MISTAKES_MAX: usize = 20;
/// Years for which a rule that gives another date each year is worked out.
const YEAR_MAX: i16 = 2099;

/// What is wrong, and the place in the file that says it: line and character, counted from 1. In a
/// line that is folded, characters are counted as if it were not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct IcalMistake {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) message: String,
}

type Read<T> = Result<T, IcalMistake>;

/// One line as it is meant, folding undone: `NAME;PARAMETER=…:value`.
struct Line<'t> {
    number: usize,
    /// Of the value's first character.
    column: usize,
    name: String,
    parameters: Vec<&'t str>,
    value: &'t str,
}

impl Line<'_> {
    /// Of the value.
    fn wrong<T>(&self, message: impl Into<String>) -> Read<T> {
        Err(IcalMistake { line: self.number, column: self.column, message: message.into() })
    }

    /// Of the name with which the line begins.
    fn misplaced<T>(&self, message: impl Into<String>) -> Read<T> {
        Err(IcalMistake { line: self.number, column: 1, message: message.into() })
    }

    fn number<T: std::str::FromStr>(&self, text: &str) -> Read<T> {
        text.parse().or_else(|_| self.wrong(format!("`{text}` is no number that fits here")))
    }
}

/// How often a year brings the day again.
#[derive(Debug, Default)]
struct Yearly {
    month: Option<i8>,
    day: Option<i8>,
    /// The fourth Thursday of the month is (4, Thursday); the last one is -1.
    weekday: Option<(i8, Weekday)>,
    interval: i16,
    until: Option<Date>,
    count: Option<usize>,
}

/// What is known of the event that is being read.
#[derive(Debug, Default)]
struct Draft {
    line: usize,
    start: Option<Date>,
    end: Option<Date>,
    days: Option<i32>,
    rule: Option<Yearly>,
    cancelled: bool,
    /// A mistake in it was told already.
    broken: bool,
}

/// The days of all events, each once, in the order of the file; or every mistake, as far as they are
/// told.
pub(crate) fn holidays(text: &str) -> Result<Vec<SpecialDay>, Vec<IcalMistake>> {
    let mut reading = Reading::default();
    let mut mistakes = Vec::new();
    for (number, text) in &unfold(text) {
        if let Err(mistake) = split(*number, text).and_then(|line| reading.line(&line)) {
            mistakes.push(mistake);
        }
        // What does not begin as a calendar is another kind of file.
        if !reading.begun || mistakes.len() == MISTAKES_MAX {
            break;
        }
    }
    if mistakes.is_empty() {
        mistakes.extend(reading.unfinished());
    }
    if mistakes.is_empty() { Ok(reading.days) } else { Err(mistakes) }
}

/// What was read so far.
#[derive(Debug, Default)]
struct Reading {
    begun: bool,
    days: Vec<SpecialDay>,
    event: Option<Draft>,
    /// Parts of an event, such as an alarm, say nothing about its days.
    within: usize,
}

impl Reading {
    fn line(&mut self, line: &Line<'_>) -> Read<()> {
        let is_in_event = self.event.is_some();
        match (line.name.as_str(), line.value.to_ascii_uppercase().as_str()) {
            ("BEGIN", "VCALENDAR") => self.begun = true,
            _ if !self.begun => {
                return line.misplaced(
                    "this is no iCalendar file: it does not begin with BEGIN:VCALENDAR",
                );
            }
            ("BEGIN", "VEVENT") if !is_in_event => {
                self.event = Some(Draft { line: line.number, ..Draft::default() });
            }
            ("BEGIN", _) if is_in_event => self.within += 1,
            ("END", "VEVENT") if self.within == 0 => match self.event.take() {
                Some(draft) => add(&mut self.days, draft.days()?),
                None => return line.misplaced("an event ends here that did not begin"),
            },
            ("END", _) if is_in_event => self.within = self.within.saturating_sub(1),
            _ => {
                if let Some(draft) = self.event.as_mut().filter(|_| self.within == 0) {
                    draft.take(line).inspect_err(|_| draft.broken = true)?;
                }
            }
        }
        Ok(())
    }

    /// What is wrong with where the file ends.
    fn unfinished(&self) -> impl Iterator<Item = IcalMistake> + use<> {
        let open = self.event.as_ref().map(|draft| (draft.line, "this event does not end"));
        let empty = (!self.begun).then_some((1, "the file is empty"));
        let found = open.or(empty).into_iter();
        found.map(|(line, message)| IcalMistake { line, column: 1, message: message.to_owned() })
    }
}

fn add(days: &mut Vec<SpecialDay>, more: Vec<SpecialDay>) {
    for day in more {
        if !days.contains(&day) {
            days.push(day);
        }
    }
}

/// Lines that begin with a blank go on with the one before.
fn unfold(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some((_, before))) => before.push_str(more),
            _ if line.trim().is_empty() => {}
            _ => lines.push((number, line.trim_start_matches('\u{feff}').to_owned())),
        }
    }
    lines
}

fn split(number: usize, text: &str) -> Read<Line<'_>> {
    // A colon within quotes belongs to a parameter.
    let mut quoted = false;
    let colon = text.find(|c: char| {
        quoted ^= c == '"';
        c == ':' && !quoted
    });
    let Some((head, value)) = colon.and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?)))
    else {
        let message = "this is no line of an iCalendar file: it has no colon".to_owned();
        return Err(IcalMistake { line: number, column: 1, message });
    };
    let mut parts = head.split(';');
    let name = parts.next().unwrap_or_default().to_ascii_uppercase();
    let blanks = value.chars().take_while(|c| c.is_whitespace()).count();
    let column = head.chars().count() + blanks + 2;
    Ok(Line { number, column, name, parameters: parts.collect(), value: value.trim() })
}

impl Draft {
    fn take(&mut self, line: &Line<'_>) -> Read<()> {
        match line.name.as_str() {
            "DTSTART" => self.start = Some(day_of(line)?),
            "DTEND" => self.end = Some(day_of(line)?),
            "DURATION" => self.days = Some(duration_of(line)?),
            "RRULE" => self.rule = Some(rule_of(line)?),
            "STATUS" => self.cancelled = line.value.eq_ignore_ascii_case("CANCELLED"),
            "RDATE" | "EXDATE" | "EXRULE" | "RECURRENCE-ID" => {
                let name = &line.name;
                let message = format!("{name} is not understood; write each day as an event");
                return line.misplaced(message);
            }
            _ => {}
        }
        Ok(())
    }

    fn days(self) -> Read<Vec<SpecialDay>> {
        let at = self.line;
        let wrong =
            |message: &str| Err(IcalMistake { line: at, column: 1, message: message.to_owned() });
        if self.cancelled || self.broken {
            return Ok(Vec::new());
        }
        let Some(start) = self.start else { return wrong("this event has no DTSTART") };
        let length = match (self.end, self.days) {
            (Some(end), _) => start.until(end).map_or(0, |span| span.get_days()),
            (None, Some(days)) => days,
            (None, None) => 1,
        };
        let Ok(length) = usize::try_from(length) else { return wrong("this event ends too early") };
        if length == 0 || length > EVENT_DAYS_MAX {
            return wrong("an event must have 1 to 366 whole days");
        }
        let whole = |first: Date| {
            let days = std::iter::successors(Some(first), |day| day.tomorrow().ok()).take(length);
            days.map(|date| special(date, Some(date.year())))
        };
        let Some(rule) = self.rule else { return Ok(whole(start).collect()) };
        if rule.is_same_date(start) {
            // The 29th of February comes in some years, as the day of a calendar does.
            let days = std::iter::successors(Some(start), |day| day.tomorrow().ok()).take(length);
            return Ok(days.map(|date| special(date, None)).collect());
        }
        Ok(rule.dates(start).into_iter().flat_map(whole).collect())
    }
}

fn special(date: Date, year: Option<i16>) -> SpecialDay {
    SpecialDay { year, month: date.month(), day: date.day(), open: Vec::new() }
}

impl Yearly {
    /// It is the same date in each year, without an end.
    fn is_same_date(&self, start: Date) -> bool {
        self.weekday.is_none()
            && self.month.is_none_or(|month| month == start.month())
            && self.day.is_none_or(|day| day == start.day())
            && self.interval == 1
            && self.until.is_none()
            && self.count.is_none()
    }

    fn dates(&self, start: Date) -> Vec<Date> {
        let years = (start.year()..=YEAR_MAX).step_by(usize::from(self.interval.unsigned_abs()));
        let dates = years.filter_map(|year| self.date(start, year)).filter(|date| *date >= start);
        let dates = dates.take_while(|date| self.until.is_none_or(|until| *date <= until));
        dates.take(self.count.unwrap_or(usize::MAX)).collect()
    }

    fn date(&self, start: Date, year: i16) -> Option<Date> {
        let month = self.month.unwrap_or(start.month());
        let first = Date::new(year, month, 1).ok()?;
        match self.weekday {
            Some((nth, weekday)) => first.nth_weekday_of_month(nth, weekday).ok(),
            None => Date::new(year, month, self.day.unwrap_or(start.day())).ok(),
        }
    }
}

/// `20261225`, or with a time that is the midnight with which the day begins.
fn day_of(line: &Line<'_>) -> Read<Date> {
    date_of(line, line.value)
}

fn date_of(line: &Line<'_>, text: &str) -> Read<Date> {
    let (date, time) = text.split_once('T').unwrap_or((text, "000000"));
    let is_whole = line.parameters.iter().any(|one| one.eq_ignore_ascii_case("VALUE=DATE"));
    if time.trim_end_matches('Z') != "000000" && !is_whole {
        return line.wrong("only whole days can be holidays; write a part of a day as an override");
    }
    let digits = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
    let parts = (date.get(..4), date.get(4..6), date.get(6..8));
    let (Some(year), Some(month), Some(day), true) = (parts.0, parts.1, parts.2, digits) else {
        return line.wrong("this is no date, as in 20261225");
    };
    let (year, month, day) = (line.number(year)?, line.number(month)?, line.number(day)?);
    Date::new(year, month, day).or_else(|_| line.wrong("there is no such day"))
}

/// `P1D` or `P1W`.
fn duration_of(line: &Line<'_>) -> Read<i32> {
    let text = line.value.trim_start_matches('+');
    let whole = text.strip_prefix('P');
    let days = whole.and_then(|text| text.strip_suffix('D'));
    let weeks = whole.and_then(|text| text.strip_suffix('W'));
    match (days, weeks) {
        (Some(days), _) => line.number(days),
        (_, Some(weeks)) => line.number::<i32>(weeks).map(|weeks| weeks.saturating_mul(7)),
        _ => line.wrong("this is no length in whole days, as in P1D"),
    }
}

fn rule_of(line: &Line<'_>) -> Read<Yearly> {
    let mut rule = Yearly { interval: 1, ..Yearly::default() };
    let mut yearly = false;
    for part in line.value.split(';').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key.to_ascii_uppercase().as_str() {
            "FREQ" => yearly = value.eq_ignore_ascii_case("YEARLY"),
            "INTERVAL" => rule.interval = line.number(value)?,
            "COUNT" => rule.count = Some(line.number(value)?),
            "UNTIL" => {
                let date = value.split_once('T').map_or(value, |(date, _)| date);
                rule.until = Some(date_of(line, date)?);
            }
            "BYMONTH" => rule.month = Some(line.number(value)?),
            "BYMONTHDAY" => rule.day = Some(line.number(value)?),
            "BYDAY" => rule.weekday = Some(weekday_of(line, value)?),
            "WKST" => {}
            other => {
                return line.wrong(format!("{other} in RRULE is not understood"));
            }
        }
    }
    if !yearly {
        return line.wrong("only FREQ=YEARLY is understood");
    }
    if rule.interval < 1 {
        return line.wrong("INTERVAL must be 1 or more");
    }
    if rule.weekday.is_some() && (rule.month.is_none() || rule.day.is_some()) {
        return line.wrong("BYDAY is understood beside BYMONTH, as in BYMONTH=11;BYDAY=4TH");
    }
    Ok(rule)
}

/// `4TH`, `-1MO`.
fn weekday_of(line: &Line<'_>, text: &str) -> Read<(i8, Weekday)> {
    let cut = text.len().saturating_sub(2);
    let (nth, day) = (text.get(..cut).unwrap_or_default(), text.get(cut..).unwrap_or_default());
    let weekday = match day.to_ascii_uppercase().as_str() {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return line.wrong("BYDAY needs one day with its number, as in 4TH or -1MO"),
    };
    let nth: i8 = line.number(nth.trim_start_matches('+'))?;
    if nth == 0 || !(-5..=5).contains(&nth) {
        return line.wrong("BYDAY needs a number from 1 to 5, or from -1 to -5");
    }
    Ok((nth, weekday))
}

#[cfg(test)]
mod tests {
    use super::holidays;

    fn file(events: &[&str]) -> String {
        let events =
            events.iter().map(|event| format!("BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n"));
        let all: String = events.collect();
        format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{all}END:VCALENDAR\r\n")
    }

    fn days(event: &str) -> Vec<String> {
        let days = holidays(&file(&[event])).unwrap();
        let words = days.iter().map(|day| {
            let year = day.year.map_or_else(String::new, |year| format!("{year}-"));
            format!("{year}{:02}-{:02}", day.month, day.day)
        });
        words.collect()
    }

    #[test]
    fn whole_days_are_read_once_for_long_and_for_every_year() {
        for (event, expected) in [
            ("DTSTART;VALUE=DATE:20260406\r\nSUMMARY:Easter", &["2026-04-06"][..]),
            ("DTSTART:20260406T000000\r\nDTEND:20260407T000000", &["2026-04-06"]),
            (
                "DTSTART;VALUE=DATE:20261231\r\nDTEND;VALUE=DATE:20270102",
                &["2026-12-31", "2027-01-01"],
            ),
            ("DTSTART;VALUE=DATE:20260228\r\nDURATION:P2D", &["2026-02-28", "2026-03-01"]),
            ("DTSTART;VALUE=DATE:20201225\r\nRRULE:FREQ=YEARLY", &["12-25"]),
            (
                "DTSTART;VALUE=DATE:20201225\r\nRRULE:FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=25",
                &["12-25"],
            ),
            (
                "DTSTART;VALUE=DATE:20260501\r\nRRULE:FREQ=YEARLY;COUNT=2",
                &["2026-05-01", "2027-05-01"],
            ),
            ("DTSTART;VALUE=DATE:20260501\r\nRRULE:FREQ=YEARLY;UNTIL=20270101", &["2026-05-01"]),
            // The fourth Thursday of November, and the last Monday of May.
            (
                "DTSTART;VALUE=DATE:20261126\r\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;COUNT=3",
                &["2026-11-26", "2027-11-25", "2028-11-23"],
            ),
            (
                "DTSTART;VALUE=DATE:20260525\r\nRRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO;COUNT=2",
                &["2026-05-25", "2027-05-31"],
            ),
            ("DTSTART;VALUE=DATE:20260406\r\nSTATUS:CANCELLED", &[]),
            // What is folded is one line, and an alarm has times of its own.
            (
                "DTSTART;VALUE=DATE:202\r\n 60406\r\nBEGIN:VALARM\r\nDURATION:PT5M\r\nEND:VALARM",
                &["2026-04-06"],
            ),
        ] {
            assert_eq!(days(event), expected, "{event}");
        }
        let twice = file(&["DTSTART;VALUE=DATE:20260406"; 2]);
        assert_eq!(holidays(&twice).unwrap().len(), 1);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        for (event, place, message) in [
            ("DTSTART:20261224T120000", (4, 9), "whole days"),
            ("DTSTART;VALUE=DATE:20260231", (4, 20), "no such day"),
            ("DTSTART;VALUE=DATE: 2026-02-03", (4, 21), "no date"),
            ("SUMMARY:x", (3, 1), "no DTSTART"),
            ("DTSTART;VALUE=DATE:20260406\r\nRRULE:FREQ=WEEKLY", (5, 7), "FREQ=YEARLY"),
            ("RRULE:FREQ=YEARLY;BYEASTER=1", (4, 7), "BYEASTER"),
            ("RRULE:FREQ=YEARLY;BYDAY=MO", (4, 7), "no number"),
            ("RRULE:FREQ=YEARLY;BYDAY=1MO", (4, 7), "BYMONTH"),
            ("DTSTART;VALUE=DATE:20260406\r\nEXDATE:20270406", (5, 1), "each day as an event"),
            ("DTSTART;VALUE=DATE:20260406\r\nDTEND;VALUE=DATE:20260405", (3, 1), "too early"),
            ("DTSTART;VALUE=DATE:20260406\r\nDURATION:PT1H", (5, 10), "whole days"),
            ("DTSTART;VALUE=DATE:20260406\r\nnothing", (5, 1), "no colon"),
        ] {
            let mistakes = holidays(&file(&[event])).unwrap_err();
            let [mistake] = mistakes.as_slice() else { panic!("{event}: {mistakes:?}") };
            assert_eq!((mistake.line, mistake.column), place, "{event}: {}", mistake.message);
            assert!(mistake.message.contains(message), "{event}: {}", mistake.message);
        }
        for (text, message) in [
            ("", "empty"),
            ("hello: there", "BEGIN:VCALENDAR"),
            ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101", "does not end"),
            ("BEGIN:VCALENDAR\nEND:VEVENT", "did not begin"),
        ] {
            let mistakes = holidays(text).unwrap_err();
            let [mistake] = mistakes.as_slice() else { panic!("{text}: {mistakes:?}") };
            assert!(mistake.message.contains(message), "{text}: {}", mistake.message);
        }
    }

    #[test]
    fn every_mistake_is_told_up_to_their_limit() {
        let events = ["DTSTART:20260231", "DTSTART:20260406", "SUMMARY:x", "DTSTART:soon"];
        let mistakes = holidays(&file(&events)).unwrap_err();
        let lines: Vec<usize> = mistakes.iter().map(|mistake| mistake.line).collect();
        assert_eq!(lines, [4, 9, 13], "{mistakes:?}");
        let many = file(&["DTSTART:soon"; 100]);
        assert_eq!(holidays(&many).unwrap_err().len(), super::MISTAKES_MAX);
    }
}
