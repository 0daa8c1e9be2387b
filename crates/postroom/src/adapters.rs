//! Every adapter there is: the one list in which they are registered.

use std::collections::BTreeMap;
use std::sync::Arc;

use postroom_channel::{Adapter, Guard, OptionError};
use postroom_channel_webhook::{WebhookAdapter, WebhookOptions};
use postroom_config::{ChannelConfig, Diagnostic, Draft};
use postroom_model::{ChannelId, ChannelKind, Clock};

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
        match adapter(channel, guard, clock) {
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

fn adapter(
    channel: &ChannelConfig,
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
        ChannelKind::Email | ChannelKind::Imap | ChannelKind::Phone => {
            let help = "this version carries channels of kind webhook";
            Err(vec![OptionError::new("kind", "no adapter of this kind is built in", help)])
        }
    }
}
