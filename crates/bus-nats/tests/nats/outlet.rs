//! Replies for adapters of other processes: once in the stream, and for whoever has the three rights.

use bytes::Bytes;
use futures_util::StreamExt as _;
use postroom_bus::ReadLimits;
use postroom_bus_nats::{Handover, NatsAuth, NatsOptions};
use postroom_model::ChannelId;
use postroom_testkit::{NatsServer, NatsSetup, Proxy};

use crate::{open, open_with, options, until};

/// What docs/adapters.md says that an adapter outside may do, and nothing else.
const USERS: &str = r#"authorization { users: [
    { user: postroom, password: ours }
    { user: fax, password: theirs, permissions: {
        publish: [
            "postroom.main.in.fax"
            "$JS.API.CONSUMER.MSG.NEXT.POSTROOM_main_OUT.fax"
            "$JS.ACK.POSTROOM_main_OUT.fax.>"
        ]
        subscribe: ["_INBOX_fax.>"]
    } }
] }"#;

fn handover(channel: &str, id: &str) -> Handover {
    let payload = Bytes::from(format!("{{\"id\":\"{id}\"}}"));
    Handover { channel: ChannelId::new(channel).unwrap(), id: id.to_owned(), payload }
}

fn as_ourselves(server: &NatsServer) -> NatsOptions {
    let auth = NatsAuth::User { name: "postroom".to_owned(), password: "ours".into() };
    NatsOptions { auth, ..options(server) }
}

/// Messages in the stream.
async fn stored(client: &async_nats::Client) -> u64 {
    let info = client.request("$JS.API.STREAM.INFO.POSTROOM_main_OUT", "".into()).await.unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info.payload).unwrap();
    info["state"]["messages"].as_u64().unwrap()
}

#[tokio::test]
async fn p7_reply_whose_acknowledgement_was_cut_off_is_in_the_stream_once() {
    let server = NatsServer::start().await;
    let line =
        Proxy::start(server.port(), "postroom.main.out.fax", "\"stream\":\"POSTROOM_main_OUT\"")
            .await;
    let through =
        NatsOptions { url: format!("nats://{}", line.address()).into(), ..options(&server) };
    let outlet = open_with(&through).await.outlet();
    line.cut_answers(1);
    assert_eq!(outlet.hand_over(&handover("fax", "one")).await, Ok(()));
    assert_eq!(line.cut(), 1);
    assert_eq!(outlet.hand_over(&handover("fax", "two")).await, Ok(()));
    assert_eq!(stored(&crate::stranger(&server).await).await, 2);
}

#[tokio::test]
async fn adapter_outside_with_three_rights_fetches_and_may_do_nothing_else() {
    let setup = NatsSetup { more: USERS.to_owned(), ..NatsSetup::default() };
    let server = NatsServer::start_with(setup).await;
    let nats = open_with(&as_ourselves(&server)).await;
    let outlet = nats.outlet();
    outlet.hand_over(&handover("fax", "one")).await.unwrap();
    outlet.hand_over(&handover("site", "two")).await.unwrap();
    for _ in 0..2 {
        outlet.offer(&ChannelId::new("fax").unwrap()).await.unwrap();
    }
    let outside = async_nats::ConnectOptions::with_user_and_password("fax".into(), "theirs".into())
        .custom_inbox_prefix("_INBOX_fax")
        .connect(server.url())
        .await
        .unwrap();
    let mut inbox = outside.subscribe("_INBOX_fax.replies").await.unwrap();
    let next = "$JS.API.CONSUMER.MSG.NEXT.POSTROOM_main_OUT.fax";
    let pull = r#"{"batch":10,"expires":20000000000}"#;
    outside.publish_with_reply(next, "_INBOX_fax.replies", pull.into()).await.unwrap();
    let got = inbox.next().await.unwrap();
    assert_eq!(got.subject.as_str(), "postroom.main.out.fax");
    assert_eq!(got.headers.as_ref().unwrap().get("ce-type").unwrap().as_str(), "postroom.reply.v1");
    outside.publish(got.reply.unwrap(), "+ACK".into()).await.unwrap();

    for denied in ["postroom.main.cmd.batch", "postroom.main.in.site", "postroom.main.ledger"] {
        outside.publish(denied, "[]".into()).await.unwrap();
    }
    let info = "$JS.API.STREAM.INFO.POSTROOM_main_LEDGER";
    outside.publish_with_reply(info, "_INBOX_fax.replies", "".into()).await.unwrap();
    let ack = outside.request("postroom.main.in.fax", "{}".into()).await.unwrap();
    assert!(String::from_utf8_lossy(&ack.payload).contains("\"seq\":1"), "the first and only one");
    let read = nats.inlet().read(0, ReadLimits::default()).await.unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(nats.ledger().tail().await, Ok(None));
}

#[tokio::test]
async fn outlet_that_is_full_takes_nothing_and_says_so() {
    let server = NatsServer::start().await;
    let small = NatsOptions { outlet_bytes_max: 2_000, ..options(&server) };
    let outlet = open_with(&small).await.outlet();
    let mut number = 0;
    let error = until(async || {
        number += 1;
        outlet.hand_over(&handover("fax", &number.to_string())).await.err()
    });
    let error = error.await;
    assert_eq!((error.code(), error.retryable()), ("storage_full", true), "{error}");
}

#[tokio::test]
async fn place_of_a_channel_stays_as_somebody_set_it() {
    let server = NatsServer::start().await;
    let outlet = open(&server).await.outlet();
    let client = crate::stranger(&server).await;
    let create = "$JS.API.CONSUMER.CREATE.POSTROOM_main_OUT.fax.postroom.main.out.fax";
    let own = r#"{"stream_name":"POSTROOM_main_OUT","config":{"durable_name":"fax","name":"fax",
        "filter_subject":"postroom.main.out.fax","deliver_policy":"all","ack_policy":"explicit",
        "ack_wait":7000000000}}"#;
    client.request(create, own.into()).await.unwrap();
    outlet.offer(&ChannelId::new("fax").unwrap()).await.unwrap();
    let info =
        client.request("$JS.API.CONSUMER.INFO.POSTROOM_main_OUT.fax", "".into()).await.unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info.payload).unwrap();
    assert_eq!(info["config"]["ack_wait"], 7_000_000_000_u64);
}
