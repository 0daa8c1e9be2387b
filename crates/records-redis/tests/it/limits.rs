//! How long a write holds the server up, and scans of more rows than are kept at once.

use postroom_records::{Change, Records as _};

use crate::server::{Ask as _, Server};
use crate::support::{at, conversation, entry, open, put, seen, totals};

/// Messages in the largest batch that a router writes while it keeps up.
const MESSAGES: u64 = 512;
/// For how long the server may do nothing else.
const HELD_UP_MICROS_MAX: f64 = 5_000.0;
const ROUNDS: u64 = 12;

/// What messages of ordinary length do to the records; each third opens a conversation.
fn batch(seq: u64) -> Vec<Change> {
    let text = "x".repeat(500);
    let each = (seq * MESSAGES..(seq + 1) * MESSAGES).flat_map(|number| {
        let row = conversation(number / 3, "open", "What has become of my order?");
        [entry(row.id, number, &text), seen(number, 1), put(row)]
    });
    each.chain([totals(seq)]).collect()
}

/// Microseconds of the transaction since the figures were last reset.
fn held_up(server: &Server) -> f64 {
    let stats: String = server.ask(&["INFO", "commandstats"]);
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_exec:")).unwrap();
    let micros = line.split(',').find_map(|part| part.strip_prefix("usec=")).unwrap();
    server.ask::<()>(&["CONFIG", "RESETSTAT"]);
    micros.parse().unwrap()
}

#[tokio::test]
async fn batch_of_512_messages_holds_the_server_up_for_less_than_the_limit() {
    let server = Server::start().await;
    let records = open(&server).await;
    server.ask::<()>(&["CONFIG", "RESETSTAT"]);
    let mut best = f64::MAX;
    for seq in 0..ROUNDS {
        records.write(seq, at(seq + 1), batch(seq).into()).await.unwrap();
        let micros = held_up(&server);
        assert!(micros > 100.0, "the figure counts what the transaction does: {micros}");
        // The best of them: the others share the processor with other programs.
        best = best.min(micros);
    }
    assert!(best < HELD_UP_MICROS_MAX, "{MESSAGES} messages took {best} microseconds");
}

#[tokio::test]
async fn scan_of_more_rows_than_are_kept_gives_each_once_and_in_order() {
    // A window holds 50,000.
    const MANY: u64 = 50_100;
    let server = Server::start().await;
    let records = open(&server).await;
    let rows: Vec<_> = (0..MANY).map(|number| seen(number, 1)).chain([totals(1)]).collect();
    records.write(0, at(1), rows.into()).await.unwrap();
    let (mut count, mut last) = (0, None);
    loop {
        let page = records.scan(last.as_ref(), 9_999).await.unwrap();
        let Some((end, _)) = page.last() else { break };
        assert!(page.is_sorted_by(|(one, _), (other, _)| one < other));
        assert!(page.first().map(|(key, _)| key) > last.as_ref());
        count += page.len() as u64;
        last = Some(end.clone());
    }
    assert_eq!(count, MANY + 1);
}
