//! The adapter of one configured mail channel: thin, between the letterbox, the listener and the way
//! out.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use postroom_channel::{
    AcceptError, Adapter, Examined, Files, Guard, Inlet, OptionError, Patience, SendError,
    SendReceipt,
};
use postroom_model::{ChannelId, Outbound};
use tokio_util::sync::CancellationToken;

use crate::letterbox::Letterbox;
use crate::listen::{self, House, PostBox};
use crate::send::Outgoing;
use crate::token::Tokens;
use crate::{EmailOptions, ListenOptions};

/// One configured mail channel.
#[derive(Debug)]
pub struct EmailAdapter {
    channel: ChannelId,
    outgoing: Option<Outgoing>,
    /// The listener, if this is the channel that keeps it.
    house: Option<Arc<House>>,
}

/// What is wrong with the options of one of several channels.
pub type Mistake = (ChannelId, OptionError);

impl EmailAdapter {
    /// Makes the adapters of all mail channels. Those that listen at the same address share a listener,
    /// which the first of them keeps.
    pub fn all(
        channels: Vec<(ChannelId, EmailOptions)>,
        guard: &Guard,
    ) -> (Vec<Self>, Vec<Mistake>) {
        let mut mistakes = twice(&channels);
        let boxes: Vec<(PostBox, Option<ListenOptions>)> = channels
            .iter()
            .map(|(channel, options)| {
                let tokens = Tokens::new(channel.clone(), &options.token_secrets);
                let letterbox = Arc::new(Letterbox::new(options, tokens));
                (PostBox { channel: channel.clone(), letterbox }, options.listen.clone())
            })
            .collect();
        let at = |listen: &ListenOptions, address: SocketAddr| listen.address == address;
        let mut adapters = Vec::with_capacity(channels.len());
        for (index, (channel, options)) in channels.into_iter().enumerate() {
            let house = options.listen.as_ref().and_then(|listen| {
                let same = |other: &&(PostBox, Option<ListenOptions>)| {
                    other.1.as_ref().is_some_and(|other| at(other, listen.address))
                };
                let first = boxes.iter().position(|one| same(&one))?;
                if boxes.get(first).is_some_and(|one| one.1.as_ref() != Some(listen)) {
                    let help = "write the same [channels.listen] in both, or another port";
                    let message = "another channel listens there with other settings";
                    let error = OptionError::new("listen.address", message, help);
                    mistakes.push((channel.clone(), error));
                }
                let shared = boxes.iter().filter(same).map(|one| one.0.clone());
                let house = || House::new(listen.clone(), shared.collect());
                (first == index).then(|| Arc::new(house()))
            });
            let tokens = Tokens::new(channel.clone(), &options.token_secrets);
            let outgoing = Outgoing::new(&options, tokens, guard.clone());
            adapters.push(Self { channel, outgoing, house });
        }
        (adapters, mistakes)
    }
}

/// Addresses that belong to two channels.
fn twice(channels: &[(ChannelId, EmailOptions)]) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for (index, (channel, options)) in channels.iter().enumerate() {
        let before = channels.iter().take(index);
        let mut before = before.flat_map(|(_, options)| options.addresses());
        let same = before.any(|other| {
            options.addresses().any(|own| {
                own.domain == other.domain && own.local.eq_ignore_ascii_case(&other.local)
            })
        });
        if same {
            let help = "a mail goes to one channel";
            let error = OptionError::new("address", "another channel has the same address", help);
            mistakes.push((channel.clone(), error));
        }
    }
    mistakes
}

#[async_trait]
impl Adapter for EmailAdapter {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    async fn run(
        &self,
        inlet: Arc<dyn Inlet>,
        shutdown: CancellationToken,
    ) -> Result<(), AcceptError> {
        match &self.house {
            Some(house) => listen::run(Arc::clone(house), inlet, shutdown).await,
            None => Ok(()),
        }
    }

    async fn examine(&self) -> Vec<Examined> {
        let mut examined = Vec::new();
        if let Some(house) = &self.house {
            let found = listen::examine(house).await;
            let found = found.map_err(|detail| ("listen_failed", detail));
            examined.push(Examined { part: format!("{} listen", self.channel), found });
        }
        if let Some(house) = &self.house
            && let Some(prover) = &house.prover
        {
            let domain = house.boxes.first().map(|one| one.letterbox.domain()).unwrap_or_default();
            let found = prover.examine(domain).await.map_err(|detail| ("dns_failed", detail));
            examined.push(Examined { part: format!("{} dns", self.channel), found });
        }
        if let Some(outgoing) = &self.outgoing {
            let found = outgoing.examine().await.map_err(|error| (error.code, error.detail));
            let found = found.map(|()| "the server lets us in".to_owned());
            examined.push(Examined { part: format!("{} smtp", self.channel), found });
        }
        examined
    }

    fn sends(&self) -> bool {
        self.outgoing.is_some()
    }

    fn patience(&self) -> Patience {
        Patience::Days
    }

    async fn send(&self, outbound: &Outbound, files: &dyn Files) -> Result<SendReceipt, SendError> {
        match &self.outgoing {
            Some(outgoing) => Ok(outgoing.send(outbound, files).await?.receipt),
            None => {
                let detail = "the channel has no [channels.smtp], so nothing can leave through it";
                Err(SendError::permanent("channel_cannot_send", detail))
            }
        }
    }
}
