//! The hints that the records were written: at once from this process, by a published message from
//! others, and by a slow look for what was missed. They decide nothing.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use postroom_records::RecordsError;
use redis::aio::{PubSubSink, PubSubStream};
use tokio::sync::watch;

use crate::keys::{self, Names};
use crate::link::Link;
use crate::write;

/// What the tasks need that listen and look.
#[derive(Debug)]
pub(crate) struct Hints {
    pub(crate) link: Arc<Link>,
    pub(crate) names: Names,
    /// Where the records stood when something was last heard of them.
    pub(crate) seq: watch::Sender<u64>,
    pub(crate) look_every: Duration,
    /// For how long a connection or an answer is waited for.
    pub(crate) wait: Duration,
}

impl Hints {
    /// Looks for ever. It also finds a connection on which nothing comes back.
    pub(crate) async fn keep_looking(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.look_every).await;
            if let Err(error) = self.look().await {
                tracing::warn!(code = error.code(), %error, "cannot see where the records stand");
            }
        }
    }

    /// What is written while this looks is newer than what it sees.
    async fn look(&self) -> Result<(), RecordsError> {
        let before = *self.seq.borrow();
        let seq = write::meta(&self.link, &self.names).await?.standing.seq;
        self.seq.send_if_modified(|held| *held == before && std::mem::replace(held, seq) != seq);
        Ok(())
    }

    /// Listens for ever.
    pub(crate) async fn keep_listening(self: Arc<Self>) {
        loop {
            if let Err(error) = self.listen().await {
                tracing::warn!(%error, "nothing is heard of what others write");
            }
            tokio::time::sleep(self.look_every).await;
        }
    }

    /// Ends when the connection does, or when it does not answer.
    async fn listen(&self) -> Result<(), redis::RedisError> {
        let connected = self.in_time(self.link.listen()).await??;
        let (mut sink, mut stream) = connected.split();
        self.in_time(sink.subscribe(self.names.key(keys::CHANGES))).await??;
        // What was told before this is not told again.
        if let Err(error) = self.look().await {
            tracing::warn!(code = error.code(), %error, "cannot see where the records stand");
        }
        while self.hear(&mut stream).await {
            self.in_time(ping(&mut sink)).await??;
        }
        Ok(())
    }

    /// Takes what is told until the next ping is due; false if nothing will be told any more.
    async fn hear(&self, stream: &mut PubSubStream) -> bool {
        let hearing = async {
            while let Some(message) = stream.next().await {
                if let Ok(seq) = message.get_payload::<u64>() {
                    self.told(seq);
                }
            }
        };
        tokio::time::timeout(self.look_every, hearing).await.is_err()
    }

    /// Messages can be overtaken by what this process wrote since; 0 says that all begins anew.
    pub(crate) fn told(&self, seq: u64) {
        self.seq.send_if_modified(|held| {
            let news = seq > *held || (seq == 0 && *held > 0);
            if news {
                *held = seq;
            }
            news
        });
    }

    async fn in_time<T>(&self, asked: impl Future<Output = T>) -> std::io::Result<T> {
        Ok(tokio::time::timeout(self.wait, asked).await?)
    }
}

async fn ping(sink: &mut PubSubSink) -> Result<(), redis::RedisError> {
    sink.ping::<redis::Value>().await.map(drop)
}
