//! A host in a house of its own: everything that can happen between the grant and the receipt.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use postroom_bus::Ledger as _;
use postroom_channel::{Adapter, Patience};
use postroom_model::{
    Attachment, DeliveryState, Envelope, EventBody, OutcomeKind, ReplyDraft, SendResult,
};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::outbox::CONCURRENT_SENDS_MAX;
use crate::outbox::presence::{ANSWER_WAIT_MS, ASK_EVERY_MS};
use crate::schedule::{ATTEMPTS_MAX, MAIL_ATTEMPTS_MAX};
use crate::testing::{FakeAdapter, House, Step, channel, message};
use crate::{ATTEMPT_DEADLINE, STOP_LIMIT};

fn site(script: impl IntoIterator<Item = Step>) -> Arc<FakeAdapter> {
    FakeAdapter::new(channel("site"), script, Step::Sent)
}

fn shared(adapter: &Arc<FakeAdapter>) -> Arc<dyn Adapter> {
    Arc::clone(adapter) as _
}

fn words(text: &str) -> ReplyDraft {
    ReplyDraft { text: text.to_owned(), ..ReplyDraft::default() }
}

async fn settled(house: &House) -> Vec<SendResult> {
    let envelopes = house.envelopes().await;
    let events = envelopes.iter().flat_map(Envelope::events);
    events
        .filter_map(|(_, _, event)| match &event.body {
            EventBody::DeliverySettled { result, .. } => Some(result.clone()),
            _ => None,
        })
        .collect()
}

fn code(result: &SendResult) -> &str {
    match result {
        SendResult::Sent { .. } => "sent",
        SendResult::Retry { code, .. }
        | SendResult::Failed { code, .. }
        | SendResult::Uncertain { code, .. } => code,
    }
}

#[tokio::test(start_paused = true)]
async fn p7_reply_leaves_once_with_its_words_and_files() {
    let house = House::open();
    let adapter = site([]);
    let _host = house.start(&[shared(&adapter)]);
    let blob = house.blobs.put("a picture".into()).await.unwrap();
    let draft = ReplyDraft {
        attachments: vec![Attachment {
            sha256: Some(blob.sha256),
            size_bytes: Some(blob.size_bytes),
            ..Attachment::default()
        }],
        ..words("good morning")
    };
    house.reply(1, 1, draft).await;
    house.wait_state(1, DeliveryState::Sent).await;
    let given = adapter.given(0);
    assert_eq!(given.outbound.message.text.as_deref(), Some("good morning"));
    assert_eq!(given.outbound.state, DeliveryState::Sending);
    assert_eq!(given.files, ["a picture"]);
    assert_eq!(adapter.attempts(), [(message(1), 1)]);
    let external_id = Some(format!("provider-{}", message(1)));
    assert_eq!(settled(&house).await, [SendResult::Sent { external_id }]);
}

#[tokio::test(start_paused = true)]
async fn retryable_failure_waits_as_long_as_the_provider_asked() {
    let house = House::open();
    let wish = Duration::from_secs(90);
    let adapter = site([Step::Retry(Some(wish)), Step::Retry(None)]);
    let _host = house.start(&[shared(&adapter)]);
    let start = Instant::now();
    house.reply(1, 1, words("hello")).await;
    adapter.wait_for(2).await;
    assert!(start.elapsed() >= wish, "{:?}", start.elapsed());
    house.wait_state(1, DeliveryState::Sent).await;
    let same_id = [(message(1), 1), (message(1), 2), (message(1), 3)];
    assert_eq!(adapter.attempts(), same_id);
}

#[tokio::test(start_paused = true)]
async fn what_never_is_taken_is_given_up_after_more_than_a_day() {
    let house = House::open();
    let adapter = FakeAdapter::new(channel("site"), [], Step::Retry(None));
    let host = house.start(&[shared(&adapter)]);
    let start = Instant::now();
    house.reply(1, 1, words("hello")).await;
    let row = house.wait_state(1, DeliveryState::Failed).await;
    assert_eq!(row.attempts, ATTEMPTS_MAX);
    assert!(start.elapsed() > Duration::from_hours(24));
    // Asked for again, it gets a whole schedule again.
    house.resend(1, 1, 100).await;
    adapter.wait_for(ATTEMPTS_MAX as usize + 2).await;
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &host.registry).unwrap();
    let failed = r#"postroom_delivery_attempts_total{channel="site",result="failed"} 1"#;
    assert!(text.contains(failed), "{text}");
    assert!(text.contains(r#"postroom_delivery_queue_length{channel="site"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn mail_is_given_up_after_four_days_at_the_earliest() {
    let house = House::open();
    let retry = Step::Retry(None);
    let adapter = FakeAdapter::with_patience(channel("site"), [], retry, Patience::Days);
    let _host = house.start(&[shared(&adapter)]);
    let start = Instant::now();
    house.reply(1, 1, words("hello")).await;
    let row = house.wait_state(1, DeliveryState::Failed).await;
    assert_eq!(row.attempts, MAIL_ATTEMPTS_MAX);
    assert!(start.elapsed() > Duration::from_hours(4 * 24));
}

#[tokio::test(start_paused = true)]
async fn each_end_of_an_attempt_is_reported_as_what_it_is() {
    for (step, state, expected) in [
        (Step::Permanent, DeliveryState::Failed, "provider_refused"),
        (Step::Uncertain, DeliveryState::Uncertain, "connection_lost"),
        (Step::Hang, DeliveryState::Uncertain, "attempt_timed_out"),
        (Step::Panic, DeliveryState::Uncertain, "adapter_panicked"),
    ] {
        let house = House::open();
        let adapter = site([step]);
        let _host = house.start(&[shared(&adapter)]);
        let start = Instant::now();
        house.reply(1, 1, words("hello")).await;
        house.wait_state(1, state).await;
        assert!(start.elapsed() <= ATTEMPT_DEADLINE + Duration::from_secs(1));
        let results = settled(&house).await;
        assert_eq!(results.iter().map(code).collect::<Vec<_>>(), [expected]);
        // It holds nobody back, and is sent again only when somebody asks, with the same id.
        house.reply(1, 2, words("and another thing")).await;
        house.wait_state(2, DeliveryState::Sent).await;
        assert_eq!(adapter.attempts(), [(message(1), 1), (message(2), 1)]);
        house.resend(1, 1, 100).await;
        house.wait_state(1, DeliveryState::Sent).await;
        assert_eq!(adapter.attempts().last(), Some(&(message(1), 2)));
    }
}

#[tokio::test(start_paused = true)]
async fn p7_after_a_crash_between_grant_and_receipt_nothing_is_sent_again() {
    let house = House::open();
    let adapter = site([Step::Hang]);
    let host = house.start(&[shared(&adapter)]);
    house.reply(1, 1, words("hello")).await;
    adapter.wait_for(1).await;
    house.reply(1, 2, words("and more")).await;
    host.kill().await;
    assert_eq!(house.row(message(1)).await.unwrap().state, DeliveryState::Sending);

    let _next = house.start(&[shared(&adapter)]);
    house.wait_state(1, DeliveryState::Uncertain).await;
    house.wait_state(2, DeliveryState::Sent).await;
    assert_eq!(adapter.attempts(), [(message(1), 1), (message(2), 1)]);
}

#[tokio::test(start_paused = true)]
async fn host_that_lost_a_channel_stops_and_its_late_report_is_refused() {
    let house = House::open();
    let go = Arc::new(Notify::new());
    let old = site([Step::Wait(Arc::clone(&go))]);
    let _old_host = house.start(&[shared(&old)]);
    house.reply(1, 1, words("hello")).await;
    old.wait_for(1).await;

    let new = site([]);
    let _new_host = house.start(&[shared(&new)]);
    house.wait_state(1, DeliveryState::Uncertain).await;
    go.notify_one();
    for number in 2..6 {
        house.reply(1, number, words("more")).await;
        house.wait_state(number, DeliveryState::Sent).await;
    }
    assert_eq!(old.attempts().len(), 1);
    assert_eq!(new.attempts().len(), 4);
    let envelopes = house.envelopes().await;
    let outcomes = envelopes
        .iter()
        .flat_map(|envelope| &envelope.transitions)
        .filter_map(|transition| transition.outcome.as_ref());
    let stale = outcomes.filter(|outcome| outcome.code.as_deref() == Some("stale_owner"));
    assert_eq!(stale.count(), 1);
    let row = house.row(message(1)).await.unwrap();
    assert_eq!(row.state, DeliveryState::Uncertain);
}

#[tokio::test(start_paused = true)]
async fn channel_is_taken_back_from_a_host_that_is_gone_and_from_no_other() {
    let house = House::open();
    let (old, new) = (site([]), site([]));
    let old_host = house.start(&[shared(&old)]);
    old_host.owns().await;
    let new_host = house.start(&[shared(&new)]);
    // As long as it is asked and answers, nothing changes hands.
    house.wait_events(60, |body| matches!(body, EventBody::DeliveryPresent { .. })).await;
    let owners = || async {
        let envelopes = house.envelopes().await;
        let events = envelopes.iter().flat_map(Envelope::events);
        events.filter(|(_, _, event)| matches!(event.body, EventBody::DeliveryOwned { .. })).count()
    };
    assert_eq!(owners().await, 2);
    house.reply(1, 1, words("hello")).await;
    house.wait_state(1, DeliveryState::Sent).await;
    assert_eq!((old.attempts().len(), new.attempts().len()), (0, 1));

    let gone_at = Instant::now();
    new_host.kill().await;
    old_host.owns().await;
    let most = u64::try_from(ASK_EVERY_MS + ANSWER_WAIT_MS + 1_000).unwrap();
    assert!(gone_at.elapsed() <= Duration::from_millis(most), "{:?}", gone_at.elapsed());
    house.reply(1, 2, words("more")).await;
    house.wait_state(2, DeliveryState::Sent).await;
    assert_eq!((owners().await, old.attempts().len()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn host_that_is_alone_says_nothing() {
    let house = House::open();
    let adapter = FakeAdapter::new(channel("site"), [], Step::Retry(None));
    let host = house.start(&[shared(&adapter)]);
    host.owns().await;
    house.reply(1, 1, words("hello")).await;
    house.wait_state(1, DeliveryState::Failed).await;
    let envelopes = house.envelopes().await;
    let mut events = envelopes.iter().flat_map(Envelope::events);
    assert!(!events.any(|(_, _, event)| matches!(event.body, EventBody::DeliveryPresent { .. })));
}

#[tokio::test(start_paused = true)]
async fn p7_nothing_is_sent_before_it_is_granted() {
    let house = House::open();
    let adapter = site([]);
    let _host = house.start(&[shared(&adapter)]);
    house.hold_attempts.send_replace(true);
    house.reply(1, 1, words("hello")).await;
    tokio::time::advance(Duration::from_hours(1)).await;
    house.reply(2, 2, words("hello")).await;
    assert!(adapter.attempts().is_empty());
    house.hold_attempts.send_replace(false);
    house.wait_state(1, DeliveryState::Sent).await;
    house.wait_state(2, DeliveryState::Sent).await;
}

#[tokio::test(start_paused = true)]
async fn replies_of_a_conversation_keep_their_order_and_hold_back_no_other() {
    let house = House::open();
    let adapter = site([Step::Retry(Some(Duration::from_mins(10)))]);
    let _host = house.start(&[shared(&adapter)]);
    house.reply(1, 1, words("first")).await;
    adapter.wait_for(1).await;
    house.reply(1, 2, words("second")).await;
    house.reply(2, 3, words("elsewhere")).await;
    house.wait_state(3, DeliveryState::Sent).await;
    assert_eq!(house.row(message(2)).await.unwrap().state, DeliveryState::Queued);
    house.wait_state(2, DeliveryState::Sent).await;
    let ids: Vec<_> = adapter.attempts().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, [message(1), message(3), message(1), message(2)]);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_limit_is_sent_at_once_on_a_channel() {
    let house = House::open();
    let adapter = FakeAdapter::new(channel("site"), [], Step::Hang);
    let other = FakeAdapter::new(channel("mail"), [], Step::Sent);
    let _host = house.start(&[shared(&adapter), shared(&other)]);
    house.route_through(100, "mail");
    for number in 0..20 {
        house.reply(number, number, words("hello")).await;
    }
    adapter.wait_for(CONCURRENT_SENDS_MAX).await;
    // A full channel is no matter of the others.
    house.reply(100, 100, words("hello")).await;
    house.wait_state(100, DeliveryState::Sent).await;
    assert_eq!(adapter.attempts().len(), CONCURRENT_SENDS_MAX);
    adapter.wait_for(CONCURRENT_SENDS_MAX + 1).await;
}

#[tokio::test(start_paused = true)]
async fn channel_that_appears_later_is_owned_then_and_one_that_goes_sends_no_more() {
    let house = House::open();
    let host = house.start(&[]);
    house.reply(1, 1, words("hello")).await;
    let adapter = site([]);
    host.set_adapters(&[shared(&adapter)]);
    house.wait_state(1, DeliveryState::Sent).await;

    house.hold_attempts.send_replace(true);
    house.reply(1, 2, words("one more")).await;
    let mut inputs = postroom_bus::Inlet::changes(house.inlet.as_ref());
    // Own, two replies, two questions and one report.
    inputs.wait_for(|last| *last >= 6).await.unwrap();
    host.set_adapters(&[]);
    house.hold_attempts.send_replace(false);
    house.wait_state(2, DeliveryState::Waiting).await;
    let results = settled(&house).await;
    assert_eq!(results.last().map(code), Some("channel_not_configured"));
    host.set_adapters(&[shared(&adapter)]);
    house.wait_state(2, DeliveryState::Sent).await;
}

#[tokio::test(start_paused = true)]
async fn report_is_repeated_until_it_is_stored_and_counts_once() {
    let house = House::open();
    let go = Arc::new(Notify::new());
    let adapter = site([Step::Wait(Arc::clone(&go))]);
    let _host = house.start(&[shared(&adapter)]);
    house.reply(1, 1, words("hello")).await;
    adapter.wait_for(1).await;
    house.inlet.unanswered.store(2, Ordering::SeqCst);
    go.notify_one();
    house.wait_state(1, DeliveryState::Sent).await;
    house.inlet.refused.store(3, Ordering::SeqCst);
    house.ledger.changes().wait_for(|last| *last >= 6).await.unwrap();
    house.inlet.refused.store(0, Ordering::SeqCst);
    assert_eq!(settled(&house).await.len(), 1);
    let envelopes = house.envelopes().await;
    let repeated = envelopes
        .iter()
        .flat_map(|envelope| &envelope.transitions)
        .filter_map(|transition| transition.outcome.as_ref())
        .filter(|outcome| outcome.kind == OutcomeKind::Duplicate);
    assert_eq!(repeated.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn full_inlet_and_unreadable_ledger_are_waited_for() {
    let house = House::open();
    let adapter = site([]);
    house.ledger.unread.store(5, Ordering::SeqCst);
    house.inlet.refused.store(0, Ordering::SeqCst);
    house.reply(1, 1, words("hello")).await;
    house.inlet.refused.store(5, Ordering::SeqCst);
    let _host = house.start(&[shared(&adapter)]);
    house.wait_state(1, DeliveryState::Sent).await;
    assert_eq!(adapter.attempts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn host_that_is_told_to_end_lets_running_attempts_report() {
    let house = House::open();
    let go = Arc::new(Notify::new());
    let adapter = site([Step::Wait(Arc::clone(&go))]);
    let host = house.start(&[shared(&adapter)]);
    house.reply(1, 1, words("hello")).await;
    adapter.wait_for(1).await;
    host.tell_to_end();
    house.reply(2, 2, words("too late")).await;
    go.notify_one();
    host.end().await.unwrap();
    house.wait_state(1, DeliveryState::Sent).await;
    assert_eq!(house.row(message(2)).await.unwrap().state, DeliveryState::Queued);
}

#[tokio::test(start_paused = true)]
async fn attempt_granted_while_the_host_ends_is_given_back_unsent() {
    let house = House::open();
    let adapter = site([]);
    let host = house.start(&[shared(&adapter)]);
    house.hold_attempts.send_replace(true);
    house.reply(1, 1, words("hello")).await;
    let mut inputs = postroom_bus::Inlet::changes(house.inlet.as_ref());
    inputs.wait_for(|last| *last >= 3).await.unwrap();
    host.tell_to_end();
    tokio::time::advance(Duration::from_millis(10)).await;
    house.hold_attempts.send_replace(false);
    host.end().await.unwrap();
    house.wait_state(1, DeliveryState::Waiting).await;
    assert!(adapter.attempts().is_empty());

    let _next = house.start(&[shared(&adapter)]);
    house.wait_state(1, DeliveryState::Sent).await;
}

#[tokio::test(start_paused = true)]
async fn host_ends_at_its_limit_even_if_an_attempt_hangs() {
    let house = House::open();
    let adapter = site([Step::Hang]);
    let host = house.start(&[shared(&adapter)]);
    house.reply(1, 1, words("hello")).await;
    adapter.wait_for(1).await;
    let start = Instant::now();
    host.tell_to_end();
    host.end().await.unwrap();
    assert!(start.elapsed() <= STOP_LIMIT + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn damaged_ledger_ends_the_host_with_a_reason() {
    let house = House::open();
    let host = house.start(&[]);
    let nothing = bytes::Bytes::from_static(b"nothing");
    house.ledger.append(0, (1, 0), nothing).await.unwrap();
    let error = host.end().await.unwrap_err();
    assert_eq!(error.code(), "envelope_unreadable");
    assert!(!error.retryable());
}
