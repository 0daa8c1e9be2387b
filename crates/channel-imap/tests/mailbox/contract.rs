//! A mailbox passes the suite that every adapter passes.

use std::sync::Arc;

use async_trait::async_trait;
use postroom_channel::contract::{self, PullFixture};
use postroom_channel::{Adapter, Reached};
use postroom_testkit::{ImapMailbox, ScriptedImap};
use serde_json::{Value, json};

use crate::support::{adapter, mail, options};

const MAILS: u32 = 25;

/// A mailbox on a scripted server.
struct Mailbox(ScriptedImap);

#[async_trait]
impl PullFixture for Mailbox {
    fn adapter(&self) -> Arc<dyn Adapter> {
        adapter(options(self.0.port(), json!({})))
    }

    fn secrets(&self) -> Vec<String> {
        vec!["known-to-the-tests".to_owned()]
    }

    fn offered(&self) -> usize {
        MAILS as usize
    }

    async fn acknowledged(&self, places: &[Reached]) -> usize {
        let Some(place) = places.last() else { return 0 };
        let place: Value = serde_json::from_str(&place.value).unwrap();
        usize::try_from(place["top"].as_u64().unwrap()).unwrap()
    }
}

#[tokio::test]
async fn mailbox_passes_the_contract_suite() {
    let mut mailbox = ImapMailbox::default();
    for number in 1..=MAILS {
        mailbox.add(mail(number));
    }
    contract::run_pull(&Mailbox(ScriptedImap::start(mailbox).await)).await.unwrap();
}
