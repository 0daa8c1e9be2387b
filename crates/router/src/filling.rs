//! How full inlet and ledger are, told in metrics and, where one comes near its limit, in the log. It
//! looks also while nothing can be decided, for a full ledger is why. It deletes nothing.

use std::sync::Arc;
use std::time::Duration;

use postroom_bus::{BusError, Filling, Inlet, Ledger};
use tokio_util::sync::CancellationToken;

use crate::RouterMetrics;
use crate::run::RouterParts;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// From here on somebody has to enlarge it.
const NEARLY_FULL_PERCENT: u64 = 80;

/// Looks until shutdown.
pub(crate) async fn watch(parts: Watched, shutdown: CancellationToken) {
    let mut said = [false; 2];
    loop {
        let inlet = parts.inlet.filling().await;
        let ledger = parts.ledger.filling().await;
        for ((log, filling), said) in
            [("inlet", inlet), ("ledger", ledger)].into_iter().zip(&mut said)
        {
            tell(log, &filling, &parts.metrics, said);
        }
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// What is looked at.
#[derive(Debug)]
pub(crate) struct Watched {
    inlet: Arc<dyn Inlet>,
    ledger: Arc<dyn Ledger>,
    metrics: RouterMetrics,
}

impl Watched {
    pub(crate) fn of(parts: &RouterParts) -> Self {
        let (inlet, ledger) = (Arc::clone(&parts.inlet), Arc::clone(&parts.ledger));
        Self { inlet, ledger, metrics: parts.metrics.clone() }
    }
}

/// Says once that one is nearly full, and again after there was room.
fn tell(
    log: &'static str,
    filling: &Result<Option<Filling>, BusError>,
    metrics: &RouterMetrics,
    said: &mut bool,
) {
    // That the bus is away is said by whoever needs it.
    let Ok(Some(filling)) = filling else { return };
    metrics.filled(log, *filling);
    let is_nearly = is_nearly_full(*filling);
    if is_nearly && !*said {
        let Filling { bytes, bytes_max } = *filling;
        tracing::warn!(log, bytes, bytes_max, "nearly full; see Alarms in docs/operations.md");
    }
    *said = is_nearly;
}

const fn is_nearly_full(filling: Filling) -> bool {
    filling.bytes.saturating_mul(100) >= filling.bytes_max.saturating_mul(NEARLY_FULL_PERCENT)
}

#[cfg(test)]
mod tests {
    use super::{Filling, tell};
    use crate::RouterMetrics;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    #[test]
    fn nearly_full_log_is_told_once_and_again_after_there_was_room() {
        let mut registry = Registry::default();
        let metrics = RouterMetrics::register(&mut registry);
        let mut said = false;
        for (bytes, expected) in [(79, false), (80, true), (99, true), (10, false), (81, true)] {
            let filling = Filling { bytes, bytes_max: 100 };
            tell("ledger", &Ok(Some(filling)), &metrics, &mut said);
            assert_eq!(said, expected, "{bytes}");
        }
        // What cannot be looked at leaves what was known.
        tell("ledger", &Ok(None), &metrics, &mut said);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert!(text.contains("postroom_router_stored_bytes{log=\"ledger\"} 81"), "{text}");
        assert!(text.contains("postroom_router_stored_bytes_max{log=\"ledger\"} 100"), "{text}");
    }
}
