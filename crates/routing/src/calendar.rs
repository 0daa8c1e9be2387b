//! Whether a calendar is open at a moment. Hours begin and end at local times of its zone, daylight
//! saving included; the zones are part of the program, so every process works them out alike.

mod elapsed;

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp as Moment, ToSpan as _};
use postroom_model::calendar::DAY_MINUTES;
use postroom_model::{CalendarSettings, OpenHours, Timestamp};

/// Hours in one day of one calendar.
const HOURS_MAX: usize = 24;

/// Why there cannot be such a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    #[error("there is no time zone of this name")]
    UnknownZone,
    #[error(
        "hours must begin within their day and end within 24 hours, at most {HOURS_MAX} of them"
    )]
    ImpossibleHours,
    #[error("there is no such day")]
    ImpossibleDay,
}

/// A calendar that can be asked.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
    week: [Vec<OpenHours>; 7],
    dated: BTreeMap<Date, Vec<OpenHours>>,
    yearly: BTreeMap<(i8, i8), Vec<OpenHours>>,
}

impl Calendar {
    pub fn new(settings: &CalendarSettings) -> Result<Self, CalendarError> {
        let zone = TimeZone::get(&settings.time_zone).map_err(|_| CalendarError::UnknownZone)?;
        let special = settings.special.iter().map(|day| &day.open);
        if !settings.week.iter().chain(special).all(|hours| are_possible(hours)) {
            return Err(CalendarError::ImpossibleHours);
        }
        let (mut dated, mut yearly) = (BTreeMap::new(), BTreeMap::new());
        for day in &settings.special {
            // The 29th of February comes in some years.
            let date = Date::new(day.year.unwrap_or(2000), day.month, day.day)
                .map_err(|_| CalendarError::ImpossibleDay)?;
            if day.year.is_some() {
                dated.insert(date, day.open.clone());
            } else {
                yearly.insert((day.month, day.day), day.open.clone());
            }
        }
        Ok(Self { zone, week: settings.week.clone(), dated, yearly })
    }

    /// Whether it is open. Hours belong to the day on which they begin, so those of the evening
    /// before a holiday last until they end.
    pub fn is_open(&self, at: Timestamp) -> bool {
        let Ok(moment) = Moment::from_millisecond(at.millis()) else { return false };
        let today = self.zone.to_datetime(moment).date();
        [today.yesterday().ok(), Some(today)]
            .into_iter()
            .flatten()
            .any(|date| self.hours(date).iter().any(|hours| self.holds(date, *hours, moment)))
    }

    /// Whether any day, of the week or of its own, has hours.
    pub(crate) fn has_hours(&self) -> bool {
        let own = self.dated.values().chain(self.yearly.values());
        self.week.iter().chain(own).any(|hours| !hours.is_empty())
    }

    /// A moment by its own clock, to the minute, with the name of its zone.
    pub fn local(&self, at: Timestamp) -> String {
        let Ok(moment) = Moment::from_millisecond(at.millis()) else { return String::new() };
        let local = moment.to_zoned(self.zone.clone());
        let zone = self.zone.iana_name().unwrap_or("UTC");
        format!("{} ({zone})", local.strftime("%Y-%m-%d %H:%M"))
    }

    /// The hours that begin on this day.
    fn hours(&self, date: Date) -> &[OpenHours] {
        let yearly = || self.yearly.get(&(date.month(), date.day()));
        if let Some(hours) = self.dated.get(&date).or_else(yearly) {
            return hours;
        }
        let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or_default();
        self.week.get(weekday).map_or(&[], Vec::as_slice)
    }

    fn holds(&self, date: Date, hours: OpenHours, moment: Moment) -> bool {
        let from = self.moment(date, hours.from_minute);
        let to = self.moment(date, hours.to_minute);
        from.zip(to).is_some_and(|(from, to)| from <= moment && moment < to)
    }

    /// When it is so late on the clock on the wall, counted from the midnight of this day. A time
    /// that comes twice is its first; one that is left out is as much later as the clock was moved.
    fn moment(&self, date: Date, minute: u16) -> Option<Moment> {
        let date = date.checked_add(i64::from(minute / DAY_MINUTES).days()).ok()?;
        let minute = minute % DAY_MINUTES;
        let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
        self.zone.to_ambiguous_timestamp(date.at(hour, minute, 0, 0)).compatible().ok()
    }
}

fn are_possible(hours: &[OpenHours]) -> bool {
    let possible = |hours: &OpenHours| {
        let OpenHours { from_minute, to_minute } = *hours;
        from_minute < DAY_MINUTES
            && from_minute < to_minute
            && to_minute.saturating_sub(from_minute) <= DAY_MINUTES
    };
    hours.len() <= HOURS_MAX && hours.iter().all(possible)
}
