//! A door for programs that try this crate with bytes that nobody means well by: a conversation with the
//! listener without a socket. The program itself does not come here.

use std::sync::Arc;
use std::time::Duration;

use postroom_channel::Inlet;
use postroom_model::ChannelId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::EmailOptions;
use crate::letterbox::Letterbox;
use crate::listen::{House, PostBox, converse};
use crate::token::Tokens;

/// Bytes of answers that are kept.
const ANSWERS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A listener that nobody can connect to.
#[derive(Debug, Clone)]
pub struct Listener {
    house: Arc<House>,
}

impl Listener {
    /// None if the options have no `listen`.
    pub fn new(channel: &ChannelId, options: &EmailOptions) -> Option<Self> {
        let listen = options.listen.clone()?;
        let tokens = Tokens::new(channel.clone(), &options.token_secrets);
        let letterbox = Arc::new(Letterbox::new(options, tokens));
        let boxes = vec![PostBox { channel: channel.clone(), letterbox }];
        Some(Self { house: Arc::new(House::new(listen, boxes)) })
    }

    /// The other side says all of this and leaves. Gives what it was answered.
    pub async fn hear(&self, said: &[u8], inlet: Arc<dyn Inlet>) -> Vec<u8> {
        let (near, mut far) = tokio::io::duplex(ANSWERS_BYTES_MAX.max(said.len()));
        let talking = converse(&self.house, inlet, near, Duration::from_secs(5));
        let mut answers = Vec::new();
        let speaking = async {
            // Whoever was turned away does not hear the rest.
            drop(far.write_all(said).await);
            drop(far.shutdown().await);
            drop(far.read_to_end(&mut answers).await);
        };
        tokio::join!(talking, speaking);
        answers
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use postroom_channel::contract::TestInlet;
    use postroom_model::ChannelId;
    use serde_json::json;

    use super::Listener;
    use crate::EmailOptions;

    #[tokio::test]
    async fn conversation_without_a_socket_is_the_same() {
        let options = json!({ "address": "support@example.com",
            "listen": { "protocol": "lmtp", "address": "127.0.0.1:0" } });
        let options = EmailOptions::parse(options.as_object().unwrap()).unwrap();
        let listener = Listener::new(&ChannelId::new("mail").unwrap(), &options).unwrap();
        let inlet = Arc::new(TestInlet::taking());
        let said = b"LHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<support@example.com>\r\nDATA\r\n\
                     Subject: a\r\n\r\nb\r\n.\r\nQUIT\r\n";
        let answers = listener.hear(said, Arc::clone(&inlet) as Arc<_>).await;
        let answers = String::from_utf8(answers).unwrap();
        assert!(
            answers.contains("250 2.0.0 stored") && answers.ends_with("221 2.0.0 bye\r\n"),
            "{answers}"
        );
        assert_eq!(inlet.offered().len(), 1);
    }
}
