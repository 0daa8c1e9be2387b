//! Reads `[bus]` and `[records]`: where the engines are, who we are to them, and what the operator
//! accepts of them. Which findings there are is known elsewhere.

use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::checks;
use crate::reader::{Reader, Table};
use crate::schema::keys_of;
use crate::secret_files::SecretFiles;
use crate::types::{Bus, BusLogin, BusTls, RecordsConfig, ServiceUrl};

/// Days for which the inlet keeps what was decided. Redelivery is told by the records, not by the inlet.
const KEEP_DAYS: std::ops::RangeInclusive<u64> = 1..=3_650;
/// Bytes that a stream may be limited to: at least 64 MiB, at most 1 PiB.
const STREAM_BYTES: std::ops::RangeInclusive<u64> = 64 << 20..=1 << 50;
/// Copies of a stream: a cluster keeps at most five.
const REPLICAS: std::ops::RangeInclusive<u64> = 1..=5;

pub(crate) fn bus(
    reader: &mut Reader<'_>,
    files: &mut SecretFiles<'_>,
    root: &Map<String, Value>,
) -> Bus {
    let table = section(reader, files, root, "bus");
    let url = reader.text(&table, "url").unwrap_or_default();
    for one in url.split(',').filter(|_| !url.is_empty()) {
        let good = checks::engine_url(one.trim(), &["nats", "tls"], "nats://127.0.0.1:4222");
        reader.checked("bus.url", good);
    }
    let replicas = reader.number(&table, "replicas", &REPLICAS);
    let keep = reader.number(&table, "inlet_keep_days", &KEEP_DAYS);
    let inlet = reader.number(&table, "inlet_bytes_max", &STREAM_BYTES);
    let ledger = reader.number(&table, "ledger_bytes_max", &STREAM_BYTES);
    Bus {
        url: ServiceUrl::new(url),
        login: login(reader, &table),
        tls: tls(reader, files, &table),
        monitor_urls: monitor_urls(reader, &table),
        replicas: replicas.and_then(|replicas| u8::try_from(replicas).ok()).unwrap_or(1),
        inlet_keep_days: keep.unwrap_or_default(),
        inlet_bytes_max: inlet.unwrap_or_default(),
        ledger_bytes_max: ledger.unwrap_or_default(),
        accept: accept(reader, &table),
    }
}

pub(crate) fn records(
    reader: &mut Reader<'_>,
    files: &mut SecretFiles<'_>,
    root: &Map<String, Value>,
) -> RecordsConfig {
    let table = section(reader, files, root, "records");
    let url = reader.text(&table, "url").unwrap_or_default();
    if !url.is_empty() {
        let schemes = ["redis", "rediss", "redis+unix"];
        let good = checks::engine_url(&url, &schemes, "redis://127.0.0.1:6379");
        reader.checked("records.url", good);
    }
    RecordsConfig {
        url: ServiceUrl::new(url),
        authorities: path(reader, files, &table, "authorities_path"),
        accept: accept(reader, &table),
    }
}

/// With what stands in secret files in its place.
fn section(
    reader: &mut Reader<'_>,
    files: &mut SecretFiles<'_>,
    root: &Map<String, Value>,
    name: &str,
) -> Table {
    let mut table = reader.section(root, name);
    reader.only(&table, keys_of(name));
    files.resolve(reader, name, &mut table.map, &["url"]);
    table
}

/// One way to log in at most.
fn login(reader: &mut Reader<'_>, table: &Table) -> BusLogin {
    let mut logins = Vec::new();
    let (user, password) = (reader.text(table, "user"), reader.text(table, "password"));
    match (user, password) {
        (Some(name), Some(password)) => {
            logins.push(("user", BusLogin::User { name, password: password.into() }));
        }
        (None, None) => {}
        (Some(_), None) => reader.require(table, "password", "`user` and `password` go together"),
        (None, Some(_)) => reader.require(table, "user", "`user` and `password` go together"),
    }
    if let Some(token) = reader.text(table, "token") {
        logins.push(("token", BusLogin::Token(token.into())));
    }
    if let Some(credentials) = reader.text(table, "credentials") {
        logins.push(("credentials", BusLogin::Credentials(credentials.into())));
    }
    if let Some(seed) = reader.text(table, "seed") {
        logins.push(("seed", BusLogin::Seed(seed.into())));
    }
    if let [_, (second, _), ..] = logins.as_slice() {
        let help = "keep one of user, token, credentials and seed".to_owned();
        reader.mistake(&table.key(second), "there is another way to log in", Some(help));
    }
    logins.into_iter().next().map(|(_, login)| login).unwrap_or_default()
}

/// Relative paths start from the folder of the configuration file, as those of secret files do.
fn tls(reader: &mut Reader<'_>, files: &SecretFiles<'_>, table: &Table) -> BusTls {
    let authorities = path(reader, files, table, "authorities_path");
    let certificate = path(reader, files, table, "certificate_path");
    let key = path(reader, files, table, "private_key_path");
    let together = "a certificate and its key go together";
    match (&certificate, &key) {
        (Some(_), None) => reader.require(table, "private_key_path", together),
        (None, Some(_)) => reader.require(table, "certificate_path", together),
        _ => {}
    }
    BusTls { authorities, identity: certificate.zip(key) }
}

/// A file that must be there.
fn path(
    reader: &mut Reader<'_>,
    files: &SecretFiles<'_>,
    table: &Table,
    key: &str,
) -> Option<PathBuf> {
    let file = files.locate(&reader.text(table, key)?);
    if !file.is_file() {
        let message = format!("there is no file {}", file.display());
        reader.mistake(&table.key(key), message, None);
    }
    Some(file)
}

fn monitor_urls(reader: &mut Reader<'_>, table: &Table) -> Vec<ServiceUrl> {
    let mut urls = Vec::new();
    for (path, text) in reader.texts(table, "monitor_urls") {
        reader.checked(&path, checks::monitor_url(&text));
        urls.push(ServiceUrl::new(text));
    }
    urls
}

fn accept(reader: &mut Reader<'_>, table: &Table) -> Vec<String> {
    reader.texts(table, "accept").into_iter().map(|(_, code)| code).collect()
}
