//! Whether a server can be trusted with the records (P11). Learning what it is and judging it are
//! apart; nothing here changes the server.

use std::collections::BTreeMap;
use std::fmt;

use redis::cmd;

use crate::link::Link;
use crate::{RedisError, RedisOptions, options, values};

/// The oldest version with what the records use.
const VERSION_MIN: (u32, u32) = (7, 0);

/// What a server says of itself; none where it does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    pub version: Option<String>,
    /// `master` or `slave`.
    pub role: Option<String>,
    /// What happens when memory is full.
    pub eviction: Option<String>,
    /// Whether it writes down what it is told.
    pub append_only: Option<bool>,
    /// Whether it is a node of a cluster.
    pub cluster: Option<bool>,
}

/// Codes of findings that can be accepted.
pub const ACCEPTABLE: &[&str] =
    &["redis_evicts", "redis_not_kept", "redis_is_cluster", "redis_settings_unknown"];

/// Something that the records cannot live with, or of which it is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    TooOld { version: String },
    Evicts { policy: String },
    NotKept,
    Replica,
    Cluster,
    Unknown { what: &'static str },
}

impl Finding {
    /// Stable, for programs; each has a page in `docs/errors`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooOld { .. } => "redis_too_old",
            Self::Evicts { .. } => "redis_evicts",
            Self::NotKept => "redis_not_kept",
            Self::Replica => "redis_is_replica",
            Self::Cluster => "redis_is_cluster",
            Self::Unknown { .. } => "redis_settings_unknown",
        }
    }

    /// Whether the program can run with it at all, if the operator says so.
    pub fn acceptable(&self) -> bool {
        ACCEPTABLE.contains(&self.code())
    }

    /// Whether the operator has accepted it, by its code.
    pub fn is_accepted(&self, accepted: &[String]) -> bool {
        self.acceptable() && accepted.iter().any(|code| code == self.code())
    }
}

/// What is the matter, and what to do.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = VERSION_MIN;
        match self {
            Self::TooOld { version } => {
                write!(f, "version {version} is too old, use {major}.{minor} or newer")
            }
            Self::Evicts { policy } => {
                write!(f, "it throws rows away when memory is full ({policy}), ")?;
                f.write_str("set maxmemory-policy to noeviction")
            }
            Self::NotKept => f.write_str("it does not write to the disk, set appendonly to yes"),
            Self::Replica => f.write_str("it is a replica, name its primary"),
            Self::Cluster => f.write_str("it is a node of a cluster, name a server of its own"),
            Self::Unknown { what } => write!(f, "it does not tell its {what}, look yourself"),
        }
    }
}

/// What is wrong with a server of which this is known.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let unknown = |what| Some(Finding::Unknown { what });
    let findings = [
        match &facts.version {
            Some(version) if !new_enough(version) => {
                Some(Finding::TooOld { version: version.clone() })
            }
            Some(_) => None,
            None => unknown("version"),
        },
        match facts.role.as_deref() {
            Some("master") => None,
            Some(_) => Some(Finding::Replica),
            None => unknown("role"),
        },
        match facts.eviction.as_deref() {
            Some("noeviction") => None,
            Some(policy) => Some(Finding::Evicts { policy: policy.to_owned() }),
            None => unknown("maxmemory-policy"),
        },
        match facts.append_only {
            Some(true) => None,
            Some(false) => Some(Finding::NotKept),
            None => unknown("appendonly"),
        },
        facts.cluster.filter(|cluster| *cluster).map(|_| Finding::Cluster),
    ];
    findings.into_iter().flatten().collect()
}

fn new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= VERSION_MIN
}

impl Facts {
    /// From the answer to `INFO`: lines of `name:value`.
    pub fn read(info: &str) -> Self {
        let lines: BTreeMap<&str, &str> =
            info.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
        let text = |name: &str| lines.get(name).map(|text| (*text).to_owned());
        let yes = |name: &str| lines.get(name).map(|text| *text == "1");
        Self {
            // Valkey names also the version of Redis with which it is compatible.
            version: text("valkey_version").or_else(|| text("redis_version")),
            role: text("role"),
            eviction: text("maxmemory_policy"),
            append_only: yes("aof_enabled"),
            cluster: yes("cluster_enabled"),
        }
    }
}

/// Tries the connection and tells what is wrong with the server. For `postroom doctor`.
pub async fn examine(url: &str, options: &RedisOptions) -> Result<Vec<Finding>, RedisError> {
    look(&Link::new(options::client(url, options)?, options.connection())).await
}

pub(crate) async fn look(link: &Link) -> Result<Vec<Finding>, RedisError> {
    let unavailable = |error: postroom_records::RecordsError| RedisError::Unavailable {
        address: link.address(),
        detail: error.to_string(),
    };
    link.ask_one(cmd("PING")).await.map_err(unavailable)?;
    let mut facts = Facts::default();
    // Who may not ask for this may use the server nevertheless.
    if let Ok(info) = link.ask_one(cmd("INFO")).await
        && let Ok(Some(info)) = values::text(info)
    {
        facts = Facts::read(&info);
    }
    if facts.eviction.is_none() {
        facts.eviction = setting(link, "maxmemory-policy").await;
    }
    if facts.append_only.is_none() {
        facts.append_only = setting(link, "appendonly").await.map(|text| text == "yes");
    }
    Ok(judge(&facts))
}

/// None if the server does not tell.
async fn setting(link: &Link, name: &str) -> Option<String> {
    let asked = link.ask_one(cmd("CONFIG").arg("GET").arg(name).take()).await.ok()?;
    let mut pair = values::array(asked).ok()?;
    values::text(pair.pop()?).ok()?
}

#[cfg(test)]
mod tests {
    use super::{Facts, Finding, judge};

    const GOOD: &str = "# Server\r\nredis_version:7.0.15\r\nrole:master\r\n\
        maxmemory_policy:noeviction\r\naof_enabled:1\r\ncluster_enabled:0\r\n";

    #[test]
    fn server_is_judged_by_what_it_tells() {
        let unknown: &[&str] = &["redis_settings_unknown"];
        for (old, new, codes) in [
            ("", "", &[][..]),
            ("7.0.15", "10.1", &[]),
            ("7.0.15", "6.2.14", &["redis_too_old"]),
            ("7.0.15", "unstable", &["redis_too_old"]),
            ("7.0.15", "7.0.15\r\nvalkey_version:8.0.1", &[]),
            ("7.0.15", "7.2.4\r\nvalkey_version:6.9.0", &["redis_too_old"]),
            ("role:master", "role:slave", &["redis_is_replica"]),
            ("noeviction", "allkeys-lru", &["redis_evicts"]),
            ("noeviction", "volatile-ttl", &["redis_evicts"]),
            ("aof_enabled:1", "aof_enabled:0", &["redis_not_kept"]),
            ("cluster_enabled:0", "cluster_enabled:1", &["redis_is_cluster"]),
            ("redis_version", "other", unknown),
            ("maxmemory_policy", "other", unknown),
            ("aof_enabled", "other", unknown),
            ("role", "other", unknown),
        ] {
            let facts = Facts::read(&GOOD.replace(old, new));
            let found: Vec<_> = judge(&facts).iter().map(Finding::code).collect();
            assert_eq!(found, codes, "{old} -> {new}");
        }
        assert_eq!(judge(&Facts::default()).len(), 4, "who tells nothing is not trusted");
    }

    #[test]
    fn only_what_can_be_lived_with_can_be_accepted_and_only_by_its_code() {
        let accepted = ["redis_evicts".to_owned(), "redis_too_old".to_owned()];
        for (finding, is_accepted) in [
            (Finding::Evicts { policy: "allkeys-lru".to_owned() }, true),
            (Finding::NotKept, false),
            (Finding::TooOld { version: "6".to_owned() }, false),
        ] {
            assert_eq!(finding.is_accepted(&accepted), is_accepted, "{finding:?}");
        }
    }
}
