//! The operator's rules: what is refused with its place, what an expression sees, and what it costs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use postroom_model::{
    Attachment, Automation, AutomationClass, ChannelKind, ChannelSettings, Contact, ContactId,
    Message, MessageKind, Party, QueueSettings, Rule, Settings, Status, Timestamp, WorkspaceId,
};
use postroom_routing::{Earlier, RuleError, RuleFacts, Rules};
use uuid::Uuid;

fn settings(rules: Vec<Rule>) -> Settings {
    Settings {
        workspace: WorkspaceId::main(),
        timing: postroom_model::Timing::default(),
        channels: vec![channel()],
        queues: vec![QueueSettings::new("support".parse().unwrap(), "Support".to_owned())],
        rules,
        agents: vec![],
        costs: Settings::default_costs(),
        calendars: vec![],
        desk: postroom_model::DeskSettings::default(),
        contacts: postroom_model::ContactSettings::default(),
        answers: vec![],
    }
}

fn channel() -> ChannelSettings {
    ChannelSettings {
        id: "site".parse().unwrap(),
        kind: ChannelKind::Webhook,
        dialect: Some("generic".to_owned()),
        queue: None,
        sends: true,
        calls: None,
    }
}

/// A message of this channel, long ago.
fn facts<'a>(message: &'a Message, channel: &'a ChannelSettings) -> RuleFacts<'a> {
    RuleFacts::new(message, channel, Timestamp::from_millis(0))
}

fn rule(when: &str) -> Rule {
    Rule { when: when.to_owned(), ..Rule::default() }
}

fn compiled(whens: &[&str]) -> Result<Rules, Vec<RuleError>> {
    Rules::compile(&settings(whens.iter().map(|when| rule(when)).collect()))
}

/// Whether the expression matches; an error is what failed.
fn matches(when: &str, message: &Message) -> Result<bool, String> {
    let rules = compiled(&[when]).map_err(|errors| errors[0].to_string())?;
    let routed = rules.route(facts(message, &channel()));
    match routed.trace.failed.first() {
        Some((_, why)) => Err(why.clone()),
        None => Ok(routed.trace.matched.is_some()),
    }
}

fn message() -> Message {
    let party = |address: &str, name: &str| Party {
        address: Some(address.parse().unwrap()),
        name: Some(name.to_owned()),
        username: None,
    };
    Message {
        kind: MessageKind::Email,
        external_id: "42".to_owned(),
        thread: Some("chat-7".to_owned()),
        from: Some(party("mailto:ann@example.com", "Ann")),
        to: vec![party("mailto:help@shop.example", "Help")],
        cc: vec![party("mailto:boss@shop.example", "Boss")],
        sent_at: Some(Timestamp::from_millis(0)),
        subject: Some("Refund".to_owned()),
        text: Some("I want my money back. 我要退款。".to_owned()),
        attachments: vec![Attachment {
            name: Some("bill.pdf".to_owned()),
            media_type: Some("application/pdf".to_owned()),
            size_bytes: Some(70_000),
            ..Attachment::default()
        }],
        automation: Some(Automation { class: AutomationClass::OutOfOffice, may_answer: false }),
        attributes: [
            ("tier".to_owned(), serde_json::json!("gold")),
            ("score".to_owned(), serde_json::json!(7)),
            ("vip".to_owned(), serde_json::json!(true)),
            ("labels".to_owned(), serde_json::json!(["a", "b"])),
        ]
        .into(),
        ..Message::default()
    }
}

#[test]
fn expression_sees_the_message_and_its_channel() {
    for when in [
        "message.kind == 'email'",
        "message.external_id == '42' && message.thread == 'chat-7'",
        "message.from.address == 'mailto:ann@example.com' && message.from.name == 'Ann'",
        "message.to.exists(one, one.address.endsWith('@shop.example'))",
        "message.cc.all(one, one.name == 'Boss') && size(message.reply_to) == 0",
        "message.sent_at.startsWith('1970-')",
        "message.subject.lowerAscii().contains('refund')",
        "message.text.matches('(?i)MONEY')",
        "message.text.contains('退款')",
        "message.text.matches('我要.款')",
        "message.attachments.exists(file, file.name.endsWith('.pdf') && file.size_bytes > 65536)",
        "message.attachments[0].media_type == 'application/pdf'",
        "message.automation.class == 'out_of_office' && !message.automation.may_answer",
        "message.attributes.tier == 'gold' && message.attributes.score > 5 && message.attributes.vip",
        "has(message.attributes.tier) && !has(message.attributes.region)",
        "'labels' in message.attributes && 'b' in message.attributes.labels",
        "channel.id == 'site' && channel.kind == 'webhook' && channel.dialect == 'generic'",
        "message.to.filter(one, one.name == 'Help').map(one, one.address)[0].contains('help')",
        "matches(message.subject, '^Ref') && message.cc.exists(one, one.name.matches('oss$'))",
        "timestamp(message.sent_at).getHours('Asia/Kolkata') == 5",
        "strings.quote(message.subject) == '\"Refund\"' && message['subject'] == 'Refund'",
        "message.?subject.hasValue() && size(message.attributes) == 4",
        "message.attributes.labels.exists(label, label == 'a') && 'tier' in message.attributes",
        "(message.subject == '' ? message.text : message.subject).split('f').join('-') == 'Re-und'",
        "int(message.attributes.score) * 2 - 4 == 10 && -int(message.attributes.score) < 0",
    ] {
        assert_eq!(matches(when, &message()), Ok(true), "{when}");
    }
}

/// Whether the expression matches for this contact and after this conversation.
fn told(
    when: &str,
    contact: Option<&Contact>,
    earlier: Option<Earlier<'_>>,
) -> Result<bool, String> {
    let rules = compiled(&[when]).map_err(|errors| errors[0].to_string())?;
    let (message, channel) = (message(), channel());
    // A Monday, 23:30 in Berlin.
    let at = Timestamp::from_seconds(1_767_652_200);
    let open = contact.map_or(0, |_| 2);
    let facts = RuleFacts { contact, open, earlier, ..RuleFacts::new(&message, &channel, at) };
    let routed = rules.route(facts);
    match routed.trace.failed.first() {
        Some((_, why)) => Err(why.clone()),
        None => Ok(routed.trace.matched.is_some()),
    }
}

#[test]
fn expression_sees_who_writes_what_went_before_and_the_time() {
    let contact = Contact {
        id: ContactId(Uuid::nil()),
        name: Some("Ann".to_owned()),
        addresses: ["mailto:ann@example.com", "tel:+1", "tel:+2"]
            .map(|one| one.parse().unwrap())
            .into(),
        dead: vec![],
        created_at: Timestamp::EPOCH,
        last_agent: Some("ada".parse().unwrap()),
        conversations: 4,
        merged_into: None,
    };
    let (queue, tags) = ("support".parse().unwrap(), ["money".to_owned()]);
    let earlier = Earlier {
        status: Status::Resolved,
        queue: Some(&queue),
        tags: &tags,
        priority: 5,
        assignee: None,
        opened_at: Timestamp::from_seconds(1_767_652_200 - 7_200),
        last_message_at: Timestamp::from_seconds(1_767_652_200 - 60),
    };
    for (when, of_known, of_stranger) in [
        ("contact.known", true, false),
        ("contact.name == 'Ann' && contact.last_agent == 'ada'", true, false),
        ("contact.conversations >= 4 && contact.open == 2", true, false),
        ("contact.addresses.exists(one, one.endsWith('@example.com'))", true, false),
        ("'tel' in contact.kinds && size(contact.kinds) == 2", true, false),
        ("!contact.known && contact.conversations + contact.open == 0", false, true),
        ("contact.name == '' && contact.addresses == []", false, true),
        ("conversation.follow_up && conversation.status == 'resolved'", true, false),
        ("conversation.queue == 'support' && 'money' in conversation.tags", true, false),
        ("conversation.priority > 0 && conversation.assignee == ''", true, false),
        ("conversation.age_s == 7200 && conversation.quiet_s == 60", true, false),
        ("conversation.status == '' && conversation.age_s == 0", false, true),
        ("now.getHours() == 22 && now.getHours('Europe/Berlin') == 23", true, true),
        ("now.getDayOfWeek('Europe/Berlin') == 1", true, true),
        ("now.getDayOfWeek('Asia/Tokyo') == 2", true, true),
        ("now - timestamp(message.sent_at) > duration('24h')", true, true),
        ("now > timestamp('2026-01-01T00:00:00Z')", true, true),
    ] {
        assert_eq!(told(when, Some(&contact), Some(earlier)), Ok(of_known), "{when}");
        assert_eq!(told(when, None, None), Ok(of_stranger), "{when}");
    }
}

#[test]
fn what_rules_were_told_is_written_down_as_far_as_they_ask() {
    let rules = compiled(&["contact.conversations > 3", "now.getHours() > 24"]).unwrap();
    let (message, channel) = (message(), channel());
    let routed = rules.route(facts(&message, &channel));
    let told: Vec<_> = routed.trace.told.into_iter().collect();
    let told: Vec<_> = told.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(told, [("contact.conversations", "0"), ("now", "1970-01-01T00:00:00.000Z")]);
    let routed = compiled(&["true"]).unwrap().route(facts(&message, &channel));
    assert!(routed.trace.told.is_empty());
}

#[test]
fn absent_fields_are_empty_and_not_missing() {
    for when in [
        "message.text == '' && message.visible_text == '' && message.html == ''",
        "message.subject.contains('x') || message.thread == ''",
        "message.from.address == '' && message.from.name == '' && message.from.username == ''",
        "size(message.to) + size(message.cc) + size(message.attachments) == 0",
        "message.automation.class == 'none' && message.automation.may_answer",
        "message.sent_at == '' && message.kind == 'text'",
        "size(message.references) == 0 && size(message.in_reply_to) == 0",
    ] {
        assert_eq!(matches(when, &Message::default()), Ok(true), "{when}");
    }
    assert!(matches("message.attributes.tier == 'gold'", &Message::default()).is_err());
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let long = format!("message.text == '{}'", "x".repeat(2_000));
    let wide = vec!["true"; 999].join("&&");
    let deep = format!("{}true{}", "(".repeat(500), ")".repeat(500));
    let loops = "message.to.exists(a, message.cc.exists(b, a.name == b.name))";
    let sums = format!("message.to.exists(a, {} == '')", vec!["a.name"; 18].join("+"));
    // What is wrong, and the text before it.
    let cases: [(&str, &str, Option<&str>); 18] = [
        ("massage.text == ''", "`massage` is not known", Some("")),
        ("message.text == tekst", "`tekst` is not known", Some("message.text == ")),
        ("message.text == '退款' || 退", "", Some("message.text == '退款' || ")),
        (
            "message.text == '退款' || nope",
            "`nope` is not known",
            Some("message.text == '退款' || "),
        ),
        (
            "message.to.exists(a, a.name == nope)",
            "`nope` is not known",
            Some("message.to.exists(a, a.name == "),
        ),
        ("message.to.exists(a, true) && a.name == ''", "`a` is not known", None),
        ("contacts.name == ''", "`contacts` is not known", Some("")),
        (loops, "a loop within a loop", None),
        (
            "message.to.map(a, message.cc.filter(b, b == a)).size() > 0",
            "a loop within a loop",
            None,
        ),
        (sums.as_str(), "more than 16 sums within a loop", None),
        (
            "message.text.replace('e', message.text) == ''",
            "written out in quotes",
            Some("message.text.replace('e', message"),
        ),
        ("message.text.replace('e', 'ee') == ''", "no longer than that", None),
        (long.as_str(), "longer than 2000 characters", None),
        ("message.text ==", "", None),
        ("'退款' == '退' ) || true", "mismatched input ')'", Some("'退款' == '退' ")),
        ("true &&\n '退款' ) true", "mismatched input ')'", Some("true &&\n '退款' ")),
        ("", "", None),
        (deep.as_str(), "", None),
    ];
    for (when, why, before) in cases {
        let errors = compiled(&["true", when]).expect_err(when);
        let [error] = errors.as_slice() else { panic!("{when}: {errors:?}") };
        assert_eq!(error.index, 1);
        assert!(error.message.contains(why), "{when}: {}", error.message);
        assert!(error.to_string().starts_with("rule 2: "), "{error}");
        assert!(error.offset.is_none_or(|at| when.is_char_boundary(at)), "{when}");
        if let Some(before) = before {
            assert_eq!(error.offset, Some(before.len()), "{when}");
        }
    }
    // Loops one after the other are no loop in a loop.
    assert!(compiled(&["message.to.exists(a, true) && message.cc.exists(a, true)"]).is_ok());
    assert!(compiled(&["message.text.replace('-', '').replace('a', 'b') == ''"]).is_ok());
    assert!(compiled(&[&wide]).is_err(), "too many nodes");
}

/// The expression, the word that is the mistake, what stands before it, and a word that there is.
#[test]
fn name_that_there_is_not_is_told_with_those_that_there_are() {
    for (when, word, before, known) in [
        ("massage.text == ''", "massage", "", "message"),
        ("message.txt == ''", "txt", "message.", "text"),
        ("message . txt == ''", "txt", "message . ", "text"),
        (
            "message.text == '' || message.form.name == ''",
            "form",
            "message.text == '' || message.",
            "from",
        ),
        ("message.from.mail == ''", "mail", "message.from.", "address"),
        ("has(message.tier)", "tier", "has(message.", "attributes"),
        ("message['txt'] == ''", "txt", "message['", "text"),
        ("message.?txt.hasValue()", "txt", "message.?", "text"),
        ("message.to[0].nam == ''", "nam", "message.to[0].", "name"),
        (
            "message.to.exists(one, one.adress == '')",
            "adress",
            "message.to.exists(one, one.",
            "address",
        ),
        (
            "message.to.filter(one, true)[0].nam == ''",
            "nam",
            "message.to.filter(one, true)[0].",
            "name",
        ),
        (
            "message.to.map(one, one.name).exists(n, m == '')",
            "m",
            "message.to.map(one, one.name).exists(n, ",
            "n",
        ),
        ("message.automation.clas == ''", "clas", "message.automation.", "class"),
        (
            "message.attachments.all(file, file.size > 1)",
            "size",
            "message.attachments.all(file, file.",
            "size_bytes",
        ),
        ("channel.name == ''", "name", "channel.", "dialect"),
        ("contact.knwon", "knwon", "contact.", "known"),
        ("conversation.quue == 'support'", "quue", "conversation.", "queue"),
        ("conversatoin.follow_up", "conversatoin", "", "conversation"),
        ("conversation.status == 'done'", "done", "conversation.status == '", "resolved"),
        ("conversation.queue == 'suport'", "suport", "conversation.queue == '", "support"),
        ("now.getHour() > 8", "getHour", "now.", "getHours"),
        ("now.getHours('Europe/Berln') > 8", "Europe/Berln", "now.getHours('", "Europe/Berlin"),
        ("message.text.contain('x')", "contain", "message.text.", "contains"),
        (
            "message.text.contains('x') || message.text.lower() == ''",
            "lower",
            "message.text.contains('x') || message.text.",
            "lowerAscii",
        ),
        ("message.to.any(one, true)", "any", "message.to.", "exists"),
        ("sise(message.to) > 0", "sise", "", "size"),
        ("strings.qoute('a') == ''", "strings.qoute", "", "strings.quote"),
    ] {
        assert_unknown(when, word, before, known);
    }
}

#[test]
fn word_that_is_none_of_a_closed_set_is_told_with_those_that_are() {
    for (when, word, before, known) in [
        ("channel.id == 'sitte'", "sitte", "channel.id == '", "site"),
        ("'emial' == message.kind", "emial", "'", "email"),
        ("message.kind in ['email', 'teext']", "teext", "message.kind in ['email', '", "text"),
        (
            "message.automation.class != 'out_of_ofice'",
            "out_of_ofice",
            "message.automation.class != '",
            "out_of_office",
        ),
        ("channel.kind == 'webhok'", "webhok", "channel.kind == '", "webhook"),
        (
            "timestamp(message.sent_at).getHours('Europe/Berln') > 8",
            "Europe/Berln",
            "timestamp(message.sent_at).getHours('",
            "Europe/Berlin",
        ),
    ] {
        assert_unknown(when, word, before, known);
    }
}

/// The expression, the word that is the mistake, what stands before it, and a word that there is.
fn assert_unknown(when: &str, word: &str, before: &str, known: &str) {
    let errors = compiled(&[when]).unwrap_err();
    assert_eq!(errors[0].offset, Some(before.len()), "{when}");
    let unknown = errors[0].unknown.as_ref().unwrap();
    assert_eq!(unknown.word, word, "{when}");
    assert!(unknown.known.iter().any(|name| name == known), "{when}: {unknown:?}");
    assert!(unknown.known.iter().all(|name| !name.starts_with('@')), "{when}: {unknown:?}");
}

#[test]
fn what_can_never_be_answered_is_refused_at_its_place() {
    for (when, why, before) in [
        ("message.text == 5", "a text is compared with a number", "message.text "),
        ("message.to == ''", "a list is compared with a text", "message.to "),
        ("message.text", "a rule must be true or false, and this is a text", "message"),
        ("message.text && true", "joined by &&, || and ! must be true or false", "message"),
        ("!message.text", "must be true or false, and this is a text", "!message"),
        ("size(message.to)", "a rule must be true or false, and this is a number", "size"),
        (
            "message.to.contains('x')",
            "`contains` is asked of a text, and this is a list",
            "message.to.",
        ),
        ("message.to.name == ''", "asked of a list, which has no fields", "message.to."),
        ("message.text.name == ''", "asked of a text, which has no fields", "message.text."),
        ("message.text.exists(one, true)", "a text cannot be looped over", "message"),
        ("'x' in message.text", "`in` asks a list, and this is a text", "'x' "),
        (
            "message.text.contains()",
            "`contains` takes one value, and here it is given 0",
            "message.text.",
        ),
        ("message.text.contains('a', 'b')", "here it is given 2", "message.text."),
        ("message.text.split() == []", "`split` takes 1 to 2 values", "message.text."),
        (
            "message.text.contains(5)",
            "what `contains` is given must be a text",
            "message.text.contains(",
        ),
        ("contains(message.text, 'x')", "`contains` is called on a value", ""),
        ("message.text.string() == ''", "`string` is called alone", "message.text."),
        (
            "message.to.exists(one)",
            "`exists` is called as list.exists(one, condition)",
            "message.to.",
        ),
        ("message.has(text)", "`has` is called as has(", "message."),
        ("message.to.exists(one, one.name)", "must be true or false", "message.to.exists(one, one"),
        ("Money{amount: 1} == 1", "there are no types", "Money"),
        (
            "message.text.matches('(a')",
            "no regular expression: unclosed group",
            "message.text.matches(",
        ),
        ("matches(message.text, 'a{2,1}')", "no regular expression", "matches(message.text, "),
        (
            "message.text.matches(message.subject)",
            "must be written out in quotes",
            "message.text.matches(message",
        ),
        ("message.text - 1 == 0", "what is reckoned with must be a number", "message"),
        ("message.text == '' ? 1 : 2", "a rule must be true or false", "message.text == '' "),
        (
            "contact.conversations == '4'",
            "a number is compared with a text",
            "contact.conversations ",
        ),
        ("contact.name > 4", "a text is compared with a number", "contact.name "),
        (
            "conversation.follow_up == 1",
            "true or false is compared with a number",
            "conversation.follow_up ",
        ),
        ("now == message.sent_at", "a time is compared with a text", "now "),
        ("now * 2 == 4", "what is reckoned with must be a number, and this is a time", ""),
        ("message.text.getHours() == 1", "is asked of a time, such as `now`", "message.text."),
    ] {
        assert_refused(when, why, before);
    }
}

#[test]
fn values_of_two_kinds_and_times_that_are_none_are_refused_at_their_place() {
    for (when, why, before) in [
        (
            "message.text == '' ? 'a' : true",
            "? gives a text or true or false, and both must be the same",
            "message.text == '' ",
        ),
        ("message.text + 5 == ''", "a text and a number make no sum", "message.text "),
        (
            "size(message.to) + message.subject == 2",
            "a number and a text make no sum",
            "size(message.to) ",
        ),
        ("message.text in [1, 2]", "a text is looked for where each is a number", "message.text "),
        (
            "timestamp('2026-13-01T00:00:00Z') < timestamp(message.sent_at)",
            "this is no time",
            "timestamp('",
        ),
        ("duration('1 hour') > duration('5m')", "this is no duration", "duration('"),
        (
            "timestamp(message.sent_at) - 5 == timestamp('2026-01-01T00:00:00Z')",
            "what is reckoned with must be a number, and this is a time",
            "timestamp",
        ),
        (
            "timestamp(message.sent_at) > message.text",
            "a time is compared with a text",
            "timestamp(message.sent_at) ",
        ),
    ] {
        assert_refused(when, why, before);
    }
}

#[test]
fn what_could_take_too_long_is_refused_where_it_becomes_too_much() {
    let splits = |count: usize| vec!["message.text.split('').size() < 0"; count].join(" || ");
    let asked: Vec<String> =
        (0..45).map(|number| format!("message.text.matches('{number}x')")).collect();
    let head = "message.text.split('').exists(c, message.text.";
    for (when, before) in [
        ("message.text.split('').exists(c, message.text.split('').size() < 0)".to_owned(), head),
        (format!("message.text.split('').exists(c, {})", splits(12)), head),
        (format!("message.text.split('').exists(c, {})", asked.join(" || ")), head),
        (
            "message.text.split(' ', 5000).exists(w, message.text.contains(w))".to_owned(),
            "message.text.split(' ', 5000).exists(w, message.text.",
        ),
        ("message.text.indexOf(message.text.trim() + '!') > 0".to_owned(), "message.text."),
    ] {
        assert_refused(&when, "give `split` a limit, as in split(' ', 50)", before);
    }
    for when in [
        "message.text.split(' ', 50).exists(word, message.text.contains(word + '!'))",
        "message.text.lowerAscii().split(' ').exists(word, word in ['refund', 'money', 'bill'])",
        "message.text.split(' ').exists(word, word.lowerAscii().matches('^re(fund|turn)s?$'))",
        "message.to.exists(one, message.text.contains(one.name) || message.text.matches('a+b'))",
        "message.attributes.labels.exists(one, message.subject.lowerAscii().contains(one))",
    ] {
        assert!(compiled(&[when]).is_ok(), "{when}");
    }
}

/// The expression, what is said of it, and what stands before the place.
fn assert_refused(when: &str, why: &str, before: &str) {
    let errors = compiled(&[when]).unwrap_err();
    assert!(errors[0].message.contains(why), "{when}: {}", errors[0].message);
    assert_eq!(errors[0].offset, Some(before.len()), "{when}: {}", errors[0].message);
    assert_eq!(errors[0].unknown, None, "{when}");
}

#[test]
fn what_can_be_answered_is_taken_as_it_is() {
    let mut message = message();
    message.sent_at = Some(Timestamp::from_millis(1_767_323_045_000));
    for when in [
        "message.text + '!' != '' && [message.text] + ['b'] != []",
        "message.kind == '' || message.kind in ['email', 'text'] || message.kind != 'call'",
        "(message.subject == '' ? message.text : message.kind) != 'x'",
        "timestamp(message.sent_at) + duration('1h') > timestamp(message.sent_at)",
        "timestamp(message.sent_at) - duration('1h') < timestamp(message.sent_at)",
        "timestamp(message.sent_at) - timestamp('2020-01-01T00:00:00Z') > duration('24h')",
        "duration('1h') - duration('5m') < duration('1h')",
        "timestamp(message.sent_at).getHours('+02:00') >= 0",
        "timestamp(message.sent_at).getDayOfWeek('Asia/Shanghai') >= 0",
        "size(message.to) + 1 - 1 == size(message.to)",
    ] {
        assert_eq!(matches(when, &message), Ok(true), "{when}");
    }
}

#[test]
fn regular_expression_is_compiled_with_the_rules_and_not_for_each_message() {
    let when = r#"message.subject.matches("^(\\p{L}{1,8}|\\p{N}{1,8})$")"#;
    let mut compiled_rules = compiled(&[when]).unwrap();
    let compiling = fastest(|| compiled_rules = compiled(&[when]).unwrap());
    let mut short = message();
    short.subject = Some("abc".to_owned());
    let asking = fastest(|| {
        for _ in 0..10 {
            let routed = compiled_rules.route(facts(&short, &channel()));
            assert_eq!(routed.trace.matched, Some(1));
        }
    });
    assert!(asking < compiling, "ten messages took {asking:?}, compiling once {compiling:?}");
}

#[test]
fn every_wrong_rule_is_reported_and_so_is_their_number() {
    let errors = compiled(&["nope", "true", "nope2"]).unwrap_err();
    assert_eq!(errors.iter().map(|error| error.index).collect::<Vec<_>>(), [0, 2]);
    let many = vec!["true"; 2_001];
    assert!(compiled(&many).unwrap_err()[0].message.contains("more than 2000 rules"));
}

#[test]
fn a_text_is_seen_up_to_its_bound_and_cut_between_characters() {
    let mut long = message();
    long.text = Some("款".repeat(10_000) + "refund");
    assert_eq!(matches("message.text.contains('refund')", &long), Ok(false));
    assert_eq!(matches("size(message.text) == 5461", &long), Ok(true), "16 KiB in characters");
    assert_eq!(matches("message.text.endsWith('款')", &long), Ok(true));
}

#[test]
fn without_rules_nothing_is_tried() {
    let rules = compiled(&[]).unwrap();
    assert!(rules.is_empty());
    let routed = rules.route(facts(&message(), &channel()));
    assert_eq!((routed.trace.tried, routed.trace.matched), (0, None));
    assert_eq!(routed.trace.config, settings(vec![]).short_hash());
}

/// The bounds are wide, since this also runs on busy machines without optimisation; they catch what
/// grows with the square of something.
#[test]
fn a_thousand_rules_on_a_long_text_take_milliseconds() {
    let whens: Vec<String> = (0..1_000)
        .map(|number| {
            format!(
                "message.text.contains('word{number}x') || message.from.address == 'tel:{number}'"
            )
        })
        .collect();
    let whens: Vec<&str> = whens.iter().map(String::as_str).collect();
    let rules = compiled(&whens).unwrap();
    let mut long = message();
    long.text = Some("lorem ipsum 退款 ".repeat(1_000));
    let took = fastest(|| {
        let routed = rules.route(facts(&long, &channel()));
        assert_eq!((routed.trace.tried, routed.trace.matched), (1_000, None));
    });
    assert!(took < Duration::from_millis(500), "{took:?}");
}

#[test]
fn no_single_rule_takes_long_on_the_longest_text() {
    let mut long = message();
    long.text = Some("a ".repeat(10_000));
    long.to = vec![Party::default(); 1_000];
    // As many of each as the check lets pass.
    let most = |begin: &str, one: &str, join: &str, end: &str| {
        let many = (1..100).map(|count| format!("{begin}{}{end}", vec![one; count].join(join)));
        many.take_while(|when| compiled(&[when]).is_ok()).last().unwrap()
    };
    let letters = "message.text.split('').exists(c, ";
    let worst = [
        most("", "message.text.split('').size() < 0", " || ", ""),
        most("", "message.text.reverse() == ''", " || ", ""),
        most("", "message.text.matches('(a+ )+$b')", " || ", ""),
        most("", "message.text.indexOf('a a a a a a ab') > 0", " || ", ""),
        most(letters, "c.matches('[b-z]x')", " || ", ")"),
        most(letters, "c.split('').size() > 3", " || ", ")"),
        most(letters, "c.lowerAscii() == 'b'", " || ", ")"),
        most(letters, "c + c == 'b'", " || ", ")"),
        most(letters, "c == 'b'", " || ", ")"),
        most("message.to.exists(one, ", "message.text.contains('zzz')", " || ", ")"),
        most("message.to.exists(one, ", "message.text.matches('[b-z]x')", " || ", ")"),
        most("message.text.split(' ', 50).exists(c, ", "message.text.split('') == []", "||", ")"),
    ];
    let worst = worst.iter().map(String::as_str);
    let known = [
        "message.text.split(' ').exists(word, word == 'b')",
        "message.text.split('').map(letter, letter + 'x').size() == 0",
        "message.text.replace('a', 'b').contains('c')",
        "message.to.exists(one, message.text.contains('zzz'))",
        "message.text.matches('(a+ )+$b')",
    ];
    for when in worst.chain(known) {
        let rules = compiled(&[when]).unwrap();
        let took = fastest(|| {
            let routed = rules.route(facts(&long, &channel()));
            assert_eq!(routed.trace.matched, None, "{when}: {:?}", routed.trace);
        });
        assert!(took < Duration::from_millis(500), "{when}: {took:?}");
    }
}

/// Of three runs, so that a busy machine does not decide.
fn fastest(mut run: impl FnMut()) -> Duration {
    let once = |()| {
        let begin = Instant::now();
        run();
        begin.elapsed()
    };
    [(); 3].map(once).into_iter().min().unwrap()
}
