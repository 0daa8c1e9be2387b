//! How long a calendar is open: what has gone by of open time, and when so much will have.

use jiff::Timestamp as Moment;
use jiff::civil::Date;
use postroom_model::Timestamp;

use super::Calendar;

/// Days that are looked at for open time. A calendar that opens less than this often opens never.
const DAYS_MAX: usize = 5 * 366;

impl Calendar {
    /// When the calendar will have been open for so long, counted from a moment on. None if it never
    /// will have been.
    pub fn open_after(&self, from: Timestamp, open_ms: i64) -> Option<Timestamp> {
        let mut left = open_ms;
        let ends = self.spans(from)?.find_map(|(begin, end)| {
            let open = end.saturating_sub(begin);
            if left <= open {
                return Some(begin.saturating_add(left));
            }
            left = left.saturating_sub(open);
            None
        });
        ends.map(Timestamp::from_millis)
    }

    /// For how long it is open between two moments.
    pub fn open_between(&self, from: Timestamp, to: Timestamp) -> i64 {
        let to = to.millis();
        let Some(spans) = self.spans(from) else { return 0 };
        let before = spans.take_while(|(begin, _)| *begin < to);
        before.map(|(begin, end)| end.min(to).saturating_sub(begin)).sum()
    }

    /// Whether it opens at all, from a moment on.
    pub fn opens_after(&self, from: Timestamp) -> bool {
        self.spans(from).is_some_and(|mut spans| spans.next().is_some())
    }

    /// The times at which it is open from a moment on, in their order and apart from each other.
    fn spans(&self, from: Timestamp) -> Option<impl Iterator<Item = (i64, i64)>> {
        let begin = Moment::from_millisecond(from.millis()).ok()?;
        let today = self.zone.to_datetime(begin).date();
        let first = today.yesterday().unwrap_or(today);
        let days = std::iter::successors(Some(first), |day| day.tomorrow().ok()).take(DAYS_MAX);
        let mut reached = from.millis();
        let spans = days.flat_map(|day| self.of_day(day)).filter_map(move |(begin, end)| {
            let begin = begin.max(reached);
            reached = reached.max(end);
            (begin < end).then_some((begin, end))
        });
        Some(spans)
    }

    /// The times that begin on this day, in their order.
    fn of_day(&self, day: Date) -> Vec<(i64, i64)> {
        let placed = self.hours(day).iter().filter_map(|hours| {
            let from = self.moment(day, hours.from_minute)?;
            let to = self.moment(day, hours.to_minute)?;
            Some((from.as_millisecond(), to.as_millisecond()))
        });
        let mut placed: Vec<_> = placed.collect();
        placed.sort_unstable();
        placed
    }
}
