//! Every adapter there is: the one list in which they are registered.

use std::collections::BTreeMap;
use std::sync::Arc;

use postroom_channel::{Adapter, Guard, OptionError};
use postroom_channel_phone::{PhoneAdapter, PhoneOptions};
use postroom_channel_webhook::{WebhookAdapter, WebhookOptions};
use postroom_config::{ChannelConfig, Diagnostic, Draft};
use postroom_model::{CallSettings, ChannelId, ChannelKind, Clock};

/// The channels' adapters by id.
pub(crate) type Adapters = BTreeMap<ChannelId, Arc<dyn Adapter>>;

/// Makes the adapter of each configured channel, and tells everything that is wrong with their
/// options. A channel of which nobody knows what it is is passed over.
pub(crate) fn build(
    draft: &Draft,
    guard: &Guard,
    clock: &Arc<dyn Clock>,
) -> (Adapters, Vec<Diagnostic>) {
    let config = draft.config();
    let mut adapters = Adapters::new();
    let mut mistakes = Vec::new();
    let known = |channel: &&ChannelConfig| draft.is_sound(&channel.key("dialect"));
    for channel in config.channels.iter().filter(known) {
        match adapter(channel, &config.server.public_url, guard, clock) {
            Ok(adapter) => {
                adapters.insert(channel.id.clone(), adapter);
            }
            Err(errors) => mistakes.extend(errors.into_iter().map(|error| {
                config.diagnose(&channel.key(&error.key), error.message, Some(error.help), None)
            })),
        }
    }
    (adapters, mistakes)
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
            let adapter = PhoneAdapter::new(channel.id.clone(), options, public_url);
            Ok(Arc::new(adapter.with_guard(guard.clone())))
        }
        ChannelKind::Email | ChannelKind::Imap => {
            let help = "this version carries channels of kind webhook and phone";
            Err(vec![OptionError::new("kind", "no adapter of this kind is built in", help)])
        }
    }
}
