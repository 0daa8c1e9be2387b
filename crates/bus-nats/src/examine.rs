//! Asks a server whether it can keep the promises, before anything is entrusted to it (P11).

use crate::api::Api;
use crate::connect::{Connected, connect};
use crate::judge::{Finding, judge_monitor, judge_server};
use crate::names::Names;
use crate::refusal::Failure;
use crate::{MonitorUrl, NatsError, NatsOptions, monitor, streams};

/// Everything that speaks against this server, without changing anything on it.
pub async fn examine(options: &NatsOptions) -> Result<Vec<Finding>, NatsError> {
    let connected = connect(options).await?;
    examine_connected(&connected, options).await
}

pub(crate) async fn examine_connected(
    connected: &Connected,
    options: &NatsOptions,
) -> Result<Vec<Finding>, NatsError> {
    let server = connected.client.server_info();
    let mut findings = judge_server(&server.version, server.jetstream, server.max_payload);
    findings.extend(examine_monitors(&options.monitor_urls).await);
    // Without JetStream there are no streams to ask for.
    if server.jetstream {
        let api = Api::new(connected);
        let wanted = streams::wanted(&Names::of(&options.workspace), options);
        let differing = streams::examine(&api, &wanted).await;
        findings.extend(differing.map_err(|failure| of_failure(options, &failure))?);
    }
    let mut known = Vec::new();
    findings.retain(|finding| {
        let new = !known.contains(finding);
        known.push(finding.clone());
        new
    });
    Ok(findings)
}

/// What the account's own questions answer says nothing of syncing, so without a monitoring endpoint
/// nobody knows.
async fn examine_monitors(monitors: &[MonitorUrl]) -> Vec<Finding> {
    if monitors.is_empty() {
        let detail = "no monitoring endpoint is configured".to_owned();
        return vec![Finding::SyncUnknown { detail }];
    }
    let mut findings = Vec::new();
    for monitor in monitors {
        match monitor::varz(monitor).await {
            Ok(varz) => findings.extend(judge_monitor(&monitor.to_string(), &varz)),
            Err(detail) => findings.push(Finding::SyncUnknown { detail }),
        }
    }
    findings
}

/// A question that should be answered by any server that lets us work.
pub(crate) fn of_failure(options: &NatsOptions, failure: &Failure) -> NatsError {
    let servers = options.servers().map(|servers| servers.to_string()).unwrap_or_default();
    let detail = failure.to_string();
    match failure {
        Failure::Refused(refusal) if refusal.is_full() => {
            NatsError::Unfit(vec![Finding::NoRoom { detail: refusal.description.clone() }])
        }
        // A cluster that has no leader yet says so.
        Failure::Refused(refusal) if refusal.code != 503 => NatsError::Denied { servers, detail },
        _ => NatsError::Unreachable { servers, detail },
    }
}

/// What the operator did not or cannot accept; what he accepted is said aloud.
pub(crate) fn refuse(findings: Vec<Finding>, accepted: &[String]) -> Result<(), NatsError> {
    let (accepted, refused): (Vec<Finding>, Vec<Finding>) =
        findings.into_iter().partition(|finding| finding.is_accepted(accepted));
    for finding in &accepted {
        tracing::warn!(code = finding.code(), %finding, "accepted by the operator");
    }
    if refused.is_empty() { Ok(()) } else { Err(NatsError::Unfit(refused)) }
}

#[cfg(test)]
mod tests {
    use super::refuse;
    use crate::NatsError;
    use crate::judge::Finding;

    #[test]
    fn what_is_acceptable_passes_only_where_it_was_accepted() {
        let unknown = || Finding::SyncUnknown { detail: String::new() };
        let off = || Finding::NoJetStream;
        let accepted = ["nats_sync_unknown".to_owned(), "nats_no_jetstream".to_owned()];
        let others = ["nats_loses_data".to_owned()];
        assert_eq!(refuse(vec![], &[]), Ok(()));
        assert_eq!(refuse(vec![unknown()], &accepted), Ok(()));
        assert_eq!(refuse(vec![unknown()], &others), Err(NatsError::Unfit(vec![unknown()])));
        let both = refuse(vec![unknown(), off()], &accepted);
        assert_eq!(both, Err(NatsError::Unfit(vec![off()])));
    }
}
