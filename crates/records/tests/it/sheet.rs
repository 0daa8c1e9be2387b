//! The working set: what is deferred, what is written, what is remembered and forgotten.

use std::collections::BTreeMap;

use crate::support::{at, conversation, envelope, folded, open, received, uuid};
use postroom_model::{
    Envelope, Event, InputId, Outcome, OutcomeKind, Position, SeededRandom, Transition,
};
use postroom_records::{
    Change, Key, MemoryRecords, Records, RecordsError, Row, Sheet, Standing, Totals, conformance,
    fold_envelope, keys_of, project, project_many,
};

/// Loads what is wanted and settles until nothing is.
async fn settle(records: &MemoryRecords, sheet: &mut Sheet) {
    loop {
        let keys = sheet.deferred_keys();
        if keys.is_empty() {
            return;
        }
        let rows = records.load(&keys).await.unwrap();
        for (key, row) in keys.into_iter().zip(rows) {
            sheet.insert_loaded(key, row);
        }
        sheet.settle();
    }
}

/// P5: whatever was loaded before, and in whatever order the rest comes, the changes are the same.
#[tokio::test]
async fn deferred_edits_end_as_if_everything_had_been_loaded() {
    for seed in 10..14 {
        let random = SeededRandom::new(seed);
        let records = MemoryRecords::new();
        let mut standing = Standing::default();
        for (seq, envelope) in conformance::history(seed, 80) {
            let mut expected = Sheet::new();
            let keys = keys_of(&envelope);
            let rows = records.load(&keys).await.unwrap();
            for (key, row) in keys.iter().zip(rows) {
                expected.insert_loaded(key.clone(), row);
            }
            fold_envelope(&mut expected, &envelope, standing);
            settle(&records, &mut expected).await;
            let expected = expected.into_changes();
            for percent in [0, 50] {
                let mut sheet = Sheet::new();
                for key in keys.iter().filter(|_| random.chance(percent)) {
                    let row = records.load(std::slice::from_ref(key)).await.unwrap().remove(0);
                    sheet.insert_loaded(key.clone(), row);
                }
                fold_envelope(&mut sheet, &envelope, standing);
                settle(&records, &mut sheet).await;
                assert_eq!(sheet.into_changes(), expected, "seed {seed}, envelope {seq}");
            }
            standing = project(&records, standing, seq, &envelope).await.unwrap();
        }
    }
}

#[test]
fn row_that_is_not_loaded_is_named_and_left_alone() {
    let key = Key::Conversation(conversation(1));
    let envelope = envelope(vec![Event::on(conversation(1), received(1))], BTreeMap::new());
    let mut sheet = Sheet::new();
    fold_envelope(&mut sheet, &envelope, Standing::default());
    assert_eq!(sheet.deferred_keys(), [key.clone(), Key::Totals]);
    assert!(!sheet.is_loaded(&key));
    assert_eq!((sheet.conversation(conversation(1)), sheet.totals()), (None, None));
    sheet.settle();
    assert_eq!(sheet.deferred_keys().len(), 2, "settling without rows changes nothing");

    let mut row = folded(vec![open()]).conversation(conversation(1)).unwrap().clone();
    row.version = 6;
    sheet.insert_loaded(key, Some(Row::Conversation(Box::new(row))));
    assert_eq!(sheet.conversation(conversation(1)).unwrap().version, 6);
    // What is folded before settling waits its turn.
    let transition = &envelope.transitions[0];
    sheet.fold(2, transition, &transition.events[0], &envelope.bodies);
    assert_eq!(sheet.conversation(conversation(1)).unwrap().version, 6);
    sheet.insert_loaded(Key::Totals, None);
    sheet.settle();
    assert_eq!(sheet.deferred_keys(), []);
    assert_eq!(sheet.conversation(conversation(1)).unwrap().version, 8);
    assert_eq!(sheet.totals().map(|totals| totals.events), Some(1));
}

#[test]
fn loaded_row_never_replaces_what_the_sheet_knows() {
    let mut sheet = folded(vec![open(), received(1)]);
    sheet.insert_loaded(Key::Conversation(conversation(1)), None);
    assert_eq!(sheet.conversation(conversation(1)).unwrap().version, 2);
}

#[test]
fn changes_come_once_and_in_the_order_of_keys() {
    let changes = folded(vec![open(), received(1), received(2)]).into_changes();
    assert!(matches!(changes[0], Change::ForgetSeen { .. }));
    let keys: Vec<_> = changes[1..]
        .iter()
        .map(|change| match change {
            Change::Put(key, _) | Change::Delete(key) => key.clone(),
            Change::ForgetSeen { .. } => panic!("it comes once"),
        })
        .collect();
    let timeline = |position| Key::Timeline(conversation(1), position);
    let thread = Key::Thread(crate::support::site(), "thread".to_owned());
    assert_eq!(
        keys,
        [
            Key::Conversation(conversation(1)),
            timeline(1),
            timeline(2),
            timeline(3),
            thread,
            Key::Totals
        ]
    );
}

fn outcome(input: u64, kind: OutcomeKind) -> Outcome {
    Outcome {
        position: Position { seq: 1, index: 0 },
        input: InputId(uuid(input)),
        kind,
        code: None,
        detail: None,
        conversation: None,
        message: None,
        version: None,
        prints: vec![],
    }
}

/// P2 and P3: every outcome is counted; all but duplicates are remembered, the first stays.
#[test]
fn outcomes_are_counted_and_the_first_is_remembered() {
    use OutcomeKind::{Duplicate, Parked, Rejected, Routed};
    let mut sheet = Sheet::new();
    sheet.insert_loaded(Key::Totals, Some(Row::Totals(Totals { routed: 5, ..Totals::default() })));
    for (input, kind) in [(1, Routed), (2, Parked), (3, Rejected), (1, Duplicate), (4, Duplicate)] {
        sheet.fold_outcome(&outcome(input, kind), at(7));
    }
    let seen = |input| sheet.seen(InputId(uuid(input)));
    let kinds = [1, 2, 3, 4].map(|input| seen(input).map(|seen| seen.outcome.kind));
    assert_eq!(kinds, [Some(Routed), Some(Parked), Some(Rejected), None]);
    assert_eq!(seen(1).map(|seen| seen.at), Some(at(7)));
    let totals = sheet.totals().unwrap();
    assert_eq!((totals.routed, totals.duplicate, totals.parked, totals.rejected), (6, 2, 1, 1));
    assert_eq!(totals.decided(), 10);
}

const HOUR: i64 = 3_600_000;

/// An envelope without events in which an input was routed that was accepted at `accepted`.
fn routed(input: u64, accepted: i64, written: i64) -> Envelope {
    let mut envelope = envelope(vec![], BTreeMap::new());
    envelope.at = at(written);
    envelope.transitions = vec![Transition {
        outcome: Some(outcome(input, OutcomeKind::Routed)),
        at: at(accepted),
        events: vec![],
    }];
    envelope
}

/// Inputs are forgotten when the ledger's clock enters another hour, and at no other envelope.
#[tokio::test]
async fn inputs_are_forgotten_after_ten_days_and_by_the_hour() {
    let start = at(0).millis().rem_euclid(HOUR);
    let at_hour = |hours: i64| hours * HOUR - start;
    let ledger = [
        routed(1, at_hour(0), at_hour(0)),
        routed(2, at_hour(0) + 1, at_hour(1) - 1),
        // Nobody decided for ten days: what waited may be followed by copies of what came before it.
        routed(3, at_hour(0) + 2, at_hour(240) + 1),
        // The same hour: nothing is forgotten.
        routed(4, at_hour(240) + 2, at_hour(241) - 1),
        // What came until the envelope before is decided: one from ten days before that is forgotten,
        // and one from a millisecond later is not.
        routed(5, at_hour(241), at_hour(241)),
        routed(6, at_hour(242), at_hour(242)),
        // Time alone forgets by the envelope before it as well.
        Envelope { transitions: vec![], ..routed(7, at_hour(482), at_hour(482)) },
        routed(8, at_hour(483), at_hour(483)),
    ];
    let left = [
        vec![1],
        vec![1, 2],
        vec![1, 2, 3],
        vec![1, 2, 3, 4],
        vec![2, 3, 4, 5],
        vec![3, 4, 5, 6],
        vec![3, 4, 5, 6],
        vec![6, 8],
    ];
    let ledger: Vec<_> = (1..).zip(ledger).collect();
    let records = MemoryRecords::new();
    let mut standing = Standing::default();
    for ((seq, envelope), left) in ledger.iter().zip(&left) {
        standing = project(&records, standing, *seq, envelope).await.unwrap();
        assert_eq!(seen(&records).await, *left, "after envelope {seq}");
    }
    for length in 1..=ledger.len() {
        let records = MemoryRecords::new();
        let mut standing = Standing::default();
        for chunk in ledger.chunks(length) {
            standing = project_many(&records, standing, chunk).await.unwrap();
        }
        assert_eq!(seen(&records).await, [6, 8], "in chunks of {length}");
    }
}

async fn seen(records: &MemoryRecords) -> Vec<u64> {
    let rows = records.scan(None, 100).await.unwrap();
    let inputs = rows.iter().filter_map(|(key, _)| match key {
        Key::Seen(input) => Some(input.0.as_u64_pair().1 & 0xffff),
        _ => None,
    });
    inputs.collect()
}

#[tokio::test]
async fn projecting_from_where_the_records_do_not_stand_writes_nothing() {
    let records = MemoryRecords::new();
    let envelope = routed(1, 0, 0);
    let elsewhere = Standing { seq: 3, ..Standing::default() };
    let refused = project(&records, elsewhere, 4, &envelope).await;
    assert!(matches!(refused, Err(RecordsError::Moved { expected: 3, actual: 0 })));
    // Told by the rows themselves, before anything is asked to write: not even one that has the same
    // events may have been counted on from elsewhere.
    let counted = Totals { seq: 1, ..Totals::default() };
    let ahead = MemoryRecords::new();
    let changes = vec![Change::Put(Key::Totals, Row::Totals(counted))];
    ahead.write(0, Standing::default(), changes.into()).await.unwrap();
    let refused = project(&ahead, Standing::default(), 1, &envelope).await;
    assert!(matches!(refused, Err(RecordsError::Moved { expected: 0, actual: 0 })));
    assert_eq!(records.scan(None, 1).await.unwrap(), []);

    let standing = project(&records, Standing::default(), 1, &envelope).await.unwrap();
    assert_eq!(standing, Standing { seq: 1, last_event: 0, at: envelope.at });
    assert_eq!(project_many(&records, standing, &[]).await.unwrap(), standing);
    assert_eq!(records.standing().await.unwrap(), standing);
}
