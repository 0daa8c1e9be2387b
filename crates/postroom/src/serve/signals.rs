//! Signals of the operating system: end, and read the configuration again.

use tokio::signal::unix::{SignalKind, signal};

/// Returns when the process is asked to end (SIGINT, SIGTERM).
pub(super) async fn terminated() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Asked to read the configuration again (SIGHUP).
pub(super) struct Hangup(Option<tokio::signal::unix::Signal>);

impl Hangup {
    pub(super) fn new() -> Self {
        Self(signal(SignalKind::hangup()).ok())
    }

    pub(super) async fn recv(&mut self) {
        match &mut self.0 {
            Some(signal) => {
                if signal.recv().await.is_none() {
                    std::future::pending::<()>().await;
                }
            }
            None => std::future::pending().await,
        }
    }
}
