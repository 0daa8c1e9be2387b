//! What the tests share: a mailbox that is read into an inlet in memory.

use std::sync::Arc;
use std::time::Duration;

use postroom_channel::contract::TestInlet;
use postroom_channel::{Adapter as _, AllowList, Guard, Inlet};
use postroom_channel_imap::{ImapAdapter, ImapCommons, ImapOptions};
use postroom_model::{ChannelId, SystemClock};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn channel() -> ChannelId {
    ChannelId::new("mail").unwrap()
}

/// A mailbox in the clear on loopback, with these keys instead.
pub(crate) fn options(port: u16, changes: Value) -> ImapOptions {
    let plain = json!({ "host": "127.0.0.1", "port": port, "username": "ada", "security": "none",
        "password": "known-to-the-tests" });
    let (Value::Object(mut table), Value::Object(changes)) = (plain, changes) else {
        panic!("no table");
    };
    table.extend(changes);
    table.retain(|_, value| !value.is_null());
    ImapOptions::parse(&table).unwrap()
}

pub(crate) fn adapter(options: ImapOptions) -> Arc<ImapAdapter> {
    let guard = Guard::new(AllowList::parse(&["127.0.0.1/32"]).unwrap()).unwrap();
    let commons = ImapCommons::new(guard, Arc::new(SystemClock));
    Arc::new(ImapAdapter::new(channel(), options, &commons).unwrap())
}

/// A mailbox that is being read.
pub(crate) struct Reading {
    pub(crate) inlet: Arc<TestInlet>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Reading {
    pub(crate) fn start(options: ImapOptions) -> Self {
        Self::into(Arc::new(TestInlet::taking()), options)
    }

    pub(crate) fn into(inlet: Arc<TestInlet>, options: ImapOptions) -> Self {
        let (stop, adapter) = (CancellationToken::new(), adapter(options));
        let (given, stopped) = (Arc::clone(&inlet) as Arc<dyn Inlet>, stop.clone());
        let task = tokio::spawn(async move { adapter.run(given, stopped).await.unwrap() });
        Self { inlet, stop, task }
    }

    /// Returns once so many mails were offered.
    pub(crate) async fn has(&self, mails: usize) -> Vec<String> {
        let has = async {
            let mut items = 1;
            while self.inlet.external_ids().len() < mails {
                // Each place counts as one item, so this is asked a few times.
                self.inlet.wait_for(items).await;
                items += 1;
                tokio::task::yield_now().await;
            }
        };
        let ended = tokio::time::timeout(PATIENCE, has).await;
        assert!(ended.is_ok(), "{} of {mails} mails came", self.inlet.external_ids().len());
        self.inlet.external_ids()
    }

    /// Returns once so much was set aside.
    pub(crate) async fn has_set_aside(&self, items: usize) -> Vec<bytes::Bytes> {
        let has = async {
            let mut asked = 1;
            while self.inlet.unparsed().len() < items {
                self.inlet.wait_for(asked).await;
                asked += 1;
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, has).await.unwrap();
        self.inlet.unparsed()
    }

    /// Ends it, and gives the inlet back.
    pub(crate) async fn stop(self) -> Arc<TestInlet> {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap();
        self.inlet
    }

    /// Ends it as a crash does.
    pub(crate) async fn crash(self) -> Arc<TestInlet> {
        self.task.abort();
        drop(self.task.await);
        self.inlet
    }
}

pub(crate) fn mail(number: u32) -> Vec<u8> {
    format!(
        "From: Ada <ada@example.com>\r\nTo: support@example.org\r\nSubject: Number {number}\r\n\
         Message-ID: <{number}@example.com>\r\nDate: Mon, 2 Mar 2026 10:30:00 +0000\r\n\r\nHello {number}.\r\n"
    )
    .into_bytes()
}

/// The ids of such mails.
pub(crate) fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("{number}@example.com")).collect()
}
