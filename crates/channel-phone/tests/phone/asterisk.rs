//! Logs of Asterisk: call detail records, channel events, blocks of the manager interface.

use postroom_channel::InspectionOutcome;
use postroom_channel_phone::{Dialect, Region, Setting};
use postroom_model::{CallState, Direction, Disposition};

use crate::support::{at, berlin, calls, inspect, inspect_bytes, one};

const ANSWERED: &str = concat!(
    r#""","02079460011","201","from-trunk","""Okafor, Ada"" <02079460011>","PJSIP/north-0000000a","#,
    r#""PJSIP/201-0000000b","Dial","PJSIP/201,20,tT","2026-03-01 10:30:00","2026-03-01 10:30:06","#,
    r#""2026-03-01 10:31:16",76,70,"ANSWERED","DOCUMENTATION","1772357400.10","""#,
    "\n"
);

fn row(number: u32, disposition: &str, tail: &str) -> String {
    format!(
        r#""","201","+442079460011","from-internal","""Lin"" <201>","PJSIP/201-0000000c","PJSIP/north-0000000d","Dial","x","2026-03-01 10:30:00",,"2026-03-01 10:30:09",9,0,"{disposition}","DOCUMENTATION","1772357400.{number}"{tail}"#
    ) + "\n"
}

#[test]
fn cdr_row_is_read_in_its_time_zone_and_region() {
    let setting = Setting { region: Region::parse("GB"), ..berlin() };
    let call = &inspect(Dialect::AsteriskCdr, setting, &[ANSWERED]).calls[0];
    assert_eq!(call.call_id, "1772357400.10");
    assert_eq!((call.state, call.direction), (CallState::Ended, Direction::In));
    assert_eq!(call.from.as_deref(), Some("+442079460011"));
    assert_eq!(call.from_name.as_deref(), Some("Okafor, Ada"));
    assert_eq!((call.to.as_deref(), call.dialled.as_deref()), (Some("201"), Some("201")));
    assert_eq!(call.started_at, at("2026-03-01T09:30:00Z"));
    assert_eq!(call.answered_at, at("2026-03-01T09:30:06Z"));
    assert_eq!(call.ended_at, at("2026-03-01T09:31:16Z"));
    assert_eq!((call.duration_s, call.talk_s), (Some(76), Some(70)));
    assert_eq!(call.disposition, Some(Disposition::Answered));
    assert_eq!(call.agents, ["201"]);
}

#[test]
fn cdr_disposition_says_how_it_went() {
    for (word, disposition) in [
        ("NO ANSWER", Disposition::NoAnswer),
        ("BUSY", Disposition::Busy),
        ("FAILED", Disposition::Failed),
        ("CONGESTION", Disposition::Failed),
    ] {
        let call = one(Dialect::AsteriskCdr, &[&row(1, word, ",\"\"")]);
        assert_eq!(call.disposition, Some(disposition), "{word}");
        assert_eq!((call.answered_at, call.talk_s), (None, Some(0)), "{word}");
        assert_eq!((call.direction, call.agents), (Direction::Out, vec!["201".to_owned()]));
    }
    let voicemail = ANSWERED.replace("\"Dial\"", "\"VoiceMail\"");
    let call = one(Dialect::AsteriskCdr, &[&voicemail]);
    assert_eq!(call.disposition, Some(Disposition::Voicemail));
}

#[test]
fn cdr_call_that_reached_no_channel_was_answered_by_nobody() {
    let alone = ANSWERED.replace("\"PJSIP/201-0000000b\"", "\"\"");
    for application in ["Queue", "BackGround", "Playback"] {
        let log = alone.replace("\"Dial\"", &format!("\"{application}\""));
        let call = one(Dialect::AsteriskCdr, &[&log]);
        assert_eq!(call.disposition, Some(Disposition::NoAnswer), "{application}");
        assert_eq!((call.answered_at, call.talk_s, call.duration_s), (None, Some(0), Some(76)));
        // After the menu somebody took it.
        let call = one(Dialect::AsteriskCdr, &[&format!("{log}{ANSWERED}")]);
        assert_eq!(call.disposition, Some(Disposition::Answered), "{application}");
        assert_eq!((call.talk_s, call.agents), (Some(70), vec!["201".to_owned()]));
    }
    for (application, disposition) in
        [("VoiceMail", Disposition::Voicemail), ("ConfBridge", Disposition::Answered)]
    {
        let log = alone.replace("\"Dial\"", &format!("\"{application}\""));
        assert_eq!(one(Dialect::AsteriskCdr, &[&log]).disposition, Some(disposition));
    }
    let inside = alone.replace("02079460011", "202").replace("from-trunk", "from-internal");
    let outwards = row(1, "ANSWERED", "").replace("PJSIP/north-0000000d", "");
    for log in [inside, outwards] {
        let call = one(Dialect::AsteriskCdr, &[&log]);
        assert_eq!(call.disposition, Some(Disposition::Answered), "{:?}", call.direction);
    }
}

#[test]
fn ami_record_without_a_destination_does_not_answer_a_call() {
    let record = |channel: &str, application: &str| {
        format!(
            "Event: Cdr\nSource: +442079460011\nDestination: 600\nDestinationContext: from-trunk\n\
             {channel}LastApplication: {application}\nLastData: support\n\
             StartTime: 2026-03-01 09:30:00\nAnswerTime: 2026-03-01 09:30:01\n\
             EndTime: 2026-03-01 09:30:40\nDuration: 40\nBillableSeconds: 39\n\
             Disposition: ANSWERED\nUniqueID: 9.1\n\n"
        )
    };
    let nobody = "DestinationChannel: \n";
    for (channel, application, disposition, talk_s) in [
        (nobody, "Queue", Disposition::NoAnswer, 0),
        (nobody, "VoiceMail", Disposition::Voicemail, 39),
        ("DestinationChannel: PJSIP/201-2\n", "Queue", Disposition::Answered, 39),
        ("", "Queue", Disposition::Answered, 39),
    ] {
        let call = one(Dialect::AsteriskAmi, &[&record(channel, application)]);
        assert_eq!((call.disposition, call.talk_s), (Some(disposition), Some(talk_s)), "{channel}");
        assert_eq!(call.answered_at.is_none(), disposition == Disposition::NoAnswer);
    }
    let event = |name: &str, second: u32, more: &str| {
        format!(
            "Event: {name}\nTimestamp: {}.0\nChannel: PJSIP/north-1\nUniqueid: 9.1\nLinkedid: 9.1\n\
             CallerIDNum: +442079460011\nContext: from-trunk\nExten: 600\n{more}\n",
            1_772_357_400 + second
        )
    };
    let legs = [
        event("Newchannel", 0, ""),
        event("Newstate", 1, "ChannelStateDesc: Up\n"),
        event("QueueCallerJoin", 2, "Queue: support\n"),
        event("Hangup", 40, "Cause: 16\n"),
    ];
    let legs = legs.concat();
    let told = record(nobody, "Queue");
    for log in [legs.clone(), format!("{legs}{told}"), format!("{told}{legs}")] {
        let call = one(Dialect::AsteriskAmi, &[&log]);
        assert_eq!(call.disposition, Some(Disposition::NoAnswer));
        assert_eq!((call.answered_at, call.talk_s), (None, Some(0)));
    }
}

#[test]
fn cdr_columns_are_known_by_count_by_names_and_by_configuration() {
    let plain = row(1, "BUSY", "");
    let sixteen = plain.replace(",\"1772357400.1\"", "");
    let newest = row(1, "BUSY", r#","","","1772357399.9",7"#);
    for (log, id, linked) in [
        (plain.as_str(), "1772357400.1", None),
        (newest.as_str(), "1772357400.1", Some("1772357399.9")),
    ] {
        let call = one(Dialect::AsteriskCdr, &[log]);
        assert_eq!((call.call_id.as_str(), call.linked_id.as_deref()), (id, linked));
    }
    let call = one(Dialect::AsteriskCdr, &[&sixteen]);
    assert!(call.call_id.starts_with("generated:"), "{}", call.call_id);

    let table = "calldate,clid,src,dst,dcontext,channel,dstchannel,lastapp,lastdata,duration,\
                 billsec,disposition,uniqueid,did,linkedid\n\
                 2026-03-01 09:30:00,\"\"\"Ada\"\" <+442079460011>\",+442079460011,s,ext-queues,\
                 PJSIP/north-1,PJSIP/201-2,Queue,\"400,t,,,30\",80,60,ANSWERED,1.2,+442079460099,1.1\n";
    let call = one(Dialect::AsteriskCdr, &[table]);
    assert_eq!(call.answered_at, at("2026-03-01T09:30:20Z"));
    assert_eq!(call.ended_at, at("2026-03-01T09:31:20Z"));
    assert_eq!(call.dialled.as_deref(), Some("+442079460099"));
    assert_eq!(call.queue.as_deref(), Some("400"));

    let columns = ["src", "dst", "start", "duration", "billsec", "disposition", "uniqueid"];
    let columns = columns.map(str::to_owned).to_vec();
    let setting = Setting { columns, ..Setting::default() };
    let log = "201,202,2026-03-01 09:30:00,5,0,NO ANSWER,1.2\n";
    let call = &inspect(Dialect::AsteriskCdr, setting, &[log]).calls[0];
    assert_eq!((call.call_id.as_str(), call.direction), ("1.2", Direction::Internal));
    assert_eq!(call.ended_at, at("2026-03-01T09:30:05Z"));
}

#[test]
fn cdr_rows_of_one_call_are_one_call() {
    let rang = ANSWERED
        .replace("PJSIP/201-0000000b", "PJSIP/202-0000000e")
        .replace("\"2026-03-01 10:30:06\"", "")
        .replace("10:31:16\",76,70,\"ANSWERED", "10:30:06\",6,0,\"NO ANSWER");
    for log in [format!("{rang}{ANSWERED}"), format!("{ANSWERED}{rang}")] {
        let call = one(Dialect::AsteriskCdr, &[&log]);
        assert_eq!(call.disposition, Some(Disposition::Answered));
        assert_eq!((call.duration_s, call.talk_s), (Some(76), Some(70)));
        assert_eq!(call.agents, ["201"]);
    }
}

#[test]
fn cdr_line_that_breaks_off_is_left_and_bad_lines_harm_no_others() {
    for cut in ["\"\",\"02079", "\"\",\"an open quotation mark, 1, 2\n3\n", "x"] {
        let log = format!("{ANSWERED}{cut}");
        let inspection = inspect(Dialect::AsteriskCdr, Setting::default(), &[&log]);
        assert_eq!((inspection.calls.len(), inspection.problem), (1, None), "{cut}");
    }
    // A whole file whose last line merely has no end.
    assert_eq!(calls(Dialect::AsteriskCdr, &[ANSWERED.trim_end()]).len(), 1);

    let bad_time = row(3, "BUSY", "").replace("\"2026-03-01 10:30:00\"", "\"soon\"");
    let bad_word = row(4, "ENGAGED", "");
    let log = format!("{bad_time}{ANSWERED}nonsense,1\n{bad_word}");
    let inspection = inspect(Dialect::AsteriskCdr, Setting::default(), &[&log]);
    assert_eq!((inspection.exit_code(), inspection.calls.len()), (0, 1));
    let problem = inspection.problem.unwrap();
    assert_eq!(problem.code, "log_records_unreadable");
    for place in ["line 1: the start", "line 3: ", "line 4: the disposition"] {
        assert!(problem.detail.contains(place), "{}", problem.detail);
    }
    let inspection = inspect(Dialect::AsteriskCdr, Setting::default(), &[&bad_word]);
    assert_eq!((inspection.outcome, inspection.exit_code()), (InspectionOutcome::Parked, 3));
    let nothing = inspect(Dialect::AsteriskCdr, Setting::default(), &[""]);
    assert_eq!(nothing.outcome, InspectionOutcome::Nothing);
}

#[test]
fn cdr_of_the_night_in_which_the_clocks_change_has_the_length_that_it_tells() {
    let line = |start: &str, answer: &str, end: &str, seconds: u32| {
        let how = if answer.is_empty() { "NO ANSWER" } else { "ANSWERED" };
        let row = format!("030901820,200,from-trunk,{start},{answer},{end},{seconds},{how},a.1");
        format!("src,dst,dcontext,start,answer,end,duration,disposition,uniqueid\n{row}\n")
    };
    for (start, answer, end, seconds, started_at, ended_at) in [
        (
            "2026-10-25 01:50:00",
            "",
            "2026-10-25 02:10:00",
            4_800,
            "2026-10-24T23:50:00Z",
            "2026-10-25T01:10:00Z",
        ),
        (
            "2026-10-25 02:30:00",
            "2026-10-25 02:31:00",
            "2026-10-25 03:10:00",
            2_400,
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:10:00Z",
        ),
        (
            "2026-10-25 02:50:00",
            "",
            "2026-10-25 02:10:00",
            1_200,
            "2026-10-25T00:50:00Z",
            "2026-10-25T01:10:00Z",
        ),
    ] {
        let call = inspect(Dialect::AsteriskCdr, berlin(), &[&line(start, answer, end, seconds)])
            .calls
            .remove(0);
        assert_eq!(
            (call.started_at, call.ended_at),
            (at(started_at), at(ended_at)),
            "{start} {end}"
        );
        assert_eq!(call.duration_s, Some(u64::from(seconds)));
        assert!(call.answered_at.is_none_or(|answered| Some(answered) >= call.started_at));
    }
    // Half past two was never on the clock that night: the call is taken, and the line is told.
    let skipped = line("2026-03-29 02:30:00", "", "2026-03-29 02:31:00", 60);
    let inspection = inspect(Dialect::AsteriskCdr, berlin(), &[&skipped]);
    assert_eq!((inspection.outcome, inspection.calls.len()), (InspectionOutcome::Accepted, 1));
    assert!(inspection.problem.unwrap().detail.contains("line 2: a local time that never was"));
}

#[test]
fn cdr_of_an_older_system_may_be_latin_1() {
    let log = ANSWERED.replace("Okafor, Ada", "M\u{fc}ller");
    let bytes: Vec<u8> =
        log.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
    let inspection = inspect_bytes(Dialect::AsteriskCdr, Setting::default(), &[&bytes]);
    assert_eq!(inspection.calls[0].from_name.as_deref(), Some("Müller"));
}

/// One event a line: type, second, leg, channel, name, number, exten, context, extra.
fn cel(events: &[[&str; 9]]) -> String {
    let names =
        "eventtype,eventtime,uniqueid,channame,cid_name,cid_num,exten,context,eventextra,linkedid";
    let mut lines = vec![names.to_owned()];
    for [kind, second, leg, channel, name, number, exten, context, extra] in events {
        let extra = extra.replace('"', "\"\"");
        lines.push(format!(
            "{kind},2026-03-01 09:30:{second},5.{leg},{channel},{name},{number},{exten},{context},\"{extra}\",5.1"
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

#[test]
fn cel_call_from_outside_is_answered_by_the_second_telephone() {
    let log = cel(&[
        [
            "CHAN_START",
            "00.000",
            "1",
            "PJSIP/north-1",
            "Ada",
            "+442079460011",
            "+442079460099",
            "from-trunk",
            "",
        ],
        [
            "APP_START",
            "00.500",
            "1",
            "PJSIP/north-1",
            "Ada Okafor",
            "+442079460011",
            "s",
            "queues",
            "",
        ],
        ["CHAN_START", "01.000", "2", "PJSIP/201-2", "Lin", "201", "s", "x", ""],
        ["CHAN_START", "01.000", "3", "PJSIP/202-3", "Mei", "202", "s", "x", ""],
        ["ANSWER", "05.000", "3", "PJSIP/202-3", "Mei", "202", "s", "x", ""],
        ["HANGUP", "05.010", "2", "PJSIP/201-2", "Lin", "201", "s", "x", "{\"hangupcause\":26}"],
        ["CHAN_END", "05.010", "2", "PJSIP/201-2", "Lin", "201", "s", "x", ""],
        ["BRIDGE_ENTER", "05.100", "3", "PJSIP/202-3", "Mei", "202", "", "x", ""],
        [
            "BRIDGE_ENTER",
            "05.125",
            "1",
            "PJSIP/north-1",
            "Ada Okafor",
            "+442079460011",
            "s",
            "queues",
            "",
        ],
        ["HANGUP", "65.900", "1", "PJSIP/north-1", "", "", "s", "queues", ""],
    ]);
    // Second 65 is no second: that line is told, and the call is still on.
    let inspection = inspect(Dialect::AsteriskCel, Setting::default(), &[&log]);
    assert_eq!(inspection.problem.unwrap().code, "log_records_unreadable");
    let call = &inspection.calls[0];
    assert_eq!((call.state, call.direction), (CallState::Answered, Direction::In));
    assert_eq!(call.call_id, "5.1");
    assert_eq!(call.from_name.as_deref(), Some("Ada Okafor"));
    assert_eq!(call.dialled.as_deref(), Some("+442079460099"));
    assert_eq!((call.to.as_deref(), call.to_name.as_deref()), (Some("202"), Some("Mei")));
    assert_eq!(call.started_at, at("2026-03-01T09:30:00Z"));
    assert_eq!(call.answered_at, at("2026-03-01T09:30:05.125Z"));
    assert_eq!(call.agents, ["202"]);

    let end = cel(&[
        [
            "HANGUP",
            "45.000",
            "1",
            "PJSIP/north-1",
            "",
            "",
            "",
            "",
            "{\"hangupcause\":16,\"dialstatus\":\"ANSWER\"}",
        ],
        ["CHAN_END", "45.000", "1", "PJSIP/north-1", "", "", "", "", ""],
        ["LINKEDID_END", "45.200", "3", "PJSIP/202-3", "", "", "", "", ""],
    ]);
    let inspection = inspect(Dialect::AsteriskCel, Setting::default(), &[&log, &end]);
    let call = &inspection.calls[0];
    assert_eq!((call.state, call.ended_at), (CallState::Ended, at("2026-03-01T09:30:45Z")));
    assert_eq!((call.duration_s, call.talk_s), (Some(45), Some(39)));
    assert_eq!(call.cause.as_deref(), Some("NORMAL_CLEARING"));
    assert_eq!(inspection.after.len(), 2);
    assert_eq!(inspection.after[0].as_ref().unwrap().state, CallState::Answered);
    assert_eq!(inspection.after[1].as_ref(), Some(call));
}

#[test]
fn cel_call_that_is_transferred_keeps_both_who_talked() {
    let caller = |kind, second| {
        [kind, second, "1", "PJSIP/north-1", "Ada", "+442079460011", "200", "from-trunk", ""]
    };
    let phone = |kind, second, leg, number| {
        let channel = if leg == "2" { "PJSIP/201-2" } else { "PJSIP/202-3" };
        [kind, second, leg, channel, "", number, "s", "x", ""]
    };
    let talked = [
        caller("CHAN_START", "00.000"),
        phone("CHAN_START", "01.000", "2", "201"),
        phone("ANSWER", "05.000", "2", "201"),
        phone("BRIDGE_ENTER", "05.100", "2", "201"),
        caller("BRIDGE_ENTER", "05.100"),
    ];
    let blind = [
        phone("BLINDTRANSFER", "20.000", "2", "201"),
        caller("BRIDGE_EXIT", "20.000"),
        phone("CHAN_END", "20.100", "2", "201"),
        phone("CHAN_START", "21.000", "3", "202"),
        phone("ANSWER", "25.000", "3", "202"),
        phone("BRIDGE_ENTER", "25.100", "3", "202"),
        caller("BRIDGE_ENTER", "25.100"),
        phone("CHAN_END", "40.000", "3", "202"),
        caller("CHAN_END", "40.000"),
        caller("LINKEDID_END", "40.000"),
    ];
    // Whoever is asked first has a call of their own, of which a leg stays in this one.
    let mut handed = phone("ATTENDEDTRANSFER", "20.000", "2", "201");
    handed[8] =
        r#"{"channel2_name":"PJSIP/201-4","transfer_target_channel_name":"PJSIP/202-00000003"}"#;
    let attended = [
        handed,
        phone("CHAN_END", "20.100", "2", "201"),
        caller("BRIDGE_EXIT", "20.100"),
        caller("BRIDGE_ENTER", "20.200"),
        phone("HANGUP", "40.000", "3", "202"),
        phone("CHAN_END", "40.000", "3", "202"),
        caller("CHAN_END", "40.000"),
        caller("LINKEDID_END", "40.000"),
    ];
    for further in [&blind[..], &attended[..]] {
        let call = one(Dialect::AsteriskCel, &[&cel(&[&talked[..], further].concat())]);
        assert_eq!(call.agents, ["201", "202"], "{further:?}");
        assert_eq!((call.to.as_deref(), call.talk_s), (Some("201"), Some(34)));
        assert_eq!(call.ended_at, at("2026-03-01T09:30:40Z"));
    }
}

#[test]
fn cel_call_outwards_that_is_transferred_has_two_agents_and_one_customer() {
    let log = cel(&[
        ["CHAN_START", "00.000", "1", "PJSIP/201-1", "", "201", "+442079460011", "internal", ""],
        ["CHAN_START", "01.000", "2", "PJSIP/north-2", "", "+442079460011", "s", "x", ""],
        ["ANSWER", "05.000", "2", "PJSIP/north-2", "", "+442079460011", "s", "x", ""],
        ["BRIDGE_ENTER", "05.100", "2", "PJSIP/north-2", "", "+442079460011", "s", "x", ""],
        ["BRIDGE_ENTER", "05.100", "1", "PJSIP/201-1", "", "201", "", "internal", ""],
        ["BLINDTRANSFER", "20.000", "1", "PJSIP/201-1", "", "201", "", "internal", ""],
        ["CHAN_START", "21.000", "3", "PJSIP/202-3", "", "202", "s", "x", ""],
        ["ANSWER", "25.000", "3", "PJSIP/202-3", "", "202", "s", "x", ""],
        ["BRIDGE_ENTER", "25.100", "3", "PJSIP/202-3", "", "202", "s", "x", ""],
    ]);
    let call = one(Dialect::AsteriskCel, &[&log]);
    assert_eq!(
        (call.direction, call.agents),
        (Direction::Out, vec!["201".to_owned(), "202".to_owned()])
    );
}

#[test]
fn ami_call_that_is_transferred_keeps_both_who_talked() {
    let event = |name: &str, second: u32, leg: &str, number: &str, more: &str| {
        format!(
            "Event: {name}\r\nTimestamp: {}\r\nChannel: PJSIP/{number}-{leg}\r\nCallerIDNum: {number}\r\n\
             Context: from-trunk\r\nExten: 200\r\nUniqueid: 5.{leg}\r\nLinkedid: 5.1\r\n{more}\r\n",
            1_772_357_400 + second
        )
    };
    let (caller, up) = ("+442079460011", "ChannelStateDesc: Up\r\n");
    let talked = [
        event("Newchannel", 0, "1", caller, ""),
        event("Newchannel", 1, "2", "201", ""),
        event("Newstate", 5, "2", "201", up),
        event("BridgeEnter", 5, "2", "201", ""),
        event("BridgeEnter", 5, "1", caller, ""),
    ];
    let blind = [
        "Event: BlindTransfer\r\nTimestamp: 1772357420\r\nResult: Success\r\nTransfererChannel: PJSIP/201-2\r\n\
         TransfererCallerIDNum: 201\r\nTransfererUniqueid: 5.2\r\nTransfererLinkedid: 5.1\r\n\
         TransfereeUniqueid: 5.1\r\nExtension: 202\r\n\r\n".to_owned(),
        event("Hangup", 20, "2", "201", "Cause: 16\r\n"),
        event("Newchannel", 21, "3", "202", ""),
        event("Newstate", 25, "3", "202", up),
        event("BridgeEnter", 25, "3", "202", ""),
        event("Hangup", 40, "3", "202", "Cause: 16\r\n"),
        event("Hangup", 40, "1", caller, "Cause: 16\r\n"),
    ];
    let attended = [
        "Event: AttendedTransfer\r\nTimestamp: 1772357420\r\nResult: Success\r\n\
         OrigTransfererChannel: PJSIP/201-2\r\nOrigTransfererUniqueid: 5.2\r\nOrigTransfererLinkedid: 5.1\r\n\
         SecondTransfererUniqueid: 6.1\r\nSecondTransfererLinkedid: 6.1\r\nTransferTargetChannel: PJSIP/202-3\r\n\
         TransferTargetCallerIDNum: 202\r\nDestType: Bridge\r\n\r\n".to_owned(),
        event("Hangup", 20, "2", "201", "Cause: 16\r\n"),
        event("Hangup", 40, "3", "202", "Cause: 16\r\n"),
        event("Hangup", 40, "1", caller, "Cause: 16\r\n"),
    ];
    for further in [&blind[..], &attended[..]] {
        let call = one(Dialect::AsteriskAmi, &[&[&talked[..], further].concat().concat()]);
        assert_eq!(call.agents, ["201", "202"], "{further:?}");
        assert_eq!((call.state, call.duration_s), (CallState::Ended, Some(40)));
    }
}

#[test]
fn cel_call_that_is_busy_and_forwarded_ends_at_who_answered() {
    let log = cel(&[
        ["CHAN_START", "00.000", "1", "PJSIP/201-1", "Lin", "201", "202", "internal", ""],
        ["CHAN_START", "01.000", "2", "PJSIP/202-2", "Mei", "202", "s", "x", ""],
        ["CHAN_END", "02.000", "2", "PJSIP/202-2", "Mei", "202", "s", "x", ""],
        ["CHAN_START", "03.000", "3", "PJSIP/203-3", "Noor", "203", "s", "x", ""],
        ["ANSWER", "04.000", "3", "PJSIP/203-3", "Noor", "203", "s", "x", ""],
        ["BRIDGE_START", "04.100", "1", "PJSIP/201-1", "Lin", "201", "s", "x", ""],
        ["CHAN_END", "09.000", "1", "PJSIP/201-1", "Lin", "201", "s", "x", ""],
    ]);
    let call = one(Dialect::AsteriskCel, &[&log]);
    assert_eq!((call.dialled.as_deref(), call.to.as_deref()), (Some("202"), Some("203")));
    assert_eq!(
        (call.direction, call.disposition),
        (Direction::Internal, Some(Disposition::Answered))
    );
    assert_eq!(call.answered_at, at("2026-03-01T09:30:04.1Z"));
}

#[test]
fn cel_call_without_answer_says_why() {
    for (extra, disposition) in [
        ("{\"hangupcause\":17,\"dialstatus\":\"BUSY\"}", Disposition::Busy),
        ("{\"hangupcause\":16,\"dialstatus\":\"CANCEL\"}", Disposition::Cancelled),
        ("{\"hangupcause\":19,\"dialstatus\":\"NOANSWER\"}", Disposition::NoAnswer),
        ("{\"hangupcause\":\"34\"}", Disposition::Failed),
        ("not JSON", Disposition::NoAnswer),
    ] {
        let log = cel(&[
            ["CHAN_START", "00.000", "1", "PJSIP/201-1", "Lin", "201", "202", "internal", ""],
            ["CHAN_START", "01.000", "2", "PJSIP/202-2", "Mei", "202", "s", "x", ""],
            ["HANGUP", "09.000", "1", "PJSIP/201-1", "Lin", "201", "s", "x", extra],
            ["CHAN_END", "09.000", "1", "PJSIP/201-1", "Lin", "201", "s", "x", ""],
        ]);
        let call = one(Dialect::AsteriskCel, &[&log]);
        assert_eq!(call.disposition, Some(disposition), "{extra}");
        assert_eq!((call.to.as_deref(), call.agents), (Some("202"), vec!["202".to_owned()]));
    }
}

#[test]
fn cel_is_read_as_json_and_in_the_order_of_cel_custom() {
    let json = concat!(
        r#"{"EventName":"CHAN_START","EventTime":"1772357400.25","CallerIDnum":"201","CallerIDname":"Lin","Exten":"202","Context":"internal","Channel":"PJSIP/201-1","UniqueID":"5.1","LinkedID":"5.1"}"#,
        "\n",
        r#"{"EventName":"CHAN_END","EventTime":"1772357403","Channel":"PJSIP/201-1","UniqueID":"5.1","LinkedID":"5.1"}"#,
        "\n{\"EventName\":\"LINK",
    );
    let csv = concat!(
        r#""CHAN_START","1772357400.250000","Lin","201","","","","202","internal","PJSIP/201-1","","","3","","5.1","5.1","","","","""#,
        "\n",
        r#""CHAN_END","1772357403.000000","Lin","201","","","","202","internal","PJSIP/201-1","","","3","","5.1","5.1","","","","""#,
        "\n",
    );
    let list = format!("[{}]", json.lines().take(2).collect::<Vec<_>>().join(","));
    for log in [json, csv, &list] {
        let call = one(Dialect::AsteriskCel, &[log]);
        assert_eq!(call.started_at, at("2026-03-01T09:30:00.25Z"), "{log}");
        assert_eq!(call.ended_at, at("2026-03-01T09:30:03Z"), "{log}");
        assert_eq!((call.from.as_deref(), call.dialled.as_deref()), (Some("201"), Some("202")));
    }
}

#[test]
fn ami_blocks_of_all_kinds_tell_of_one_call() {
    let channels = "Asterisk Call Manager/9.0.0\r\n\r\n\
        Event: Newchannel\r\nTimestamp: 1772357400.5\r\nChannel: PJSIP/north-1\r\nCallerIDNum: +442079460011\r\n\
        CallerIDName: Ada\r\nExten: 400\r\nContext: from-trunk\r\nUniqueid: 5.1\r\nLinkedid: 5.1\r\n\r\n\
        Event: QueueCallerJoin\r\nTimestamp: 1772357401\r\nQueue: support\r\nUniqueid: 5.1\r\nLinkedid: 5.1\r\n\r\n\
        Event: Newchannel\r\nTimestamp: 1772357402\r\nChannel: PJSIP/201-2\r\nCallerIDNum: 201\r\n\
        CallerIDName: <unknown>\r\nUniqueid: 5.2\r\nLinkedid: 5.1\r\n\r\n\
        Event: Newstate\r\nTimestamp: 1772357405\r\nChannelStateDesc: Up\r\nChannel: PJSIP/201-2\r\nUniqueid: 5.2\r\nLinkedid: 5.1\r\n\r\n\
        Event: BridgeEnter\r\nTimestamp: 1772357405.1\r\nChannel: PJSIP/201-2\r\nUniqueid: 5.2\r\nLinkedid: 5.1\r\n\r\n\
        Event: BridgeEnter\r\nTimestamp: 1772357405.2\r\nChannel: PJSIP/north-1\r\nUniqueid: 5.1\r\nLinkedid: 5.1\r\n\r\n\
        Event: RTCPSent\r\nTimestamp: 1772357406\r\n\r\n\
        Event: Hangup\r\nTimestamp: 1772357430\r\nCause: 16\r\nChannel: PJSIP/north-1\r\nUniqueid: 5.1\r\nLinkedid: 5.1\r\n\r\n";
    let call = one(Dialect::AsteriskAmi, &[channels]);
    assert_eq!((call.state, call.direction), (CallState::Ended, Direction::In));
    assert_eq!((call.queue.as_deref(), call.to.as_deref()), (Some("support"), Some("201")));
    assert_eq!((call.duration_s, call.talk_s), (Some(29), Some(24)));
    assert_eq!(call.cause.as_deref(), Some("NORMAL_CLEARING"));

    let record = "Event: Cdr\nSource: +442079460011\nDestination: 201\nDestinationContext: from-trunk\n\
        CallerID: \"Ada\" <+442079460011>\nChannel: PJSIP/north-1\nDestinationChannel: PJSIP/201-2\n\
        LastApplication: Dial\nLastData: PJSIP/201\nStartTime: 2026-03-01 09:30:00\n\
        AnswerTime: 2026-03-01 09:30:05\nEndTime: 2026-03-01 09:30:30\nDuration: 30\n\
        BillableSeconds: 25\nDisposition: ANSWERED\nUniqueID: 5.1\n";
    for log in
        [record.to_owned(), format!("{record}\n"), format!("{record}\nEvent: Cdr\nSource: 2")]
    {
        let call = one(Dialect::AsteriskAmi, &[&log]);
        assert_eq!((call.from_name.as_deref(), call.talk_s), (Some("Ada"), Some(25)), "{log}");
        assert_eq!(
            (call.agents, call.disposition),
            (vec!["201".to_owned()], Some(Disposition::Answered))
        );
    }
}
