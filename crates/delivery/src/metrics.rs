//! What can be watched from outside: attempts by result, and how much waits for how long.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use postroom_model::{ChannelId, Clock, SendResult};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::attempt::result_name;
use crate::outbox::QueueState;

/// The metrics of a host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    attempts: Family<AttemptLabels, Counter>,
    queues: Arc<Queues>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    channel: String,
    result: &'static str,
}

/// Ages are counted when they are asked for, so that they grow while nothing happens.
#[derive(Debug)]
struct Queues {
    clock: Arc<dyn Clock>,
    state: Mutex<BTreeMap<ChannelId, QueueState>>,
}

impl Metrics {
    /// Registers everything under `postroom_delivery`.
    pub fn register(registry: &mut Registry, clock: Arc<dyn Clock>) -> Self {
        let metrics = Self {
            attempts: Family::default(),
            queues: Arc::new(Queues { clock, state: Mutex::default() }),
        };
        let registry = registry.sub_registry_with_prefix("postroom_delivery");
        registry.register(
            "attempts",
            "Attempts to send a reply, by what became of them",
            metrics.attempts.clone(),
        );
        registry.register_collector(Box::new(Arc::clone(&metrics.queues)));
        metrics
    }

    pub(crate) fn attempted(&self, channel: &ChannelId, result: &SendResult) {
        let labels = AttemptLabels { channel: channel.to_string(), result: result_name(result) };
        self.attempts.get_or_create(&labels).inc();
    }

    /// Takes the place of what was told before.
    pub(crate) fn set_queues(&self, queues: BTreeMap<ChannelId, QueueState>) {
        *self.queues.lock() = queues;
    }
}

impl Queues {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ChannelId, QueueState>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gauges(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, help): (&str, &str),
        value: impl Fn(&QueueState) -> i64,
    ) -> fmt::Result {
        let state = self.lock();
        if state.is_empty() {
            return Ok(());
        }
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (channel, state) in state.iter() {
            let labels = [("channel", channel.as_str())];
            family.encode_family(&labels)?.encode_gauge(&value(state))?;
        }
        Ok(())
    }
}

impl Collector for Queues {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let now = self.clock.now();
        let length = |state: &QueueState| i64::try_from(state.length).unwrap_or(i64::MAX);
        let help = "Replies that have not left";
        self.gauges(&mut encoder, ("queue_length", help), length)?;
        let age = |state: &QueueState| {
            let age_ms = state.oldest.map_or(0, |oldest| now.since(oldest).max(0));
            age_ms / 1_000
        };
        let help = "For how long the oldest reply that has not left has waited";
        self.gauges(&mut encoder, ("oldest_age_seconds", help), age)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use postroom_model::{ChannelId, ManualClock, SendResult, Timestamp};
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::{Metrics, QueueState};

    #[test]
    fn metrics_name_channel_result_and_age_at_the_time_of_asking() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(100)));
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry, Arc::clone(&clock) as _);
        let channel = |name| ChannelId::new(name).unwrap();
        let sent = SendResult::Sent { external_id: None };
        metrics.attempted(&channel("site"), &sent);
        metrics.attempted(&channel("site"), &sent);
        let state = |length, oldest| QueueState { length, oldest };
        metrics.set_queues(
            [
                (channel("mail"), state(0, None)),
                (channel("site"), state(3, Some(Timestamp::from_seconds(90)))),
            ]
            .into(),
        );
        clock.set(Timestamp::from_seconds(130));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            r#"postroom_delivery_attempts_total{channel="site",result="sent"} 2"#,
            r#"postroom_delivery_queue_length{channel="mail"} 0"#,
            r#"postroom_delivery_queue_length{channel="site"} 3"#,
            r#"postroom_delivery_oldest_age_seconds{channel="mail"} 0"#,
            r#"postroom_delivery_oldest_age_seconds{channel="site"} 40"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let types = text.matches("# TYPE postroom_delivery_queue_length").count();
        assert_eq!(types, 1, "{text}");
    }
}
