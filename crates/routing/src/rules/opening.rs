//! `calendar.open('office')`: what a rule can ask of the calendars. Worked out only when asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use cel::common::types::{CelBool, CelString};
use cel::common::value::CowVal;
use cel::{Context, ExecutionError, FunctionContext};
use postroom_model::{CalendarId, Settings, Timestamp};

use super::Function;
use super::vocabulary::CALENDAR_OPEN;
use crate::calendar::Calendar;

/// The calendars of one configuration.
#[derive(Debug, Default)]
pub(super) struct Calendars(BTreeMap<CalendarId, Calendar>);

impl Calendars {
    /// Those that can be; settings with others are refused before they come into force.
    pub(super) fn of(settings: &Settings) -> Self {
        let made = settings.calendars.iter().filter_map(|one| {
            let calendar = Calendar::new(one).ok()?;
            Some((one.id.clone(), calendar))
        });
        Self(made.collect())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(CalendarId::as_str)
    }

    /// Whether a calendar ever opens; none if there is no such calendar.
    pub(super) fn opens(&self, name: &str) -> Option<bool> {
        let found = self.0.iter().find(|(id, _)| id.as_str() == name);
        found.map(|(_, calendar)| calendar.has_hours())
    }

    /// Lets the expressions of this context ask whether a calendar is open at this moment.
    pub(super) fn bind(
        self: &Arc<Self>,
        context: &mut Context<'_, '_>,
        at: Timestamp,
    ) -> Result<(), String> {
        if self.0.is_empty() {
            return Ok(());
        }
        let calendars = Arc::clone(self);
        let function: Function = Box::new(move |call| calendars.asked(call, at));
        context.add_function(CALENDAR_OPEN, function).map_err(|error| error.to_string())
    }

    fn asked<'c, 'v>(
        &self,
        call: &FunctionContext<'c, 'v>,
        at: Timestamp,
    ) -> Result<CowVal<'c, 'v>, ExecutionError> {
        let name = call.args.first().and_then(|value| value.downcast_ref::<CelString<'_>>());
        let calendar =
            self.0.iter().find(|(id, _)| name.is_some_and(|name| id.as_str() == name.inner()));
        let (_, calendar) = calendar.ok_or_else(|| {
            ExecutionError::function_error(CALENDAR_OPEN, "there is no calendar of this name")
        })?;
        Ok(CowVal::owned(CelBool::from(calendar.is_open(at))))
    }
}
