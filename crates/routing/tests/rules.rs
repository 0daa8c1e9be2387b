//! The operator's rules: what is refused with its place, what an expression sees, and what it costs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use postroom_model::{
    Attachment, Automation, AutomationClass, ChannelKind, ChannelSettings, Message, MessageKind,
    Party, QueueSettings, Rule, Settings, Timestamp, WorkspaceId,
};
use postroom_routing::{RuleError, RuleFacts, Rules};

fn settings(rules: Vec<Rule>) -> Settings {
    Settings {
        workspace: WorkspaceId::main(),
        channels: vec![channel()],
        queues: vec![QueueSettings { id: "support".parse().unwrap(), name: "Support".to_owned() }],
        rules,
        agents: vec![],
        costs: Settings::default_costs(),
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

fn rule(when: &str) -> Rule {
    Rule { when: when.to_owned(), ..Rule::default() }
}

fn compiled(whens: &[&str]) -> Result<Rules, Vec<RuleError>> {
    Rules::compile(&settings(whens.iter().map(|when| rule(when)).collect()))
}

/// Whether the expression matches; an error is what failed.
fn matches(when: &str, message: &Message) -> Result<bool, String> {
    let rules = compiled(&[when]).map_err(|errors| errors[0].to_string())?;
    let routed = rules.route(RuleFacts { message, channel: &channel() });
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
    ] {
        assert_eq!(matches(when, &message()), Ok(true), "{when}");
    }
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
    // What is wrong, and the text before it.
    let cases = [
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
        ("contact.name == ''", "`contact` is not known", Some("")),
        (loops, "a loop within a loop", None),
        (
            "message.to.map(a, message.cc.filter(b, b == a)).size() > 0",
            "a loop within a loop",
            None,
        ),
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
    assert!(compiled(&[&wide]).is_err(), "too many nodes");
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
    let routed = rules.route(RuleFacts { message: &message(), channel: &channel() });
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
        let routed = rules.route(RuleFacts { message: &long, channel: &channel() });
        assert_eq!((routed.trace.tried, routed.trace.matched), (1_000, None));
    });
    assert!(took < Duration::from_millis(500), "{took:?}");
}

#[test]
fn no_single_rule_takes_long_on_the_longest_text() {
    let mut long = message();
    long.text = Some("a ".repeat(10_000));
    long.to = vec![Party::default(); 1_000];
    for when in [
        "message.text.split(' ').exists(word, word == 'b')",
        "message.text.split('').map(letter, letter + 'x').size() == 0",
        "message.text.replace('a', 'bb').contains('c')",
        "message.to.exists(one, message.text.contains('zzz'))",
        "message.text.matches('(a+ )+$b')",
    ] {
        let rules = compiled(&[when]).unwrap();
        let took = fastest(|| {
            let routed = rules.route(RuleFacts { message: &long, channel: &channel() });
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
