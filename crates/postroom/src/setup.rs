//! From a configuration file to everything that can be known before anything is opened.

use std::sync::Arc;

use postroom_channel::{AllowList, Guard};
use postroom_config::{Config, Loader};
use postroom_model::{Clock, Settings, SystemClock, SystemRandom};
use postroom_routing::Rules;

use crate::adapters::{self, Adapters};
use crate::cli::Shared;
use crate::engines;
use crate::failure::Failure;

/// A configuration that every room has accepted.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) adapters: Adapters,
    pub(crate) settings: Settings,
}

pub(crate) fn loader(shared: &Shared) -> Loader {
    Loader::new(shared.config.clone(), shared.data.clone())
}

/// Reads the configuration for a command beside `serve`; secrets that are still to be made do not
/// matter to it.
pub(crate) fn preview(shared: &Shared) -> Result<Config, Failure> {
    Ok(loader(shared).preview(&SystemRandom::new())?)
}

/// Asks every room about its part: adapters about their options, the core about its rules, the
/// backends about their addresses. All mistakes are reported at once.
pub(crate) fn accept(config: Config) -> Result<Setup, Failure> {
    postroom_channel::install_crypto();
    let mut mistakes = engines::mistakes(&config);
    let guard = AllowList::parse(&config.outgoing.allow)
        .map_err(|error| error.to_string())
        .and_then(|allow| Guard::new(allow).map_err(|error| error.to_string()))
        .map_err(|message| mistakes.push(config.diagnose("outgoing.allow", message, None, None)));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut built = Adapters::new();
    if let Ok(guard) = guard {
        match adapters::build(&config, &guard, &clock) {
            Ok(adapters) => built = adapters,
            Err(errors) => mistakes.extend(errors),
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
        mistakes.extend(errors.into_iter().map(|error| {
            let key = format!("rules[{}].when", error.index);
            let nested = error.offset.map(|at| at..at.saturating_add(1));
            config.diagnose(&key, error.message, None, nested)
        }));
    }
    if mistakes.is_empty() {
        Ok(Setup { config, adapters: built, settings })
    } else {
        Err(config.diagnostics(mistakes).into())
    }
}
