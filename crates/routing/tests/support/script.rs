//! A case as a block of text: one operation a line, with what it brings after `->`.
//!
//! ```text
//! agent ada queues=support skills=english:5 capacity=100
//! ada online            -> ada online
//! msg c1 "hello"        -> opened support, assigned ada
//! claim bob c1          -> already_claimed Ada has it already
//! wait 60               -> nothing
//! see c1                -> open support ada
//! ```
//! Lines that begin with `channel`, `queue`, `rule`, `agent`, `targets`, `ladder`, `calendar`, `cost` or `without` write the settings,
//! which come into force before the next other line, or with `config`. A conversation is called as
//! the thread that opened it. Each line that does something comes a second after the one before.

use std::collections::BTreeMap;

use postroom_model::{
    Action, Actor, AgentSettings, AgentStatus, CalendarSettings, Call, CallLeg, CallSettings,
    ChannelKind, ChannelSettings, Command, CommandId, ContactId, ConversationId, Cursor,
    DeliveryInput, DeskSettings, Direction, EventBody, HostId, IdleShare, Inbound, InboundCall,
    InboundReceipt, Input, InputBody, LadderStep, Message, MessageId, NoteId, OfferId, OpenHours,
    OutcomeKind, ParkedId, Party, QueueId, QueueSettings, QueueWork, RampIn, Receipt, ReopenRule,
    ReplyDraft, Role, Rule, SendResult, Settings, Side, StatusId, StatusSettings, TargetPolicy,
    Timestamp, Transition, Unparsed, WorkspaceId,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::words::{self, Names};
use super::world::{BEGIN, World, turn};

/// Runs a case, compares every line, and gives the snapshot of where it ends.
pub(crate) fn check(case: &str) -> Vec<u8> {
    let mut script = Script::new();
    for (number, line) in case.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (what, expected) = match line.split_once("->") {
            Some((what, expected)) => (what.trim(), Some(expected.trim())),
            None => (line, None),
        };
        let said = script.run(&Line::read(what));
        match (said, expected) {
            // Whatever it brings, it is what comes of it that counts.
            (Some(_), Some("*")) => {}
            (Some(said), Some(expected)) => {
                assert_eq!(said, expected, "line {}: {what}", number + 1);
            }
            (None, None) => {}
            (said, expected) => panic!("line {}: {what}: {said:?} {expected:?}", number + 1),
        }
    }
    script.world.bytes()
}

/// A line in words: those that stand alone, and `key=value`.
struct Line {
    words: Vec<String>,
    options: BTreeMap<String, String>,
}

impl Line {
    fn read(line: &str) -> Self {
        let mut pieces = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ' ' if !quoted => pieces.push(String::new()),
                c => pieces.last_mut().expect("a piece").push(c),
            }
        }
        let mut read = Self { words: vec![], options: BTreeMap::new() };
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            match piece.split_once('=') {
                Some((key, value)) if key.chars().all(|c| c.is_ascii_lowercase() || c == '_') => {
                    read.options.insert(key.to_owned(), value.to_owned());
                }
                _ => read.words.push(piece),
            }
        }
        read
    }

    fn word(&self, at: usize) -> &str {
        self.words.get(at).unwrap_or_else(|| panic!("a word is missing: {:?}", self.words))
    }

    fn id<T: std::str::FromStr>(&self, at: usize) -> T {
        self.word(at).parse().unwrap_or_else(|_| panic!("not an id: {}", self.word(at)))
    }

    fn option<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        let value = self.options.get(key)?;
        Some(value.parse().unwrap_or_else(|_| panic!("{key}={value}")))
    }

    fn list(&self, key: &str) -> Vec<String> {
        let value = self.options.get(key).map_or("", String::as_str);
        value.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect()
    }

    /// A moment, in seconds from the begin of the script.
    fn second(&self, key: &str) -> Option<Timestamp> {
        let seconds: i64 = self.option(key)?;
        Some(Timestamp::from_millis(BEGIN + seconds * 1_000))
    }

    /// What a phone channel makes of calls: `calls=on`, `calls=off`, `calls=attach` or `calls=keep`.
    fn calls(&self) -> Option<CallSettings> {
        let mut settings = CallSettings::default();
        if let Some(seconds) = self.option::<i64>("age_s") {
            settings.missed_max_age_ms = seconds * 1_000;
        }
        match self.options.get("calls").map(String::as_str)? {
            "off" => Some(CallSettings { missed: false, resolve: false, ..settings }),
            "attach" => Some(CallSettings { attach: true, ..settings }),
            "keep" => Some(CallSettings { resolve: false, ..settings }),
            _ => Some(settings),
        }
    }

    /// How a queue hands out: `hand_out=offer offer_to=2 offer_s=30 idle=600:50` and so on.
    fn work(&self) -> QueueWork {
        let plain = QueueWork::default();
        let ms = |key: &str, plain: i64| {
            self.option::<i64>(key).map_or(plain, |seconds| seconds * 1_000)
        };
        let word = |key: &str| self.options.get(key).map(String::as_str);
        QueueWork {
            hand_out: word("hand_out").map(named).unwrap_or_default(),
            order: word("order").map(named).unwrap_or_default(),
            choose: word("choose").map(named).unwrap_or_default(),
            offline: word("offline").map(named).unwrap_or_default(),
            offer_to: self.option("offer_to").unwrap_or(1),
            offer_ms: ms("offer_s", plain.offer_ms),
            decline_ms: ms("decline_s", plain.decline_ms),
            wrap_up_ms: ms("wrap_up_s", 0),
            sticky_ms: ms("sticky_s", 0),
            sticky_away_ms: ms("sticky_away_s", 0),
            idle: word("idle").map(|text| {
                let (after, frees) = text.split_once(':').expect("seconds:percent");
                IdleShare {
                    after_ms: after.parse::<i64>().expect("seconds") * 1_000,
                    frees_percent: frees.parse().expect("a percentage"),
                }
            }),
            costs: self.per_kind("costs"),
        }
    }

    /// `webhook:3,phone:1`.
    fn per_kind<T: std::str::FromStr>(&self, key: &str) -> BTreeMap<ChannelKind, T> {
        let one = |text: String| {
            let (kind, number) = text.split_once(':').expect("kind:number");
            (named(kind), number.parse().ok().expect("a number"))
        };
        self.list(key).into_iter().map(one).collect()
    }

    /// What holds for all agents: `desk grace_s=60 ramp=2:60:600`.
    fn desk(&self) -> DeskSettings {
        DeskSettings {
            grace_ms: self.option::<i64>("grace_s").map(|seconds| seconds * 1_000),
            ramp_in: self.options.get("ramp").map(|text| {
                let numbers: Vec<i64> =
                    text.split(':').map(|one| one.parse().expect("a number")).collect();
                RampIn {
                    new_max: u16::try_from(numbers[0]).expect("few"),
                    every_ms: numbers[1] * 1_000,
                    lasts_ms: numbers[2] * 1_000,
                }
            }),
            statuses: self
                .list("statuses")
                .into_iter()
                .map(|text| {
                    let (id, status) = text.split_once(':').expect("id:status");
                    StatusSettings {
                        id: id.parse().expect("an id"),
                        name: id.to_owned(),
                        status: named(status),
                    }
                })
                .collect(),
        }
    }

    fn skills(&self) -> BTreeMap<String, u8> {
        self.levels("skills")
    }

    fn levels(&self, key: &str) -> BTreeMap<String, u8> {
        let one = |skill: String| {
            let (name, level) = skill.split_once(':').expect("skill:level");
            (name.to_owned(), level.parse().expect("a level"))
        };
        self.list(key).into_iter().map(one).collect()
    }
}

struct Script {
    world: World,
    settings: Settings,
    installed: bool,
    names: Names,
    threads: BTreeMap<String, ConversationId>,
    last: Option<Input>,
}

impl Script {
    fn new() -> Self {
        let settings = Settings {
            workspace: WorkspaceId::main(),
            timing: postroom_model::Timing::default(),
            channels: vec![],
            queues: vec![],
            rules: vec![],
            agents: vec![],
            costs: Settings::default_costs(),
            calendars: vec![],
            desk: postroom_model::DeskSettings::default(),
            contacts: postroom_model::ContactSettings::default(),
            answers: vec![],
        };
        let mut script = Self {
            world: World::new(),
            settings,
            installed: false,
            names: Names::new(),
            threads: BTreeMap::new(),
            last: None,
        };
        for line in
            ["channel site", "channel mail kind=email", "channel log kind=phone sends=false"]
        {
            script.setting(&Line::read(line));
        }
        script
    }

    fn run(&mut self, line: &Line) -> Option<String> {
        if self.setting(line) {
            self.installed = false;
            return None;
        }
        self.world.now = self.world.now.plus_millis(1_000);
        if line.word(0) == "config" {
            return Some(self.install());
        }
        // `raw` is for what comes before there are any settings.
        if !self.installed && line.word(0) != "raw" {
            let said = self.install();
            assert!(said.starts_with("installed"), "{said}");
        }
        Some(match line.word(0) {
            "wait" => self.wait(line),
            "see" => self.see(line),
            "waiting" => self.waiting(),
            "standing" => self.standing(line),
            "promised" => {
                let row = &self.world.model.conversations[&self.conversation(line.word(1))];
                words::targets(&row.targets, self.world.now)
            }
            "load" => {
                let agent = self.world.model.agents.get(&line.id(1)).cloned().unwrap_or_default();
                agent.load.to_string()
            }
            "reply-state" => {
                let row = &self.world.model.outbound[&message_id(line.word(1))];
                serde_json::json!(row.state).as_str().expect("a state").to_owned()
            }
            "contacts" => {
                let contacts = self.world.model.contacts.values();
                let contacts = contacts.filter(|one| one.merged_into.is_none());
                let words = contacts.map(|one| {
                    let addresses = one.addresses.iter().map(ToString::to_string);
                    let name = one.name.as_deref().unwrap_or("-");
                    format!("{name} {}", addresses.collect::<Vec<_>>().join(" "))
                });
                words.collect::<Vec<_>>().join("; ")
            }
            "again" => {
                let input = self.last.clone().expect("an input before");
                self.taken(input, None)
            }
            _ => {
                let (body, subject) = self.body(line);
                let mut input = self.world.input(body);
                if let InputBody::Inbound(_) = &input.body
                    && let Some(id) = line.option::<u128>("id")
                {
                    input.id.0 = Uuid::from_u128(id);
                }
                self.taken(input, subject)
            }
        })
    }

    /// A line of the settings. False if it is none.
    #[expect(clippy::too_many_lines, reason = "one arm for each of what there is")]
    fn setting(&mut self, line: &Line) -> bool {
        let settings = &mut self.settings;
        match line.word(0) {
            "channel" => settings.channels.push(ChannelSettings {
                id: line.id(1),
                kind: line.options.get("kind").map_or(ChannelKind::Webhook, |kind| named(kind)),
                dialect: line.option("dialect"),
                queue: line.option("queue"),
                sends: line.option("sends").unwrap_or(true),
                calls: line.calls(),
            }),
            "queue" => {
                let id: QueueId = line.id(1);
                let known = settings.queues.iter_mut().find(|known| known.id == id);
                match known.filter(|_| !line.options.is_empty()) {
                    Some(known) => known.work = line.work(),
                    None => settings.queues.push(QueueSettings {
                        work: line.work(),
                        ..QueueSettings::new(id.clone(), id.to_string())
                    }),
                }
                if let Some(targets) = line.option("targets") {
                    settings.timing.queues.entry(id.clone()).or_default().targets = Some(targets);
                }
                if let Some(calendar) = line.option("calendar") {
                    settings.timing.queues.entry(id).or_default().calendar = Some(calendar);
                }
            }
            "desk" => {
                settings.desk = line.desk();
                settings.contacts.merge_by = line.list("merge_by");
            }
            "rule" => settings.rules.push(Rule {
                when: line.option("when").unwrap_or_default(),
                queue: line.option("queue"),
                priority: line.option("priority"),
                skills: line.skills(),
                prefer: line.levels("prefer"),
                tags: line.list("tags"),
                targets: line.option("targets"),
                attach: line.option("attach"),
            }),
            "agent" => {
                let agent = AgentSettings {
                    id: line.id(1),
                    name: capital(line.word(1)),
                    email: None,
                    queues: line.list("queues").iter().map(|id| id.parse().expect("id")).collect(),
                    skills: line.skills(),
                    capacity: line.option("capacity").unwrap_or(100),
                    limits: line.per_kind("limits"),
                };
                match settings.agents.iter_mut().find(|known| known.id == agent.id) {
                    Some(known) if !line.options.contains_key("twice") => *known = agent,
                    _ => settings.agents.push(agent),
                }
            }
            "targets" => {
                let time = |key: &str| line.option::<i64>(key).map(|seconds| seconds * 1_000);
                let policy = TargetPolicy {
                    id: line.id(1),
                    first_response_ms: time("first"),
                    next_response_ms: time("next"),
                    resolution_ms: time("resolution"),
                    warn_before_ms: time("warn"),
                    calendar: line.option("calendar"),
                };
                settings.timing.policies.retain(|one| one.id != policy.id);
                settings.timing.policies.push(policy);
            }
            // Whether a channel opens again what is done: `reopens site within=60 owner=keep`.
            "reopens" => {
                let within = line.option::<i64>("within").map(|seconds| seconds * 1_000);
                let keep_owner = line.options.get("owner").is_some_and(|owner| owner == "keep");
                let rule = ReopenRule { within_ms: within, keep_owner };
                settings.timing.reopen.insert(line.id(1), rule);
            }
            // Whether what would open a conversation goes on in another: `joins site within=60`.
            "joins" => {
                let within: i64 = line.option("within").expect("seconds");
                settings.timing.join.insert(line.id(1), within * 1_000);
            }
            // A step of a queue's ladder: `ladder support after=60 widen=sales`.
            "ladder" => {
                let relax = line.list("relax").into_iter().map(|one| {
                    let (name, level) = one.split_once(':').expect("skill:level");
                    (name.to_owned(), level.parse().expect("a level"))
                });
                let ids = |key: &str| line.list(key);
                let step = LadderStep {
                    after_ms: line.option::<i64>("after").unwrap_or(0) * 1_000,
                    clock: line.options.get("clock").map(|one| named(one)).unwrap_or_default(),
                    agents: ids("agents").iter().map(|id| id.parse().expect("id")).collect(),
                    relax: relax.collect(),
                    widen: ids("widen").iter().map(|id| id.parse().expect("id")).collect(),
                    priority: line.option("priority"),
                    notify: ids("notify").iter().map(|id| id.parse().expect("id")).collect(),
                    queue: line.option("queue"),
                    skip_if_nobody_available: line.option("skip").unwrap_or(false),
                };
                settings.timing.queues.entry(line.id(1)).or_default().ladder.push(step);
            }
            // Open from 09:00 to 17:00 on every day of the week but Saturday and Sunday.
            "calendar" => {
                let day = vec![OpenHours { from_minute: 9 * 60, to_minute: 17 * 60 }];
                let mut week = [const { Vec::new() }; 7];
                week.iter_mut().take(5).for_each(|hours| hours.clone_from(&day));
                settings.calendars.push(CalendarSettings {
                    id: line.id(1),
                    time_zone: line.option("zone").unwrap_or_else(|| "UTC".to_owned()),
                    week,
                    special: vec![],
                });
            }
            "cost" => {
                settings.costs.insert(named(line.word(1)), line.id(2));
            }
            "without" => {
                let gone = line.word(1);
                settings.channels.retain(|one| one.id.as_str() != gone);
                settings.queues.retain(|one| one.id.as_str() != gone);
                settings.agents.retain(|one| one.id.as_str() != gone);
                if gone == "rules" {
                    settings.rules.clear();
                }
            }
            _ => return false,
        }
        true
    }

    fn install(&mut self) -> String {
        self.installed = true;
        let input = self.world.input(InputBody::Settings(Box::new(self.settings.clone())));
        let said = self.taken(input, None);
        if !said.starts_with("installed")
            && let Some(settings) = &self.world.model.settings
        {
            self.settings = settings.clone();
        }
        said
    }

    /// Decides, and says what came of it, and of time.
    fn taken(&mut self, input: Input, subject: Option<ConversationId>) -> String {
        self.last = Some(input.clone());
        let thread = match &input.body {
            InputBody::Inbound(inbound) => inbound.message.thread.clone(),
            InputBody::Command(command) => match command.action {
                Action::RetryParked { parked } => match &self.world.model.parked.get(&parked) {
                    Some(Input { body: InputBody::Inbound(one), .. }) => one.message.thread.clone(),
                    _ => None,
                },
                _ => None,
            },
            // The first of its calls names it.
            InputBody::Call(call) => Some(call.call.call_id.clone()),
            _ => None,
        };
        let mut all = vec![self.world.decide(input)];
        all.extend(self.world.due());
        let known = thread.as_ref().and_then(|thread| self.threads.get(thread).copied());
        // It may have opened another one than that of its thread.
        let placed = all.first().and_then(|one| one.outcome.as_ref()?.conversation);
        let known = known.filter(|_| placed.is_none_or(|id| self.names.contains_key(&id)));
        let is_call = matches!(&self.last, Some(Input { body: InputBody::Call(_), .. }));
        let subject = subject.or(known).or_else(|| self.name(&all, thread.clone()));
        // A call may go to where the calls of its number are.
        let elsewhere = |id: &ConversationId| is_call && self.names.get(id) != thread.as_ref();
        let subject = subject.filter(|id| !elsewhere(id));
        self.words(&all, subject)
    }

    /// A conversation that has just been opened gets the name of its thread.
    fn name(&mut self, all: &[Transition], thread: Option<String>) -> Option<ConversationId> {
        let outcome = all.first()?.outcome.as_ref()?;
        let id = outcome.conversation.filter(|_| outcome.kind != OutcomeKind::Duplicate)?;
        let name = thread.filter(|thread| !self.threads.contains_key(thread));
        let name = name.unwrap_or_else(|| format!("c{}", self.names.len() + 1));
        if !self.names.contains_key(&id) {
            self.threads.insert(name.clone(), id);
            self.names.insert(id, name);
        }
        Some(id)
    }

    fn words(&self, all: &[Transition], subject: Option<ConversationId>) -> String {
        let words = all.iter().map(|taken| words::of(taken, &self.names, subject));
        words.collect::<Vec<_>>().join("; ")
    }

    /// Whether the conversation of a thread waits, and from which second of the script on.
    fn standing(&self, line: &Line) -> String {
        let mut rows = self.world.model.conversations.values();
        let row = rows.find(|row| row.thread.as_deref() == Some(line.word(1)));
        match row.and_then(|row| row.waiting_since) {
            Some(_) if line.words.len() > 2 => "waits".to_owned(),
            Some(since) => format!("waits since {}", (since.millis() - BEGIN) / 1_000),
            None => "waits for nothing".to_owned(),
        }
    }

    fn wait(&mut self, line: &Line) -> String {
        let seconds: i64 = line.id(1);
        self.world.now = self.world.now.plus_millis(seconds * 1_000 - 1_000);
        let all = self.world.due();
        // What time opens has no thread to be called by.
        let events = all.iter().flat_map(|taken| &taken.events);
        for event in events.filter(|event| matches!(event.body, EventBody::ConversationOpened(_))) {
            if let Some(id) = event.conversation {
                let name = format!("c{}", self.names.len() + 1);
                self.threads.insert(name.clone(), id);
                self.names.insert(id, name);
            }
        }
        if all.is_empty() { "nothing".to_owned() } else { self.words(&all, None) }
    }

    fn conversation(&self, name: &str) -> ConversationId {
        self.threads.get(name).copied().unwrap_or(ConversationId(Uuid::nil()))
    }

    fn see(&self, line: &Line) -> String {
        let row = &self.world.model.conversations[&self.conversation(line.word(1))];
        [
            words_of_status(row),
            words::each(" ", &row.queue),
            words::each(" ", &row.assignee),
            words::each(" priority ", Some(row.priority).filter(|priority| *priority > 0)),
            words::each(" #", &row.tags),
            format!(" v{}", row.version),
        ]
        .concat()
    }

    fn waiting(&self) -> String {
        let rows = self.world.model.conversations.values();
        let mut rows: Vec<_> =
            rows.filter(|row| row.assignee.is_none() && words_of_status(row) == "open").collect();
        rows.sort_by_key(|row| turn(row));
        let names = rows.iter().map(|row| self.names[&row.id].clone());
        names.collect::<Vec<_>>().join(" ")
    }

    fn body(&self, line: &Line) -> (InputBody, Option<ConversationId>) {
        let line = match line.word(0) {
            "raw" => &Line { words: line.words[1..].to_vec(), options: line.options.clone() },
            _ => line,
        };
        let body = match line.word(0) {
            "msg" => return (Self::message(line), None),
            "call" => return (Self::call(line), None),
            "leg" => return (Self::leg(line), None),
            "read" => InputBody::Cursor(Cursor {
                channel: line.id(1),
                name: line.word(2).to_owned(),
                value: line.word(3).to_owned(),
            }),
            "unparsed" => InputBody::Unparsed(Unparsed {
                channel: line.id(1),
                raw: postroom_model::BlobRef::of(b"raw"),
                code: line.word(2).to_owned(),
                detail: "cannot be read".to_owned(),
            }),
            "receipt" => InputBody::Receipt(InboundReceipt {
                channel: line.id(1),
                receipt: Receipt {
                    external_id: match line.word(2) {
                        id if id.starts_with('r') => message_id(id).to_string(),
                        id => id.to_owned(),
                    },
                    status: named(line.word(3)),
                    at: None,
                    code: None,
                    dead: None,
                },
            }),
            "own" => InputBody::Delivery(DeliveryInput::Own {
                channel: line.id(1),
                host: HostId(numbered(line.word(2))),
            }),
            "attempt" => InputBody::Delivery(DeliveryInput::Attempt {
                message: message_id(line.word(1)),
                epoch: line.option("epoch").unwrap_or(1),
            }),
            "settle" => InputBody::Delivery(DeliveryInput::Settle {
                message: message_id(line.word(1)),
                epoch: line.option("epoch").unwrap_or(1),
                attempt: line.option("attempt").unwrap_or(1),
                result: self.result(line),
            }),
            _ => {
                let (actor, action) = self.command(line);
                let subject = action.conversation();
                let id = CommandId(Uuid::nil());
                return (InputBody::Command(Box::new(Command { id, actor, action })), subject);
            }
        };
        (body, None)
    }

    fn message(line: &Line) -> InputBody {
        let from = line.options.get("from").map(|from| Party {
            address: Some(from.parse().expect("an address")),
            name: line.option("name"),
            username: None,
        });
        let mut message = Message {
            external_id: line.word(1).to_owned(),
            thread: Some(line.word(1).to_owned()).filter(|thread| thread != "-"),
            from,
            subject: line.option("subject"),
            text: Some(line.words.get(2).cloned().unwrap_or_default()),
            ..Message::default()
        };
        let also = line.list("also");
        if !also.is_empty() {
            message.attributes.insert("from_addresses".to_owned(), serde_json::json!(also));
        }
        let channel = line.option("channel").unwrap_or_else(|| "site".parse().expect("id"));
        InputBody::Inbound(Box::new(Inbound { channel, message }))
    }

    /// `call CALL STATE`, inwards unless it says otherwise.
    fn call(line: &Line) -> InputBody {
        let channel = line.option("channel").unwrap_or_else(|| "log".parse().expect("id"));
        InputBody::Call(Box::new(InboundCall::new(channel, told(line, line.word(1), 2))))
    }

    /// `leg CALL LEG STEP`, at a second of the call, with who is there and what was dialled.
    fn leg(line: &Line) -> InputBody {
        let channel = line.option("channel").unwrap_or_else(|| "log".parse().expect("id"));
        let side = |number: Option<&str>| match number {
            Some(number) if !number.starts_with('+') => Side::Inside,
            _ => Side::Outside,
        };
        let (number, exten) = (line.option::<String>("number"), line.option::<String>("exten"));
        let seconds: i64 = line.option("at").unwrap_or(0);
        let leg = CallLeg {
            at: Timestamp::from_seconds(1_772_357_400 + seconds),
            step: named(line.word(3)),
            leg_id: line.word(2).to_owned(),
            channel: format!("PJSIP/{}-1", line.word(2)),
            number_side: side(number.as_deref()),
            number,
            exten_side: side(exten.as_deref()),
            exten,
            ..CallLeg::default()
        };
        InputBody::Call(Box::new(InboundCall::of_leg(channel, line.word(1).to_owned(), leg)))
    }

    /// The one that stands, else one that never was.
    fn offer(&self, conversation: ConversationId) -> OfferId {
        let row = self.world.model.conversations.get(&conversation);
        let offered = row.and_then(|row| row.offer.as_ref());
        offered.map_or(OfferId(Uuid::nil()), |offered| offered.offer)
    }

    fn result(&self, line: &Line) -> SendResult {
        let (code, detail) = ("provider_said".to_owned(), "in words".to_owned());
        match line.word(2) {
            "sent" => SendResult::Sent { external_id: line.words.get(3).cloned() },
            "retry" => {
                let seconds: i64 = line.id(3);
                let retry_at = self.world.now.plus_millis(seconds * 1_000);
                SendResult::Retry { retry_at, code, detail }
            }
            "failed" => SendResult::Failed { code, detail },
            "uncertain" => SendResult::Uncertain { code, detail },
            other => panic!("{other}"),
        }
    }

    /// `VERB ACTOR CONVERSATION …`, `AGENT STATUS` or `status ACTOR AGENT STATUS`.
    fn command(&self, line: &Line) -> (Actor, Action) {
        if line.words.len() == 2 {
            let (agent, status): (_, AgentStatus) = (line.id(0), named(line.word(1)));
            return (Actor::agent(&agent), Action::SetStatus { agent, status, reason: None });
        }
        let actor = actor(line.word(1));
        let conversation = self.conversation(line.word(2));
        let action = match line.word(0) {
            "join" => Action::MergeContact {
                contact: self.contact(line.word(2)),
                into: self.contact(line.word(3)),
            },
            "status" => {
                Action::SetStatus { agent: line.id(2), status: named(line.word(3)), reason: None }
            }
            "retry" => Action::RetryParked { parked: self.parked(line) },
            "drop" => Action::DropParked { parked: self.parked(line) },
            "reply" => Action::Reply {
                conversation,
                message: message_id(&line.option::<String>("id").unwrap_or("r1".to_owned())),
                draft: ReplyDraft {
                    text: line.word(3).repeat(line.option("times").unwrap_or(1)),
                    ..ReplyDraft::default()
                },
                if_version: line.option("if_version"),
            },
            "resend" => Action::Resend { conversation, message: message_id(line.word(3)) },
            "note" => Action::Note {
                conversation,
                note: NoteId(Uuid::from_u128(1)),
                text: line.word(3).repeat(line.option("times").unwrap_or(1)),
            },
            "log" => Action::LogCall {
                conversation,
                call: Box::new(told(line, "by-hand", 3)),
                resolve: line.option("resolve"),
            },
            "present" => Action::Present {
                agents: line.words[2..].iter().map(|agent| agent.parse().expect("an id")).collect(),
            },
            "accept" => Action::AcceptOffer { conversation, offer: self.offer(conversation) },
            "decline" => Action::DeclineOffer { conversation, offer: self.offer(conversation) },
            "reason" => {
                let reason: StatusId = line.id(2);
                let own = self.settings.desk.status(&reason);
                let status = own.map_or(AgentStatus::Away, |own| own.status);
                let agent = actor.agent.clone().expect("an agent");
                Action::SetStatus { agent, status, reason: Some(reason) }
            }
            "claim" => Action::Claim { conversation },
            "release" => Action::Release { conversation },
            "assign" => Action::Assign { conversation, agent: line.id(3) },
            "transfer" => Action::Transfer { conversation, queue: line.id(3) },
            "resolve" => Action::Resolve { conversation },
            "reopen" => Action::Reopen { conversation },
            "snooze" => {
                let seconds: i64 = line.id(3);
                let until = self.world.now.plus_millis(seconds * 1_000);
                Action::Snooze { conversation, until }
            }
            "tag" => {
                Action::Tag { conversation, add: line.list("add"), remove: line.list("remove") }
            }
            "prioritise" => Action::Prioritise { conversation, priority: line.id(3) },
            "merge" => Action::Merge { conversation, into: self.conversation(line.word(3)) },
            other => panic!("no such operation: {other}"),
        };
        (actor, action)
    }

    /// `k1` is the contact that was made first.
    fn contact(&self, name: &str) -> ContactId {
        let number: usize = name.trim_start_matches('k').parse().expect("k and a number");
        let known = self.world.model.contacts.keys().nth(number - 1);
        known.copied().unwrap_or(ContactId(Uuid::nil()))
    }

    /// The first input that is set aside, or one that is not.
    fn parked(&self, line: &Line) -> ParkedId {
        let first = self.world.model.parked.keys().next().copied();
        first.filter(|_| line.word(2) == "first").unwrap_or(ParkedId(Uuid::nil()))
    }
}

/// What is told of a call; its state is the word at `at`.
fn told(line: &Line, id: &str, at: usize) -> Call {
    Call {
        call_id: id.to_owned(),
        linked_id: line.option("linked"),
        state: named(line.word(at)),
        direction: line.options.get("direction").map_or(Direction::In, |one| named(one)),
        from: line.option("from"),
        from_name: line.option("name"),
        to: line.option("to"),
        to_name: None,
        dialled: None,
        started_at: line.second("began"),
        answered_at: None,
        ended_at: line.second("over"),
        duration_s: line.option("duration"),
        talk_s: None,
        disposition: line.options.get("how").map(|one| named(one)),
        cause: None,
        agents: line.list("agents"),
        queue: None,
        recording_url: None,
    }
}

fn words_of_status(row: &postroom_model::Conversation) -> String {
    serde_json::json!(row.status).as_str().expect("a status").to_owned()
}

/// `boss` is a supervisor, `root` an admin, `bot` a program; everybody else is an agent.
fn actor(name: &str) -> Actor {
    let role = match name {
        "boss" => Role::Supervisor,
        "root" => Role::Admin,
        "bot" => Role::Integrator,
        agent => return Actor::agent(&agent.parse().expect("an agent")),
    };
    Actor { role, agent: None, name: name.to_owned() }
}

fn named<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_value(serde_json::json!(name)).unwrap_or_else(|_| panic!("no such: {name}"))
}

/// The id of `r1` or `h1`.
fn numbered(name: &str) -> Uuid {
    let number = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    Uuid::from_u128(number.parse().expect("a number"))
}

fn message_id(name: &str) -> MessageId {
    MessageId(numbered(name))
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
