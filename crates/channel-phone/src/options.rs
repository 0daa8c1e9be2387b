//! The options of a phone channel, parsed and checked. Reads no file and no environment.

use std::fmt;
use std::path::PathBuf;

use postroom_channel::OptionError;
use postroom_model::CallSettings;
use serde_json::{Map, Value};

use crate::Dialect;
use crate::desk::Setting;
use crate::limits::FIELDS_MAX;
use crate::number::Region;
use crate::recording;
use crate::verify::{SECRET_BYTES_MIN, Secret};
use crate::zone::Zone;

const KEYS: [&str; 23] = [
    "address",
    "attach",
    "close_after_s",
    "columns",
    "extension_digits_max",
    "file",
    "folder",
    "incoming_contexts",
    "missed",
    "missed_max_age_s",
    "own_numbers",
    "previous_secret",
    "recording_header",
    "recording_hosts",
    "recording_password",
    "recording_token",
    "recording_username",
    "region",
    "resolve",
    "secret",
    "start",
    "time_zone",
    "username",
];
/// A call may go on for a minute to a week without news.
const CLOSE_AFTER_S: std::ops::RangeInclusive<u64> = 60..=604_800;
/// A missed call that is heard of late may wait for a minute to a year.
const MISSED_MAX_AGE_S: std::ops::RangeInclusive<u64> = 60..=31_536_000;
const SECRET_HELP: &str = "write what the provider gave you, or name a file with `…_file`";
/// Digits of the longest extension that may be set; public numbers begin there.
const EXTENSION_DIGITS_MAX: u64 = 9;

/// A channel's own options, checked.
#[derive(Clone)]
pub struct PhoneOptions {
    pub dialect: Dialect,
    pub setting: Setting,
    /// What a post may be signed with: the secret, and the one before while it is replaced.
    pub secrets: Vec<Secret>,
    /// What the core makes of its calls.
    pub calls: CallSettings,
    /// Where calls are fetched from, if they are.
    pub source: Option<Source>,
    /// Where recordings may be fetched from, and how one logs in there.
    pub(crate) recordings: recording::Hosts,
}

/// What a channel fetches from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A log that is followed, and where that begins the first time.
    File { path: PathBuf, start: Start },
    /// Posts that did not arrive, one a file.
    Folder(PathBuf),
    /// The manager interface: host and port, and who logs in.
    Manager { address: String, username: String },
}

/// Where a log begins that has never been followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// At its end: whoever called before is nobody who waits.
    #[default]
    New,
    /// With its first line.
    All,
}

impl fmt::Debug for PhoneOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhoneOptions")
            .field("dialect", &self.dialect)
            .field("setting", &self.setting)
            .finish_non_exhaustive()
    }
}

impl PhoneOptions {
    /// Reads the keys of the channel's table that are not common to all channels. All mistakes are
    /// told at once, none with a secret.
    pub fn parse(dialect: &str, table: &Map<String, Value>) -> Result<Self, Vec<OptionError>> {
        let mut errors = Vec::new();
        let known = Dialect::from_name(dialect);
        if known.is_none() {
            errors.push(no_such_dialect(dialect));
        }
        for key in table.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            errors.push(no_such_key(key));
        }
        let setting = setting(table, &mut errors);
        if let Some(dialect) = known {
            errors.extend(dialect.wrong_columns(&setting.columns));
        }
        let secrets = known.map(|dialect| secrets(dialect, table, &mut errors)).unwrap_or_default();
        let calls = calls(table, &mut errors);
        let source = known.and_then(|dialect| source(dialect, table, &mut errors));
        let names = hosts(table, &mut errors);
        let login = login(table, names.is_empty(), &mut errors);
        let recordings = recording::Hosts { names, login };
        match (known, errors.is_empty()) {
            (Some(dialect), true) => {
                Ok(Self { dialect, setting, secrets, calls, source, recordings })
            }
            _ => Err(errors),
        }
    }
}

fn calls(table: &Map<String, Value>, errors: &mut Vec<OptionError>) -> CallSettings {
    let mut calls = CallSettings::default();
    for (key, flag) in [
        ("missed", &mut calls.missed),
        ("resolve", &mut calls.resolve),
        ("attach", &mut calls.attach),
    ] {
        match table.get(key) {
            None => {}
            Some(Value::Bool(wanted)) => *flag = *wanted,
            Some(_) => {
                errors.push(OptionError::new(key, "must be true or false", "leave the quotes out"));
            }
        }
    }
    for (key, range, help, millis) in [
        (
            "close_after_s",
            CLOSE_AFTER_S,
            "write in seconds how long a call may last",
            &mut calls.close_after_ms,
        ),
        (
            "missed_max_age_s",
            MISSED_MAX_AGE_S,
            "write in seconds how long ago a missed call may have been to be called back",
            &mut calls.missed_max_age_ms,
        ),
    ] {
        let Some(value) = table.get(key) else { continue };
        let seconds = value.as_u64().filter(|seconds| range.contains(seconds));
        match seconds.and_then(|seconds| i64::try_from(seconds.checked_mul(1_000)?).ok()) {
            Some(wanted) => *millis = wanted,
            None => {
                let message = format!("must be a number from {} to {}", range.start(), range.end());
                errors.push(OptionError::new(key, message, help));
            }
        }
    }
    calls
}

fn hosts(table: &Map<String, Value>, errors: &mut Vec<OptionError>) -> Vec<String> {
    let hosts = texts(table, "recording_hosts", errors);
    if hosts.iter().any(|host| host.is_empty() || host.contains(['/', ':', '@', '*'])) {
        let help = "write only the name, such as `api.twilio.com`, each host by itself";
        errors.push(OptionError::new("recording_hosts", "names no host", help));
    }
    hosts
}

/// How one logs in where recordings lie: with a name and a password, or with a token.
fn login(
    table: &Map<String, Value>,
    no_hosts: bool,
    errors: &mut Vec<OptionError>,
) -> Option<recording::Login> {
    let mut found = |key| text(table, key, errors).map(str::trim);
    let (username, password) = (found("recording_username"), found("recording_password"));
    let (token, header) = (found("recording_token"), found("recording_header"));
    let (key, told) = match (username, password, token, header) {
        (None, None, None, None) => return None,
        _ if no_hosts => ("recording_hosts", Err("a login is for hosts, and none is named")),
        (Some(name), Some(password), None, None) => {
            ("recording_password", recording::Login::basic(name, password))
        }
        (None, None, Some(token), header) => {
            let key = if header.is_some() { "recording_header" } else { "recording_token" };
            (key, recording::Login::token(header, token))
        }
        (Some(_), None, ..) => ("recording_password", Err("a name goes with a password")),
        (None, Some(_), ..) => ("recording_username", Err("a password goes with a name")),
        (.., None, Some(_)) => ("recording_token", Err("a header goes with what stands in it")),
        _ => ("recording_token", Err("one logs in with a password or with a token")),
    };
    let help = "write `recording_username` and `recording_password`, or `recording_token`";
    told.map_err(|message| errors.push(OptionError::new(key, message, help))).ok()
}

/// Each dialect is fetched in one way, if in any.
fn source(
    dialect: Dialect,
    table: &Map<String, Value>,
    errors: &mut Vec<OptionError>,
) -> Option<Source> {
    let followed: &[Dialect] = &[Dialect::AsteriskCdr, Dialect::AsteriskCel];
    for (key, fetched) in [
        ("file", followed),
        ("start", followed),
        ("folder", &[Dialect::FreeswitchCdr]),
        ("address", &[Dialect::AsteriskAmi]),
        ("username", &[Dialect::AsteriskAmi]),
    ] {
        if table.contains_key(key) && !fetched.contains(&dialect) {
            let names: Vec<&str> = fetched.iter().map(|dialect| dialect.name()).collect();
            let message = format!("only a channel of dialect {} has it", names.join(" or "));
            errors.push(OptionError::new(key, message, "leave it out"));
        }
    }
    errors.extend(nothing_arrives(dialect, table));
    match dialect {
        Dialect::AsteriskCdr | Dialect::AsteriskCel => {
            let start = start(table, errors);
            let path = text(table, "file", errors).map(PathBuf::from);
            path.map(|path| Source::File { path, start })
        }
        Dialect::FreeswitchCdr => {
            text(table, "folder", errors).map(PathBuf::from).map(Source::Folder)
        }
        Dialect::AsteriskAmi => manager(table, errors),
        _ => None,
    }
}

/// A log that is not followed may be posted, but then a secret proves by whom.
fn nothing_arrives(dialect: Dialect, table: &Map<String, Value>) -> Option<OptionError> {
    let key = if dialect == Dialect::AsteriskAmi { "address" } else { "file" };
    if !dialect.is_log() || [key, "secret"].iter().any(|key| table.contains_key(*key)) {
        return None;
    }
    let message =
        "no call can ever arrive: nothing is fetched, and without a secret nobody may post";
    let help = match key {
        "file" => "write `file`, the path of the log, or a `secret` for whoever posts it",
        _ => "write `address`, `username` and `secret`, or a `secret` for whoever posts",
    };
    Some(OptionError::new(key, message, help))
}

fn start(table: &Map<String, Value>, errors: &mut Vec<OptionError>) -> Start {
    match text(table, "start", errors) {
        None | Some("new") => Start::New,
        Some("all") => Start::All,
        Some(_) => {
            let help = "write `new` to begin at the end of the log, or `all` for the whole of it";
            errors.push(OptionError::new("start", "must be new or all", help));
            Start::New
        }
    }
}

fn manager(table: &Map<String, Value>, errors: &mut Vec<OptionError>) -> Option<Source> {
    let address = text(table, "address", errors)?;
    let port = address.rsplit_once(':').and_then(|(host, port)| {
        port.parse::<u16>().ok().filter(|port| *port > 0 && !host.is_empty())
    });
    if port.is_none() {
        let help = "write host and port, such as `127.0.0.1:5038`";
        errors.push(OptionError::new("address", "names no host and port", help));
    }
    let username = text(table, "username", errors).unwrap_or_default();
    let plain = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
    if !plain(username) {
        let help = "write the name of the section in manager.conf";
        errors.push(OptionError::new("username", "whoever logs in has a name", help));
    }
    if text(table, "secret", &mut Vec::new()).is_none_or(|secret| !plain(secret)) {
        let message = "whoever logs in has a secret, of one line";
        errors.push(OptionError::new("secret", message, "write that of manager.conf"));
    }
    let (address, username) = (address.to_owned(), username.to_owned());
    port.map(|_| Source::Manager { address, username })
}

fn setting(table: &Map<String, Value>, errors: &mut Vec<OptionError>) -> Setting {
    let mut setting = Setting::default();
    if let Some(name) = text(table, "time_zone", errors) {
        match Zone::parse(name) {
            Some(zone) => setting.zone = zone,
            None => {
                let message = format!("there is no time zone `{name}`");
                let help = match Zone::nearest(name) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "write a name of the IANA database such as `Europe/Berlin`".to_owned(),
                };
                errors.push(OptionError::new("time_zone", message, help));
            }
        }
    }
    if let Some(name) = text(table, "region", errors) {
        setting.region = Region::parse(name).map(Region::prepared);
        if setting.region.is_none() {
            let message = format!("there is no country `{name}`");
            errors.push(OptionError::new("region", message, "write two letters such as `DE`"));
        }
    }
    if let Some(value) = table.get("extension_digits_max") {
        match value.as_u64().filter(|digits| (1..=EXTENSION_DIGITS_MAX).contains(digits)) {
            Some(digits) => {
                setting.places.extension_digits_max = usize::try_from(digits).unwrap_or_default();
            }
            None => {
                let message = format!("must be a number from 1 to {EXTENSION_DIGITS_MAX}");
                let help = "count the digits of your longest extension";
                errors.push(OptionError::new("extension_digits_max", message, help));
            }
        }
    }
    setting.places.incoming_contexts = texts(table, "incoming_contexts", errors);
    setting.places.own_numbers = texts(table, "own_numbers", errors);
    if setting.places.own_numbers.iter().any(|number| !number.starts_with('+')) {
        let help = "write them in full, such as `+4930901820`, or only how they begin";
        errors.push(OptionError::new("own_numbers", "a number begins with +", help));
    }
    setting.columns = texts(table, "columns", errors);
    setting
}

/// What is posted must be proved to come from who may post; a log is read by us.
fn secrets(
    dialect: Dialect,
    table: &Map<String, Value>,
    errors: &mut Vec<OptionError>,
) -> Vec<Secret> {
    let fetched = table.contains_key("folder");
    if !dialect.is_log() && !fetched && !table.contains_key("secret") {
        let message = format!("a channel of dialect {} needs a secret", dialect.name());
        errors.push(OptionError::new("secret", message, SECRET_HELP));
    }
    let mut secrets = Vec::new();
    for key in ["secret", "previous_secret"] {
        if let Some(text) = text(table, key, errors) {
            let bytes = text.trim().len();
            if bytes < SECRET_BYTES_MIN {
                let message =
                    format!("a secret has at least {SECRET_BYTES_MIN} bytes; this one has {bytes}");
                errors.push(OptionError::new(key, message, SECRET_HELP));
                continue;
            }
            match Secret::parse(dialect, text) {
                Ok(secret) => secrets.push(secret),
                Err(error) => errors.push(OptionError::new(key, error.message, error.help)),
            }
        }
    }
    secrets
}

fn text<'a>(
    table: &'a Map<String, Value>,
    key: &str,
    errors: &mut Vec<OptionError>,
) -> Option<&'a str> {
    match table.get(key)? {
        Value::String(text) => Some(text),
        _ => {
            errors.push(OptionError::new(key, "must be text", "put it in quotation marks"));
            None
        }
    }
}

fn texts(table: &Map<String, Value>, key: &str, errors: &mut Vec<OptionError>) -> Vec<String> {
    let Some(value) = table.get(key) else {
        return Vec::new();
    };
    let items = value.as_array().filter(|items| items.len() <= FIELDS_MAX);
    let items = items.map(|items| items.iter().map(|item| item.as_str().map(str::to_owned)));
    match items.and_then(Iterator::collect::<Option<Vec<String>>>) {
        Some(texts) => texts,
        None => {
            let message = "must be a list of texts";
            errors.push(OptionError::new(key, message, "write it as [\"a\", \"b\"]"));
            Vec::new()
        }
    }
}

fn no_such_dialect(name: &str) -> OptionError {
    let names = Dialect::ALL.map(Dialect::name);
    let help = match nearest(name, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write one of: {}", names.join(", ")),
    };
    OptionError::new("dialect", format!("there is no dialect `{name}`"), help)
}

fn no_such_key(key: &str) -> OptionError {
    let help = match nearest(key, KEYS) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("a phone channel has: {}", KEYS.join(", ")),
    };
    OptionError::new(key, "no such key for a phone channel", help)
}

/// The name that was probably meant, whatever the case of its letters.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    const DISTANCE_MAX: usize = 2;
    const NAME_BYTES_MAX: usize = 64;
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&name, &known.to_ascii_lowercase());
    let distances = known.into_iter().map(|known| (distance(known), known));
    distances.filter(|(distance, _)| *distance <= DISTANCE_MAX).min().map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::PhoneOptions;

    fn table(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(table) => table,
            other => panic!("no table: {other}"),
        }
    }

    /// With a log to follow, where a dialect is one of a log and nothing else is said.
    fn with_source(dialect: &str, options: Value) -> Map<String, Value> {
        let mut options = table(options);
        let is_log = ["asterisk-cdr", "asterisk-cel"].contains(&dialect);
        if is_log && !options.contains_key("secret") {
            options.entry("file").or_insert_with(|| json!("Master.csv"));
        }
        options
    }

    #[test]
    fn log_from_which_nothing_can_come_is_told() {
        for (dialect, key) in
            [("asterisk-cdr", "file"), ("asterisk-cel", "file"), ("asterisk-ami", "address")]
        {
            let errors = PhoneOptions::parse(dialect, &Map::new()).unwrap_err();
            assert_eq!((errors.len(), errors[0].key.as_str()), (1, key), "{errors:?}");
            assert!(errors[0].message.contains("no call can ever arrive"), "{errors:?}");
            let posted = table(json!({"secret": "canary-of-the-tests"}));
            assert!(PhoneOptions::parse(dialect, &posted).is_ok(), "{dialect}");
        }
        for (columns, missing) in [
            (json!(["src", "start", "duration"]), Some("disposition")),
            (json!(["src", "disposition", "end"]), Some("start")),
            (json!(["dst", "start", "disposition"]), Some("src")),
            (json!(["CDR(src)", "calldate", "disposition"]), None),
            (json!([]), None),
        ] {
            let options = with_source("asterisk-cdr", json!({ "columns": columns }));
            let errors = PhoneOptions::parse("asterisk-cdr", &options).err().unwrap_or_default();
            let told: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
            let wanted =
                missing.map(|name| format!("without the column `{name}` no call can be read"));
            assert_eq!(told, wanted.as_deref().into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn options_are_read_and_show_no_secret() {
        let options = table(json!({
            "time_zone": "Europe/Berlin", "region": "de", "extension_digits_max": 4,
            "incoming_contexts": ["door"], "columns": ["src", "dst"],
            "secret": "canary-of-the-tests", "previous_secret": "canary-of-before",
        }));
        let options = PhoneOptions::parse("placetel", &options).unwrap();
        assert_eq!((options.secrets.len(), options.setting.places.extension_digits_max), (2, 4));
        assert_eq!(options.setting.columns, ["src", "dst"]);
        assert!(!format!("{options:?}").contains("canary"));
        let followed = table(json!({"file": "x"}));
        assert!(PhoneOptions::parse("asterisk-cdr", &followed).unwrap().secrets.is_empty());
    }

    #[test]
    fn mistake_in_how_a_log_is_read_is_told_with_its_key() {
        for (dialect, options, key, words) in [
            ("asterisk-cdr", json!({"columns": ["src", "dts"]}), "columns", "no column `dts`"),
            (
                "asterisk-cel",
                json!({"columns": ["eventtype", "src"]}),
                "columns",
                "no column `src`",
            ),
            ("asterisk-cdr", json!({"missed_max_age_s": 0}), "missed_max_age_s", "60 to"),
            ("asterisk-cdr", json!({"file": "x", "start": "now"}), "start", "new or all"),
            ("freeswitch-cdr", json!({"folder": "x", "start": "all"}), "start", "only a channel"),
        ] {
            let errors = PhoneOptions::parse(dialect, &with_source(dialect, options)).unwrap_err();
            assert_eq!((errors.len(), errors[0].key.as_str()), (1, key), "{errors:?}");
            assert!(errors[0].message.contains(words), "{errors:?}");
        }
        let wrong =
            json!({"time_zone": "europe/berln", "columns": ["-", "CDR(start)", "dispositon"]});
        let errors =
            PhoneOptions::parse("asterisk-cdr", &with_source("asterisk-cdr", wrong)).unwrap_err();
        let help: Vec<&str> = errors.iter().map(|error| error.help.as_str()).collect();
        assert_eq!(help, ["did you mean `Europe/Berlin`?", "did you mean `disposition`?"]);
    }

    #[test]
    fn every_mistake_is_told_with_its_key() {
        let good = "canary-of-the-tests";
        for (dialect, options, key, words) in [
            ("placetel", json!({}), "secret", "needs a secret"),
            ("placetel", json!({"secret": "canary"}), "secret", "this one has 6"),
            ("generic", json!({"secret": "canary!!"}), "secret", "not Base64"),
            ("asterisk-cdr", json!({"time_zone": "Mars"}), "time_zone", "no time zone"),
            ("asterisk-cdr", json!({"region": "Germany"}), "region", "no country"),
            ("asterisk-cdr", json!({"region": 5}), "region", "must be text"),
            ("asterisk-cdr", json!({"columns": "src,dst"}), "columns", "list of texts"),
            ("asterisk-cdr", json!({"columns": ["src", 5]}), "columns", "list of texts"),
            ("asterisk-cdr", json!({"extension_digits_max": 0}), "extension_digits_max", "1 to 9"),
            ("asterisk-cdr", json!({"timezone": "UTC"}), "timezone", "no such key"),
            ("asterix-cdr", json!({}), "dialect", "no dialect"),
            ("asterisk-cdr", json!({"close_after_s": 5}), "close_after_s", "60 to"),
            ("asterisk-cdr", json!({"attach": "yes"}), "attach", "true or false"),
            (
                "asterisk-cdr",
                json!({"recording_hosts": ["https://x"]}),
                "recording_hosts",
                "no host",
            ),
            (
                "asterisk-cdr",
                json!({"recording_hosts": ["x"], "recording_username": "u"}),
                "recording_password",
                "goes with a password",
            ),
            (
                "asterisk-cdr",
                json!({"recording_username": "u", "recording_password": "canary"}),
                "recording_hosts",
                "none is named",
            ),
            (
                "asterisk-cdr",
                json!({"recording_hosts": ["x"], "recording_token": "canary", "recording_password": "canary",
                    "recording_username": "u"}),
                "recording_token",
                "password or with a token",
            ),
            (
                "asterisk-cdr",
                json!({"recording_hosts": ["x"], "recording_token": "canary", "recording_header": "Host"}),
                "recording_header",
                "no header for it",
            ),
            (
                "asterisk-cdr",
                json!({"recording_hosts": ["x"], "recording_token": "canary\r\nX: y"}),
                "recording_token",
                "of one line",
            ),
            ("asterisk-cdr", json!({"own_numbers": ["030"]}), "own_numbers", "begins with +"),
            ("placetel", json!({"secret": good, "file": "x"}), "file", "only a channel of dialect"),
            (
                "asterisk-ami",
                json!({"address": "pbx", "username": "u", "secret": good}),
                "address",
                "host",
            ),
            ("asterisk-ami", json!({"address": "pbx:1", "secret": good}), "username", "a name"),
            ("asterisk-ami", json!({"address": "pbx:1", "username": "u"}), "secret", "a secret"),
            ("sipgate", json!({"secret": good, "previous_secret": ""}), "previous_secret", "has 0"),
        ] {
            let errors = PhoneOptions::parse(dialect, &with_source(dialect, options)).unwrap_err();
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert_eq!(errors[0].key, key);
            assert!(errors[0].message.contains(words), "{errors:?}");
            assert!(!format!("{errors:?}").contains("canary"), "{errors:?}");
        }
        let errors =
            PhoneOptions::parse("asterix-cdr", &table(json!({"timezone": ""}))).unwrap_err();
        let help: Vec<&str> = errors.iter().map(|error| error.help.as_str()).collect();
        assert_eq!(help, ["did you mean `asterisk-cdr`?", "did you mean `time_zone`?"]);
    }
}
