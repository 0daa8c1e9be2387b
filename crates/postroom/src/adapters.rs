//! Every adapter there is: the one list in which they are registered.

use std::collections::BTreeMap;
use std::sync::Arc;

use postroom_channel::{Adapter, Guard, OptionError};
use postroom_channel_phone::{PhoneAdapter, PhoneOptions};
use postroom_channel_webhook::{WebhookAdapter, WebhookOptions};
use postroom_config::{ChannelConfig, Config, Diagnostic};
use postroom_model::{CallSettings, ChannelId, ChannelKind, Clock};

/// The channels' adapters by id.
pub(crate) type Adapters = BTreeMap<ChannelId, Arc<dyn Adapter>>;

/// Makes the adapter of each configured channel; what is wrong with their options is reported whole.
pub(crate) fn build(
    config: &Config,
    guard: &Guard,
    clock: &Arc<dyn Clock>,
) -> Result<Adapters, Vec<Diagnostic>> {
    let mut adapters = Adapters::new();
    let mut mistakes = Vec::new();
    for channel in &config.channels {
        match adapter(channel, &config.server.public_url, guard, clock) {
            Ok(adapter) => {
                adapters.insert(channel.id.clone(), adapter);
            }
            Err(errors) => mistakes.extend(errors.into_iter().map(|error| {
                config.diagnose(&channel.key(&error.key), error.message, Some(error.help), None)
            })),
        }
    }
    if mistakes.is_empty() { Ok(adapters) } else { Err(mistakes) }
}

/// What phone channels make of their calls; their options are good if [`build`] took them.
pub(crate) fn calls(channel: &ChannelConfig) -> Option<CallSettings> {
    if channel.kind != ChannelKind::Phone {
        return None;
    }
    phone(channel).ok().map(|options| options.calls)
}

fn phone(channel: &ChannelConfig) -> Result<PhoneOptions, Vec<OptionError>> {
    let dialect = channel.dialect.as_deref().unwrap_or("generic");
    PhoneOptions::parse(dialect, &channel.options)
}

fn adapter(
    channel: &ChannelConfig,
    public_url: &str,
    guard: &Guard,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Adapter>, Vec<OptionError>> {
    match channel.kind {
        ChannelKind::Webhook => {
            let dialect = channel.dialect.as_deref().unwrap_or("generic");
            let options = WebhookOptions::parse(dialect, &channel.options)?;
            let (id, clock) = (channel.id.clone(), Arc::clone(clock));
            Ok(Arc::new(WebhookAdapter::new(id, options, guard.clone(), clock)))
        }
        ChannelKind::Phone => {
            let options = phone(channel)?;
            Ok(Arc::new(PhoneAdapter::new(channel.id.clone(), options, public_url)))
        }
        ChannelKind::Email | ChannelKind::Imap => {
            let help = "this version carries channels of kind webhook and phone";
            Err(vec![OptionError::new("kind", "no adapter of this kind is built in", help)])
        }
    }
}
