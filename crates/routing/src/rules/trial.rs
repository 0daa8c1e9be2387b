//! Tries what stands in quotes in an expression as the CEL library will: a time, a duration, a zone.
//! What fails here would fail for every message. It looks at no message.

use std::sync::Arc;

use cel::{Context, Env, Program};

use super::Wrong;
use super::check::{unknown, wrong};

/// The name under which the text is tried.
const GIVEN: &str = "given";

/// Runs small expressions over one text.
pub(super) struct Trial {
    env: Arc<Env>,
}

impl Trial {
    pub(super) fn new(env: &Arc<Env>) -> Self {
        Self { env: Arc::clone(env) }
    }

    pub(super) fn timestamp(&self, text: &str) -> Result<(), Wrong> {
        if self.works("timestamp(given)", text) {
            return Ok(());
        }
        let message = "this is no time; one is written as 2026-12-24T09:00:00+01:00";
        Err(wrong(None, message.to_owned()))
    }

    pub(super) fn duration(&self, text: &str) -> Result<(), Wrong> {
        if self.works("duration(given)", text) {
            return Ok(());
        }
        Err(wrong(None, "this is no duration; one is written as 90s, 15m or 1h30m".to_owned()))
    }

    pub(super) fn zone(&self, text: &str) -> Result<(), Wrong> {
        if self.works("timestamp('2026-01-02T03:04:05Z').getHours(given)", text) {
            return Ok(());
        }
        let names: Vec<String> =
            jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Err(unknown(None, text, "time zones", &names))
    }

    fn works(&self, expression: &str, text: &str) -> bool {
        let Ok(program) = self.env.compile(expression) else { return false };
        self.run(&program, text).is_some()
    }

    fn run(&self, program: &Program, text: &str) -> Option<()> {
        let mut context = Context::with_env(Arc::clone(&self.env));
        context.add_variable(GIVEN, text).ok()?;
        program.execute(&context).ok().map(drop)
    }
}
