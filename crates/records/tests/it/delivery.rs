//! A reply on its way out: its row, the note beside it, and that it cannot leave twice (P7).

use crate::support::{ada, at, conversation, folded, message_id, open, reply, site};
use postroom_model::{DeliveryState, EventBody, ReceiptStatus, SendResult};
use postroom_records::{Change, Key, Row, Sheet, TimelineItem};

fn attempted(attempt: u32) -> EventBody {
    EventBody::DeliveryAttempted { message: message_id(1), epoch: 4, attempt }
}

fn settled(result: SendResult) -> EventBody {
    EventBody::DeliverySettled { message: message_id(1), result }
}

fn sent() -> EventBody {
    settled(SendResult::Sent { external_id: Some("provider-1".to_owned()) })
}

fn retry() -> EventBody {
    let (code, detail) = ("busy".to_owned(), "try later".to_owned());
    settled(SendResult::Retry { retry_at: at(500), code, detail })
}

fn failed() -> EventBody {
    settled(SendResult::Failed { code: "refused".to_owned(), detail: "no such user".to_owned() })
}

fn uncertain() -> EventBody {
    settled(SendResult::Uncertain { code: "cut".to_owned(), detail: "broken off".to_owned() })
}

fn requeued() -> EventBody {
    EventBody::DeliveryRequeued { message: message_id(1), channel: site(), attempts: 1, by: ada() }
}

fn receipt(status: ReceiptStatus) -> EventBody {
    let code = (status == ReceiptStatus::Failed).then(|| "rejected".to_owned());
    EventBody::ReceiptRecorded { message: message_id(1), status, at: at(900), code }
}

fn note_entry(sheet: &Sheet) -> &TimelineItem {
    match sheet.get(&Key::Timeline(conversation(1), 2)) {
        Some(Row::Timeline(item)) => item,
        other => panic!("{other:?}"),
    }
}

/// State, attempts, epoch, next attempt; then code and next attempt of the note.
fn line(sheet: &Sheet) -> String {
    let outbound = &sheet.outbound(message_id(1)).unwrap().outbound;
    let note = note_entry(sheet).delivery.as_ref().unwrap();
    assert_eq!((note.state, note.attempts), (outbound.state, outbound.attempts));
    let epoch = outbound.epoch.map_or("-".to_owned(), |epoch| epoch.to_string());
    let code = note.code.as_deref().unwrap_or("-");
    let next = note.next_at.map_or("-".to_owned(), |next| next.since(at(0)).to_string());
    let (state, attempts) = (outbound.state, outbound.attempts);
    let next_at = outbound.next_at.since(at(0));
    format!("{state:?} {attempts} {epoch} {next_at}; {code} {next}")
}

#[test]
fn reply_moves_as_it_is_told_and_never_back() {
    use ReceiptStatus::{Delivered, Failed, Read, Sent};
    let receipts = |all: &[ReceiptStatus]| all.iter().map(|one| receipt(*one)).collect::<Vec<_>>();
    let then = |first: Vec<EventBody>, all: &[ReceiptStatus]| [first, receipts(all)].concat();
    let gone = || vec![attempted(1), sent()];
    let cases: Vec<(Vec<EventBody>, &str)> = vec![
        (vec![], "Queued 0 - 2; - -"),
        (vec![attempted(1)], "Sending 1 4 2; - -"),
        (vec![attempted(1), retry()], "Waiting 1 - 500; busy 500"),
        (vec![attempted(1), retry(), attempted(2)], "Sending 2 4 500; - -"),
        (vec![attempted(1), retry(), attempted(2), sent()], "Sent 2 - 500; - -"),
        (vec![attempted(1), failed()], "Failed 1 - 2; refused -"),
        // It keeps its epoch, so that a lost owner can still say what became of it.
        (vec![attempted(1), uncertain()], "Uncertain 1 4 2; cut -"),
        (vec![attempted(1), uncertain(), sent()], "Sent 1 - 2; - -"),
        (vec![attempted(1), uncertain(), requeued()], "Queued 1 - 5; - -"),
        (vec![attempted(1), failed(), requeued()], "Queued 1 - 5; - -"),
        (then(gone(), &[Delivered]), "Delivered 1 - 2; - -"),
        (then(gone(), &[Read, Delivered, Sent]), "Read 1 - 2; - -"),
        (then(gone(), &[Failed, Sent]), "Failed 1 - 2; rejected -"),
        // What has arrived has arrived, also if somebody had given it up.
        (then(gone(), &[Delivered, Failed]), "Delivered 1 - 2; - -"),
        (then(gone(), &[Failed, Read]), "Read 1 - 2; - -"),
        (then(vec![attempted(1), failed()], &[Delivered]), "Delivered 1 - 2; - -"),
        (then(vec![attempted(1), uncertain()], &[Sent]), "Sent 1 - 2; - -"),
        // A receipt can overtake the report of the host.
        ([then(vec![attempted(1)], &[Delivered]), vec![retry()]].concat(), "Delivered 1 - 2; - -"),
        ([then(vec![attempted(1)], &[Failed]), vec![sent()]].concat(), "Failed 1 - 2; rejected -"),
        // One of an attempt that is over does not end the next one, unless it did arrive.
        (then(vec![attempted(1), uncertain(), requeued()], &[Failed]), "Queued 1 - 5; - -"),
        (then(vec![attempted(1), retry()], &[Delivered]), "Delivered 1 - 500; - -"),
    ];
    for (events, expected) in cases {
        let all = [vec![open(), reply(1)], events.clone()].concat();
        assert_eq!(line(&folded(all)), expected, "{events:?}");
    }
}

#[test]
fn note_says_since_when() {
    let sheet = folded(vec![open(), reply(1), attempted(1), sent()]);
    assert_eq!(note_entry(&sheet).delivery.as_ref().unwrap().updated_at, at(4));
    let sheet = folded(vec![open(), reply(1), attempted(1), sent(), receipt(ReceiptStatus::Read)]);
    assert_eq!(note_entry(&sheet).delivery.as_ref().unwrap().updated_at, at(900));
    let detail = |events| {
        let sheet = folded(events);
        note_entry(&sheet).delivery.clone().unwrap().detail
    };
    assert_eq!(detail(vec![open(), reply(1), failed()]).as_deref(), Some("no such user"));
}

#[test]
fn reply_is_found_by_the_id_that_the_provider_gave_it() {
    let sheet = folded(vec![open(), reply(1), attempted(1), sent()]);
    assert_eq!(sheet.sent(&site(), "provider-1"), Some(message_id(1)));
    let sheet = folded(vec![open(), reply(1), attempted(1), uncertain()]);
    assert_eq!(sheet.sent(&site(), "provider-1"), None);
    // Even where a receipt came first: the next one names that id.
    let first = receipt(ReceiptStatus::Delivered);
    let sheet = folded(vec![open(), reply(1), attempted(1), first, sent()]);
    assert_eq!(sheet.sent(&site(), "provider-1"), Some(message_id(1)));
}

#[test]
fn receipt_that_tells_nothing_new_writes_nothing_but_its_entry() {
    let before = folded(vec![open(), reply(1), sent(), receipt(ReceiptStatus::Read)]);
    let mut sheet = postroom_records::Sheet::new();
    for change in before.into_changes() {
        if let Change::Put(key, row) = change {
            sheet.insert_loaded(key, Some(row));
        }
    }
    let event = postroom_model::Event::on(conversation(1), receipt(ReceiptStatus::Delivered));
    let envelope = crate::support::envelope(vec![event.clone()], std::collections::BTreeMap::new());
    sheet.fold(5, &envelope.transitions[0], &event, &envelope.bodies);
    let keys: Vec<_> = sheet
        .into_changes()
        .into_iter()
        .map(|change| match change {
            Change::Put(key, _) => key,
            other => panic!("{other:?}"),
        })
        .collect();
    let conversation = conversation(1);
    assert_eq!(keys, [Key::Conversation(conversation), Key::Timeline(conversation, 5)]);
}

#[test]
fn events_of_an_unknown_reply_make_none() {
    let sheet = folded(vec![attempted(1), sent(), receipt(ReceiptStatus::Read)]);
    assert_eq!(sheet.outbound(message_id(1)), None);
    assert_eq!(sheet.sent(&site(), "provider-1"), None);
    let queued = folded(vec![open(), reply(1)]);
    let state = queued.outbound(message_id(1)).map(|row| row.outbound.state);
    assert_eq!(state, Some(DeliveryState::Queued));
}
