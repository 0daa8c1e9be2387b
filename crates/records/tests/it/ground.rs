//! Rows of a write that is under way stand above the records, and nothing else is believed.

use std::sync::Arc;

use postroom_model::{ConversationId, Timestamp};
use postroom_records::{
    Above, Change, Ground, Key, MemoryRecords, Records, RecordsError, Row, Sheet, Standing, Totals,
};
use uuid::Uuid;

fn timeline(position: u64) -> Key {
    Key::Timeline(ConversationId(Uuid::nil()), position)
}

fn cursor(text: &str) -> Row {
    Row::Cursor(text.to_owned())
}

fn totals(seq: u64) -> Change {
    Change::Put(Key::Totals, Row::Totals(Totals { seq, ..Totals::default() }))
}

fn at(seq: u64) -> Standing {
    Standing { seq, ..Standing::default() }
}

/// Records at 1, and a write to 2 that deletes entry 1 and puts entry 3.
async fn house() -> (MemoryRecords, Arc<[Change]>) {
    let records = MemoryRecords::new();
    let old = [1, 2].map(|position| Change::Put(timeline(position), cursor("old")));
    let first: Vec<Change> = old.into_iter().chain([totals(1)]).collect();
    records.write(0, at(1), first.into()).await.unwrap();
    let changes =
        vec![Change::Delete(timeline(1)), Change::Put(timeline(3), cursor("new")), totals(2)];
    (records, changes.into())
}

async fn load(
    records: &MemoryRecords,
    changes: &[Change],
    seq: u64,
) -> Result<Vec<Option<Row>>, RecordsError> {
    let mut sheet = Sheet::new();
    let keys = [timeline(1), timeline(2), timeline(3), timeline(4)];
    let ground = Ground { records, above: Some(Above { from: 1, changes }), seq };
    ground.load(&mut sheet, keys.to_vec()).await?;
    Ok(keys.iter().map(|key| sheet.get(key).cloned()).collect())
}

#[tokio::test]
async fn rows_are_the_same_before_and_after_the_write_under_way() {
    let (records, changes) = house().await;
    let expected = vec![None, Some(cursor("old")), Some(cursor("new")), None];
    assert_eq!(load(&records, &changes, 2).await.unwrap(), expected);
    records.write(1, at(2), Arc::clone(&changes)).await.unwrap();
    assert_eq!(load(&records, &changes, 2).await.unwrap(), expected);
}

#[tokio::test]
async fn records_that_stand_elsewhere_are_not_believed() {
    let (records, changes) = house().await;
    records.write(1, at(2), Arc::clone(&changes)).await.unwrap();
    records.write(2, at(3), vec![totals(3)].into()).await.unwrap();
    let refused = load(&records, &changes, 2).await.unwrap_err();
    assert!(matches!(refused, RecordsError::Moved { expected: 2, actual: 3 }), "{refused}");
    records.clear().await.unwrap();
    let refused = load(&records, &changes, 2).await.unwrap_err();
    assert!(matches!(refused, RecordsError::Moved { expected: 2, actual: 0 }), "{refused}");
}

#[test]
fn write_that_forgets_does_not_tell_all() {
    let before = Timestamp::from_millis(1);
    let changes = [Change::ForgetSeen { before }, Change::Delete(timeline(1))];
    let above = Above { from: 0, changes: &changes };
    assert!(!above.tells_all());
    assert_eq!(above.row(&timeline(1)), Some(None));
    assert_eq!(above.row(&timeline(2)), None);
    assert!(Above { from: 0, changes: &changes[1..] }.tells_all());
}
