//! What strangers may send: nothing of it panics, hangs, or is taken for a call.

use http::{HeaderMap, Method};
use postroom_channel::PushRequest;
use postroom_channel_phone::{Desk, Dialect, Inspector, Setting, limits};
use proptest::prelude::*;

use crate::support::{berlin, inspect_bytes, now};

const SEEDS: &[&str] = &[
    "\"\",\"201\",\"202\",\"x\",\"\"\"A\"\" <201>\",\"PJSIP/1-2\",\"\",\"Dial\",\"\",\"2026-03-29 02:30:00\",,\"2026-03-29 03:30:00\",9,0,\"BUSY\",\"D\",\"1.2\",\"\"\n",
    "eventtype,eventtime,uniqueid,linkedid,channame,eventextra\nHANGUP,2026-10-25 02:30:00-04,1.2,1.1,Local/1@x-1;2,\"{\"\"hangupcause\"\":99999}\"\n",
    "Event: Cdr\nUniqueID: 1.2\nStartTime: 2026-03-01 09:30:00\nDisposition: ANSWERED\nDuration: 99999999999999999999\n\n",
    "{\"variables\":{\"uuid\":\"%E9%\",\"start_stamp\":\"2026%2D\",\"start_uepoch\":\"9223372036854775807\"},\"callflow\":[{\"caller_profile\":{}}]}",
    "CallSid=CA1&CallStatus=completed&CallDuration=18446744073709551616&Timestamp=Sun%2C+01+Mar+2026+25%3A00&From=%EF%BC%8B",
    "event=newCall&callId=1&user=,,,&from=+49(0)&to=%00&direction=in",
    "event=HungUp&call_id=1&type=&duration=-1&from=00&to=++",
    "{\"entry\":[{\"changes\":[{\"value\":{\"calls\":[{\"id\":\"w\",\"event\":\"terminate\",\"timestamp\":-9223372036854775808,\"duration\":-5,\"start_time\":9223372036854775807}]}}]}]}",
    "{\"call_id\":\"g\",\"state\":\"ended\",\"at\":\"0000-01-01T00:00:00Z\",\"ended_at\":\"9999-12-30T00:00:00Z\",\"duration_s\":18446744073709551615}",
];

/// Reads it in every dialect, twice over, with a signature that cannot fit.
fn survive(body: &[u8]) {
    for dialect in Dialect::ALL {
        drop(inspect_bytes(dialect, berlin(), &[body, body]));
        let secret = match dialect {
            Dialect::Generic => "whsec_cG9zdHJvb20tb3duLXZlY3Rvci1rZXktMDEyMzQ1Njc=",
            _ => "a-secret-of-the-tests",
        };
        let mut inspector = Inspector::new(dialect, berlin(), Some(secret), now()).unwrap();
        let headers = HeaderMap::new();
        inspector.take(&PushRequest { method: &Method::POST, uri: "", headers: &headers, body });
        let inspection = inspector.finish().unwrap();
        assert_eq!((inspection.exit_code(), inspection.calls.len()), (4, 0), "{dialect:?}");
    }
}

#[test]
fn seeds_are_survived_by_every_dialect() {
    for seed in SEEDS {
        survive(seed.as_bytes());
        for cut in 0..seed.len() {
            survive(&seed.as_bytes()[..cut]);
        }
    }
}

proptest! {
    #[test]
    fn changed_bytes_are_survived_by_every_dialect(
        seed in prop::sample::select(SEEDS.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut bytes = seed.as_bytes().to_vec();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        survive(&bytes);
    }

    #[test]
    fn random_bytes_are_survived_by_every_dialect(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        survive(&bytes);
    }
}

#[test]
fn what_is_over_a_limit_is_refused_by_name() {
    let open = format!("\"{}", "x,\n".repeat(limits::RECORD_BYTES_MAX));
    let long = format!("{}\n", "x".repeat(limits::RECORD_BYTES_MAX + 1));
    let block = "Name: value\n".repeat(limits::RECORD_BYTES_MAX / 8);
    let id = "x".repeat(limits::ID_CHARS_MAX + 1);
    let fields = "a=1&".repeat(limits::FIELDS_MAX + 1);
    let calls = format!("[{}]", vec!["{}"; limits::POST_CALLS_MAX + 1].join(","));
    let deep = format!("{}1{}", "[".repeat(70), "]".repeat(70));
    for (dialect, body, code) in [
        (Dialect::AsteriskCdr, open.clone(), "log_records_unreadable"),
        (Dialect::AsteriskCel, open, "log_records_unreadable"),
        (Dialect::AsteriskAmi, block, "log_records_unreadable"),
        (Dialect::AsteriskCdr, long.repeat(limits::TOO_LONG_MAX + 1), "log_record_too_long"),
        (Dialect::TwilioVoice, format!("CallStatus=ringing&CallSid={id}"), "body_field_too_long"),
        (Dialect::ZammadCti, fields, "body_too_many_values"),
        (Dialect::Generic, calls, "body_too_many_values"),
        (Dialect::Generic, deep, "body_too_deep"),
        (Dialect::Sipgate, "callId=a%01b&event=answer".to_owned(), "body_field_invalid"),
    ] {
        let inspection = inspect_bytes(dialect, Setting::default(), &[body.as_bytes()]);
        assert_eq!(inspection.problem.unwrap().code, code, "{dialect:?}");
        assert!(inspection.calls.is_empty());
    }
    let large = vec![b' '; postroom_channel::limits::BODY_BYTES_MAX + 1];
    for dialect in [Dialect::Generic, Dialect::TwilioVoice, Dialect::WhatsappCalls] {
        let inspection = inspect_bytes(dialect, Setting::default(), &[&large]);
        assert_eq!(inspection.response.unwrap().status, 413, "{dialect:?}");
    }
}

#[test]
fn refused_post_gives_no_event() {
    let body = br#"[{"call_id":"1","state":"ringing"},{"call_id":"2","state":"flying"}]"#;
    let setting = Setting::default();
    let desk = Desk::new(&setting, None);
    let headers = HeaderMap::new();
    let request = PushRequest { method: &Method::POST, uri: "/", headers: &headers, body };
    let mut given = 0;
    assert!(Dialect::Generic.parse(&request, &desk, &mut |_| given += 1).is_err());
    assert_eq!(given, 0);
}
