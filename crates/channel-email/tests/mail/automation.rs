//! Who wrote: a person or a machine.

use postroom_model::AutomationClass::{self, AutoReply, Bulk, List, None as Person, OutOfOffice};

use crate::support::{class, message};

#[test]
fn machines_are_told_from_people_by_their_fields() {
    let table: [(&str, AutomationClass, bool); 24] = [
        ("", Person, true),
        ("Auto-Submitted: no", Person, true),
        ("Auto-Submitted: auto-replied", AutoReply, false),
        ("Auto-Submitted: auto-generated", AutoReply, false),
        ("Auto-Submitted: auto-replied; owner-email=\"a@example.com\"", AutoReply, false),
        ("Auto-Submitted: auto-replied (vacation)", OutOfOffice, false),
        (
            "Auto-Submitted: auto-replied\nSubject: Out of Office: back on Monday",
            OutOfOffice,
            false,
        ),
        ("Subject: Automatic reply: parcel", AutoReply, false),
        ("Subject: Automatische Antwort: Paket", AutoReply, false),
        ("Subject: =?utf-8?B?6Ieq5Yqo5Zue5aSN?=: x", AutoReply, false),
        ("X-Autoreply: yes\nSubject: Abwesenheitsnotiz", OutOfOffice, false),
        ("X-Autorespond: vacation", AutoReply, false),
        ("Precedence: auto_reply", AutoReply, false),
        ("Precedence: Bulk", Bulk, false),
        ("Precedence: junk", Bulk, false),
        ("precedence: LIST", List, false),
        ("List-Id: <talk.lists.example.com>", List, false),
        ("List-Unsubscribe: <mailto:off@example.com>", Bulk, false),
        ("X-Auto-Response-Suppress: All", Person, false),
        ("X-Auto-Response-Suppress: OOF, AutoReply", Person, false),
        ("X-Auto-Response-Suppress: None", Person, true),
        ("Return-Path: <>", Person, false),
        ("Return-Path: <ada@example.com>", Person, true),
        ("X-Loop: shop", Person, false),
    ];
    for (field, expected, may_answer) in table {
        let mail = format!("From: ada@example.com\nTo: help@shop.example\n{field}\n\nHello");
        let mail = mail.replace("\n\n\n", "\n\n");
        assert_eq!(class(&message(&mail)), (expected, may_answer), "{field}");
    }
}

#[test]
fn addresses_that_nobody_reads_are_not_answered() {
    for (address, may_answer) in [
        ("ada@example.com", true),
        ("noreply@example.com", false),
        ("no-reply+77@example.com", false),
        ("MAILER-DAEMON@example.com", false),
        ("postmaster@example.com", false),
        ("bounces+x@example.com", false),
        ("norelia@example.com", true),
    ] {
        let message = message(&format!("From: {address}\n\nHello"));
        assert_eq!(class(&message).1, may_answer, "{address}");
    }
}
