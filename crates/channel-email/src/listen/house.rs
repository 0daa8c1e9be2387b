//! What a listener knows: its settings, and whose mail each address is.

use std::sync::Arc;

use postroom_model::ChannelId;
use tokio_rustls::TlsAcceptor;

use crate::letterbox::Letterbox;
use crate::options::ListenOptions;
use crate::proof::Prover;

/// One channel behind the listener.
#[derive(Debug, Clone)]
pub(crate) struct Box {
    pub(crate) channel: ChannelId,
    pub(crate) letterbox: Arc<Letterbox>,
}

pub(crate) struct House {
    pub(crate) options: ListenOptions,
    pub(crate) tls: Option<TlsAcceptor>,
    /// Finds out who sent a mail.
    pub(crate) prover: Option<Prover>,
    pub(crate) boxes: Vec<Box>,
}

impl std::fmt::Debug for House {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("House")
            .field("options", &self.options)
            .field("boxes", &self.boxes)
            .finish_non_exhaustive()
    }
}

impl House {
    pub(crate) fn new(options: ListenOptions, boxes: Vec<Box>) -> Self {
        // The files were tried when the options were read.
        let config = options.tls.as_ref().and_then(|files| files.server_config().ok());
        // Nobody is asked where another server has the say.
        let alone = boxes.iter().any(|one| !one.letterbox.believes_another());
        let prover = options.proof.as_ref().filter(|_| alone).map(Prover::new);
        Self { options, tls: config.map(TlsAcceptor::from), prover, boxes }
    }

    /// The place in `boxes` of the channel to which mail to this address belongs.
    pub(crate) fn find(&self, address: &str) -> Option<usize> {
        self.boxes.iter().position(|one| one.letterbox.takes(address))
    }
}
