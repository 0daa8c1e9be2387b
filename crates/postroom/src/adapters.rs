//! Every adapter there is: the one list in which they are registered.

use std::collections::BTreeMap;
use std::sync::Arc;

use postroom_bus_nats::Outlet;
use postroom_channel::{Adapter, Guard, OptionError};
use postroom_channel_email::{EmailAdapter, EmailOptions};
use postroom_channel_imap::{ImapAdapter, ImapCommons, ImapOptions};
use postroom_channel_phone::{PhoneAdapter, PhoneOptions};
use postroom_channel_webhook::{WebhookAdapter, WebhookOptions};
use postroom_config::{ChannelConfig, Config, Diagnostic, Draft};
use postroom_model::{CallSettings, ChannelId, ChannelKind, Clock};

use crate::outside::OutsideAdapter;

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
    let commons =
        Commons { config, guard, clock, imap: ImapCommons::new(guard.clone(), Arc::clone(clock)) };
    let known = |channel: &&ChannelConfig| draft.is_sound(&channel.key("dialect"));
    let tell = |channel: &ChannelConfig, error: OptionError| {
        config.diagnose(&channel.key(&error.key), error.message, Some(error.help), None)
    };
    let mut mail = Vec::new();
    for channel in config.channels.iter().filter(known) {
        match adapter(channel, &commons, &mut mail) {
            Ok(adapter) => adapters.extend(adapter.map(|adapter| (channel.id.clone(), adapter))),
            Err(errors) => mistakes.extend(errors.into_iter().map(|error| tell(channel, error))),
        }
    }
    // These know of each other: several may listen at one address.
    let (mail, wrong) = EmailAdapter::all(mail, guard);
    for adapter in mail {
        adapters.insert(adapter.channel().clone(), Arc::new(adapter));
    }
    for (id, error) in wrong {
        let channel = config.channels.iter().find(|channel| channel.id == id);
        mistakes.extend(channel.map(|channel| tell(channel, error)));
    }
    (adapters, mistakes)
}

/// Gives the channels whose adapters are other processes their way out.
pub(crate) fn connect(adapters: &mut Adapters, config: &Config, outlet: Option<&Outlet>) {
    let Some(outlet) = outlet else { return };
    for channel in config.channels.iter().filter(|one| one.kind == ChannelKind::External) {
        let adapter = OutsideAdapter::over(channel.id.clone(), outlet.clone());
        adapters.insert(channel.id.clone(), adapter);
    }
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
    config: &'a Config,
    guard: &'a Guard,
    clock: &'a Arc<dyn Clock>,
    imap: ImapCommons,
}

/// The adapter of a channel. Those of mail are made together, and their options gathered for that.
fn adapter(
    channel: &ChannelConfig,
    commons: &Commons<'_>,
    mail: &mut Vec<(ChannelId, EmailOptions)>,
) -> Result<Option<Arc<dyn Adapter>>, Vec<OptionError>> {
    let Commons { config, guard, clock, imap } = commons;
    let id = channel.id.clone();
    Ok(match channel.kind {
        ChannelKind::Webhook => {
            let dialect = channel.dialect.as_deref().unwrap_or("generic");
            let options = WebhookOptions::parse(dialect, &channel.options)?;
            let (guard, clock) = ((*guard).clone(), Arc::clone(clock));
            Some(Arc::new(WebhookAdapter::new(id, options, guard, clock)))
        }
        ChannelKind::Phone => {
            let public_url = &config.server.public_url;
            let adapter = PhoneAdapter::new(id, phone(channel)?, public_url);
            Some(Arc::new(adapter.with_guard((*guard).clone())))
        }
        ChannelKind::Imap => {
            Some(Arc::new(ImapAdapter::new(id, ImapOptions::parse(&channel.options)?, imap)?))
        }
        ChannelKind::External => Some(OutsideAdapter::of(channel, config.is_clustered())?),
        ChannelKind::Email => {
            mail.push((id, EmailOptions::parse(&channel.options)?));
            None
        }
    })
}
