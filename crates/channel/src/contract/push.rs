//! The checks of what is posted.

use std::sync::Arc;

use postroom_model::SeededRandom;
use serde_json::Value;

use super::judge::Judge;
use super::{Fixture, MUTATIONS, PATIENCE, Post, SEED, TestInlet, bodies};
use crate::limits::BODY_BYTES_MAX;
use crate::{Adapter, Inlet, Received, Refusal};

/// Events of the check of order.
const EVENTS: u64 = 8;

pub(super) async fn run(fixture: &dyn Fixture, judge: &mut Judge) {
    let adapter = fixture.adapter();
    judge.hear(&format!("{adapter:?}"));
    good(fixture, judge);
    duplicates(fixture, judge);
    order(fixture, judge);
    ids(fixture, judge);
    signatures(fixture, judge);
    oversize(fixture, judge);
    if fixture.is_json() {
        json(fixture, judge);
    }
    mutations(fixture, judge);
    cancelled(fixture, judge).await;
}

fn signed(fixture: &dyn Fixture, mut post: Post) -> Post {
    fixture.sign(&mut post);
    post
}

/// What is read of event `number`, or nothing if it is refused.
fn read(fixture: &dyn Fixture, judge: &mut Judge, number: u64) -> Received {
    let post = signed(fixture, fixture.post(number));
    let parsed = judge.parse(&*fixture.adapter(), &post, fixture.is_json());
    match parsed {
        Some(Ok(received)) => received,
        Some(Err(refusal)) => {
            judge.fail(format!("event {number} is refused: {refusal}"));
            Received::default()
        }
        None => Received::default(),
    }
}

fn verify(
    fixture: &dyn Fixture,
    judge: &mut Judge,
    adapter: &dyn Adapter,
    post: &Post,
) -> Result<(), Refusal> {
    let push = adapter.push().map(|push| push.verify(&post.request(), fixture.now()));
    let verified = push.unwrap_or(Ok(()));
    if let Err(refusal) = &verified {
        judge.refusal(refusal, false);
    }
    verified
}

fn good(fixture: &dyn Fixture, judge: &mut Judge) {
    judge.check = "good";
    let post = signed(fixture, fixture.post(0));
    let verified = verify(fixture, judge, &*fixture.adapter(), &post);
    judge.expect(verified.is_ok(), || format!("a good request is refused: {verified:?}"));
    let received = read(fixture, judge, 0);
    let something = !received.arrivals.is_empty()
        || !received.receipts.is_empty()
        || !received.calls.is_empty()
        || !received.legs.is_empty();
    judge.expect(something, || "a good request holds nothing".to_owned());
}

fn duplicates(fixture: &dyn Fixture, judge: &mut Judge) {
    judge.check = "duplicate";
    let first = read(fixture, judge, 1);
    let again = read(fixture, judge, 1);
    judge.expect(first == again, || "the same request is read in two ways".to_owned());
    let other = read(fixture, judge, 2);
    let fresh = first.arrivals.is_empty() || external_ids(&first) != external_ids(&other);
    judge.expect(fresh, || "two events have the same id".to_owned());
}

fn external_ids(received: &Received) -> Vec<&str> {
    let arrivals = received.arrivals.iter();
    arrivals.map(|arrival| arrival.message.external_id.as_str()).collect()
}

fn order(fixture: &dyn Fixture, judge: &mut Judge) {
    judge.check = "order";
    let forward: Vec<Received> = (0..EVENTS).map(|n| read(fixture, judge, n)).collect();
    // One adapter for all of them, backwards, with something bad between each two.
    let adapter = fixture.adapter();
    for number in (0..EVENTS).rev() {
        let bad = fixture.post(number).with_body("{\"half\":");
        let _refused = judge.parse(&*adapter, &signed(fixture, bad), fixture.is_json());
        let post = signed(fixture, fixture.post(number));
        let parsed = judge.parse(&*adapter, &post, fixture.is_json());
        let expected = usize::try_from(number).ok().and_then(|index| forward.get(index));
        let same = matches!((&parsed, expected), (Some(Ok(now)), Some(then)) if now == then);
        judge.expect(same, || format!("event {number} depends on what came before it"));
    }
}

fn ids(fixture: &dyn Fixture, judge: &mut Judge) {
    judge.check = "missing_id";
    let adapter = fixture.adapter();
    let mut seen = Vec::new();
    for number in [1, 1, 2] {
        let Some(post) = fixture.post_without_id(number) else {
            return;
        };
        match judge.parse(&*adapter, &post, fixture.is_json()) {
            Some(Ok(received)) => {
                seen.push(external_ids(&received).join(" "));
            }
            other => judge.fail(format!("a message without an id is not read: {other:?}")),
        }
    }
    if let [first, again, other] = seen.as_slice() {
        judge.expect(first == again, || "a generated id is not the same twice".to_owned());
        judge.expect(first != other, || "two messages have one generated id".to_owned());
        let marked = first.starts_with("generated:");
        judge.expect(marked, || format!("a generated id is not marked as one: {first}"));
    }
}

fn signatures(fixture: &dyn Fixture, judge: &mut Judge) {
    judge.check = "signature";
    let adapter = fixture.adapter();
    let good = signed(fixture, fixture.post(3));
    let mut bad = vec![("unsigned".to_owned(), fixture.post(3))];
    let mut changed = good.clone();
    changed.body.push(b' ');
    bad.push(("with another body".to_owned(), changed));
    for name in fixture.signature_headers() {
        let mut missing = good.clone();
        missing.headers.remove(*name);
        bad.push((format!("without {name}"), missing));
        let mut doubled = good.clone();
        if let Some(value) = good.headers.get(*name) {
            doubled.headers.append(*name, value.clone());
        }
        bad.push((format!("with {name} twice"), doubled));
        let mut empty = good.clone();
        empty.headers.insert(*name, http::HeaderValue::from_static(""));
        bad.push((format!("with {name} empty"), empty));
    }
    for (what, post) in bad {
        let verified = verify(fixture, judge, &*adapter, &post);
        let refused = matches!(&verified, Err(refusal) if refusal.status == 401);
        judge.expect(refused, || format!("a request {what} is not refused with 401"));
    }
}

fn oversize(fixture: &dyn Fixture, judge: &mut Judge) {
    judge.check = "oversize";
    let mut post = fixture.post(0);
    post.body.resize(BODY_BYTES_MAX + 1, b' ');
    let parsed = judge.parse(&*fixture.adapter(), &post, fixture.is_json());
    let refused = matches!(&parsed, Some(Err(refusal)) if refusal.status == 413);
    judge.expect(refused, || "a body over the limit is not refused with 413".to_owned());
}

fn json(fixture: &dyn Fixture, judge: &mut Judge) {
    let adapter = fixture.adapter();
    let post = fixture.post(0);
    judge.check = "odd_json";
    for body in bodies::oddities() {
        let parsed = judge.parse(&*adapter, &post.with_body(body), true);
        let empty = match parsed {
            Some(Ok(received)) => received.arrivals.is_empty(),
            _ => true,
        };
        judge.expect(empty, || "a message was read where there is none".to_owned());
    }
    let Ok(good) = serde_json::from_slice::<Value>(&post.body) else {
        judge.fail("the body of a good request is not JSON");
        return;
    };
    judge.check = "not_utf8";
    for body in bodies::not_utf8(&good) {
        let parsed = judge.parse(&*adapter, &post.with_body(body), true);
        let refused = matches!(&parsed, Some(Err(refusal)) if refusal.status == 422);
        judge.expect(refused, || "a body that is not UTF-8 is not refused with 422".to_owned());
    }
    judge.check = "wrong_type";
    for (_, body) in bodies::with_values_replaced(&good) {
        // Nothing more is asked than what is asked of everything: no panic, and a clear answer.
        let _judged = judge.parse(&*adapter, &post.with_body(body), true);
    }
    judge.check = "unknown_field";
    let usual = judge.parse(&*adapter, &post, true);
    for (pointer, body) in bodies::with_unknown_members(&good) {
        let parsed = judge.parse(&*adapter, &post.with_body(body), true);
        let ignored = parsed == usual;
        let clear = match &parsed {
            Some(Err(refusal)) => refusal.pointers.iter().any(|(at, _)| at.contains("~0~1")),
            // Attributes are free; an unknown member may be one.
            Some(Ok(_)) => true,
            None => false,
        };
        judge.expect(ignored || clear, || {
            format!("an unknown field in {pointer:?} is neither ignored nor told by pointer")
        });
    }
}

fn mutations(fixture: &dyn Fixture, judge: &mut Judge) {
    judge.check = "mutation";
    let adapter = fixture.adapter();
    let random = SeededRandom::new(SEED);
    for number in 0..MUTATIONS {
        let post = fixture.post(number % EVENTS);
        let body = bodies::mutated(&post.body, &random);
        let mutated = signed(fixture, post.with_body(body));
        let _judged = judge.parse(&*adapter, &mutated, fixture.is_json());
    }
}

/// A post is answered only after the inlet has it; one that is cancelled before is offered again,
/// and is the same then.
async fn cancelled(fixture: &dyn Fixture, judge: &mut Judge) {
    judge.check = "cancelled";
    let adapter = fixture.adapter();
    let received = read(fixture, judge, 4);
    let hanging = TestInlet::hanging();
    let mut answered = false;
    {
        let attempt = async {
            let accepted = hanging.accept(adapter.channel(), received.clone()).await;
            answered = accepted.is_ok();
        };
        tokio::select! {
            () = attempt => {}
            () = hanging.wait_for(1) => {}
        }
    }
    judge.expect(!answered, || "it was answered before the inlet had it".to_owned());
    let taking: Arc<TestInlet> = Arc::new(TestInlet::taking());
    let again = read(fixture, judge, 4);
    let accepted = taking.accept(adapter.channel(), again).await;
    judge.expect(accepted.is_ok(), || "the second attempt is not taken".to_owned());
    let same = hanging.external_ids() == taking.external_ids();
    judge.expect(same, || "the second attempt is another message".to_owned());

    // An adapter that is only posted to ends its run at once, or when it is told to.
    let shutdown = tokio_util::sync::CancellationToken::new();
    shutdown.cancel();
    let run = adapter.run(taking, shutdown);
    let ended = tokio::time::timeout(PATIENCE, run).await;
    judge.expect(matches!(ended, Ok(Ok(()))), || "it does not end when told to".to_owned());
}
