//! Connections that break and servers that die: what was written is whole or not there, and where the
//! records stand tells which.

use std::time::Duration;

use postroom_records::{Change, ConversationQuery, Records};
use postroom_records_redis::{RedisOptions, RedisRecords};

use crate::server::{Ask as _, Server};
use crate::support::{
    at, conversation, entry, open, open_with, put, routed, seen, stand_at, totals,
};

/// Everything that a write of `seq` puts.
fn batch(seq: u64, rows: u64) -> std::sync::Arc<[Change]> {
    let numbers = seq * rows..(seq + 1) * rows;
    let each = numbers.flat_map(|number| {
        let row = conversation(number, "open", "x");
        [seen(number, 1), entry(row.id, number, "words"), put(row)]
    });
    each.chain([totals(seq)]).collect()
}

/// The rows are those of the standing, no more and no fewer.
async fn check(records: &RedisRecords, server: &Server, rows: u64) -> u64 {
    let seq = records.standing().await.unwrap().seq;
    assert_eq!(routed(records).await.unwrap_or_default(), seq);
    for (command, key) in [
        ("HLEN", "seen"),
        ("HLEN", "timeline"),
        ("HLEN", "conversation"),
        ("HLEN", "places"),
        ("ZCARD", "all"),
        ("ZCARD", "unassigned"),
        ("ZCARD", "waiting:support"),
        ("ZCARD", "timeline.order"),
        ("LLEN", "seen.order"),
    ] {
        let found: u64 = server.ask(&[command, &format!("postroom:{{main}}:{key}")]);
        assert_eq!(found, seq * rows, "{key} at {seq}");
    }
    seq
}

/// Writes on from wherever the records stand until something fails; gives what was acknowledged.
async fn write_on(records: &RedisRecords, rows: u64) -> u64 {
    let mut seq = records.standing().await.unwrap().seq;
    while records.write(seq, at(seq + 1), batch(seq + 1, rows)).await.is_ok() {
        seq += 1;
    }
    seq
}

#[tokio::test]
async fn server_that_is_killed_comes_back_with_rows_and_standing_together() {
    const ROWS: u64 = 20;
    let mut server = Server::start().await;
    let records = open(&server).await;
    records.write(0, at(1), batch(1, ROWS)).await.unwrap();
    let mut written = 1;
    for round in 1..=5 {
        let mut changes = records.changes();
        let killing = async {
            // In the middle of whatever is then being written.
            changes.wait_for(|seq| *seq >= round * 30).await.unwrap();
            server.kill();
        };
        let (acknowledged, ()) = tokio::join!(write_on(&records, ROWS), killing);
        server.restart(&[]).await;
        while records.standing().await.is_err() {}
        let seq = check(&records, &server, ROWS).await;
        // Redis writes its log behind a sync that is under way, so the last of what it acknowledged may be
        // gone; the ledger has it, and a router brings the records forward.
        assert!(
            seq >= written && seq <= acknowledged + 1,
            "{acknowledged} were acknowledged, the records stand at {seq}"
        );
        written = seq;
    }
}

#[tokio::test]
async fn connection_that_is_cut_leaves_a_write_whole_or_not_there() {
    const ROWS: u64 = 400;
    let server = Server::start().await;
    let records = open(&server).await;
    records.write(0, at(1), batch(1, ROWS)).await.unwrap();
    let mut lost = 0;
    for _ in 0..20 {
        let seq = records.standing().await.unwrap().seq;
        let url = server.url();
        let cutting = tokio::task::spawn_blocking(move || {
            let client = redis::Client::open(url).unwrap();
            let mut connection = client.get_connection().unwrap();
            let mut kill = redis::cmd("CLIENT");
            kill.arg("KILL").arg("TYPE").arg("normal").query::<u64>(&mut connection).unwrap()
        });
        let writing = records.write(seq, at(seq + 1), batch(seq + 1, ROWS));
        let (written, cut) = tokio::join!(writing, cutting);
        assert!(cut.unwrap() > 0, "there was something to cut");
        lost += u32::from(written.is_err());
        while records.standing().await.is_err() {}
        let stands = check(&records, &server, ROWS).await;
        assert!(stands == seq + 1 || (written.is_err() && stands == seq), "{stands} after {seq}");
    }
    assert!(lost > 0, "no write was hit");
}

#[tokio::test]
async fn write_that_is_carried_out_after_its_time_is_known_by_the_standing() {
    let server = Server::start().await;
    let options =
        RedisOptions { response_wait: Duration::from_millis(300), ..RedisOptions::default() };
    let records = open_with(&server, &options).await;
    records.write(0, at(1), batch(1, 1)).await.unwrap();
    server.hold(true);
    let lost = records.write(1, at(2), batch(2, 1)).await.unwrap_err();
    assert_eq!(lost.code(), "records_unavailable");
    server.hold(false);
    // It lay in the socket and is carried out when the server goes on.
    stand_at(&records, 2).await;
    check(&records, &server, 1).await;
    let late = records.write(1, at(2), batch(2, 1)).await.unwrap_err();
    assert_eq!(late.code(), "records_moved");
    records.write(2, at(3), batch(3, 1)).await.unwrap();
    check(&records, &server, 1).await;
}

#[tokio::test]
async fn server_that_has_no_memory_left_refuses_a_write_whole() {
    let server = Server::start().await;
    let records = open(&server).await;
    records.write(0, at(1), batch(1, 10)).await.unwrap();
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    for _ in 0..3 {
        let refused = records.write(1, at(2), batch(2, 10)).await.unwrap_err();
        assert_eq!(refused.code(), "records_unavailable");
        assert!(refused.to_string().contains("OOM"), "{refused}");
        assert_eq!(check(&records, &server, 10).await, 1, "what is there is read all the while");
        assert_eq!(records.scan(None, 100).await.unwrap().len(), 31);
        let query = ConversationQuery { limit: 100, ..ConversationQuery::default() };
        assert_eq!(records.conversations(&query).await.unwrap().items.len(), 10);
    }
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    records.write(1, at(2), batch(2, 10)).await.unwrap();
    assert_eq!(check(&records, &server, 10).await, 2);
}

#[tokio::test]
async fn write_that_is_given_up_half_way_does_not_disturb_the_next() {
    let server = Server::start().await;
    let records = open(&server).await;
    records.write(0, at(1), batch(1, 50)).await.unwrap();
    for _ in 0..50 {
        let seq = records.standing().await.unwrap().seq;
        // Dropped after whatever it did the first time it was asked.
        let writing = records.write(seq, at(seq + 1), batch(seq + 1, 50));
        tokio::select! {
            biased;
            written = writing => written.unwrap(),
            () = tokio::task::yield_now() => {}
        }
        let before = records.standing().await.unwrap().seq;
        match records.write(before, at(before + 1), batch(before + 1, 50)).await {
            Ok(()) => {}
            // The one that was given up came in between.
            Err(error) => assert_eq!(error.code(), "records_moved", "{error}"),
        }
        check(&records, &server, 50).await;
    }
}
