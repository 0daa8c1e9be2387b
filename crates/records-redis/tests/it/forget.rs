//! Forgetting takes effect at once and is carried out in pieces.

use postroom_model::Timestamp;
use postroom_records::{Change, Key, Records as _};

use crate::server::{Ask as _, Server};
use crate::support::{at, input, open, seen, totals};

const SEEN: &str = "postroom:{main}:seen";
const ORDER: &str = "postroom:{main}:seen.order";

fn before(millis: i64) -> Change {
    Change::ForgetSeen { before: Timestamp::from_millis(millis) }
}

#[tokio::test]
async fn forgotten_inputs_are_gone_at_once_and_deleted_in_pieces() {
    const MANY: u64 = 10_000;
    let server = Server::start().await;
    let records = open(&server).await;
    let rows = (0..MANY).map(|number| seen(number, 5)).chain([seen(MANY, 50)]);
    records.write(0, at(1), rows.collect()).await.unwrap();
    records.write(1, at(2), vec![before(10), seen(MANY + 1, 6), totals(1)].into()).await.unwrap();

    let keys: Vec<_> = (0..MANY + 2).map(|number| Key::Seen(input(number))).collect();
    let loaded = records.load(&keys).await.unwrap();
    let there: Vec<u64> =
        (0..).zip(&loaded).filter(|(_, row)| row.is_some()).map(|(number, _)| number).collect();
    // One is young enough; the other is old and came after the forgetting.
    assert_eq!(there, [MANY, MANY + 1]);
    assert_eq!(records.scan(None, 100).await.unwrap().len(), 3);
    let left: u64 = server.ask(&["HLEN", SEEN]);
    assert!(left > MANY / 2 && left < MANY, "{left} are left after the first piece");

    let mut seq = 2;
    while server.ask::<u64>(&["HLEN", SEEN]) > 2 {
        records.write(seq, at(seq + 1), vec![totals(seq)].into()).await.unwrap();
        seq += 1;
        assert!(seq < 20, "it comes to an end");
    }
    records.write(seq, at(seq + 1), vec![totals(seq)].into()).await.unwrap();
    assert_eq!(server.ask::<u64>(&["LLEN", ORDER]), 2);
    assert_eq!(server.ask::<String>(&["HGET", "postroom:{main}:meta", "sweep"]), "0");
    assert_eq!(records.scan(None, 100).await.unwrap().len(), 3);
}

#[tokio::test]
async fn input_that_is_put_anew_outlives_its_first_time() {
    let server = Server::start().await;
    let records = open(&server).await;
    records.write(0, at(1), vec![seen(1, 5), seen(2, 5)].into()).await.unwrap();
    records.write(1, at(2), vec![seen(1, 50)].into()).await.unwrap();
    records.write(2, at(3), vec![Change::Delete(Key::Seen(input(2)))].into()).await.unwrap();
    records.write(3, at(4), vec![before(10)].into()).await.unwrap();
    let loaded = records.load(&[Key::Seen(input(1)), Key::Seen(input(2))]).await.unwrap();
    assert!(loaded[0].is_some() && loaded[1].is_none());
    assert_eq!(server.ask::<u64>(&["LLEN", ORDER]), 1, "only the newest entry is left");
    records.write(4, at(5), vec![before(100)].into()).await.unwrap();
    assert_eq!(server.ask::<u64>(&["EXISTS", SEEN, ORDER]), 0);
}
