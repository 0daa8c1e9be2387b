//! Defaults, file, variables and the command line lie over each other in this order.

use std::path::PathBuf;

use postroom_config::{Config, Loader};
use postroom_model::{ChannelKind, WorkspaceId};

use crate::Desk;

const FILE: &str = "[server]\nlisten = '127.0.0.1:9001'\n\
    [[channels]]\nid = 'web-shop'\nkind = 'webhook'\nsecret = 'file'\nretries = 3\nactive = true\n\
    [[channels]]\nid = 'web'\nkind = 'email'\n\
    [[agents]]\nid = 'ada'\nqueues = ['support']\nskills = { english = 1 }\n\
    [[rules]]\nwhen = 'true'\nqueue = 'support'\n";

fn with(variables: &[(&str, &str)]) -> Config {
    let mut desk = Desk::with_queues(FILE);
    for (name, value) in variables {
        desk = desk.var(name, value);
    }
    desk.load().unwrap()
}

#[test]
fn defaults_are_as_documented() {
    let config = Desk::with_queues("").load().unwrap();
    assert_eq!(config.workspace, WorkspaceId::main());
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.public_url, "http://127.0.0.1:8080");
    assert!(!config.server.public_url_given);
    assert_eq!(config.server.command_wait_ms, 5_000);
    assert_eq!(config.server.body_bytes_max, 10 * 1024 * 1024);
    assert!(config.bus.url.is_embedded() && config.records.url.is_embedded());
    assert_eq!(config.blobs.url.folder(), Some(PathBuf::from("data/blobs")));
    assert!(config.outgoing.allow.is_empty());
    assert_eq!(config.costs[&ChannelKind::Phone], 100);
    assert_eq!(config.queues[0].name, "support");
}

#[test]
fn variables_win_over_the_file_and_the_file_over_defaults() {
    let config = with(&[
        ("POSTROOM__SERVER__LISTEN", "127.0.0.1:9002"),
        ("POSTROOM__SERVER__COMMAND_WAIT_MS", "7"),
        ("POSTROOM__WORKSPACE", "shop"),
        ("POSTROOM__OUTGOING__ALLOW", "127.0.0.1/32, 10.0.0.0/8"),
        ("POSTROOM__CAPACITY__EMAIL", "9"),
        ("POSTROOM__AGENTS__ADA__SKILLS__CHINESE", "4"),
        ("POSTROOM__AGENTS__ADA__QUEUES", "billing,support"),
        ("POSTROOM__QUEUES__BILLING__NAME", "00123"),
        ("POSTROOM__RULES__0__QUEUE", "billing"),
        ("HOME", "/nowhere"),
        ("POSTROOM_NATS_SERVER", "is no setting"),
    ]);
    assert_eq!(config.server.listen.port(), 9002);
    assert_eq!(config.server.command_wait_ms, 7);
    assert_eq!(config.workspace.as_str(), "shop");
    assert_eq!(config.outgoing.allow, ["127.0.0.1/32", "10.0.0.0/8"]);
    assert_eq!(config.costs[&ChannelKind::Email], 9);
    assert_eq!(config.costs[&ChannelKind::Imap], 5);
    let skills: Vec<_> = config.agents[0].skills.iter().collect();
    assert_eq!(skills, [(&"chinese".to_owned(), &4), (&"english".to_owned(), &1)]);
    assert_eq!(config.agents[0].queues.len(), 2);
    assert_eq!(config.queues[1].name, "00123", "text keeps its zeros");
    assert_eq!(config.rules[0].queue.as_ref().unwrap().as_str(), "billing");
    assert_eq!(with(&[]).server.listen.port(), 9001);
}

#[test]
fn channels_are_named_by_id_and_options_keep_the_type_of_the_file() {
    let config = with(&[
        ("POSTROOM__CHANNELS__WEB_SHOP__SECRET", "00123"),
        ("POSTROOM__CHANNELS__WEB_SHOP__RETRIES", "5"),
        ("POSTROOM__CHANNELS__WEB_SHOP__ACTIVE", "false"),
        ("POSTROOM__CHANNELS__WEB__SMTP__PORT", "25"),
    ]);
    let expected = serde_json::json!({ "secret": "00123", "retries": 5, "active": false });
    assert_eq!(serde_json::Value::Object(config.channels[0].options.clone()), expected);
    let expected = serde_json::json!({ "smtp": { "port": "25" } });
    assert_eq!(serde_json::Value::Object(config.channels[1].options.clone()), expected);
}

#[test]
fn empty_list_in_a_variable_closes_what_the_file_opened() {
    let text = "[outgoing]\nallow = ['10.0.0.0/8']\n";
    let desk = Desk::with_queues(text).var("POSTROOM__OUTGOING__ALLOW", "");
    assert!(desk.load().unwrap().outgoing.allow.is_empty());
}

#[test]
fn mistakes_in_variables_name_the_variable() {
    for (variable, value, message, help) in [
        ("POSTROOM__SERVR__LISTEN", "x", "names no section", "`server`"),
        ("POSTROOM__SERVER__LISEN", "x", "unknown key", "`listen`"),
        ("POSTROOM__SERVER__LISTEN", "x", "port is missing", "127.0.0.1"),
        ("POSTROOM__SERVER__COMMAND_WAIT_MS", "5s", "a whole number", ""),
        ("POSTROOM__SERVER", "x", "names no key", "SECTION__KEY"),
        ("POSTROOM__", "x", "names no section", ""),
        ("POSTROOM__CHANNELS__WEB_SHP__SECRET", "x", "none of [[channels]]", "`web-shop`"),
        ("POSTROOM__RULES__7__QUEUE", "x", "none of [[rules]]", ""),
        ("POSTROOM__RULES__0__QUEUE", "biling", "no queue", "`billing`"),
        ("POSTROOM__OUTGOING__ALLOW", "10.0.0.0/8,10.0.0.1", "length", "10.0.0.1/32"),
        ("POSTROOM__AGENTS__ADA__SKILLS__ENGLISH", "0", "from 1 to 100", ""),
    ] {
        let desk = Desk::with_queues(FILE).var(variable, value);
        let diagnostics = desk.load().expect_err(variable);
        let [item] = diagnostics.items() else {
            panic!("{diagnostics}");
        };
        assert_eq!(item.variable.as_deref(), Some(variable));
        assert_eq!((item.line, item.column), (None, None), "{diagnostics}");
        assert!(item.message.contains(message), "{diagnostics}");
        assert!(item.help.as_deref().unwrap_or_default().contains(help), "{diagnostics}");
        assert!(desk.render(&diagnostics).contains(variable));
    }
}

#[test]
fn variable_that_could_mean_two_channels_is_refused() {
    let text =
        "[[channels]]\nid = 'a-b'\nkind = 'email'\n[[channels]]\nid = 'a_b'\nkind = 'email'\n";
    let desk = Desk::with_queues(text).var("POSTROOM__CHANNELS__A_B__SECRET", "x");
    let diagnostics = desk.load().unwrap_err();
    assert!(diagnostics.items()[0].message.contains("two of [[channels]]"), "{diagnostics}");
}

#[test]
fn data_folder_of_the_command_line_wins_and_blobs_follow_it() {
    let desk = Desk::with_queues("").var("POSTROOM__SERVER__DATA_DIR", "by-variable");
    assert_eq!(desk.load().unwrap().server.data_dir, PathBuf::from("by-variable"));
    let loader = Loader { data_dir: Some("by-flag".into()), ..desk.loader() };
    let config = loader.load().unwrap();
    assert_eq!(config.server.data_dir, PathBuf::from("by-flag"));
    assert_eq!(config.blobs.url.reveal(), "file:by-flag/blobs");
}

#[test]
fn file_is_looked_for_in_the_folder_of_the_user() {
    let desk = Desk::new("");
    let home = desk.folder.path().join("home");
    let user = home.join(".config").join("postroom");
    std::fs::create_dir_all(&user).unwrap();
    std::fs::write(user.join("postroom.toml"), "[[queues]]\nid = 'q'").unwrap();
    let folder = home.display().to_string();
    let looked = |variables: &[(&str, String)]| {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        Loader { environment: environment.collect(), ..Loader::default() }.find()
    };
    let found = looked(&[("HOME", folder.clone())]).unwrap();
    assert_eq!(found, user.join("postroom.toml"));
    let config = format!("{folder}/.config");
    assert!(looked(&[("XDG_CONFIG_HOME", config), ("HOME", "/nowhere".into())]).is_ok());
    let nowhere = looked(&[("XDG_CONFIG_HOME", "/nowhere".into()), ("HOME", folder)]);
    let message = nowhere.unwrap_err().render(false);
    assert!(message.contains("config/postroom.toml, /nowhere/postroom/postroom.toml"), "{message}");
}

#[test]
fn settings_have_one_form_whatever_the_order_of_channels_and_agents() {
    let parts = [
        "[[channels]]\nid = 'a'\nkind = 'email'\n",
        "[[channels]]\nid = 'b'\nkind = 'webhook'\nsecret = 'one'\n",
        "[[agents]]\nid = 'x'\nqueues = ['support', 'billing']\n",
        "[[agents]]\nid = 'y'\nqueues = ['billing', 'support']\n",
    ];
    let settings = |order: [usize; 4]| {
        let text: String = order.iter().map(|&index| parts[index]).collect();
        let config = Desk::with_queues(&text).load().unwrap();
        config.settings(|channel| channel.kind == ChannelKind::Webhook)
    };
    let one = settings([0, 1, 2, 3]);
    assert_eq!(one.hash(), settings([3, 1, 0, 2]).hash());
    assert_eq!(one.channels.iter().map(|channel| channel.sends).collect::<Vec<_>>(), [false, true]);
    assert_eq!(one.queues[0].id.as_str(), "support", "the first stays the default");
}

#[test]
fn watcher_notices_changes_since_the_file_was_read() {
    let text = "[[channels]]\nid = 'a'\nkind = 'email'\nsecret_file = 's'\n";
    let desk = Desk::with_queues(text).file("s", "one");
    let config = desk.load().unwrap();
    let desk = desk.file("s", "two");
    let mut watcher = config.watcher();
    assert!(watcher.changed(), "changed between reading and watching");
    assert!(!watcher.changed());
    let _desk = desk.file("postroom.toml", "");
    assert!(watcher.changed());
}

#[test]
fn calendar_is_read_with_its_nights_and_its_special_days() {
    let text = "[[calendars]]\nid = 'office'\ntime_zone = 'Europe/Berlin'\n\
                holidays = ['2026-05-01', '12-25', '12-24']\n\
                [calendars.hours]\nmonday = ['13:30-18:00', '09:00-12:30']\nfriday = ['22:00-06:00']\n\
                sunday = ['00:00-24:00']\n\
                [calendars.overrides]\n2026-12-24 = ['09:00-12:00']\n12-24 = ['09:00-10:00']\n";
    let config = Desk::with_queues(text).load().unwrap();
    let calendar = &config.calendars[0];
    let minutes = |hours: &[postroom_model::OpenHours]| -> Vec<(u16, u16)> {
        hours.iter().map(|hours| (hours.from_minute, hours.to_minute)).collect()
    };
    assert_eq!(calendar.time_zone, "Europe/Berlin");
    assert_eq!(minutes(&calendar.week[0]), [(540, 750), (810, 1080)]);
    assert_eq!(minutes(&calendar.week[4]), [(1320, 1800)]);
    assert_eq!(minutes(&calendar.week[6]), [(0, 1440)]);
    assert!(calendar.week[1].is_empty());
    let special: Vec<_> = calendar
        .special
        .iter()
        .map(|day| (day.year, day.month, day.day, minutes(&day.open)))
        .collect();
    assert_eq!(
        special,
        [
            (None, 12, 24, vec![(540, 600)]),
            (None, 12, 25, vec![]),
            (Some(2026), 5, 1, vec![]),
            (Some(2026), 12, 24, vec![(540, 720)]),
        ]
    );
    let settings = config.settings(|_| false);
    assert_eq!(settings.calendars, config.calendars);
    assert_ne!(settings.hash(), Desk::with_queues("").load().unwrap().settings(|_| false).hash());
}
