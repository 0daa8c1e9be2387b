//! From a configuration file to everything that can be known before anything is opened.

use std::sync::Arc;

use postroom_channel::{AllowList, Guard};
use postroom_config::{Config, Diagnostic, Draft, Loader, suggestion};
use postroom_model::{Clock, Settings, SystemClock, SystemRandom};
use postroom_routing::{RuleError, Rules};

use crate::adapters::{self, Adapters};
use crate::cli::Shared;
use crate::engines;
use crate::failure::Failure;
use crate::store::Store;

/// A configuration that every room has accepted.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) adapters: Adapters,
    pub(crate) settings: Settings,
}

impl Setup {
    /// Joins what needs an engine with it, once that is open.
    pub(crate) fn connect(&mut self, store: &Store) {
        adapters::connect(&mut self.adapters, &self.config, store.outlet.as_ref());
    }
}

pub(crate) fn loader(shared: &Shared) -> Loader {
    Loader::new(shared.config.clone(), shared.data.clone())
}

/// Reads the configuration for a command beside `serve`; secrets that are still to be made do not
/// matter to it.
pub(crate) fn preview(shared: &Shared) -> Result<Config, Failure> {
    Ok(loader(shared).preview(&SystemRandom::new())?)
}

/// What can be read of the configuration, for a command that shows every mistake in it.
pub(crate) fn draft(shared: &Shared) -> Result<Draft, Failure> {
    Ok(loader(shared).draft(Some(&SystemRandom::new()))?)
}

/// Asks every room about its part: adapters about their options, the core about its rules, the
/// backends about their addresses. All mistakes are reported at once, with those that the draft has.
pub(crate) fn accept(draft: Draft) -> Result<Setup, Failure> {
    postroom_channel::install_crypto();
    let config = draft.config();
    let mut mistakes = engines::mistakes_in(&draft);
    let mut built = Adapters::new();
    match guard(&draft) {
        Ok(guard) => {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let errors;
            (built, errors) = adapters::build(&draft, &guard, &clock);
            mistakes.extend(errors);
        }
        Err(message) => {
            mistakes.push(config.diagnose("outgoing.allow", message, None, None));
        }
    }
    let sends = |channel: &postroom_config::ChannelConfig| {
        built.get(&channel.id).is_some_and(|adapter| adapter.sends())
    };
    let mut settings = config.settings(sends);
    for channel in &mut settings.channels {
        let configured = config.channels.iter().find(|configured| configured.id == channel.id);
        channel.calls = configured.and_then(adapters::calls);
    }
    if let Err(errors) = Rules::compile(&settings) {
        let told = errors.into_iter().filter(|error| !is_in_question(&draft, error));
        mistakes.extend(told.map(|error| rule_mistake(config, error)));
    }
    let config = draft.finish(mistakes)?;
    Ok(Setup { config, adapters: built, settings })
}

/// Without the networks that may be reached, if there is a mistake in them.
fn guard(draft: &Draft) -> Result<Guard, String> {
    let is_sound = draft.is_sound("outgoing.allow");
    let allow = if is_sound { draft.config().outgoing.allow.as_slice() } else { &[] };
    let allow = AllowList::parse(allow).map_err(|error| error.to_string())?;
    Guard::new(allow).map_err(|error| error.to_string())
}

/// What has a mistake in it is not of the settings yet, and may well be meant.
fn is_in_question(draft: &Draft, error: &RuleError) -> bool {
    let named = error.unknown.as_ref().map(|name| name.what);
    named.is_some_and(|what| matches!(what, "channels" | "queues") && !draft.is_sound(what))
}

fn rule_mistake(config: &Config, error: RuleError) -> Diagnostic {
    let key = format!("rules[{}].when", error.index);
    let unknown = error.unknown.as_ref();
    let bytes = unknown.map_or(1, |unknown| unknown.word.len());
    let nested = error.offset.map(|at| at..at.saturating_add(bytes));
    let help = unknown.and_then(|name| suggestion(&name.word, name.what, &name.known));
    config.diagnose(&key, error.message, help, nested)
}
