//! The streams of a workspace: what they must be, and whether what is there is that. A stream that differs is
//! left as it is.

use crate::NatsOptions;
use std::fmt::Display;
use std::time::Duration;

use crate::answers::{StreamConfig, StreamInfo};
use crate::api::Api;
use crate::judge::Finding;
use crate::limits::{DUPLICATE_WINDOW, OUTLET_KEPT};
use crate::names::Names;
use crate::refusal::{Failure, numbers};

/// What the streams of a workspace must be.
pub(crate) fn wanted(names: &Names, options: &NatsOptions) -> [StreamConfig; 4] {
    let replicas = options.replicas.max(1);
    let plain = |name: &str, subjects: Vec<String>, max_bytes: i64| StreamConfig {
        name: name.to_owned(),
        subjects,
        retention: "limits".to_owned(),
        storage: "file".to_owned(),
        discard: "new".to_owned(),
        max_bytes: max_bytes.max(1),
        max_msgs: -1,
        max_msgs_per_subject: -1,
        max_msg_size: -1,
        max_age: 0,
        duplicate_window: nanos(DUPLICATE_WINDOW),
        num_replicas: replicas,
        deny_delete: true,
        deny_purge: false,
        allow_direct: false,
        allow_rollup_hdrs: false,
        allow_msg_ttl: false,
        no_ack: false,
        sealed: false,
        persist_mode: String::new(),
        first_seq: 0,
        mirror: None,
        sources: Vec::new(),
        subject_transform: None,
        metadata: std::collections::BTreeMap::new(),
    };
    let inlet = plain(&names.inlet, names.inlet_subjects(), options.inlet_bytes_max);
    let ledger = StreamConfig {
        deny_purge: true,
        ..plain(&names.ledger, vec![names.ledger_subject()], options.ledger_bytes_max)
    };
    // The form of a key-value bucket, so that its own tools can show it.
    let access = StreamConfig {
        max_msgs_per_subject: 1,
        allow_rollup_hdrs: true,
        allow_msg_ttl: true,
        ..plain(&names.access, vec![names.access_subjects()], options.access_bytes_max)
    };
    // Whoever sends is somebody else, who may come late but not never.
    let outlet = StreamConfig {
        max_age: nanos(OUTLET_KEPT),
        ..plain(&names.outlet, vec![names.outlet_subjects()], options.outlet_bytes_max)
    };
    [inlet, ledger, access, outlet]
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// In what a stream that is there differs from what it must be, in what matters.
pub(crate) fn differences(found: &StreamConfig, wanted: &StreamConfig) -> Vec<Finding> {
    let mut differing = Differing { stream: &wanted.name, findings: Vec::new() };
    let (mut subjects, mut wanted_subjects) = (found.subjects.clone(), wanted.subjects.clone());
    subjects.sort();
    wanted_subjects.sort();
    differing.equal("subjects", &subjects.join(","), &wanted_subjects.join(","));
    differing.equal("storage", &found.storage, &wanted.storage);
    differing.equal("retention", &found.retention, &wanted.retention);
    differing.equal("discard", &found.discard, &wanted.discard);
    differing.equal("max_msgs", &unlimited(found.max_msgs), &"-1");
    let per_subject = wanted.max_msgs_per_subject;
    differing.equal(
        "max_msgs_per_subject",
        &unlimited(found.max_msgs_per_subject),
        &unlimited(per_subject),
    );
    differing.equal("max_msg_size", &unlimited(found.max_msg_size), &"-1");
    if found.max_age != wanted.max_age && (wanted.max_age == 0 || found.max_age < wanted.max_age) {
        differing.say(
            "max_age",
            &format!("{} ns", found.max_age),
            &format!("{} ns", wanted.max_age),
        );
    }
    differing.equal("deny_delete", &found.deny_delete, &wanted.deny_delete);
    differing.equal("deny_purge", &found.deny_purge, &wanted.deny_purge);
    differing.equal("allow_direct", &found.allow_direct, &wanted.allow_direct);
    differing.equal("allow_rollup_hdrs", &found.allow_rollup_hdrs, &wanted.allow_rollup_hdrs);
    differing.equal("allow_msg_ttl", &found.allow_msg_ttl, &wanted.allow_msg_ttl);
    differing.equal("no_ack", &found.no_ack, &false);
    differing.equal("sealed", &found.sealed, &false);
    differing.equal("mirror", &found.mirror.is_some(), &false);
    differing.equal("sources", &!found.sources.is_empty(), &false);
    differing.equal("subject_transform", &found.subject_transform.is_some(), &false);
    let mode = if found.persist_mode.is_empty() { "default" } else { &found.persist_mode };
    differing.equal("persist_mode", &mode, &"default");
    if found.first_seq > 1 {
        differing.say("first_seq", &found.first_seq, &"1");
    }
    if found.max_bytes <= 0 {
        differing.say("max_bytes", &found.max_bytes, &"a limit below the size of the disk");
    }
    if found.duplicate_window < wanted.duplicate_window {
        let least = format!("{} ns or more", wanted.duplicate_window);
        differing.say("duplicate_window", &format!("{} ns", found.duplicate_window), &least);
    }
    if found.num_replicas < wanted.num_replicas {
        let least = format!("{} or more", wanted.num_replicas);
        differing.say("num_replicas", &found.num_replicas, &least);
    }
    differing.findings
}

/// Zero and below say the same.
fn unlimited(limit: i64) -> i64 {
    if limit <= 0 { -1 } else { limit }
}

struct Differing<'a> {
    stream: &'a str,
    findings: Vec<Finding>,
}

impl Differing<'_> {
    fn equal(&mut self, field: &'static str, found: &dyn Display, wanted: &dyn Display) {
        if found.to_string() != wanted.to_string() {
            self.say(field, found, wanted);
        }
    }

    fn say(&mut self, field: &'static str, found: &dyn Display, wanted: &dyn Display) {
        let stream = self.stream;
        self.findings.push(Finding::StreamDiffers {
            stream: stream.to_owned(),
            field,
            found: found.to_string(),
            wanted: wanted.to_string(),
            remedy: format!(
                "set it with `nats stream edit {stream}`, or move the stream away if it is another \
                 program's, or use another workspace"
            ),
        });
    }
}

/// What is wrong with the streams that are there; those that are not there will be made.
pub(crate) async fn examine(api: &Api, wanted: &[StreamConfig]) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    for config in wanted {
        if let Some(info) = api.stream(&config.name).await? {
            findings.extend(differences(&info.config, config));
        }
    }
    Ok(findings)
}

/// Makes the stream if it is not there. What another process made meanwhile counts if it is right.
pub(crate) async fn make(api: &Api, wanted: &StreamConfig) -> Result<Vec<Finding>, Failure> {
    if let Some(info) = api.stream(&wanted.name).await? {
        return Ok(differences(&info.config, wanted));
    }
    let verb = format!("STREAM.CREATE.{}", wanted.name);
    let made: Result<StreamInfo, Failure> = api.ask(&verb, wanted).await;
    let info = match made {
        Err(failure) if failure.is_refusal(numbers::NAME_IN_USE) => {
            api.stream(&wanted.name).await?.ok_or(failure)?
        }
        other => other?,
    };
    Ok(differences(&info.config, wanted))
}

#[cfg(test)]
mod tests {
    use super::{differences, wanted};
    use crate::NatsOptions;
    use crate::answers::StreamConfig;
    use crate::judge::Finding;
    use crate::names::Names;
    use postroom_model::WorkspaceId;

    fn ledger() -> StreamConfig {
        let options = NatsOptions::new("nats://a", WorkspaceId::main());
        let [_, ledger, ..] = wanted(&Names::of(&WorkspaceId::main()), &options);
        ledger
    }

    fn fields(found: &StreamConfig) -> Vec<&'static str> {
        differences(found, &ledger())
            .iter()
            .map(|finding| match finding {
                Finding::StreamDiffers { field, .. } => *field,
                other => panic!("{other}"),
            })
            .collect()
    }

    #[test]
    fn stream_that_is_right_or_roomier_is_taken() {
        assert_eq!(fields(&ledger()), [""; 0]);
        let roomier = StreamConfig {
            max_bytes: 1 << 40,
            duplicate_window: i64::MAX,
            num_replicas: 3,
            max_msgs: 0,
            first_seq: 1,
            persist_mode: "default".to_owned(),
            ..ledger()
        };
        assert_eq!(fields(&roomier), [""; 0]);
    }

    #[test]
    fn each_setting_that_may_lose_something_is_found_by_name() {
        type Change = fn(&mut StreamConfig);
        let changes: &[(&str, Change)] = &[
            ("subjects", |c| c.subjects = vec!["postroom.>".to_owned()]),
            ("storage", |c| c.storage = "memory".to_owned()),
            ("retention", |c| c.retention = "workqueue".to_owned()),
            ("discard", |c| c.discard = "old".to_owned()),
            ("max_msgs", |c| c.max_msgs = 10),
            ("max_msgs_per_subject", |c| c.max_msgs_per_subject = 1),
            ("max_msg_size", |c| c.max_msg_size = 1_024),
            ("max_age", |c| c.max_age = 1),
            ("deny_delete", |c| c.deny_delete = false),
            ("deny_purge", |c| c.deny_purge = false),
            ("allow_direct", |c| c.allow_direct = true),
            ("allow_rollup_hdrs", |c| c.allow_rollup_hdrs = true),
            ("allow_msg_ttl", |c| c.allow_msg_ttl = true),
            ("no_ack", |c| c.no_ack = true),
            ("sealed", |c| c.sealed = true),
            ("persist_mode", |c| c.persist_mode = "async".to_owned()),
            ("first_seq", |c| c.first_seq = 100),
            ("max_bytes", |c| c.max_bytes = -1),
            ("duplicate_window", |c| c.duplicate_window = 1),
            ("num_replicas", |c| c.num_replicas = 0),
            ("mirror", |c| c.mirror = Some(serde_json::json!({"name": "a"}))),
            ("sources", |c| c.sources = vec![serde_json::json!({"name": "a"})]),
            ("subject_transform", |c| c.subject_transform = Some(serde_json::json!({}))),
        ];
        for (field, change) in changes {
            let mut found = ledger();
            change(&mut found);
            assert_eq!(fields(&found), [*field]);
        }
    }

    #[test]
    fn difference_says_what_was_found_what_is_wanted_and_what_to_do() {
        let found = StreamConfig { storage: "memory".to_owned(), ..ledger() };
        let words = differences(&found, &ledger())[0].to_string();
        for part in ["POSTROOM_main_LEDGER", "storage memory", "not file", "nats stream edit"] {
            assert!(words.contains(part), "{words}");
        }
    }
}
