//! The checks of what is sent, towards an address where nobody listens.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Waker};

use super::judge::Judge;
use super::{Fixture, NoFiles, PATIENCE};
use crate::SendErrorKind;

pub(super) async fn run(fixture: &dyn Fixture, judge: &mut Judge) {
    judge.check = "send";
    let Some(outbound) = fixture.outbound() else {
        let sends = fixture.adapter().sends();
        judge.expect(!sends, || "it sends, and the fixture has no reply".to_owned());
        return;
    };
    let adapter = fixture.adapter();
    judge.expect(adapter.sends(), || "it does not send, and has a reply to send".to_owned());

    judge.check = "send_cancelled";
    {
        // Begun and dropped: nobody may be told that it left, and the adapter goes on.
        let attempt = pin!(adapter.send(&outbound, &NoFiles));
        let polled = attempt.poll(&mut Context::from_waker(Waker::noop()));
        let taken = matches!(polled, std::task::Poll::Ready(Ok(_)));
        judge.expect(!taken, || "it was sent where nobody listens".to_owned());
    }

    judge.check = "send_unreachable";
    for _ in 0..2 {
        let attempt = adapter.send(&outbound, &NoFiles);
        match tokio::time::timeout(PATIENCE, attempt).await {
            Err(_) => judge.fail("an attempt has no deadline"),
            Ok(Ok(_)) => judge.fail("it was sent where nobody listens"),
            Ok(Err(error)) => {
                judge.send_error(&error);
                let again = error.kind == SendErrorKind::Retryable;
                judge.expect(again, || format!("nobody listened, and it is no retry: {error:?}"));
            }
        }
    }
    judge.hear(&format!("{adapter:?}"));
}
