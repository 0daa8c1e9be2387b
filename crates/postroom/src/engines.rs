//! What the configuration says about the engines of the clustered form, in their own words.

use postroom_bus_nats::{NatsAuth, NatsOptions, NatsTls};
use postroom_config::{BusLogin, Config, Diagnostic, Draft, nearest};
use postroom_records_redis::RedisOptions;

pub(crate) fn nats(config: &Config) -> NatsOptions {
    let bus = &config.bus;
    let auth = match &bus.login {
        BusLogin::InUrl => NatsAuth::Nobody,
        BusLogin::Token(token) => NatsAuth::Token(token.clone()),
        BusLogin::User { name, password } => {
            NatsAuth::User { name: name.clone(), password: password.clone() }
        }
        BusLogin::Credentials(text) => NatsAuth::Credentials(text.clone()),
        BusLogin::Seed(seed) => NatsAuth::Seed(seed.clone()),
    };
    let (authorities, identity) = (bus.tls.authorities.clone(), bus.tls.identity.clone());
    NatsOptions {
        auth,
        tls: NatsTls { required: false, authorities, identity },
        monitor_urls: bus.monitor_urls.iter().map(|url| url.reveal().into()).collect(),
        accepted: bus.accept.clone(),
        replicas: bus.replicas,
        inlet_bytes_max: i64::try_from(bus.inlet_bytes_max).unwrap_or(i64::MAX),
        ledger_bytes_max: i64::try_from(bus.ledger_bytes_max).unwrap_or(i64::MAX),
        ..NatsOptions::new(bus.url.reveal(), config.workspace.clone())
    }
}

pub(crate) fn redis(config: &Config) -> RedisOptions {
    let records = &config.records;
    RedisOptions {
        accepted: records.accept.clone(),
        authorities: records.authorities.clone(),
        ..RedisOptions::default()
    }
}

/// What is wrong with the choice of engines, before any of them is asked. Nothing is said of the
/// records where the bus is not known.
pub(crate) fn mistakes_in(draft: &Draft) -> Vec<Diagnostic> {
    let follows = |mistake: &Diagnostic| mistake.key == "records.url" && !draft.is_sound("bus.url");
    mistakes(draft.config()).into_iter().filter(|mistake| !follows(mistake)).collect()
}

/// As [`mistakes_in`], of a configuration without other mistakes.
pub(crate) fn mistakes(config: &Config) -> Vec<Diagnostic> {
    let mut mistakes = Vec::new();
    if config.records.url.is_embedded() == config.is_clustered() {
        let message = "bus and records are not of one form";
        let help =
            "write \"embedded\" for both, or nats:// for the bus and redis:// for the records";
        mistakes.push(config.diagnose("records.url", message, Some(help.to_owned()), None));
    }
    for (name, accepted, known) in [
        ("bus", &config.bus.accept, postroom_bus_nats::ACCEPTABLE),
        ("records", &config.records.accept, postroom_records_redis::ACCEPTABLE),
    ] {
        for (at, code) in
            accepted.iter().enumerate().filter(|(_, code)| !known.contains(&code.as_str()))
        {
            let near = nearest(code, known.iter().copied());
            let near =
                near.map_or_else(|| known.join(", "), |near| format!("did you mean {near}?"));
            let message = "this is not a finding that can be accepted";
            mistakes.push(config.diagnose(
                &format!("{name}.accept[{at}]"),
                message,
                Some(near),
                None,
            ));
        }
    }
    if config.blobs.url.folder().is_none() {
        let help = "write \"file:\" and a folder".to_owned();
        let message = "no such blob store is built in";
        mistakes.push(config.diagnose("blobs.url", message, Some(help), None));
    }
    mistakes
}
