//! That somebody wrote is noticed in other processes: at once, and if that was missed, after a look.

use std::time::Duration;

use postroom_records::Records as _;
use postroom_records_redis::RedisOptions;
use tokio::sync::watch;

use crate::server::{Ask as _, Server};
use crate::support::{at, deaf, open_with, totals};

async fn hears(changes: &mut watch::Receiver<u64>, seq: u64) {
    let heard = changes.wait_for(|held| *held == seq);
    tokio::time::timeout(Duration::from_secs(20), heard).await.unwrap().unwrap();
}

/// Returns once so many listen.
async fn listened_to(server: &Server, by: u64) {
    let listening = async {
        let ask = ["PUBSUB", "NUMSUB", "postroom:{main}:changes"];
        while server.ask::<(String, u64)>(&ask).1 != by {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), listening).await.unwrap();
}

#[tokio::test]
async fn write_is_told_to_other_connections() {
    let server = Server::start().await;
    let (one, other) = (open_with(&server, &deaf()).await, open_with(&server, &deaf()).await);
    listened_to(&server, 2).await;
    let (mut ours, mut theirs) = (one.changes(), other.changes());
    for seq in 0..20 {
        one.write(seq, at(seq + 1), vec![totals(seq)].into()).await.unwrap();
        hears(&mut ours, seq + 1).await;
        hears(&mut theirs, seq + 1).await;
    }
    one.clear().await.unwrap();
    hears(&mut theirs, 0).await;
    drop(one);
    listened_to(&server, 1).await;
}

#[tokio::test]
async fn what_was_not_told_is_found_by_looking() {
    let server = Server::start().await;
    let soon = RedisOptions { look_every: Duration::from_millis(50), ..RedisOptions::default() };
    let records = open_with(&server, &soon).await;
    records.write(0, at(1), vec![totals(1)].into()).await.unwrap();
    let mut changes = records.changes();
    hears(&mut changes, 1).await;
    server.ask::<()>(&["HSET", "postroom:{main}:meta", "seq", "41"]);
    hears(&mut changes, 41).await;
    server.ask::<()>(&["FLUSHALL"]);
    hears(&mut changes, 0).await;
}

#[tokio::test]
async fn listener_whose_connection_was_cut_listens_again() {
    let server = Server::start().await;
    let soon = RedisOptions { look_every: Duration::from_millis(50), ..RedisOptions::default() };
    let records = open_with(&server, &soon).await;
    listened_to(&server, 1).await;
    assert_eq!(server.ask::<u64>(&["CLIENT", "KILL", "TYPE", "pubsub"]), 1);
    listened_to(&server, 1).await;
    drop(records);
}

#[tokio::test]
async fn records_that_are_opened_say_where_they_stand() {
    let server = Server::start().await;
    let first = open_with(&server, &deaf()).await;
    first.write(0, at(7), vec![totals(1)].into()).await.unwrap();
    assert_eq!(*first.changes().borrow(), 7);
    let second = open_with(&server, &deaf()).await;
    assert_eq!(*second.changes().borrow(), 7);
}
