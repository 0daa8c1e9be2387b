//! The library that reads what servers say can break on it. Then the connection is over, and nothing else
//! (P9).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use crate::ImapError;

/// What the library makes of it, unless it breaks.
pub(crate) async fn steady<T>(reading: impl Future<Output = T>) -> Result<T, ImapError> {
    let mut reading = pin!(reading);
    std::future::poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| reading.as_mut().poll(context)));
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(_) => Poll::Ready(Err(ImapError::Unreadable)),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::steady;
    use crate::ImapError;

    #[tokio::test]
    async fn what_breaks_is_an_error_and_what_does_not_is_what_it_was() {
        assert_eq!(steady(async { 7 }).await, Ok(7));
        let broken = steady(async {
            tokio::task::yield_now().await;
            let text = "\u{fffd}";
            text.split_at(1).0.len()
        });
        assert_eq!(broken.await, Err(ImapError::Unreadable));
    }
}
