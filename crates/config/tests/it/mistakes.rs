//! Every kind of mistake is found at its line and column, with the name that was meant.

use crate::Desk;

/// A file without queues (they are added at its end), and the one mistake in it.
struct Case {
    text: &'static str,
    at: (usize, usize),
    key: &'static str,
    message: &'static str,
    help: &'static str,
}

const fn case(
    text: &'static str,
    at: (usize, usize),
    key: &'static str,
    message: &'static str,
    help: &'static str,
) -> Case {
    Case { text, at, key, message, help }
}

const CALENDARS: &[Case] = &[
    case(
        "[[calendars]]\nid = 'office'\ntime_zone = 'Europe/Berlim'",
        (3, 13),
        "calendars[0].time_zone",
        "no time zone",
        "`Europe/Berlin`",
    ),
    case(
        "[[calendars]]\nid = 'office'\ntime_zone = 'UTC'\nholiday_files = ['gone.ics']",
        (4, 18),
        "calendars[0].holiday_files[0]",
        "cannot be read",
        "",
    ),
    case(
        "[[calendars]]\nid = 'office'",
        (1, 1),
        "calendars[0].time_zone",
        "`time_zone` is missing",
        "Europe/Berlin",
    ),
    case(
        "[[calendars]]\nid = 'office'\ntime_zone = 'UTC'\nhours = { munday = [] }",
        (4, 11),
        "calendars[0].hours.munday",
        "unknown key",
        "`monday`",
    ),
    case(
        "[[calendars]]\nid = 'office'\ntime_zone = 'UTC'\n[calendars.hours]\nmonday = ['9-17']",
        (5, 11),
        "calendars[0].hours.monday[0]",
        "these are no hours",
        "09:00-17:00",
    ),
    case(
        "[[calendars]]\nid = 'office'\ntime_zone = 'UTC'\n[calendars.hours]\nmonday = ['09:00-09:00']",
        (5, 11),
        "calendars[0].hours.monday[0]",
        "end as they begin",
        "00:00-24:00",
    ),
    case(
        "[[calendars]]\nid = 'office'\ntime_zone = 'UTC'\n[calendars.hours]\n\
         monday = ['09:00-13:00', '12:59-18:00']",
        (5, 26),
        "calendars[0].hours.monday[1]",
        "overlap with calendars[0].hours.monday[0]",
        "line 5",
    ),
    case(
        "[[calendars]]\nid = 'office'\ntime_zone = 'UTC'\n[calendars.hours]\n\
         sunday = ['22:00-06:00']\nmonday = ['05:00-12:00']",
        (6, 11),
        "calendars[0].hours.monday[0]",
        "overlap with calendars[0].hours.sunday[0]",
        "line 5",
    ),
    case(
        "[[calendars]]\nid = 'office'\ntime_zone = 'UTC'\nholidays = ['12-25', '2026-02-29']",
        (4, 22),
        "calendars[0].holidays[1]",
        "this is no day",
        "12-25 for every year",
    ),
    case(
        "[[calendars]]\nid = 'office'\ntime_zone = 'UTC'\nholidays = ['12-25', '12-25']",
        (4, 22),
        "calendars[0].holidays[1]",
        "taken by calendars[0].holidays[0]",
        "line 4",
    ),
    case(
        "[[calendars]]\nid = 'office'\ntime_zone = 'UTC'\n[calendars.overrides]\n\
         2026-12-24 = ['09:00-12:00', '11:00-13:00']",
        (5, 30),
        "calendars[0].overrides.2026-12-24[1]",
        "overlap",
        "line 5",
    ),
    // 2026-12-24 is a Thursday.
    case(
        "[[calendars]]\nid = 'office'\ntime_zone = 'UTC'\n[calendars.hours]\n\
         friday = ['05:00-12:00']\n[calendars.overrides]\n2026-12-24 = ['22:00-06:00']",
        (7, 15),
        "calendars[0].overrides.2026-12-24[0]",
        "overlap with calendars[0].hours.friday[0], over midnight",
        "line 5",
    ),
    case(
        "[[calendars]]\nid = 'office'\ntime_zone = 'UTC'\n[calendars.hours]\n\
         wednesday = ['22:00-06:00']\n[calendars.overrides]\n2026-12-24 = ['05:00-12:00']",
        (7, 15),
        "calendars[0].overrides.2026-12-24[0]",
        "overlap with calendars[0].hours.wednesday[0], over midnight",
        "line 5",
    ),
    case(
        "[[calendars]]\nid = 'office'\ntime_zone = 'UTC'\n[calendars.overrides]\n\
         12-31 = ['22:00-06:00']\n01-01 = ['05:00-12:00']",
        (5, 10),
        "calendars[0].overrides.12-31[0]",
        "overlap with calendars[0].overrides.01-01[0], over midnight",
        "line 6",
    ),
    case(
        "[[calendars]]\nid = 'office'\ntime_zone = 'UTC'\noverrides = ['12-24']",
        (4, 13),
        "calendars[0].overrides",
        "expected a table, found a list",
        "09:00-12:00",
    ),
];

const WORK: &[Case] = &[
    case(
        "[[rules]]\nwhen = 'true'\nskills = { germna = 2 }\n[[agents]]\nid = 'a'\nskills = { german = 3 }",
        (3, 12),
        "rules[0].skills.germna",
        "no agent has the skill `germna`",
        "`german`",
    ),
    case(
        "[[rules]]\nwhen = 'true'\nprefer = { frensh = 2 }\n[[agents]]\nid = 'a'\nskills = { french = 3 }",
        (3, 12),
        "rules[0].prefer.frensh",
        "no agent has the skill `frensh`",
        "`french`",
    ),
    case(
        "[[queues]]\nid = 'q'\nhand_out = 'ofer'",
        (3, 12),
        "queues[0].hand_out",
        "not one of the words",
        "`offer`",
    ),
    case(
        "[[queues]]\nid = 'q'\nchoose = 'round-robin'",
        (3, 10),
        "queues[0].choose",
        "not one of the words",
        "`round_robin`",
    ),
    case("[[queues]]\nid = 'q'\noffer_to = 51", (3, 12), "queues[0].offer_to", "from 1 to 50", ""),
    case(
        "[[queues]]\nid = 'q'\nidle_after_s = 60",
        (3, 16),
        "queues[0].idle_after_s",
        "`idle_frees_percent` is missing",
        "idle_frees_percent = 50",
    ),
    case(
        "[[queues]]\nid = 'q'\ncosts = { webhok = 5 }",
        (3, 11),
        "queues[0].costs.webhok",
        "unknown key",
        "`webhook`",
    ),
    case(
        "[[agents]]\nid = 'a'\nlimits = { fax = 1 }",
        (3, 12),
        "agents[0].limits.fax",
        "unknown key",
        "`webhook`",
    ),
    case(
        "[[statuses]]\nid = 'lunch'\nstatus = 'awy'",
        (3, 10),
        "statuses[0].status",
        "not one of the words",
        "`away`",
    ),
    case(
        "[[statuses]]\nid = 'online'\nstatus = 'away'",
        (2, 6),
        "statuses[0].id",
        "there already",
        "`lunch`",
    ),
    case(
        "[ramp_in]\nnew_max = 3\nevery_s = 60",
        (1, 1),
        "ramp_in.lasts_s",
        "`lasts_s` is missing",
        "lasts_s = 900",
    ),
    case(
        "[[answers]]\nid = 'a'\non = 'recieved'\ntext = 'x'",
        (3, 6),
        "answers[0].on",
        "not one of the words",
        "`received`",
    ),
    case(
        "[[answers]]\nid = 'a'\non = 'closed'\ntext = 'x'",
        (1, 1),
        "answers[0].calendar",
        "`calendar` is missing",
        "outside of whose hours",
    ),
    case(
        "[[answers]]\nid = 'a'\non = 'waiting'\ntext = 'You are {positon}.'",
        (4, 8),
        "answers[0].text",
        "stands for nothing",
        "`position`",
    ),
    case(
        "[[answers]]\nid = 'a'\non = 'waiting'\ntext = 'Back at {opens_at}.'",
        (4, 8),
        "answers[0].text",
        "needs a calendar",
        "calendar = ",
    ),
    case(
        "[[answers]]\nid = 'a'\non = 'waiting'\nqueues = ['suport']\ntext = 'x'",
        (4, 11),
        "answers[0].queues[0]",
        "no queue with this id",
        "",
    ),
    case("[presence]\ngrace_s = 5", (2, 11), "presence.grace_s", "from 15 to 86400", ""),
];

const NAMES: &[Case] = &[
    case("[servr]\nlisten = 'x'", (1, 2), "servr", "unknown section", "`server`"),
    case("listen = 'x'", (1, 1), "listen", "unknown key", "`workspace`"),
    case("[server]\n  lisen = 'x'", (2, 3), "server.lisen", "unknown key", "`listen`"),
    case("[bus]\nurl = 'embedded'\nurll = 1", (3, 1), "bus.urll", "unknown key", "`url`"),
    case("[capacity]\nchat = 5", (2, 1), "capacity.chat", "unknown key", "`webhook`"),
    case(
        "[[rules]]\nwhen = 'true'\nque = 'support'",
        (3, 1),
        "rules[0].que",
        "unknown key",
        "`queue`",
    ),
    case(
        "[[agents]]\nid = 'ada'\nmail = 'a@b'",
        (3, 1),
        "agents[0].mail",
        "unknown key",
        "`email`",
    ),
    case(
        "[[rules]]\nwhen = 'true'\n[[rules]]\nwhen = 'true'\nqueue = 'biling'",
        (5, 9),
        "rules[1].queue",
        "no queue",
        "`billing`",
    ),
    case(
        "[[agents]]\nid = 'ada'\nqueues = ['support', 'sales']",
        (3, 22),
        "agents[0].queues[1]",
        "no queue",
        "queues: `billing`, `support`",
    ),
    case(
        "[[channels]]\nid = 'site'\nkind = 'webhok'",
        (3, 8),
        "channels[0].kind",
        "no such kind",
        "`webhook`",
    ),
    case(
        "channels = [{ id = 'site', kind = 'webhook', queue = 'suport' }]",
        (1, 54),
        "channels[0].queue",
        "no queue",
        "`support`",
    ),
    case(
        "[[channels]]\nid = 'a'\nkind = 'email'\n[[channels]]\nid = 'a'\nkind = 'email'",
        (5, 6),
        "channels[1].id",
        "taken by channels[0].id",
        "line 2",
    ),
    case(
        "[[agents]]\nid = 'a'\nemail = 'x@y'\n[[agents]]\nid = 'b'\nemail = 'X@y'",
        (6, 9),
        "agents[1].email",
        "taken by agents[0].email",
        "line 3",
    ),
    case("[[channels]]\nid = 'site'", (1, 1), "channels[0].kind", "is missing", "`email`"),
    case("[[rules]]\nqueue = 'support'", (1, 1), "rules[0].when", "is missing", "when ="),
    case("[[agents]]\nname = 'Ada'", (1, 1), "agents[0].id", "is missing", "id ="),
    case(
        "[[agents]]\nid = 'Ada Lovelace'",
        (2, 6),
        "agents[0].id",
        "an id is 1 to 64",
        "`ada-lovelace`",
    ),
    case("workspace = 'Main'", (1, 13), "workspace", "an id is", "`main`"),
];

const VALUES: &[Case] = &[
    case("[server]\nlisten = 8080", (2, 10), "server.listen", "expected text, found a number", ""),
    case(
        "[server]\nlisten = '127.0.0.1:http'",
        (2, 10),
        "server.listen",
        "port is not a number",
        "127.0.0.1:8080",
    ),
    case("[server]\npublic_url = 'desk'", (2, 14), "server.public_url", "not a URL", "https://"),
    case("[server]\ndata_dir = ' '", (2, 12), "server.data_dir", "must not be empty", ""),
    case(
        "[server]\ncommand_wait_ms = '5000'",
        (2, 19),
        "server.command_wait_ms",
        "expected a whole number, found text",
        "without quotes",
    ),
    case(
        "[server]\nbody_bytes_max = 1.5",
        (2, 18),
        "server.body_bytes_max",
        "found a decimal number",
        "",
    ),
    case("[server]\nbody_bytes_max = 5", (2, 18), "server.body_bytes_max", "from 1024 to", ""),
    case("[server]\ncommand_wait_ms = -1", (2, 19), "server.command_wait_ms", "from 0 to", ""),
    case(
        "[server]\nbody_bytes_max = 99999999999999999999",
        (2, 18),
        "",
        "does not fit into 64 bits",
        "",
    ),
    case("server = 5", (1, 10), "server", "expected a table", "[server]"),
    case("[[server]]\nlisten = 'x'", (1, 1), "server", "expected a table, found a list", ""),
    case("channels = 'site'", (1, 12), "channels", "expected a list of tables", "[[channels]]"),
    case("[channels]\nid = 'a'", (1, 1), "channels", "found a table", "[[channels]]"),
    case("[bus]\nurl = 'embeded'", (2, 7), "bus.url", "neither", "`embedded`"),
    case("[bus]\nuser = 'ann'", (1, 1), "bus.password", "missing", "go together"),
    case("[bus]\ntoken = 'a'\nseed = 'b'", (3, 8), "bus.seed", "another way", "keep one of"),
    case("[bus]\nauthorities_path = 'no'", (2, 20), "bus.authorities_path", "there is no file", ""),
    case("[bus]\nmonitor_urls = ['a:8222']", (2, 17), "bus.monitor_urls[0]", "http URL", "8222"),
    case("[bus]\nreplicas = 9", (2, 12), "bus.replicas", "from 1 to 5", ""),
    case("[bus]\naccept = 'all'", (2, 10), "bus.accept", "a list", "[ ]"),
    case("[bus]\nurl = 'redis://a'", (2, 7), "bus.url", "nats://", "nats://127.0.0.1:4222"),
    case("[records]\nurl = 'redis://'", (2, 7), "records.url", "no host", "redis://"),
    case("[blobs]\nurl = 'data'", (2, 7), "blobs.url", "file: or s3://", "file:data/blobs"),
    case(
        "[outgoing]\nallow = [\n  '10.0.0.0/8',\n  '127.0.0.1',\n]",
        (4, 3),
        "outgoing.allow[1]",
        "length",
        "127.0.0.1/32",
    ),
    case("[outgoing]\nallow = '::1/128'", (2, 9), "outgoing.allow", "expected a list", "[ ]"),
    case("[capacity]\nphone = 10001", (2, 9), "capacity.phone", "from 0 to 10000", ""),
    case(
        "[[rules]]\nwhen = 'true'\npriority = 100",
        (3, 12),
        "rules[0].priority",
        "from 0 to 99",
        "",
    ),
    case("[[rules]]\nwhen = ''", (2, 8), "rules[0].when", "must not be empty", ""),
    case(
        "[[rules]]\nwhen = 'true'\nskills = { '客服' = 1, english = 0 }",
        (3, 32),
        "rules[0].skills.english",
        "from 1 to 100",
        "",
    ),
    case(
        "[[rules]]\nwhen = 'true'\ntags = ['a', 'a']",
        (3, 14),
        "rules[0].tags[1]",
        "taken by",
        "",
    ),
    case("[[agents]]\nid = 'a'\nskills = ['x']", (3, 10), "agents[0].skills", "a table", "english"),
    case("[[agents]]\nid = 'a'\nemail = 'a'", (3, 9), "agents[0].email", "mail address", "ada@"),
    case("[[agents]]\nid = 'a'\nname = ''", (3, 8), "agents[0].name", "must not be empty", ""),
    case(
        "[[channels]]\nid = 'a'\nkind = 'email'\nsecret_file = 'gone'",
        (4, 15),
        "channels[0].secret_file",
        "there is no file",
        "",
    ),
    case(
        "[[channels]]\nid = 'a'\nkind = 'email'\nsecret = 'x'\nsecret_file = 'gone'",
        (5, 15),
        "channels[0].secret_file",
        "both given",
        "keep one",
    ),
    case(
        "[[channels]]\nid = 'a'\nkind = 'email'\nsecret_file_create = true",
        (4, 22),
        "channels[0].secret_file_create",
        "no `secret_file`",
        "",
    ),
    case("[server]\nlisten = ", (2, 10), "", "value", ""),
    case("[server\nlisten = 'x'", (1, 8), "", "table", ""),
    case("[bus]\nurl = 'embedded'\nurl = 'embedded'", (3, 1), "", "duplicate key", ""),
];

/// Targets and what is said of them.
const TARGETS: &[Case] = &[
    case("[[targets]]\nid = 'a'", (1, 1), "targets[0]", "promise nothing", "first_response"),
    case(
        "[[targets]]\nid = 'a'\nfirst_responce = '1h'\nresolution = '1d'",
        (3, 1),
        "targets[0].first_responce",
        "unknown key",
        "`first_response`",
    ),
    case(
        "[[targets]]\nid = 'a'\nresolution = '90 minutes'",
        (3, 14),
        "targets[0].resolution",
        "no length of time",
        "1h30m",
    ),
    case(
        "[[targets]]\nid = 'a'\nresolution = 60",
        (3, 14),
        "targets[0].resolution",
        "expected text",
        "quotes",
    ),
    case(
        "[[targets]]\nid = 'a'\nresolution = '0m'",
        (3, 14),
        "targets[0].resolution",
        "longer than nothing",
        "",
    ),
    case(
        "[[calendars]]\nid = 'office'\ntime_zone = 'UTC'\nhours = { monday = ['09:00-10:00'] }\n\
         [[targets]]\nid = 'a'\nresolution = '1d'\ncalendar = 'ofice'",
        (8, 12),
        "targets[0].calendar",
        "no calendar with this id",
        "`office`",
    ),
    case(
        "[[calendars]]\nid = 'office'\ntime_zone = 'UTC'\n\
         [[targets]]\nid = 'a'\nresolution = '1d'\ncalendar = 'office'",
        (7, 12),
        "targets[0].calendar",
        "has no hours",
        "leave the calendar out",
    ),
    case(
        "[[targets]]\nid = 'gold'\nresolution = '1d'\n[[rules]]\nwhen = 'true'\ntargets = 'golt'",
        (6, 11),
        "rules[0].targets",
        "no targets with this id",
        "`gold`",
    ),
];

/// Customers who come back.
const RETURNING: &[Case] = &[
    case(
        "[[channels]]\nid = 'a'\nkind = 'email'\nreopen = 'sometimes'",
        (4, 10),
        "channels[0].reopen",
        "no length of time",
        "`always`, `never`",
    ),
    case(
        "[[channels]]\nid = 'a'\nkind = 'email'\nreopen_owner = 'kep'",
        (4, 16),
        "channels[0].reopen_owner",
        "not one of the words",
        "`keep`",
    ),
    case(
        "[[channels]]\nid = 'site'\nkind = 'webhook'\njoin = 'soon'",
        (4, 8),
        "channels[0].join",
        "",
        "",
    ),
    case(
        "[contacts]\nmerge_by = ['mailto', 'Tel:']",
        (2, 23),
        "contacts.merge_by[1]",
        "no kind of address",
        "`tel`",
    ),
    case(
        "[[queues]]\nid = 'a'\norder = 'target'",
        (3, 9),
        "queues[0].order",
        "not one of the words",
        "`targets`",
    ),
];

/// Ladders of queues; a queue `support` stands before each.
const LADDERS: &[Case] = &[
    case(
        "[[queues]]\nid = 'a'\n[[queues.ladder]]\nafter = '5m'\nwiden = ['suport']",
        (5, 10),
        "queues[0].ladder[0].widen[0]",
        "no queue with this id",
        "`support`",
    ),
    case(
        "[[queues]]\nid = 'a'\n[[queues.ladder]]\nafter = '5m'\nrelax = { german = 0 }",
        (5, 11),
        "queues[0].ladder[0].relax.german",
        "no rule asks for this skill",
        "",
    ),
    case(
        "[[queues]]\nid = 'a'\n[[queues.ladder]]\nafter = '5m'\nqueue = 'a'",
        (5, 9),
        "queues[0].ladder[0].queue",
        "in a circle: a, then a",
        "stay",
    ),
    case(
        "[[queues]]\nid = 'a'\n[[queues.ladder]]\nafter = '5m'\n[[queues.ladder]]\nafter = '4m'",
        (6, 9),
        "queues[0].ladder[1].after",
        "before the one above",
        "from when the waiting began",
    ),
    case(
        "[[queues]]\nid = 'a'\n[[queues.ladder]]\nafter = '5m'\nclock = 'calendar'",
        (5, 9),
        "queues[0].ladder[0].clock",
        "the queue has no calendar",
        "calendar = ",
    ),
    case(
        "[[queues]]\nid = 'a'\n[[queues.ladder]]\nafter = '5m'\nclock = 'wal'",
        (5, 9),
        "queues[0].ladder[0].clock",
        "not one of the words",
        "`wall`",
    ),
    case(
        "[[queues]]\nid = 'a'\ncalendar = 'ofice'\n[[calendars]]\nid = 'office'\ntime_zone = 'UTC'",
        (3, 12),
        "queues[0].calendar",
        "no calendar",
        "`office`",
    ),
    case(
        "[[queues]]\nid = 'a'\n[[queues.ladder]]\nafter = '5m'\nagents = ['ada']",
        (5, 11),
        "queues[0].ladder[0].agents[0]",
        "no agent with this id",
        "",
    ),
];

#[test]
fn ladders_that_lead_in_a_circle_are_told_at_each_of_their_steps() {
    let ladder = |id: &str, to: &str| {
        format!("[[queues]]\nid = '{id}'\n[[queues.ladder]]\nafter = '5m'\nqueue = '{to}'\n")
    };
    let text = [ladder("a", "b"), ladder("b", "c"), ladder("c", "a"), ladder("d", "a")].concat();
    let diagnostics = Desk::new(&text).load().unwrap_err();
    let told: Vec<_> =
        diagnostics.items().iter().map(|item| (item.line, item.message.as_str())).collect();
    assert_eq!(
        told,
        [
            (Some(5), "this ladder leads in a circle: a, then b, then c, then a"),
            (Some(10), "this ladder leads in a circle: b, then c, then a, then b"),
            (Some(15), "this ladder leads in a circle: c, then a, then b, then c"),
        ]
    );
}

#[test]
fn every_mistake_has_its_place_and_its_help() {
    let mut wrong = String::new();
    for case in NAMES
        .iter()
        .chain(VALUES)
        .chain(CALENDARS)
        .chain(TARGETS)
        .chain(LADDERS)
        .chain(RETURNING)
        .chain(WORK)
    {
        let diagnostics = Desk::with_queues(case.text).load().expect_err(case.text);
        assert_eq!(diagnostics.error().code(), "config_invalid");
        let right = |item: &postroom_config::Diagnostic| {
            (item.line, item.column) == (Some(case.at.0), Some(case.at.1))
                && item.key == case.key
                && item.message.contains(case.message)
                && item.help.as_deref().unwrap_or_default().contains(case.help)
        };
        if !matches!(diagnostics.items(), [item] if right(item)) {
            wrong.push_str(&diagnostics.render(false));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn holidays_of_a_file_are_days_of_the_calendar_and_its_mistakes_have_their_line() {
    let text = "[[calendars]]\nid = 'office'\ntime_zone = 'UTC'\nholidays = ['12-25']\n\
                holiday_files = ['days.ics']\n[calendars.overrides]\n2026-04-06 = ['09:00-12:00']";
    let desk = Desk::with_queues(text);
    let write = |events: &str| {
        let file = format!("BEGIN:VCALENDAR\n{events}END:VCALENDAR\n");
        std::fs::write(desk.folder.path().join("days.ics"), file).unwrap();
    };
    let event = |lines: &str| format!("BEGIN:VEVENT\n{lines}\nEND:VEVENT\n");
    let start = |day: &str| event(&format!("DTSTART;VALUE=DATE:{day}"));
    let christmas = event("DTSTART;VALUE=DATE:20201225\nRRULE:FREQ=YEARLY");
    write(&[start("20260403"), start("20260406"), christmas].concat());
    let config = desk.load().unwrap();
    let days: Vec<_> = config.calendars[0]
        .special
        .iter()
        .map(|day| (day.year, day.month, day.day, day.open.len()))
        .collect();
    let expected = [(None, 12, 25, 0), (Some(2026), 4, 3, 0), (Some(2026), 4, 6, 1)];
    assert_eq!(days, expected);

    write(&[start("20260403"), start("20260431")].concat());
    let diagnostics = desk.load().unwrap_err();
    let [item] = diagnostics.items() else { panic!("{diagnostics}") };
    assert_eq!(item.key, "calendars[0].holiday_files[0]");
    assert_eq!(item.message, "days.ics:6:20: there is no such day");
}

#[test]
fn there_must_be_a_queue() {
    let diagnostics = Desk::new("").load().unwrap_err();
    let [item] = diagnostics.items() else {
        panic!("{diagnostics}");
    };
    assert_eq!((item.line, item.column, item.key.as_str()), (Some(1), Some(1), "queues"));
}

#[test]
fn all_mistakes_come_at_once_and_in_the_order_of_the_file() {
    let text = "[[agents]]\nid = 'A'\ncapacity = 'x'\n[server]\nlisten = 1\nport = 2\n\
                [[rules]]\nqueue = 'x'\n[bus]\nurl = 'a'\nurl = 'b'\n";
    let diagnostics = Desk::with_queues(text).load().unwrap_err();
    let lines: Vec<_> = diagnostics.items().iter().filter_map(|item| item.line).collect();
    assert_eq!(lines, [2, 3, 5, 6, 7, 8, 10, 11]);
}

#[test]
fn missing_and_unreadable_files_have_codes_of_their_own() {
    let desk = Desk::new("");
    let mut loader = desk.loader();
    loader.path = Some(desk.folder.path().join("gone.toml"));
    let diagnostics = loader.load().unwrap_err();
    assert_eq!(diagnostics.error().code(), "config_missing");
    assert!(diagnostics.render(false).contains("gone.toml"));

    for content in [&b"a = '\xff'"[..], &vec![b'#'; 5 * 1024 * 1024]] {
        std::fs::write(desk.folder.path().join("postroom.toml"), content).unwrap();
        let diagnostics = desk.load().unwrap_err();
        assert_eq!(diagnostics.error().code(), "config_unreadable");
    }
    loader.path = Some(desk.folder.path().to_owned());
    assert_eq!(loader.load().unwrap_err().error().code(), "config_unreadable");
}

#[test]
fn mistakes_are_rendered_with_their_line() {
    let text = "[server]\nlisten = \"127.0.0.1\"\n\n[[rules]]\nwhen = \"true\"\nqueue = \"biling\"\n\n\
                [[channels]]\nid = \"site\"\nkind = \"webhok\" # secret = \"canary\"\n";
    let desk = Desk::with_queues(text).var("POSTROOM__CAPACITY__PHONE", "many");
    let diagnostics = desk.load().unwrap_err();
    insta::assert_snapshot!(desk.render(&diagnostics));
    assert!(diagnostics.render(true).contains('\u{1b}'));
    assert!(!diagnostics.render(false).contains('\u{1b}'));
}

#[test]
fn mistakes_are_data_for_programs() {
    let desk = Desk::with_queues("[capacity]\nchat = 5\n").var("POSTROOM__BUS__URL", "");
    let diagnostics = desk.load().unwrap_err();
    let mut json = serde_json::to_value(&diagnostics).unwrap();
    let file = desk.folder.path().join("postroom.toml").display().to_string();
    assert_eq!(json["diagnostics"][0]["file"], file);
    for item in json["diagnostics"].as_array_mut().unwrap() {
        item.as_object_mut().unwrap().remove("file");
    }
    let expected = serde_json::json!({
        "code": "config_invalid",
        "diagnostics": [
            {
                "severity": "error", "line": 2, "column": 1, "key": "capacity.chat",
                "message": "unknown key",
                "help": "known keys: `email`, `imap`, `webhook`, `phone`, `external`",
            },
            {
                "severity": "error", "key": "bus.url", "message": "must not be empty",
                "variable": "POSTROOM__BUS__URL",
            },
        ],
    });
    assert_eq!(json, expected);
}

#[test]
fn other_rooms_find_the_place_of_a_setting() {
    let text = "[[channels]]\nid = 'site'\nkind = 'webhook'\nsecret_file = 's'\nretry = { wait_ms = 5 }\n\
                [[rules]]\nwhen = \"a == \\\"b\\\" && c\"\n";
    let desk = Desk::with_queues(text).file("s", "x").var("POSTROOM__CHANNELS__SITE__RATE", "5");
    let config = desk.load().unwrap();
    let at = |key: &str, nested| {
        let found = config.diagnose(key, "bad", None, nested);
        (found.line.unwrap_or(0), found.column.unwrap_or(0))
    };
    assert_eq!(at("rules[0].when", None), (7, 8));
    assert_eq!(at("rules[0].when", Some(12..13)), (7, 23));
    assert_eq!(at("rules[0].queue", None), (6, 1));
    assert_eq!(at("channels[0].secret", None), (4, 15));
    assert_eq!(at("channels[0].secret", Some(1..2)), (4, 15));
    assert_eq!(at(&config.channels[0].key("retry.wait_ms"), None), (5, 21));
    assert_eq!(at("channels[0].nothing.at.all", None), (1, 1));
    let by_variable = config.diagnose("channels[0].rate", "bad", None, None);
    assert_eq!(by_variable.variable.as_deref(), Some("POSTROOM__CHANNELS__SITE__RATE"));
    assert_eq!(by_variable.line, None);

    let unknown = config.unknown_key("channels[0].retry.wait_ms", &["wait_s", "count"]);
    assert_eq!((unknown.line, unknown.column), (Some(5), Some(11)));
    assert_eq!(unknown.help.as_deref(), Some("did you mean `wait_s`?"));
    let shown = config.diagnostics(vec![unknown]).render(false);
    assert!(shown.contains("retry = { wait_ms"), "{shown}");
}

#[test]
fn mistakes_of_other_rooms_are_told_with_ours_in_the_order_of_the_file() {
    let text = "[[channels]]\nid = 'site'\nkind = 'webhook'\nsecret_file = 'missing'\ncallback = 1\n\
                [[rules]]\nwhen = 'a'\nqueue = 'suport'\n[[rules]]\nwhen = 7\n";
    let draft = Desk::with_queues(text).loader().draft(None).unwrap();
    assert!(!draft.is_sound("channels[0].secret") && draft.is_sound("rules[0].when"));
    let config = draft.config();
    assert_eq!(config.rules.len(), 2, "what is wrong keeps its number");
    let theirs = [
        ("rules[1].when", "follows from the 7"),
        ("rules[0].when", "no rule"),
        ("channels[0].callback", "not a text"),
        ("channels[0].secret", "follows from the file"),
    ];
    let theirs = theirs.map(|(key, why)| config.diagnose(key, why, None, None));
    let found = draft.finish(theirs.into()).unwrap_err();
    let lines: Vec<_> = found.items().iter().map(|item| (item.line, &*item.key)).collect();
    assert_eq!(
        lines,
        [
            (Some(4), "channels[0].secret_file"),
            (Some(5), "channels[0].callback"),
            (Some(7), "rules[0].when"),
            (Some(8), "rules[0].queue"),
            (Some(10), "rules[1].when"),
        ]
    );
    let good = Desk::with_queues("").loader().draft(None).unwrap();
    assert!(good.finish(Vec::new()).is_ok());
}

#[test]
fn what_is_no_table_keeps_the_number_of_the_others() {
    let text = "rules = [7, { when = 'x' }]\nchannels = [8, { id = 'site', kind = 'webhook' }]\n";
    let draft = Desk::with_queues(text).loader().draft(None).unwrap();
    let config = draft.config();
    assert_eq!(config.rules[1].when, "x");
    assert_eq!(config.channels[0].key("secret"), "channels[1].secret");
}

/// Else every rule that names it would be told to be wrong.
#[test]
fn calendar_with_a_mistake_is_there_for_the_rules() {
    let text = "[[calendars]]\nid = 'office'\ntime_zone = 'Mars/Base'\n";
    let draft = Desk::with_queues(text).loader().draft(None).unwrap();
    assert_eq!(draft.config().calendars[0].id.as_str(), "office");
    assert!(draft.finish(Vec::new()).is_err());
}
