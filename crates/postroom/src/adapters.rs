//! Every adapter there is: the one list in which they are registered.

use std::collections::BTreeMap;
use std::sync::Arc;

use postroom_channel::{Adapter, Guard, OptionError};
use postroom_channel_imap::{ImapAdapter, ImapCommons, ImapOptions};
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
    let commons = Commons {
        public_url: &config.server.public_url,
        guard,
        clock,
        imap: ImapCommons::new(guard.clone(), Arc::clone(clock)),
    };
    let known = |channel: &&ChannelConfig| draft.is_sound(&channel.key("dialect"));
    for channel in config.channels.iter().filter(known) {
        match adapter(channel, &commons) {
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

/// What adapters are made with.
struct Commons<'a> {
    public_url: &'a str,
    guard: &'a Guard,
    clock: &'a Arc<dyn Clock>,
    imap: ImapCommons,
}

fn adapter(
    channel: &ChannelConfig,
    commons: &Commons<'_>,
) -> Result<Arc<dyn Adapter>, Vec<OptionError>> {
    match channel.kind {
        ChannelKind::Webhook => {
            let dialect = channel.dialect.as_deref().unwrap_or("generic");
            let options = WebhookOptions::parse(dialect, &channel.options)?;
            let (id, clock) = (channel.id.clone(), Arc::clone(commons.clock));
            Ok(Arc::new(WebhookAdapter::new(id, options, commons.guard.clone(), clock)))
        }
        ChannelKind::Phone => {
            let options = phone(channel)?;
            Ok(Arc::new(PhoneAdapter::new(channel.id.clone(), options, commons.public_url)))
        }
        ChannelKind::Imap => {
            let options = ImapOptions::parse(&channel.options)?;
            Ok(Arc::new(ImapAdapter::new(channel.id.clone(), options, &commons.imap)?))
        }
        ChannelKind::Email => {
            let help = "this version carries channels of kind imap, webhook and phone";
            Err(vec![OptionError::new("kind", "no adapter of this kind is built in", help)])
        }
    }
}
