//! Secrets come from files and variables too, and never leave by a message, a dump or `Debug`
//! (P10).

use std::path::Path;

use postroom_config::Loader;
use postroom_model::SeededRandom;

use crate::Desk;

const CANARY: &str = "c4n4ry";

fn channel(options: &str) -> String {
    format!("[[channels]]\nid = 'site'\nkind = 'webhook'\n{options}\n")
}

#[test]
fn secret_is_read_from_a_file_without_its_line_break() {
    let text =
        channel("secret_file = 's'\ncdr_file = 'stays'\n[channels.smtp]\npassword_file = 'p'")
            + "[records]\nurl_file = 'u'\n";
    let desk = Desk::with_queues(&text)
        .file("s", "one two\r\n")
        .file("p", " three")
        .file("u", "redis://:four@db\n");
    let config = desk.load().unwrap();
    let expected = serde_json::json!({
        "secret": "one two", "cdr_file": "stays", "smtp": { "password": " three" },
    });
    assert_eq!(serde_json::Value::Object(config.channels[0].options.clone()), expected);
    assert_eq!(config.records.url.reveal(), "redis://:four@db");
}

#[test]
fn variable_wins_over_a_secret_of_either_form_in_the_file() {
    for (options, variable, value, secret) in [
        ("secret_file = 'gone'", "POSTROOM__CHANNELS__SITE__SECRET", "new", "new"),
        ("secret = 'old'", "POSTROOM__CHANNELS__SITE__SECRET_FILE", "s", "of the file"),
        ("secret = 'old'", "POSTROOM__CHANNELS__SITE__SECRET", "new", "new"),
    ] {
        let desk = Desk::with_queues(&channel(options)).file("s", "of the file");
        let config = desk.var(variable, value).load().unwrap();
        assert_eq!(config.channels[0].options["secret"], secret);
        assert_eq!(config.channels[0].options.len(), 1);
    }
}

#[test]
fn secret_file_must_hold_something_that_is_text() {
    for (content, message) in
        [(&b"\n"[..], "empty"), (b"\xff", "not UTF-8"), (&vec![b'x'; 70_000], "larger than")]
    {
        let desk = Desk::with_queues(&channel("token_file = 's'"));
        std::fs::write(desk.folder.path().join("s"), content).unwrap();
        let diagnostics = desk.load().unwrap_err();
        assert_eq!(diagnostics.items()[0].key, "channels[0].token_file");
        assert!(diagnostics.items()[0].message.contains(message), "{diagnostics}");
    }
}

#[test]
fn missing_secret_is_made_once_and_only_where_it_may_be() {
    let text = channel("secret_file = '{data_dir}/secrets/site'\nsecret_file_create = true");
    let desk = Desk::with_queues(&text);
    let data = desk.folder.path().join("data");
    let loader = Loader { data_dir: Some(data.clone()), ..desk.loader() };
    let random = SeededRandom::new(1);

    let diagnostics = loader.load().unwrap_err();
    assert!(diagnostics.render(false).contains("postroom serve"), "{diagnostics}");
    let preview = loader.preview(&random).unwrap();
    assert!(preview.notes()[0].message.contains("will make a secret"));
    assert!(preview.channels[0].options["secret"].as_str().unwrap().starts_with("whsec_"));
    assert!(!data.exists(), "a preview touches nothing");

    let made = loader.create_missing_secrets(&random).unwrap();
    assert_eq!(made, [data.join("secrets/site")]);
    let config = loader.load().unwrap();
    let secret = config.channels[0].options["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    assert!(config.notes().is_empty());
    assert_eq!(mode(&made[0]), 0o600);

    assert!(loader.create_missing_secrets(&random).unwrap().is_empty());
    assert_eq!(loader.load().unwrap().channels[0].options["secret"], secret);
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(not(unix))]
fn mode(_: &Path) -> u32 {
    0o600
}

#[test]
fn no_secret_is_made_for_a_config_with_mistakes() {
    let text = channel("secret_file = 'new'\nsecret_file_create = true\nqueue = 'gone'");
    let desk = Desk::with_queues(&text);
    let result = desk.loader().create_missing_secrets(&SeededRandom::new(1));
    assert_eq!(result.unwrap_err().error().code(), "config_invalid");
    assert!(!desk.folder.path().join("new").exists());
}

#[cfg(unix)]
#[test]
fn secret_that_cannot_be_written_has_a_code_of_its_own() {
    let text = channel("secret_file = 'folder/new'\nsecret_file_create = true");
    let desk = Desk::with_queues(&text);
    // A link to nowhere: nothing is there, and no folder can be made.
    std::os::unix::fs::symlink("/nowhere/at/all", desk.folder.path().join("folder")).unwrap();
    let result = desk.loader().create_missing_secrets(&SeededRandom::new(1));
    let diagnostics = result.unwrap_err();
    assert_eq!(diagnostics.error().code(), "config_secret_unwritable", "{diagnostics}");
    assert!(diagnostics.render(false).contains("folder/new"));
}

#[test]
fn canary_stays_out_of_debug_and_dump() {
    let text = channel(&format!(
        "secret = '{CANARY}'\nbot_token = '{CANARY}'\ncallback_url = 'https://u:{CANARY}@a/?k={CANARY}'\n\
         [channels.smtp]\npassword = '{CANARY}'\nhost = 'mail'"
    )) + &format!(
        "[records]\nurl = 'redis://:{CANARY}@db'\n[bus]\nurl = 'nats://{CANARY}@bus'\n"
    );
    let desk = Desk::with_queues(&text).var("POSTROOM__CHANNELS__SITE__APP_SECRET", CANARY);
    let config = desk.load().unwrap();
    assert_eq!(config.channels[0].options["app_secret"], CANARY);
    let dump = config.public_dump().to_string();
    assert!(dump.contains("mail") && dump.contains("[redacted]"), "{dump}");
    let settings = serde_json::to_string(&config.settings(|_| true)).unwrap();
    for shown in [dump, settings, format!("{config:?}"), format!("{:?}", desk.loader())] {
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

#[test]
fn login_of_the_bus_is_read_from_the_file_or_one_of_its_own_and_shows_nowhere() {
    for (keys, way) in [
        (format!("user = 'ann'\npassword = '{CANARY}'"), "user"),
        (format!("token = '{CANARY}'"), "token"),
        (format!("credentials = '{CANARY}'"), "credentials"),
        (format!("seed = '{CANARY}'"), "seed"),
        ("seed_file = 'login'".to_owned(), "seed"),
        ("credentials_file = 'login'".to_owned(), "credentials"),
    ] {
        let desk = Desk::with_queues(&format!("[bus]\nurl = 'nats://a,nats://b'\n{keys}\n"))
            .file("login", CANARY);
        let config = desk.load().expect(&keys);
        let dump = config.public_dump();
        assert_eq!(
            (&dump["bus"]["login"], &dump["bus"]["url"]),
            (&way.into(), &"nats://a,nats://b".into())
        );
        assert!(!matches!(config.bus.login, postroom_config::BusLogin::InUrl), "{keys}");
        for shown in [dump.to_string(), format!("{config:?}")] {
            assert!(!shown.contains(CANARY), "{shown}");
        }
    }
}

#[test]
fn canary_stays_out_of_messages_about_its_own_line() {
    for text in [
        format!("[bus]\nseed = '{CANARY}'\ntoken = '{CANARY}'"),
        format!("[bus]\npassword = '{CANARY}'"),
        format!("[bus]\nurl = 'nats://{CANARY}@a,redis://u:{CANARY}@b'"),
        format!("channels = [{{ id = 'site', kind = 'webhok', secret = '{CANARY}' }}]"),
        channel(&format!("secret = '{CANARY}'\nsecret = '{CANARY}'")),
        channel(&format!("secret = '{CANARY}")),
        channel(&format!("secret = {CANARY}")),
        channel(&format!("secret = \"{CANARY}\\q\"")),
        channel(&format!("secret_file = 'x' # secret = '{CANARY}'")),
        format!("[records]\nurl = 'http://:{CANARY}@db'"),
        format!("[bus]\nurl = 'nats://u:{CANARY}@'"),
        format!("secret = '{CANARY}'"),
    ] {
        let desk = Desk::with_queues(&text);
        let diagnostics = desk.load().expect_err(&text);
        let json = serde_json::to_string(&diagnostics).unwrap();
        for shown in [diagnostics.render(false), diagnostics.render(true), json] {
            assert!(!shown.contains(CANARY), "{text}\n{shown}");
        }
        assert!(!format!("{diagnostics:?}").contains(CANARY), "{text}");
    }
}

#[test]
fn canary_in_a_variable_or_file_stays_out_of_messages() {
    let options = format!("secret = '{CANARY}'");
    let desk = Desk::with_queues(&channel(&options))
        .var("POSTROOM__RECORDS__URL", &format!("http://:{CANARY}@db"))
        .var("POSTROOM__SECRET", CANARY)
        .var("POSTROOM__CHANNELS__SIT__SECRET", CANARY);
    let diagnostics = desk.load().unwrap_err();
    assert_eq!(diagnostics.items().len(), 3);
    let later = Desk::with_queues(&channel(&options)).load().unwrap();
    let found = later.diagnose("channels[0].secret", "too short", None, Some(0..2));
    for diagnostics in [diagnostics, later.diagnostics(vec![found])] {
        assert!(!diagnostics.render(false).contains(CANARY), "{diagnostics}");
        assert!(!serde_json::to_string(&diagnostics).unwrap().contains(CANARY));
    }
}
