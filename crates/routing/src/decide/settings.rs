//! A new configuration.

use postroom_model::{Event, EventBody, Settings};

use super::Decision;
use crate::{Rules, State, codes};

/// Refuses settings that could not be decided by; the ones in force stay.
pub(super) fn decide(state: &State, wanted: Settings) -> Decision {
    if state
        .settings()
        .is_some_and(|settings| **settings == wanted)
    {
        return Decision::routed(None, vec![]);
    }
    if wanted.queues.is_empty() {
        return Decision::rejected(codes::SETTINGS_INVALID, "at least one queue is needed");
    }
    if let Err(errors) = Rules::compile(&wanted) {
        let detail = errors.first().map(ToString::to_string).unwrap_or_default();
        return Decision::rejected(codes::SETTINGS_INVALID, detail);
    }
    Decision::routed(
        None,
        vec![Event::global(EventBody::ConfigInstalled {
            settings: Box::new(wanted),
        })],
    )
}
