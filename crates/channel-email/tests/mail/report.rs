//! Mail that came back, and other reports.

use postroom_model::{AutomationClass, Bounce};

use crate::support::{class, message};

fn told(bounce: &Bounce) -> (&str, &str, Option<u16>, bool) {
    let recipient = bounce.recipient.as_deref().unwrap_or_default();
    (recipient, bounce.status.as_deref().unwrap_or_default(), bounce.smtp_code, bounce.hard)
}

fn status(recipients: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.example.net
To: help@shop.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

I am the server.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

{recipients}
--b
Content-Type: message/rfc822

From: help@shop.example
To: ada@example.com
Message-ID: <out1@shop.example>
Subject: Hi

Hello
--b--
"
    )
}

#[test]
fn delivery_status_names_each_recipient_and_the_mail_it_is_about() {
    let message = message(&status(
        "Final-Recipient: rfc822; ada@example.com
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <ada@example.com>: User unknown

Final-Recipient: rfc822; bob@example.com
Action: failed
Status: 5.0.0
Diagnostic-Code: smtp; 552 5.2.2 Mailbox full
",
    ));
    assert_eq!(class(&message), (AutomationClass::Bounce, false));
    let bounces: Vec<_> = message.bounces.iter().map(told).collect();
    assert_eq!(
        bounces,
        [
            ("ada@example.com", "5.1.1", Some(550), true),
            ("bob@example.com", "5.2.2", Some(552), false),
        ]
    );
    assert_eq!(message.bounces[0].action.as_deref(), Some("failed"));
    assert_eq!(
        message.bounces[0].diagnostic.as_deref(),
        Some("550 5.1.1 <ada@example.com>: User unknown")
    );
    assert_eq!(message.reply_to_id.as_deref(), Some("out1@shop.example"));
    assert_eq!(message.attributes["original_message_id"], "out1@shop.example");
}

#[test]
fn delay_and_success_are_no_bounces() {
    for (action, code) in [("delayed", "4.4.1"), ("delivered", "2.0.0"), ("relayed", "2.0.0")] {
        let group =
            format!("Final-Recipient: rfc822; ada@example.com\nAction: {action}\nStatus: {code}\n");
        let message = message(&status(&group));
        assert_eq!(class(&message), (AutomationClass::DeliveryReport, false), "{action}");
        assert!(!message.bounces[0].hard);
    }
}

#[test]
fn servers_that_write_to_people_are_understood() {
    let copy =
        "Message-ID: <out2@shop.example>\nFrom: help@shop.example\nTo: ada@example.com\n\nHello";
    for (subject, body, expected) in [
        (
            "failure notice",
            "Hi. This is the mail program at mx.example.net.\n\n<ada@example.com>:\n\
             192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.1 no such user\n\n\
             --- Below this line is a copy of the message.\n\nReturn-Path: <help@shop.example>\n",
            vec![("ada@example.com", "5.1.1", Some(550), true)],
        ),
        (
            "Mail delivery failed: returning message to sender",
            "A message that you sent could not be delivered.\n\n  ada@example.com\n    host mx.example.com [192.0.2.1]: \
             550 Unknown user\n  bob@example.com\n    mailbox is full: retry timeout exceeded\n\n\
             ------ This is a copy of the message, including all the headers. ------\n\nReturn-path: <help@shop.example>\n",
            vec![
                ("ada@example.com", "5.0.0", Some(550), true),
                ("bob@example.com", "4.4.7", None, false),
            ],
        ),
        (
            "Returned mail: Host unknown",
            "   ----- Transcript of session follows -----\n554 <ada@gone.example>... 550 Host unknown\n\n\
             ----- Unsent message follows -----\nReceived: by mx.example.net\n",
            vec![("ada@gone.example", "5.0.0", Some(550), true)],
        ),
        (
            "Undeliverable: parcel",
            "Your message\n\n  To:      Ada\n  Subject: parcel\n\ndid not reach the following recipient(s):\n\n\
             ada@example.com on Mon, 3 Jun 2024 10:15:30 +0200\n    The recipient name is not recognized\n",
            vec![("ada@example.com", "5.0.0", None, true)],
        ),
        (
            "系统退信",
            "您的邮件无法送达以下收件人：\n\nada@example.com\n\n550 5.2.2 mailbox full\n\n---Original message---\n",
            vec![("ada@example.com", "5.2.2", Some(550), false)],
        ),
    ] {
        let mail = format!(
            "From: MAILER-DAEMON@mx.example.net\nTo: help@shop.example\nSubject: {subject}\n\
             Content-Type: text/plain; charset=utf-8\n\n{body}{copy}"
        );
        let message = message(&mail);
        let bounces: Vec<_> = message.bounces.iter().map(told).collect();
        assert_eq!(bounces, expected, "{subject}");
        assert_eq!(class(&message), (AutomationClass::Bounce, false), "{subject}");
        assert!(message.bounces.iter().all(|bounce| bounce.diagnostic.is_some()));
    }
}

#[test]
fn id_of_the_original_is_found_in_the_words_too() {
    let mail = "From: MAILER-DAEMON@mx.example.net\nTo: help@shop.example\nSubject: failure notice\n\n\
                <ada@example.com>:\n550 no such user\n\n--- Below this line is a copy of the message.\n\n\
                Received: by x\nMessage-ID: <out3@shop.example>\nTo: ada@example.com\n\nHello";
    assert_eq!(message(mail).reply_to_id.as_deref(), Some("out3@shop.example"));
}

#[test]
fn people_who_write_about_failed_mail_are_people() {
    for (from, subject) in [
        ("ada@example.com", "Re: Undelivered Mail Returned to Sender"),
        ("ada@example.com", "Fwd: failure notice"),
        ("ada@example.com", "My question"),
    ] {
        let mail = format!(
            "From: {from}\nTo: help@shop.example\nSubject: {subject}\n\n\
             I wrote to bob@example.com and got: 550 user unknown. What now?"
        );
        let message = message(&mail);
        assert_eq!(class(&message), (AutomationClass::None, true), "{subject}");
        assert!(message.bounces.is_empty());
    }
}

#[test]
fn complaint_and_receipt_have_their_class() {
    let report = |kind: &str, fields: &str| {
        format!(
            "From: robot@example.net\nTo: help@shop.example\nSubject: report\n\
             Content-Type: multipart/report; report-type={kind}; boundary=b\n\n--b\n\nwords\n--b\n\
             Content-Type: message/{kind}\n\n{fields}\n--b\nContent-Type: text/rfc822-headers\n\n\
             Message-ID: <out4@shop.example>\n--b--\n"
        )
    };
    let complaint = message(&report("feedback-report", "Feedback-Type: abuse\nVersion: 1"));
    assert_eq!(class(&complaint), (AutomationClass::FeedbackReport, false));
    assert_eq!(complaint.attributes["feedback_type"], "abuse");
    assert_eq!(complaint.reply_to_id.as_deref(), Some("out4@shop.example"));
    let fields = "Final-Recipient: rfc822;ada@example.com\nOriginal-Message-ID: <out5@shop.example>\n\
                  Disposition: manual-action/MDN-sent-manually; displayed";
    let read = message(&report("disposition-notification", fields));
    assert_eq!(class(&read), (AutomationClass::ReadReceipt, false));
    assert_eq!(read.reply_to_id.as_deref(), Some("out5@shop.example"));
}
