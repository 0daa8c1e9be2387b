//! When a calendar is open: days, nights, special days, and the days on which clocks are moved.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use postroom_model::{
    CalendarSettings, ChannelKind, ChannelSettings, Message, OpenHours, QueueSettings, Rule,
    Settings, SpecialDay, Timestamp, WorkspaceId,
};
use postroom_routing::{Calendar, CalendarError, RuleFacts, Rules};

const fn hours(from: (u16, u16), to: (u16, u16)) -> OpenHours {
    OpenHours { from_minute: from.0 * 60 + from.1, to_minute: to.0 * 60 + to.1 }
}

/// Open on the days of the week that are given, from 0 for Monday.
fn calendar(time_zone: &str, week: &[(usize, OpenHours)]) -> CalendarSettings {
    let mut settings = CalendarSettings {
        id: "office".parse().unwrap(),
        time_zone: time_zone.to_owned(),
        week: Default::default(),
        special: vec![],
    };
    for (day, hours) in week {
        settings.week[*day].push(*hours);
    }
    settings
}

fn special(year: Option<i16>, (month, day): (i8, i8), open: &[OpenHours]) -> SpecialDay {
    SpecialDay { year, month, day, open: open.to_vec() }
}

fn assert_open(settings: &CalendarSettings, cases: &[(&str, bool)]) {
    let calendar = Calendar::new(settings).unwrap();
    for (at, expected) in cases {
        assert_eq!(calendar.is_open(at.parse().unwrap()), *expected, "{at}");
    }
}

const DAYS: [usize; 5] = [0, 1, 2, 3, 4];

#[test]
fn week_has_several_hours_a_day_in_its_own_zone() {
    let day = DAYS.map(|day| [(day, hours((9, 0), (12, 30))), (day, hours((13, 30), (18, 0)))]);
    // 2026-01-05 is a Monday; Berlin is an hour ahead in winter and two in summer.
    assert_open(
        &calendar("Europe/Berlin", day.as_flattened()),
        &[
            ("2026-01-05T07:59:59.999Z", false),
            ("2026-01-05T08:00:00Z", true),
            ("2026-01-05T11:29:59.999Z", true),
            ("2026-01-05T11:30:00Z", false),
            ("2026-01-05T12:30:00Z", true),
            ("2026-01-05T17:00:00Z", false),
            ("2026-01-09T16:59:00Z", true),
            ("2026-01-10T10:00:00Z", false),
            ("2026-07-06T06:59:00Z", false),
            ("2026-07-06T07:00:00Z", true),
        ],
    );
}

#[test]
fn hours_over_night_and_over_the_week_belong_to_the_day_on_which_they_begin() {
    let week = [(4, hours((22, 0), (30, 0))), (6, hours((0, 0), (24, 0)))];
    assert_open(
        &calendar("Asia/Kolkata", &week),
        &[
            // Friday the 9th, 22:00 in India is 16:30 UTC.
            ("2026-01-09T16:29:00Z", false),
            ("2026-01-09T16:30:00Z", true),
            ("2026-01-10T00:29:00Z", true),
            ("2026-01-10T00:30:00Z", false),
            // The whole of Sunday, and no more.
            ("2026-01-10T18:29:00Z", false),
            ("2026-01-10T18:30:00Z", true),
            ("2026-01-11T18:29:59Z", true),
            ("2026-01-11T18:30:00Z", false),
        ],
    );
}

#[test]
fn special_days_win_over_the_week_and_dated_ones_over_yearly_ones() {
    let mut office = calendar("UTC", &DAYS.map(|day| (day, hours((9, 0), (17, 0)))));
    office.week[2].push(hours((22, 0), (26, 0)));
    office.special = vec![
        special(None, (12, 24), &[hours((9, 0), (12, 0))]),
        special(None, (12, 25), &[]),
        special(Some(2028), (12, 25), &[hours((10, 0), (11, 0))]),
        special(None, (2, 29), &[]),
        special(Some(2026), (1, 3), &[hours((9, 0), (10, 0))]),
    ];
    assert_open(
        &office,
        &[
            // A Thursday and a Friday of 2026.
            ("2026-12-24T11:59:00Z", true),
            ("2026-12-24T12:00:00Z", false),
            ("2026-12-25T10:00:00Z", false),
            // What began on Wednesday goes on into a special day.
            ("2026-12-24T01:59:00Z", true),
            ("2026-12-24T02:00:00Z", false),
            // The one year in which it is other.
            ("2028-12-25T10:30:00Z", true),
            ("2028-12-25T11:00:00Z", false),
            // A Tuesday that comes every fourth year.
            ("2028-02-29T10:00:00Z", false),
            ("2028-02-28T10:00:00Z", true),
            // A Saturday on which they work.
            ("2026-01-03T09:30:00Z", true),
            ("2026-01-10T09:30:00Z", false),
        ],
    );
}

#[test]
fn clocks_that_are_moved_move_the_hours_with_them() {
    let every = [0, 1, 2, 3, 4, 5, 6];
    let night = every.map(|day| (day, hours((22, 0), (30, 0))));
    // On 2026-03-29 the clocks of Berlin go from 02:00 to 03:00, on 2026-10-25 from 03:00 to 02:00.
    assert_open(
        &calendar("Europe/Berlin", &night),
        &[
            ("2026-03-28T20:59:00Z", false),
            ("2026-03-28T21:00:00Z", true),
            ("2026-03-29T03:59:00Z", true),
            ("2026-03-29T04:00:00Z", false),
            ("2026-10-24T20:00:00Z", true),
            ("2026-10-25T04:59:00Z", true),
            ("2026-10-25T05:00:00Z", false),
        ],
    );
    // What would begin and end in the hour that is left out does not come; in the hour that comes
    // twice it lasts until the clock shows its end for good.
    assert_open(
        &calendar("Europe/Berlin", &[(6, hours((2, 0), (3, 0)))]),
        &[
            ("2026-03-29T00:59:00Z", false),
            ("2026-03-29T01:00:00Z", false),
            ("2026-10-24T23:59:00Z", false),
            ("2026-10-25T00:00:00Z", true),
            ("2026-10-25T01:59:00Z", true),
            ("2026-10-25T02:00:00Z", false),
        ],
    );
    // Half an hour, in the other half of the world.
    assert_open(
        &calendar("Australia/Lord_Howe", &every.map(|day| (day, hours((8, 0), (9, 0))))),
        &[
            ("2026-04-03T21:00:00Z", true),
            ("2026-04-03T22:00:00Z", false),
            ("2026-04-04T21:29:00Z", false),
            ("2026-04-04T21:30:00Z", true),
            ("2026-04-04T22:30:00Z", false),
        ],
    );
}

#[test]
fn calendar_that_cannot_be_is_refused() {
    let good = calendar("UTC", &[(0, hours((9, 0), (17, 0)))]);
    assert!(Calendar::new(&good).is_ok());
    let zone = CalendarSettings { time_zone: "Europe/Berlim".to_owned(), ..good.clone() };
    assert_eq!(Calendar::new(&zone).err(), Some(CalendarError::UnknownZone));
    for impossible in [hours((24, 0), (25, 0)), hours((9, 0), (9, 0)), hours((9, 0), (33, 1))] {
        let week = calendar("UTC", &[(3, impossible)]);
        assert_eq!(Calendar::new(&week).err(), Some(CalendarError::ImpossibleHours));
        let mut special_day = good.clone();
        special_day.special = vec![special(None, (1, 1), &[impossible])];
        assert_eq!(Calendar::new(&special_day).err(), Some(CalendarError::ImpossibleHours));
    }
    for (year, day) in [(Some(2026), (2, 29)), (None, (4, 31)), (None, (13, 1))] {
        let mut days = good.clone();
        days.special = vec![special(year, day, &[])];
        assert_eq!(Calendar::new(&days).err(), Some(CalendarError::ImpossibleDay));
    }
}

fn settings(when: &str) -> Settings {
    Settings {
        workspace: WorkspaceId::main(),
        timing: postroom_model::Timing::default(),
        channels: vec![channel()],
        queues: vec![QueueSettings::new("support".parse().unwrap(), "Support".to_owned())],
        rules: vec![Rule { when: when.to_owned(), ..Rule::default() }],
        agents: vec![],
        costs: Settings::default_costs(),
        calendars: vec![calendar("Europe/Berlin", &DAYS.map(|day| (day, hours((9, 0), (17, 0)))))],
        desk: postroom_model::DeskSettings::default(),
        contacts: postroom_model::ContactSettings::default(),
        answers: vec![],
    }
}

fn channel() -> ChannelSettings {
    ChannelSettings {
        id: "site".parse().unwrap(),
        kind: ChannelKind::Webhook,
        dialect: None,
        queue: None,
        sends: true,
        calls: None,
    }
}

#[test]
fn rule_asks_a_calendar_at_the_time_at_which_the_message_was_accepted() {
    let rules =
        Rules::compile(&settings("!calendar.open('office') && message.text == ''")).unwrap();
    let matched = |at: &str| {
        let at: Timestamp = at.parse().unwrap();
        let (message, channel) = (Message::default(), channel());
        let routed = rules.route(RuleFacts::new(&message, &channel, at));
        assert_eq!(routed.trace.failed, []);
        routed.trace.matched.is_some()
    };
    assert!(!matched("2026-01-05T08:00:00Z"));
    assert!(matched("2026-01-05T07:59:00Z") && matched("2026-01-10T12:00:00Z"));
}

#[test]
fn rule_that_asks_no_calendar_is_refused_at_its_place() {
    for (when, why, before, known) in [
        ("calendar.open('offise')", "not known", "calendar.open('", Some("office")),
        ("calendar.opn('office')", "not known", "", Some("calendar.open")),
        ("calender.open('office')", "not known", "", Some("calendar")),
        ("calendar.open(message.text)", "must be written out", "calendar.open(message", None),
        ("calendar.open()", "takes one value", "", None),
        (
            "calendar.open('office') == 'x'",
            "compared with a text",
            "calendar.open('office') ",
            None,
        ),
    ] {
        let errors = Rules::compile(&settings(when)).expect_err(when);
        assert!(errors[0].message.contains(why), "{when}: {}", errors[0].message);
        assert_eq!(errors[0].offset, Some(before.len()), "{when}");
        let names = errors[0].unknown.as_ref().map(|unknown| unknown.known.clone());
        let named = known.is_none_or(|known| names.iter().flatten().any(|name| name == known));
        assert!(named, "{when}: {names:?}");
    }
}

#[test]
fn calendar_without_hours_is_not_asked_and_one_with_a_single_day_is() {
    let mut settings = settings("message.text == '' && calendar.open('office')");
    settings.calendars = vec![calendar("Europe/Berlin", &[])];
    let errors = Rules::compile(&settings).unwrap_err();
    assert_eq!(errors[0].message, "this calendar has no hours, so it is never open");
    assert_eq!(errors[0].offset, Some("message.text == '' && calendar.open('".len()));
    settings.calendars[0].special = vec![special(None, (12, 24), &[hours((9, 0), (12, 0))])];
    assert!(Rules::compile(&settings).is_ok());
}

#[test]
fn open_time_is_counted_over_nights_weekends_and_moved_clocks() {
    let office = calendar("Europe/Berlin", &DAYS.map(|day| (day, hours((9, 0), (17, 0)))));
    let night = calendar("Europe/Berlin", &[(5, hours((22, 0), (30, 0)))]);
    let hour = 3_600_000;
    for (settings, from, open_ms, expected) in [
        // Friday at 16:00 and two hours more is Monday at 10:00.
        (&office, "2026-01-09T15:00:00Z", 2 * hour, "2026-01-12T09:00:00Z"),
        // What ends with the day ends on that day.
        (&office, "2026-01-09T15:00:00Z", hour, "2026-01-09T16:00:00Z"),
        // Before it opens, and while it is closed for the weekend over which clocks are moved.
        (&office, "2026-01-09T02:00:00Z", 1, "2026-01-09T08:00:00.001Z"),
        (&office, "2026-03-27T16:00:00Z", hour, "2026-03-30T08:00:00Z"),
        (&office, "2026-10-23T15:00:00Z", hour, "2026-10-26T09:00:00Z"),
        // The night in which clocks go forward has seven hours, the other one nine.
        (&night, "2026-03-28T20:00:00Z", 7 * hour, "2026-03-29T04:00:00Z"),
        (&night, "2026-10-24T19:00:00Z", 9 * hour, "2026-10-25T05:00:00Z"),
    ] {
        let calendar = Calendar::new(settings).unwrap();
        let from: Timestamp = from.parse().unwrap();
        let after = calendar.open_after(from, open_ms).unwrap();
        assert_eq!(after, expected.parse().unwrap(), "{from} and {open_ms} ms");
        assert_eq!(calendar.open_between(from, after), open_ms, "{from} to {after}");
    }
}

#[test]
fn calendar_that_never_opens_ends_nothing() {
    let closed = Calendar::new(&calendar("UTC", &[])).unwrap();
    let now: Timestamp = "2026-01-09T15:00:00Z".parse().unwrap();
    assert_eq!(closed.open_after(now, 1), None);
    assert!(!closed.opens_after(now));
    assert_eq!(closed.open_between(now, now.plus_millis(1_000_000_000)), 0);
}

proptest::proptest! {
    /// Minute by minute, what is open is what has gone by.
    #[test]
    fn open_time_is_the_sum_of_open_minutes(
        begins in 0_i64..2_000_000,
        minutes in 1_i64..6_000,
        spans in proptest::collection::vec((0_usize..7, 0_u16..1_440, 1_u16..1_440), 0..6),
    ) {
        let mut settings = calendar("Europe/Berlin", &[]);
        for (day, from, length) in spans {
            settings.week[day].push(OpenHours { from_minute: from, to_minute: from + length });
        }
        let calendar = Calendar::new(&settings).unwrap();
        // From the middle of March on, so that clocks are moved in some of them.
        let from = Timestamp::from_millis(1_773_532_800_000 + begins * 60_000);
        let at = |minute: i64| from.plus_millis(minute * 60_000);
        let open = (0..minutes).filter(|minute| calendar.is_open(at(*minute))).count();
        let open_ms = i64::try_from(open).unwrap() * 60_000;
        proptest::prop_assert_eq!(calendar.open_between(from, at(minutes)), open_ms);
        if open_ms > 0 {
            let after = calendar.open_after(from, open_ms).unwrap();
            proptest::prop_assert!(after <= at(minutes));
            proptest::prop_assert_eq!(calendar.open_between(from, after), open_ms);
        }
    }
}
