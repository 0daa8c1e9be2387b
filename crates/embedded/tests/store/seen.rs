//! What was never seen is told from memory, over a real file and after it was opened again.

use postroom_embedded::{Embedded, EmbeddedOptions};
use postroom_model::{InputId, Outcome, OutcomeKind, Position, Timestamp};
use postroom_records::{Change, Key, Records, Row, Seen, Standing};
use uuid::Uuid;

use crate::fresh;

fn id(number: u64) -> InputId {
    InputId(Uuid::from_u64_pair(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), !number))
}

async fn see(records: &dyn Records, number: u64) {
    let at = Timestamp::from_millis(1);
    let outcome = Outcome {
        position: Position { seq: number, index: 0 },
        input: id(number),
        kind: OutcomeKind::Routed,
        code: None,
        detail: None,
        conversation: None,
        message: None,
        version: None,
        prints: vec![],
    };
    let row = Row::Seen(Box::new(Seen { at, outcome }));
    let to = Standing { seq: number, last_event: number, at };
    let changes = vec![Change::Put(Key::Seen(id(number)), row)];
    records.write(number - 1, to, changes.into()).await.unwrap();
}

#[tokio::test]
async fn stored_inputs_may_have_been_seen_and_others_surely_not() {
    let (folder, store) = fresh();
    let records = store.records();
    see(records.as_ref(), 1).await;
    assert!(!records.surely_unseen(id(3)), "nothing is known before the file was read");
    records.gather_seen().await.unwrap();
    see(records.as_ref(), 2).await;
    assert_eq!([1, 2, 3].map(|number| records.surely_unseen(id(number))), [false, false, true]);
    drop((records, store));

    let store = Embedded::open(folder.path(), &EmbeddedOptions::default()).unwrap();
    let records = store.records();
    records.gather_seen().await.unwrap();
    assert_eq!([1, 2, 3].map(|number| records.surely_unseen(id(number))), [false, false, true]);
}
