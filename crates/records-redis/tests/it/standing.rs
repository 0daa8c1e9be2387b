//! Where the records stand is what Redis says, whatever was done to it.

use postroom_model::WorkspaceId;
use postroom_records::{Key, Records as _, RecordsError, Standing};
use postroom_records_redis::{RedisError, RedisOptions, RedisRecords};

use crate::server::{Ask as _, Server};
use crate::support::{at, conversation, entry, open, put, routed, seen, totals};

const META: &str = "postroom:{main}:meta";

#[tokio::test]
async fn flushed_server_stands_at_zero_and_is_written_from_there() {
    let server = Server::start().await;
    let records = open(&server).await;
    records.write(0, at(1), vec![totals(1)].into()).await.unwrap();
    records.write(1, at(2), vec![totals(2)].into()).await.unwrap();
    server.ask::<()>(&["FLUSHALL"]);
    assert_eq!(records.standing().await.unwrap(), Standing::default());
    let refused = records.write(2, at(3), vec![totals(3)].into()).await.unwrap_err();
    assert!(matches!(refused, RecordsError::Moved { expected: 2, actual: 0 }), "{refused:?}");
    assert_eq!(routed(&records).await, None);
    records.write(0, at(1), vec![totals(7)].into()).await.unwrap();
    assert_eq!(routed(&records).await, Some(7));
}

#[tokio::test]
async fn flush_behind_the_back_of_a_writer_is_noticed_in_the_write() {
    let server = Server::start().await;
    let records = open(&server).await;
    records.write(0, at(1), vec![totals(1)].into()).await.unwrap();
    // The writer has been told that the records stand at 1 and has no reason to ask.
    server.ask::<()>(&["FLUSHALL"]);
    let refused = records.write(1, at(2), vec![totals(2)].into()).await.unwrap_err();
    assert!(matches!(refused, RecordsError::Moved { expected: 1, actual: 0 }), "{refused:?}");
    assert_eq!(server.ask::<u64>(&["DBSIZE"]), 0, "nothing was written");
}

#[tokio::test]
async fn older_copy_that_was_restored_stands_where_it_stood() {
    let mut server = Server::start().await;
    let records = open(&server).await;
    records.write(0, at(1), vec![totals(1), seen(1, 1)].into()).await.unwrap();
    server.ask::<()>(&["SAVE"]);
    records.write(1, at(2), vec![totals(2), seen(2, 2)].into()).await.unwrap();
    server.kill();
    std::fs::remove_dir_all(server.folder().join("appendonlydir")).unwrap();
    server.restart(&[("appendonly", "no")]).await;
    // The first that meets the broken connection is told so.
    while records.standing().await.is_err() {}
    assert_eq!(records.standing().await.unwrap(), at(1));
    let refused = records.write(2, at(3), vec![totals(3)].into()).await.unwrap_err();
    assert!(refused.retryable(), "{refused:?}");
    assert_eq!(routed(&records).await, Some(1));
    assert_eq!(records.scan(None, 10).await.unwrap().len(), 2);
    records.write(1, at(2), vec![totals(4)].into()).await.unwrap();
    assert_eq!(routed(&records).await, Some(4));
}

#[tokio::test]
async fn of_two_writers_one_wins_and_the_other_left_nothing() {
    let server = Server::start().await;
    let (one, other) = (open(&server).await, open(&server).await);
    for seq in 0..100 {
        let changes = |number| {
            let row = conversation(number, "open", "x");
            vec![totals(number), seen(number, 1), entry(row.id, number, "x"), put(row)]
        };
        let (a, b) = (1_000 + seq, 2_000 + seq);
        let both = tokio::join!(
            one.write(seq, at(seq + 1), changes(a).into()),
            other.write(seq, at(seq + 1), changes(b).into()),
        );
        let (won, lost) = match both {
            (Ok(()), Err(lost)) => (a, lost),
            (Err(lost), Ok(())) => (b, lost),
            both => panic!("{both:?}"),
        };
        assert!(matches!(lost, RecordsError::Moved { .. }), "{lost:?}");
        assert_eq!(routed(&one).await, Some(won));
        assert_eq!(other.standing().await.unwrap(), at(seq + 1));
    }
    assert_eq!(one.scan(None, 1_000).await.unwrap().len(), 301, "three rows each, and the totals");
    let counts: (u64, u64) = (
        server.ask(&["ZCARD", "postroom:{main}:all"]),
        server.ask(&["LLEN", "postroom:{main}:seen.order"]),
    );
    assert_eq!(counts, (100, 100), "nor in an index");
}

#[tokio::test]
async fn records_of_another_schema_ask_for_a_rebuild() {
    let server = Server::start().await;
    let records = open(&server).await;
    records.write(0, at(1), vec![totals(1)].into()).await.unwrap();
    server.ask::<()>(&["HSET", META, "schema", "99"]);
    let again = open(&server).await;
    for records in [&records, &again] {
        assert_eq!(records.standing().await.unwrap_err().code(), "records_other_schema");
        let refused = records.write(1, at(2), vec![totals(2)].into()).await.unwrap_err();
        assert_eq!(refused.code(), "records_other_schema");
    }
    records.clear().await.unwrap();
    assert_eq!(again.standing().await.unwrap(), Standing::default());
    assert_eq!(again.load(&[Key::Totals]).await.unwrap(), [None]);
    again.write(0, at(1), vec![totals(3)].into()).await.unwrap();
}

#[tokio::test]
async fn records_of_another_workspace_are_not_ours() {
    let server = Server::start().await;
    let records = open(&server).await;
    let workspace = WorkspaceId::new("second").unwrap();
    let second = RedisRecords::open(&server.url(), workspace, &RedisOptions::default()).await;
    let second = second.unwrap();
    records.write(0, at(1), vec![totals(1)].into()).await.unwrap();
    assert_eq!(second.standing().await.unwrap(), Standing::default());
    second.write(0, at(5), vec![totals(5)].into()).await.unwrap();
    second.clear().await.unwrap();
    assert_eq!((records.standing().await.unwrap(), routed(&records).await), (at(1), Some(1)));
    // Somebody copied the keys of one to the names of the other.
    server.ask::<()>(&["HSET", META, "workspace", "second"]);
    assert_eq!(records.standing().await.unwrap_err().code(), "records_damaged");
    let refused = records.write(1, at(2), vec![totals(2)].into()).await.unwrap_err();
    assert_eq!(refused.code(), "records_damaged");
    let opened =
        RedisRecords::open(&server.url(), WorkspaceId::main(), &RedisOptions::default()).await;
    let refused = opened.unwrap_err();
    assert!(matches!(&refused, RedisError::OtherWorkspace { found, .. } if found == "second"));
    assert_eq!((refused.code(), refused.retryable()), ("redis_other_workspace", false));
}

#[tokio::test]
async fn write_that_fails_half_way_asks_for_a_rebuild() {
    let server = Server::start().await;
    let records = open(&server).await;
    records.write(0, at(1), vec![totals(1)].into()).await.unwrap();
    server.ask::<()>(&["SET", "postroom:{main}:seen", "not a hash"]);
    let failed = records.write(1, at(2), vec![totals(2), seen(1, 1)].into()).await.unwrap_err();
    assert_eq!(failed.code(), "records_damaged", "{failed}");
    assert_eq!(records.standing().await.unwrap_err().code(), "records_other_schema");
    records.clear().await.unwrap();
    records.write(0, at(1), vec![totals(2), seen(1, 1)].into()).await.unwrap();
    assert_eq!(records.scan(None, 10).await.unwrap().len(), 2);
}
