//! Sends answers: composes a mail, signs it, and hands it to the server that is configured.
//!
//! What happened is told strictly: only where the server surely took nothing is another attempt
//! offered (P7).

mod compose;
mod error;
mod relay;
mod signer;

use postroom_channel::{Files, Guard, SendError, SendReceipt};
use postroom_model::Outbound;

use self::compose::Composer;
pub use self::relay::Passes;
use self::relay::Relay;
pub(crate) use self::signer::Signer;
use crate::EmailOptions;
use crate::token::Tokens;

/// The way out of one channel. Also mailboxes that are fetched answer through one.
#[derive(Debug)]
pub struct Outgoing {
    composer: Composer,
    signer: Option<Signer>,
    relay: Relay,
}

/// What left.
#[derive(Debug)]
pub struct Sent {
    pub receipt: SendReceipt,
    /// The mail, as the server took it.
    pub mail: Vec<u8>,
}

impl Outgoing {
    /// None if the channel names no server through which to send.
    pub fn new(options: &EmailOptions, tokens: Tokens, guard: Guard) -> Option<Self> {
        let smtp = options.smtp.clone()?;
        let hello = smtp.hello.clone().unwrap_or_else(|| options.address.domain.clone());
        Some(Self {
            composer: Composer::new(options, tokens),
            // The key was tried when the options were read.
            signer: options.dkim.as_ref().and_then(|dkim| Signer::new(dkim).ok()),
            relay: Relay::new(smtp, hello, guard),
        })
    }

    /// With what gives tokens, where one signs in with those.
    #[must_use]
    pub fn with_passes(mut self, passes: Passes) -> Self {
        self.relay.take_passes(passes);
        self
    }

    /// Makes one attempt. The Message-ID is that of the delivery, the same at each.
    pub async fn send(&self, outbound: &Outbound, files: &dyn Files) -> Result<Sent, SendError> {
        let mut mail = self.composer.compose(outbound, files).await?;
        if let Some(signer) = &self.signer {
            mail.bytes = signer.sign(&mail.bytes)?;
        }
        self.relay.hand_over(&mail.envelope, &mail.bytes).await?;
        let receipt = SendReceipt { external_id: Some(mail.message_id) };
        Ok(Sent { receipt, mail: mail.bytes })
    }

    /// Connects and signs in, and sends nothing: whether an answer could leave.
    pub async fn examine(&self) -> Result<(), SendError> {
        self.relay.examine().await
    }
}

#[cfg(test)]
mod tests;
