//! When a team works: opening hours of a time zone, as the configuration gives them. What is open
//! at which moment is worked out by the core.

use serde::{Deserialize, Serialize};

use crate::CalendarId;

/// Minutes of a day.
pub const DAY_MINUTES: u16 = 24 * 60;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CalendarSettings {
    pub id: CalendarId,
    /// By its name in the IANA database, such as `Europe/Berlin`.
    pub time_zone: String,
    /// The hours of each day, from Monday to Sunday.
    pub week: [Vec<OpenHours>; 7],
    /// Days that have hours of their own, or none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub special: Vec<SpecialDay>,
}

/// From a minute to another one, which is not open any more. Both are counted from the midnight
/// with which the day begins; hours that end on the next day end after [`DAY_MINUTES`].
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct OpenHours {
    pub from_minute: u16,
    pub to_minute: u16,
}

/// A day that is not like the others of its name. One with a year counts before one without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SpecialDay {
    /// Every year, if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<i16>,
    pub month: i8,
    pub day: i8,
    /// Empty for a holiday.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpenHours>,
}
