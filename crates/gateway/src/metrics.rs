//! What the gateway counts. Labels are bounded: routes as they are registered, never addresses.

use std::borrow::Cow;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RouteLabels {
    pub(crate) route: Cow<'static, str>,
    pub(crate) method: &'static str,
    pub(crate) status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InputsLabels {
    workspace: String,
    state: &'static str,
}

/// The gateway's metrics; registered once, before the registry is shared.
#[derive(Debug, Clone, Default)]
pub struct GatewayMetrics {
    pub(crate) requests: Family<RouteLabels, Counter>,
    pub(crate) request_seconds: RequestSeconds,
    pub(crate) accepted: Counter,
    pub(crate) streams: Gauge,
    pub(crate) connections: Gauge,
    pub(crate) commands_pending: Counter,
    inputs: Family<InputsLabels, Gauge>,
    records_in_place: Gauge,
}

/// Time until the head of the answer.
#[derive(Debug, Clone)]
pub(crate) struct RequestSeconds(pub(crate) Histogram);

impl Default for RequestSeconds {
    fn default() -> Self {
        let buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
        Self(Histogram::new(buckets))
    }
}

impl GatewayMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "postroom_http_requests",
            "HTTP requests by route, method and status",
            metrics.requests.clone(),
        );
        registry.register(
            "postroom_http_request_seconds",
            "Seconds until the head of the answer",
            metrics.request_seconds.0.clone(),
        );
        registry.register(
            "postroom_gateway_accepted",
            "Inputs that the gateway made durable",
            metrics.accepted.clone(),
        );
        registry.register("postroom_event_streams", "Open event streams", metrics.streams.clone());
        registry.register(
            "postroom_http_connections",
            "Open connections",
            metrics.connections.clone(),
        );
        registry.register(
            "postroom_commands_pending",
            "Commands that had no outcome in time",
            metrics.commands_pending.clone(),
        );
        registry.register(
            "postroom_inputs",
            "Inputs of the workspace by their state: accepted = routed + duplicate + parked + \
             rejected + in_flight + unaccounted",
            metrics.inputs.clone(),
        );
        registry.register(
            "postroom_records_in_place",
            "1 while the records stand where they were opened",
            metrics.records_in_place.clone(),
        );
        metrics
    }

    pub(crate) fn inputs(&self, workspace: &str, state: &'static str, count: i64) {
        let workspace = workspace.to_owned();
        self.inputs.get_or_create(&InputsLabels { workspace, state }).set(count);
    }

    pub(crate) fn no_balance(&self) {
        self.inputs.clear();
    }

    pub(crate) fn records_in_place(&self, in_place: bool) {
        self.records_in_place.set(i64::from(in_place));
    }
}
