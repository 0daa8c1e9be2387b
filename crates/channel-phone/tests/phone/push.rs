//! What is posted: FreeSWITCH, Twilio, Zammad and sipgate, Placetel, WhatsApp, and the generic dialect.

use postroom_channel::InspectionOutcome;
use postroom_channel_phone::{Dialect, Places, Setting};
use postroom_model::{CallState, Direction, Disposition};
use serde_json::{Value, json};

use crate::support::{at, calls, inspect, now, one};

fn record(changes: &Value) -> Value {
    let mut variables = json!({
        "uuid": "0f0e0d0c-0000-4000-8000-000000000001",
        "sip_from_uri": "+442079460011@pbx.example",
        "start_uepoch": "1772357400500000", "answer_uepoch": "1772357405000000", "end_uepoch": "1772357465000000",
        "start_stamp": "2026-03-01 10:30:00", "duration": "65", "billsec": "60",
        "hangup_cause": "NORMAL_CLEARING", "dialed_user": "201", "last_app": "bridge",
    });
    for (name, value) in changes.as_object().unwrap() {
        variables[name] = value.clone();
    }
    json!({
        "core-uuid": "c", "variables": variables,
        "callflow": [
            {"caller_profile": {"caller_id_number": "+442079460011", "caller_id_name": "Ada Okafor",
              "destination_number": "201", "context": "default"}},
            {"caller_profile": {"caller_id_number": "+442079460011", "caller_id_name": "Ada Okafor",
              "destination_number": "+442079460099", "context": "public"}},
        ],
    })
}

/// As the switch encodes the values of its variables.
fn encoded(mut record: Value) -> Value {
    for value in record["variables"].as_object_mut().unwrap().values_mut() {
        let text = value.as_str().unwrap().to_owned();
        let bytes = text.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        });
        *value = Value::String(bytes.collect());
    }
    record
}

#[test]
fn freeswitch_record_is_the_same_bare_encoded_and_in_a_form() {
    let bare = record(&json!({})).to_string();
    let values = encoded(record(&json!({}))).to_string();
    let form: String =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("cdr", &bare).finish();
    for body in [bare, values, form] {
        let call = one(Dialect::FreeswitchCdr, &[&body]);
        assert_eq!(call.call_id, "0f0e0d0c-0000-4000-8000-000000000001", "{body}");
        assert_eq!((call.state, call.direction), (CallState::Ended, Direction::In));
        assert_eq!(call.from.as_deref(), Some("+442079460011"));
        assert_eq!(call.from_name.as_deref(), Some("Ada Okafor"));
        assert_eq!(
            (call.to.as_deref(), call.dialled.as_deref()),
            (Some("201"), Some("+442079460099"))
        );
        assert_eq!(call.started_at, at("2026-03-01T09:30:00.5Z"));
        assert_eq!(call.answered_at, at("2026-03-01T09:30:05Z"));
        assert_eq!((call.duration_s, call.talk_s), (Some(65), Some(60)));
        assert_eq!(
            (call.disposition, call.agents),
            (Some(Disposition::Answered), vec!["201".to_owned()])
        );
        assert_eq!(call.cause.as_deref(), Some("NORMAL_CLEARING"));
    }
}

#[test]
fn freeswitch_record_of_an_older_version_may_have_a_name_twice() {
    let whole = record(&json!({}));
    let flows = whole["callflow"].as_array().unwrap();
    let (variables, last, first) = (&whole["variables"], &flows[0], &flows[1]);
    let body = format!(r#"{{"variables":{variables},"callflow":{last},"callflow":{first}}}"#);
    let call = one(Dialect::FreeswitchCdr, &[&body]);
    assert_eq!((call.from_name.as_deref(), call.direction), (Some("Ada Okafor"), Direction::In));
    assert_eq!(call.dialled.as_deref(), Some("+442079460099"));
}

#[test]
fn freeswitch_cause_says_how_an_unanswered_call_went() {
    for (cause, disposition) in [
        ("USER_BUSY", Disposition::Busy),
        ("CALL_REJECTED", Disposition::Busy),
        ("NO_ANSWER", Disposition::NoAnswer),
        ("ORIGINATOR_CANCEL", Disposition::Cancelled),
        ("UNALLOCATED_NUMBER", Disposition::Failed),
    ] {
        let changes =
            json!({"answer_uepoch": "0", "answer_epoch": 0, "billsec": "0", "hangup_cause": cause});
        let call = one(Dialect::FreeswitchCdr, &[&record(&changes).to_string()]);
        assert_eq!(call.disposition, Some(disposition), "{cause}");
        assert_eq!((call.answered_at, call.talk_s), (None, Some(0)), "{cause}");
    }
    let changes =
        json!({"call_direction": "local", "cc_agent": "201@pbx", "cc_queue": "support@pbx"});
    let call = one(Dialect::FreeswitchCdr, &[&record(&changes).to_string()]);
    assert_eq!((call.direction, call.queue.as_deref()), (Direction::Internal, Some("support@pbx")));
    assert_eq!(call.agents, ["201@pbx"]);
}

#[test]
fn freeswitch_call_that_was_joined_with_nobody_was_answered_by_nobody() {
    let member = |cause: &str, agent: &str| {
        json!({"cc_side": "member", "cc_queue": "support@pbx", "cc_cause": cause, "cc_agent": agent,
               "last_app": "callcenter"})
    };
    for (changes, disposition) in [
        (member("Cancel", ""), Disposition::NoAnswer),
        (member("", ""), Disposition::NoAnswer),
        (member("Terminated", "201@pbx"), Disposition::Answered),
        (json!({"last_app": "playback"}), Disposition::NoAnswer),
        (json!({"last_app": "ivr"}), Disposition::NoAnswer),
        (json!({"last_app": "ivr", "bridge_uuid": "f-2"}), Disposition::Answered),
        (json!({"last_app": "conference"}), Disposition::Answered),
        (json!({"last_app": "voicemail"}), Disposition::Voicemail),
        (json!({"last_app": "playback", "call_direction": "local"}), Disposition::Answered),
    ] {
        let mut record = record(&changes);
        let variables = record["variables"].as_object_mut().unwrap();
        if changes.get("bridge_uuid").is_none() {
            variables.retain(|name, _| !name.contains("bridge"));
        }
        let call = one(Dialect::FreeswitchCdr, &[&record.to_string()]);
        assert_eq!(call.disposition, Some(disposition), "{changes}");
        let unanswered = disposition == Disposition::NoAnswer;
        assert_eq!((call.answered_at.is_none(), call.talk_s == Some(0)), (unanswered, unanswered));
    }
}

const TWILIO: &str =
    "CallSid=CA77&From=%2B442079460011&To=%2B442079460099&Direction=inbound&CallerName=ADA";

#[test]
fn twilio_callbacks_make_one_call() {
    let callback = |status: &str, minute: u32, more: &str| {
        format!(
            "{TWILIO}&CallStatus={status}&Timestamp=Sun%2C+01+Mar+2026+09%3A{minute}%3A00+%2B0000{more}"
        )
    };
    let ringing = callback("ringing", 30, "");
    let answered = callback("in-progress", 31, "");
    let done = callback(
        "completed",
        33,
        "&CallDuration=120&Duration=2&ParentCallSid=CA76&SipResponseCode=200",
    );
    let inspection =
        inspect(Dialect::TwilioVoice, Setting::default(), &[&ringing, &answered, &done]);
    let states: Vec<CallState> = inspection.after.iter().flatten().map(|call| call.state).collect();
    assert_eq!(states, [CallState::Ringing, CallState::Answered, CallState::Ended]);
    let call = &inspection.calls[0];
    assert_eq!(call.started_at, at("2026-03-01T09:30:00Z"));
    assert_eq!(call.answered_at, at("2026-03-01T09:31:00Z"));
    assert_eq!(call.ended_at, at("2026-03-01T09:33:00Z"));
    assert_eq!((call.duration_s, call.talk_s), (Some(180), Some(120)));
    assert_eq!((call.linked_id.as_deref(), call.from_name.as_deref()), (Some("CA76"), Some("ADA")));
    assert_eq!(inspection.response.unwrap().status, 204);
}

#[test]
fn twilio_status_says_how_it_went() {
    for (more, state, disposition) in [
        ("CallStatus=queued", CallState::Ringing, None),
        ("CallStatus=busy", CallState::Ended, Some(Disposition::Busy)),
        ("CallStatus=no-answer", CallState::Ended, Some(Disposition::NoAnswer)),
        ("CallStatus=canceled", CallState::Ended, Some(Disposition::Cancelled)),
        ("CallStatus=failed", CallState::Ended, Some(Disposition::Failed)),
        (
            "CallStatus=completed&AnsweredBy=machine_start",
            CallState::Ended,
            Some(Disposition::Voicemail),
        ),
    ] {
        let call = one(Dialect::TwilioVoice, &[&format!("{TWILIO}&{more}")]);
        assert_eq!((call.state, call.disposition), (state, disposition), "{more}");
    }
    let odd_time = format!("{TWILIO}&CallStatus=completed&Timestamp=tomorrow");
    assert_eq!(one(Dialect::TwilioVoice, &[&odd_time]).ended_at, Some(now()));
    let withheld =
        "CallSid=CA78&From=%2B266696687&To=%2B442079460099&Direction=inbound&CallStatus=ringing";
    assert_eq!(one(Dialect::TwilioVoice, &[withheld]).from.as_deref(), Some("anonymous"));
    let recording =
        "CallSid=CA77&RecordingUrl=https%3A%2F%2Fapi.example%2FRE1&RecordingStatus=completed";
    let call = one(Dialect::TwilioVoice, &[&format!("{TWILIO}&CallStatus=busy"), recording]);
    assert_eq!(call.recording_url.as_deref(), Some("https://api.example/RE1"));
    assert_eq!(call.state, CallState::Ended);
}

#[test]
fn cti_events_make_one_call_and_get_the_answer_that_they_wait_for() {
    let rings = r#"{"event":"newCall","callId":"c-1","direction":"in","from":"442079460011","to":"4930901820","user":["Lin","Mei"],"queue":"support"}"#;
    let answers = "event=answer&callId=c-1&direction=in&from=442079460011&to=4930901820&user=Mei";
    let ends = "event=hangup&callId=c-1&direction=in&cause=normalClearing";
    for dialect in [Dialect::ZammadCti, Dialect::Sipgate] {
        let inspection = inspect(dialect, Setting::default(), &[rings, answers, ends]);
        let ringing = inspection.after[0].as_ref().unwrap();
        assert_eq!((ringing.state, ringing.disposition), (CallState::Ringing, None));
        assert_eq!(ringing.agents, ["Lin", "Mei"]);
        let call = &inspection.calls[0];
        assert_eq!((call.state, call.disposition), (CallState::Ended, Some(Disposition::Answered)));
        assert_eq!(call.agents, ["Mei"]);
        assert_eq!(call.from.as_deref(), Some("+442079460011"));
        assert_eq!(
            (call.to.as_deref(), call.queue.as_deref()),
            (Some("+4930901820"), Some("support"))
        );
        assert_eq!((call.cause.as_deref(), call.started_at), (Some("normalClearing"), Some(now())));
    }
    let answer = inspect(Dialect::ZammadCti, Setting::default(), &[rings]).response.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
    let answer = inspect(Dialect::Sipgate, Setting::default(), &[rings]).response.unwrap();
    assert!(answer.body.contains(r#"onHangup="https://example.com/v1/channels/calls/events""#));
}

#[test]
fn cti_cause_and_missing_answer_say_how_it_went() {
    for (dialect, cause, disposition) in [
        (Dialect::Sipgate, "busy", Disposition::Busy),
        (Dialect::Sipgate, "cancel", Disposition::Cancelled),
        (Dialect::Sipgate, "noAnswer", Disposition::NoAnswer),
        (Dialect::Sipgate, "congestion", Disposition::Failed),
        (Dialect::Sipgate, "notFound", Disposition::Failed),
        // sipgate says so only of calls that were answered; generic senders of every call.
        (Dialect::Sipgate, "normalClearing", Disposition::Answered),
        (Dialect::ZammadCti, "normalClearing", Disposition::NoAnswer),
    ] {
        let body = format!("event=hangup&callId=c-1&direction=in&cause={cause}");
        assert_eq!(one(dialect, &[&body]).disposition, Some(disposition), "{cause}");
    }
    let voicemail = "event=answer&callId=c-1&direction=in&user=voicemail";
    let call = one(Dialect::ZammadCti, &[voicemail]);
    assert_eq!(
        (call.disposition, call.agents),
        (Some(Disposition::Voicemail), vec!["voicemail".to_owned()])
    );
    let key = inspect(Dialect::Sipgate, Setting::default(), &["event=dtmf&callId=c-1&dtmf=1"]);
    assert_eq!((key.outcome, key.exit_code()), (InspectionOutcome::Nothing, 0));
}

#[test]
fn placetel_notifications_make_one_call() {
    let rings = "event=IncomingCall&from=030901820&to=022199998560&call_id=f4";
    let answers =
        "event=CallAccepted&from=030901820&to=022199998560&call_id=f4&peer=777abc%40fpbx.example";
    for (kind, disposition) in [
        ("accepted", Disposition::Answered),
        ("voicemail", Disposition::Voicemail),
        ("missed", Disposition::NoAnswer),
        ("blocked", Disposition::Failed),
        ("busy", Disposition::Busy),
    ] {
        let ends = format!("event=HungUp&from=030901820&to=022199998560&call_id=f4&type={kind}");
        let call = one(Dialect::Placetel, &[rings, &ends]);
        assert_eq!(
            (call.disposition, call.direction),
            (Some(disposition), Direction::In),
            "{kind}"
        );
        assert_eq!(call.from.as_deref(), Some("+4930901820"));
        assert_eq!(call.cause.as_deref(), Some(kind));
    }
    let call = one(Dialect::Placetel, &[rings, answers]);
    assert_eq!((call.state, call.agents), (CallState::Answered, vec!["777abc".to_owned()]));
    let out = "event=OutgoingCall&from=022199998560&to=anonymous&call_id=f5&direction=out";
    let call = one(Dialect::Placetel, &[out]);
    assert_eq!((call.direction, call.to.as_deref()), (Direction::Out, Some("anonymous")));
}

fn meta(value: &Value) -> String {
    json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "calls", "value": value}]}]}).to_string()
}

#[test]
fn whatsapp_calls_are_read_from_both_sides() {
    let connect = meta(&json!({
        "contacts": [{"profile": {"name": "Ada"}, "wa_id": "442079460011"}],
        "metadata": {"display_phone_number": "4930901820"},
        "calls": [{"id": "wacid.1", "from": "442079460011", "to": "4930901820", "event": "connect",
            "timestamp": "1772357400", "direction": "USER_INITIATED", "session": {"sdp": "x"}}],
    }));
    let end = meta(&json!({
        "calls": [{"id": "wacid.1", "from": "442079460011", "to": "4930901820", "event": "terminate",
            "timestamp": 1_772_357_431, "direction": "USER_INITIATED", "status": "COMPLETED",
            "start_time": "1772357405", "end_time": "1772357430", "duration": 25}],
    }));
    let call = one(Dialect::WhatsappCalls, &[&connect, &end]);
    assert_eq!((call.direction, call.from_name.as_deref()), (Direction::In, Some("Ada")));
    assert_eq!(call.from.as_deref(), Some("+442079460011"));
    assert_eq!(
        (call.started_at, call.answered_at),
        (at("2026-03-01T09:30:00Z"), at("2026-03-01T09:30:05Z"))
    );
    assert_eq!((call.talk_s, call.disposition), (Some(25), Some(Disposition::Answered)));

    let status = |status: &str| {
        meta(&json!({
            "metadata": {"display_phone_number": "4930901820"},
            "statuses": [{"id": "wacid.2", "type": "call", "status": status, "timestamp": "1772357400", "recipient_id": "442079460011"}],
        }))
    };
    let inspection = inspect(
        Dialect::WhatsappCalls,
        Setting::default(),
        &[&status("RINGING"), &status("REJECTED")],
    );
    assert_eq!(inspection.after[0].as_ref().unwrap().state, CallState::Ringing);
    let call = &inspection.calls[0];
    assert_eq!((call.direction, call.to.as_deref()), (Direction::Out, Some("+442079460011")));
    assert_eq!((call.state, call.disposition), (CallState::Ended, Some(Disposition::Busy)));

    let missed = meta(
        &json!({"calls": [{"id": "wacid.3", "event": "terminate", "timestamp": "1772357400", "status": "COMPLETED"}]}),
    );
    assert_eq!(one(Dialect::WhatsappCalls, &[&missed]).disposition, Some(Disposition::NoAnswer));
    let message = meta(
        &json!({"messages": [{"id": "wamid.1", "type": "text"}], "statuses": [{"id": "wamid.1", "status": "read"}]}),
    );
    assert_eq!(calls(Dialect::WhatsappCalls, &[&message]), []);
}

#[test]
fn generic_event_has_the_names_of_a_call() {
    let ringing = json!({"call_id": "g-1", "state": "ringing", "at": "2026-03-01T09:30:00Z", "direction": "in",
        "from": "+44 20 7946 0011", "from_name": "Ada", "to": "201", "queue": "support", "agents": ["Lin", "Mei"]});
    let ended = json!([{"id": "g-1", "event": "ended", "at": "2026-03-01T09:31:00Z", "disposition": "busy",
        "cause": "17", "duration_s": 61, "recording_url": "https://example.com/1", "linked_id": "g-0"}]);
    let call = one(Dialect::Generic, &[&ringing.to_string(), &ended.to_string()]);
    assert_eq!(call.from.as_deref(), Some("+442079460011"));
    assert_eq!((call.duration_s, call.disposition), (Some(61), Some(Disposition::Busy)));
    assert_eq!(
        (call.agents, call.linked_id.as_deref()),
        (vec!["Lin".to_owned(), "Mei".to_owned()], Some("g-0"))
    );
    assert_eq!(call.recording_url.as_deref(), Some("https://example.com/1"));
}

#[test]
fn generic_call_without_a_direction_has_that_of_its_numbers() {
    let places = Places { own_numbers: vec!["+4930901820".to_owned()], ..Places::default() };
    let setting = Setting { places, ..Setting::default() };
    for (from, to, direction) in [
        ("+442079460011", "201", Direction::In),
        ("+442079460011", "+49309018201", Direction::In),
        ("anonymous", "201", Direction::In),
        ("201", "+442079460011", Direction::Out),
        ("+49309018201", "+442079460011", Direction::Out),
        ("201", "202", Direction::Internal),
        ("+49309018201", "202", Direction::Internal),
    ] {
        let body = json!({"call_id": "g-1", "state": "ended", "from": from, "to": to});
        let read = inspect(Dialect::Generic, setting.clone(), &[&body.to_string()]);
        assert_eq!(read.calls[0].direction, direction, "{from} {to}");
    }
    // What one event says holds for all of them.
    let said = json!({"call_id": "g-1", "state": "ringing", "direction": "out", "from": "201", "to": "202"});
    let ended = json!({"call_id": "g-1", "state": "ended"});
    let call = one(Dialect::Generic, &[&said.to_string(), &ended.to_string()]);
    assert_eq!(call.direction, Direction::Out);
}

#[test]
fn generic_mistakes_are_all_told_by_pointer() {
    let body = json!({"call_id": 5, "state": "rining", "at": "soon", "direction": "up", "duration_s": -1,
        "agents": ["a", 5], "recording_url": "ftp://x", "quue": "x", "from": "\u{0}"});
    let inspection = inspect(Dialect::Generic, Setting::default(), &[&body.to_string()]);
    assert_eq!(inspection.exit_code(), 4);
    assert_eq!(inspection.response.unwrap().status, 422);
    let mut pointers: Vec<String> =
        inspection.problem.unwrap().pointers.into_iter().map(|mistake| mistake.pointer).collect();
    pointers.sort();
    let expected = [
        "/agents/1",
        "/at",
        "/call_id",
        "/direction",
        "/duration_s",
        "/from",
        "/quue",
        "/recording_url",
        "/state",
    ];
    assert_eq!(pointers, expected);
}

#[test]
fn post_without_its_call_or_of_an_unknown_kind_is_refused() {
    for (dialect, body, code) in [
        (Dialect::TwilioVoice, "CallStatus=ringing", "body_field_missing"),
        (Dialect::TwilioVoice, "CallSid=CA1", "body_field_missing"),
        (Dialect::TwilioVoice, "CallSid=CA1&CallStatus=flying", "body_field_invalid"),
        (Dialect::ZammadCti, r#"{"event":"newCall"}"#, "body_field_missing"),
        (Dialect::ZammadCti, "callId=1&event=dance", "body_field_invalid"),
        (Dialect::Sipgate, "callId=1&event=answer&direction=up", "body_field_invalid"),
        (Dialect::Placetel, "call_id=1", "body_field_missing"),
        (Dialect::FreeswitchCdr, "{}", "body_field_missing"),
        (Dialect::FreeswitchCdr, r#"{"variables":{}}"#, "body_field_missing"),
        (Dialect::FreeswitchCdr, "x=1", "body_field_missing"),
        (Dialect::WhatsappCalls, "{}", "body_field_missing"),
        (Dialect::WhatsappCalls, "a=b", "media_type_not_supported"),
        (Dialect::Generic, "{", "body_not_json"),
        (Dialect::Generic, "{}", "body_field_missing"),
    ] {
        let inspection = inspect(dialect, Setting::default(), &[body]);
        assert_eq!(inspection.exit_code(), 4, "{body}");
        assert_eq!(inspection.problem.unwrap().code, code, "{body}");
    }
}
