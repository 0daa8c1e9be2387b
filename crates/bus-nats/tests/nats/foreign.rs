//! What others put on the inlet's subjects: it is read, and what is no input is not lost.

use postroom_bus::{ReadLimits, decode_batch};
use postroom_model::digest::Digest;
use postroom_model::{BlobRef, ChannelId, Input, InputBody, InputId, Timestamp, Unparsed};
use postroom_testkit::NatsServer;

use crate::{open, payload, stranger};

fn input() -> Input {
    Input {
        id: InputId(uuid::Uuid::nil()),
        at: Timestamp::from_millis(1),
        body: InputBody::Unparsed(Unparsed {
            channel: ChannelId::new("site").unwrap(),
            raw: BlobRef { sha256: Digest::ZERO, size_bytes: 1 },
            code: "bad".to_owned(),
            detail: String::new(),
        }),
    }
}

#[tokio::test]
async fn what_an_adapter_outside_publishes_is_read_in_its_place() {
    let server = NatsServer::start().await;
    let inlet = open(&server).await.inlet();
    let stranger = stranger(&server).await;
    let single = serde_json::to_vec(&input()).unwrap();
    inlet.publish(payload(1)).await.unwrap();
    for (subject, bytes) in [
        ("postroom.main.in.site", single.clone()),
        ("postroom.main.in.site", b"\xff no json".to_vec()),
        ("postroom.main.in.other", single),
        ("postroom.main.cmd.later", b"".to_vec()),
    ] {
        let ack = stranger.request(subject, bytes.into()).await.unwrap();
        assert!(String::from_utf8_lossy(&ack.payload).contains("\"seq\""), "{ack:?}");
    }
    inlet.publish(payload(2)).await.unwrap();

    let mut times = Vec::new();
    for limits in [ReadLimits::default(), ReadLimits { entries_max: 1, bytes_max: 1 }] {
        let mut read = Vec::new();
        while let Some(last) = {
            let after = read.last().map_or(0, |entry: &postroom_bus::Entry| entry.seq);
            let entries = inlet.read(after, limits).await.unwrap();
            let last = entries.last().cloned();
            read.extend(entries);
            last
        } {
            assert!(last.seq <= 6);
        }
        assert_eq!(read.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(read[0].bytes, payload(1));
        let taken = decode_batch(&read[1].bytes).remove(0).unwrap();
        assert_eq!(taken.body, input().body);
        assert_ne!(
            (taken.id, taken.at),
            (input().id, input().at),
            "they are not the adapter's to say"
        );
        times.push(taken.at);
        assert_eq!(&read[2].bytes[..], b"\xff no json");
        assert_eq!(decode_batch(&read[3].bytes).len(), 1);
        assert!(decode_batch(&read[3].bytes)[0].is_err(), "not the channel of its subject");
        assert_eq!(&read[4].bytes[..], b"");
        assert_eq!(read[5].bytes, payload(2));
    }
    assert_eq!(times[0], times[1], "the same however it is read");
}
