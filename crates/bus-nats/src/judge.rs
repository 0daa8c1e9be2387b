//! Whether a server can keep the promises of the bus (P1, P11): pure functions over what it says of
//! itself, and what they find.

use serde::Deserialize;

use crate::limits::PAYLOAD_BYTES_MIN;

/// The oldest version that has all that the bus needs.
const OLDEST: Version = Version(2, 12, 0);

/// Versions that are known to lose what they acknowledged, and how.
const LOSING: &[(Version, Version, &str)] = &[
    (
        Version(2, 10, 20),
        Version(2, 10, 22),
        "a killed process can lose a whole stream; 2.10.23 mended it",
    ),
    (
        Version(2, 10, 27),
        Version(2, 10, 27),
        "after a full disk it acknowledges messages that a restart takes back",
    ),
    (
        Version(2, 12, 0),
        Version(2, 12, 2),
        "acknowledged messages were lost in tests with failing disks and power; 2.12.3 has mends",
    ),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32, u32);

impl Version {
    /// What stands behind a `-` is a release before that version, or a build of it.
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split(['-', '+']).next()?;
        let mut numbers = text.split('.').map(str::parse);
        let version = Self(
            numbers.next()?.ok()?,
            numbers.next()?.ok()?,
            numbers.next().unwrap_or(Ok(0)).ok()?,
        );
        numbers.next().is_none().then_some(version)
    }
}

/// Codes of findings that can be accepted.
pub const ACCEPTABLE: &[&str] = &["nats_loses_data", "nats_sync_not_always", "nats_sync_unknown"];

/// One reason not to trust a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    #[error("version {version} is too old; use 2.12.3 or newer")]
    TooOld { version: String },
    #[error("version {version} loses data: {how}")]
    LosesData { version: String, how: &'static str },
    #[error("version {version:?} cannot be read, so nothing is known of it")]
    VersionUnreadable { version: String },
    #[error("JetStream is off; set `jetstream {{ … }}` in the server's configuration")]
    NoJetStream,
    #[error("messages may have {found} bytes; set `max_payload` to {PAYLOAD_BYTES_MIN} or more")]
    PayloadTooSmall { found: usize },
    #[error(
        "the server at {monitor} acknowledges before it syncs; set `jetstream {{ sync_interval: \
         always }}`, or write that you accept the loss"
    )]
    SyncNotAlways { monitor: String },
    #[error(
        "nobody can tell whether the server syncs before it acknowledges ({detail}); give the \
         monitoring endpoint of each server, or write that you accept the loss"
    )]
    SyncUnknown { detail: String },
    #[error("stream {stream} has {field} {found}, not {wanted}; {remedy}")]
    StreamDiffers {
        stream: String,
        field: &'static str,
        found: String,
        wanted: String,
        remedy: String,
    },
    #[error(
        "there is no room for the streams ({detail}); give JetStream a larger `max_file_store`, or set \
         smaller inlet_bytes_max and ledger_bytes_max in [bus]"
    )]
    NoRoom { detail: String },
}

impl Finding {
    /// Stable, for programs; each has a page in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooOld { .. } | Self::VersionUnreadable { .. } => "nats_too_old",
            Self::LosesData { .. } => "nats_loses_data",
            Self::NoJetStream => "nats_no_jetstream",
            Self::PayloadTooSmall { .. } => "nats_payload_too_small",
            Self::SyncNotAlways { .. } => "nats_sync_not_always",
            Self::SyncUnknown { .. } => "nats_sync_unknown",
            Self::StreamDiffers { .. } => "nats_stream_differs",
            Self::NoRoom { .. } => "nats_no_room",
        }
    }

    /// Whether an operator may accept it in writing: it is about what a crash may take, not about
    /// whether the bus works at all.
    pub fn acceptable(&self) -> bool {
        ACCEPTABLE.contains(&self.code())
    }

    /// Whether the operator has accepted it, by its code.
    pub fn is_accepted(&self, accepted: &[String]) -> bool {
        self.acceptable() && accepted.iter().any(|code| code == self.code())
    }
}

/// What a version alone tells.
pub fn judge_version(version: &str) -> Vec<Finding> {
    let Some(parsed) = Version::parse(version) else {
        return vec![Finding::VersionUnreadable { version: version.to_owned() }];
    };
    let losing = LOSING.iter().filter(|(first, last, _)| (*first..=*last).contains(&parsed));
    let mut findings: Vec<Finding> =
        losing.map(|(_, _, how)| Finding::LosesData { version: version.to_owned(), how }).collect();
    if parsed < OLDEST {
        findings.push(Finding::TooOld { version: version.to_owned() });
    }
    findings
}

/// What the greeting of a server tells.
pub fn judge_server(version: &str, jetstream: bool, payload_bytes_max: usize) -> Vec<Finding> {
    let mut findings = judge_version(version);
    if !jetstream {
        findings.push(Finding::NoJetStream);
    }
    if payload_bytes_max < PAYLOAD_BYTES_MIN {
        findings.push(Finding::PayloadTooSmall { found: payload_bytes_max });
    }
    findings
}

/// What a monitoring endpoint's `/varz` tells. `monitor` is its address, for the words.
pub fn judge_monitor(monitor: &str, varz: &[u8]) -> Vec<Finding> {
    let varz: Varz = match serde_json::from_slice(varz) {
        Ok(varz) => varz,
        Err(error) => {
            let detail = format!("{monitor} answered what is not understood: {error}");
            return vec![Finding::SyncUnknown { detail }];
        }
    };
    let mut findings = judge_version(&varz.version);
    match varz.jetstream.config {
        None => findings.push(Finding::NoJetStream),
        Some(config) if !config.sync_always => {
            findings.push(Finding::SyncNotAlways { monitor: monitor.to_owned() });
        }
        Some(_) => {}
    }
    findings
}

#[derive(Deserialize)]
struct Varz {
    version: String,
    #[serde(default)]
    jetstream: VarzJetStream,
}

#[derive(Default, Deserialize)]
struct VarzJetStream {
    config: Option<VarzConfig>,
}

#[derive(Deserialize)]
struct VarzConfig {
    /// Left out where it is not so.
    #[serde(default)]
    sync_always: bool,
}

#[cfg(test)]
mod tests {
    use super::{Finding, judge_monitor, judge_server, judge_version};

    fn codes(findings: &[Finding]) -> Vec<&'static str> {
        findings.iter().map(Finding::code).collect()
    }

    #[test]
    fn versions_are_judged_by_age_and_by_name() {
        for (version, expected) in [
            ("2.9.10", &["nats_too_old"][..]),
            ("2.10.19", &["nats_too_old"]),
            ("2.10.22", &["nats_loses_data", "nats_too_old"]),
            ("2.10.23", &["nats_too_old"]),
            ("2.10.27", &["nats_loses_data", "nats_too_old"]),
            ("2.11.9", &["nats_too_old"]),
            ("2.12.0", &["nats_loses_data"]),
            ("2.12.1", &["nats_loses_data"]),
            ("2.12.2", &["nats_loses_data"]),
            ("2.12.3", &[]),
            ("v2.15.1", &[]),
            ("2.15.1-RC.1", &[]),
            ("3.0.0", &[]),
            ("2.15", &[]),
            ("", &["nats_too_old"]),
            ("2.15.1.4", &["nats_too_old"]),
            ("new", &["nats_too_old"]),
        ] {
            assert_eq!(codes(&judge_version(version)), expected, "{version}");
        }
    }

    #[test]
    fn greeting_tells_of_payload_and_jetstream() {
        assert_eq!(judge_server("2.15.1", true, 1 << 20), []);
        let found = codes(&judge_server("2.15.1", false, 1 << 16));
        assert_eq!(found, ["nats_no_jetstream", "nats_payload_too_small"]);
    }

    #[test]
    fn monitor_tells_whether_every_write_is_synced() {
        let always = r#"{"version":"2.15.1","jetstream":{"config":{"sync_always":true}}}"#;
        let late = r#"{"version":"2.15.1","jetstream":{"config":{"sync_interval":120000000000}}}"#;
        let off = r#"{"version":"2.15.1","jetstream":{}}"#;
        let old = r#"{"version":"2.10.27","jetstream":{"config":{}}}"#;
        for (varz, expected) in [
            (always, &[][..]),
            (late, &["nats_sync_not_always"]),
            (off, &["nats_no_jetstream"]),
            (old, &["nats_loses_data", "nats_too_old", "nats_sync_not_always"]),
            ("<html>", &["nats_sync_unknown"]),
            ("{}", &["nats_sync_unknown"]),
        ] {
            let found = judge_monitor("http://127.0.0.1:8222", varz.as_bytes());
            assert_eq!(codes(&found), expected, "{varz}");
        }
    }

    #[test]
    fn only_what_a_crash_may_take_can_be_accepted() {
        let unfit = [judge_version("2.11.0"), judge_server("2.15.1", false, 1)].concat();
        assert!(unfit.iter().all(|finding| !finding.acceptable()), "{unfit:?}");
        assert!(judge_version("2.12.1").iter().all(Finding::acceptable));
    }
}
