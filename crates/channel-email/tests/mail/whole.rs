//! Headers, words and files.

use postroom_channel_email::{BareBody, MailError, inspect, inspect_body, parse};
use postroom_model::MessageKind;
use postroom_model::digest::Digest;
use serde_json::json;

use crate::support::{arrival, bytes, message};

const FULL: &str = "From: =?utf-8?Q?Ada_L=C3=B6we?= <Ada@Example.COM>
To: Support <help@shop.example>, bob@shop.example
Cc: \"Lovelace, B.\" <b@example.org>
Reply-To: ada.private@example.com
Date: Mon, 3 Jun 2024 10:15:30 +0200
Subject: =?gb2312?B?tqm1pQ==?= 77
Message-ID: <m3@example.com>
In-Reply-To: <m2@shop.example>
References: <m1@example.com>
 <m2@shop.example>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=\"outer\"

--outer
Content-Type: multipart/alternative; boundary=\"inner\"

--inner
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Where is it? =E2=98=95

On Mon, 3 Jun 2024 at 09:00, Support <help@shop.example> wrote:
> Soon.
--inner
Content-Type: text/html; charset=utf-8

<p>Where is it? <b onclick=\"x()\">now</b><img src=\"cid:logo@x\"></p><script>bad()</script>
--inner--
--outer
Content-Type: application/pdf; name=\"=?utf-8?B?5Y+R56WoLnBkZg==?=\"
Content-Disposition: attachment; filename*=utf-8''%E5%8F%91%E7%A5%A8.pdf
Content-Transfer-Encoding: base64

JVBERi0xLjQ=
--outer
Content-Type: image/png
Content-ID: <logo@x>
Content-Disposition: inline; filename=logo.png
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--outer
Content-Type: message/rfc822

From: old@example.com
Subject: Earlier
Message-ID: <old@example.com>

before
--outer--
";

#[test]
fn mail_becomes_a_message_with_all_its_fields() {
    let arrival = arrival(FULL);
    let message = &arrival.message;
    let party = |address: &str, name: Option<&str>| {
        let mut party = json!({ "address": format!("mailto:{address}") });
        if let Some(name) = name {
            party["name"] = name.into();
        }
        party
    };
    let value = serde_json::to_value(message).unwrap();
    assert_eq!(message.kind, MessageKind::Email);
    assert_eq!(message.external_id, "m3@example.com");
    assert_eq!(value["from"], party("Ada@example.com", Some("Ada Löwe")));
    assert_eq!(
        value["to"],
        json!([party("help@shop.example", Some("Support")), party("bob@shop.example", None)])
    );
    assert_eq!(value["cc"], json!([party("b@example.org", Some("Lovelace, B."))]));
    assert_eq!(value["reply_to"], json!([party("ada.private@example.com", None)]));
    assert_eq!(value["sent_at"], "2024-06-03T08:15:30.000Z");
    assert_eq!(value["subject"], "订单 77");
    assert_eq!(value["in_reply_to"], json!(["m2@shop.example"]));
    assert_eq!(value["references"], json!(["m1@example.com", "m2@shop.example"]));
    assert_eq!(value["reply_to_id"], "m2@shop.example");
    assert_eq!(value["automation"], json!({ "class": "none", "may_answer": true }));
    assert_eq!(message.visible_text.as_deref(), Some("Where is it? ☕"));
    assert!(message.text.as_deref().unwrap().ends_with("wrote:\n> Soon."), "{:?}", message.text);
    let html = message.html.as_deref().unwrap();
    assert!(html.contains("src=\"cid:logo@x\""), "{html}");
    assert!(
        html.contains("<b>now</b>") && !html.contains("bad") && !html.contains("onclick"),
        "{html}"
    );
}

#[test]
fn files_have_names_types_hashes_and_their_content() {
    let arrival = arrival(FULL);
    let files = &arrival.message.attachments;
    let told: Vec<_> = files
        .iter()
        .map(|file| {
            (
                file.name.as_deref().unwrap(),
                file.media_type.as_deref().unwrap(),
                file.disposition.as_deref().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("发票.pdf", "application/pdf", "attachment"),
            ("logo.png", "image/png", "inline"),
            ("Earlier.eml", "message/rfc822", "attachment"),
        ]
    );
    assert_eq!(files[1].content_id.as_deref(), Some("logo@x"));
    assert_eq!(arrival.contents.len(), 3);
    for (index, content) in arrival.contents.iter().enumerate() {
        assert_eq!(content.attachment, index);
        assert_eq!(files[index].sha256, Some(Digest::of(&content.bytes)));
        assert_eq!(files[index].size_bytes, Some(content.bytes.len() as u64));
    }
    assert_eq!(&arrival.contents[0].bytes[..], b"%PDF-1.4");
    assert!(arrival.contents[2].bytes.starts_with(b"From: old@example.com\r\n"));
}

#[test]
fn words_come_out_of_every_character_set() {
    let head = |charset: &str| {
        format!("From: a@example.com\r\nContent-Type: text/plain; charset={charset}\r\n\r\n")
    };
    for (charset, body, text) in [
        ("gb2312", &b"\xc4\xe3\xba\xc3"[..], "你好"),
        ("gb18030", b"\x81\x39\xee\x39", "㐀"),
        ("big5", b"\xa7A\xa6n", "你好"),
        ("iso-2022-jp", b"\x1b$B$3$s\x1b(B", "こん"),
        ("shift_jis", b"\x83e\x83X\x83g", "テスト"),
        ("euc-kr", b"\xbe\xc8\xb3\xe7", "안녕"),
        ("koi8-r", b"\xf0\xd2\xc9\xd7\xc5\xd4", "Привет"),
        ("windows-1252", b"caf\xe9 \x80", "café €"),
        ("iso-8859-1", "wrong labël".as_bytes(), "wrong labël"),
        ("utf-7", b"+U+BZfQ-", "叠好"),
    ] {
        let mut mail = head(charset).into_bytes();
        mail.extend_from_slice(body);
        let found = bytes(&mail).message.text.unwrap();
        if charset != "utf-7" {
            assert_eq!(found, text, "{charset}");
        } else {
            assert!(!found.contains('+'), "{found}");
        }
    }
    let mut unlabelled = b"Subject: \xb6\xa9\xb5\xa5\xce\xca\xcc\xe2\r\n\r\n".to_vec();
    unlabelled
        .extend_from_slice(b"\xc4\xe3\xba\xc3\xa3\xac\xce\xd2\xcf\xeb\xcd\xcb\xbb\xf5\xa1\xa3");
    let message = bytes(&unlabelled).message;
    assert_eq!(message.text.as_deref(), Some("你好，我想退货。"));
}

#[test]
fn text_is_made_of_html_where_there_is_no_other() {
    let mail = "From: a@example.com\nContent-Type: text/html; charset=utf-8\n\n\
                <style>p{}</style><p>Hello &amp; welcome</p><ul><li>tea</ul>\
                <div class=gmail_quote>On Monday B wrote:<blockquote>old</blockquote></div>";
    let message = message(mail);
    let text = message.text.unwrap();
    assert!(text.starts_with("Hello & welcome\n\n* tea"), "{text}");
    assert!(text.contains("> old"), "{text}");
    assert_eq!(message.visible_text.as_deref(), Some("Hello & welcome\n\n* tea"));
}

#[test]
fn mail_without_an_id_has_the_same_one_each_time_and_another_for_another_body() {
    let mail = |id: &str, body: &str, hop: &str| {
        format!("Received: by {hop}\nFrom: a@example.com\nSubject: x\n{id}\n\n{body}")
    };
    let id = |mail: &str| message(mail).external_id;
    let without = id(&mail("X-A: b", "one", "mx1"));
    assert!(without.starts_with("generated:") && without.len() == 74, "{without}");
    assert_eq!(without, id(&mail("X-A: b", "one", "mx2")));
    assert_eq!(without, id(&mail("Message-ID:", "one", "mx1")));
    assert_eq!(without, id(&mail("Message-ID: <>", "one", "mx1")));
    assert_ne!(without, id(&mail("X-A: b", "two", "mx1")));
    assert_eq!(id(&mail("Message-Id: a@b", "one", "mx1")), "a@b");
}

#[test]
fn damaged_mail_is_read_as_far_as_it_goes() {
    for (mail, text) in [
        ("no header at all", Some("no header at all")),
        ("Subject: x", None),
        ("Subject: x\n\nbody", Some("body")),
        ("Content-Type: multipart/mixed; boundary=gone\n\nbody", Some("body")),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nbody without end",
            Some("body without end"),
        ),
        ("Content-Type: text/plain; charset=no-such\n\nbody", Some("body")),
        ("Content-Transfer-Encoding: base64\n\n!!! not base64", Some("!!! not base64")),
        ("From: <<<>>>\nTo: (((\nDate: never\nReferences: >>>\n\nbody", Some("body")),
    ] {
        let found = parse(mail.as_bytes());
        if let Ok(received) = &found {
            let message = &received.arrivals[0].message;
            assert_eq!(message.text.as_deref(), text, "{mail}");
        } else {
            assert!(text.is_none(), "{mail}: {found:?}");
        }
    }
    assert_eq!(parse(b"").unwrap_err(), MailError::Empty);
}

#[test]
fn html_over_a_limit_leaves_the_text() {
    let mail = format!("Content-Type: text/html\n\n{}deep", "<div>".repeat(600));
    let message = message(&mail);
    assert_eq!(message.html, None);
    assert_eq!(message.text.as_deref(), Some("deep"));
    assert_eq!(message.attributes["html_left_out"], "html_too_deep");
}

#[test]
fn too_many_files_are_counted() {
    let part = "--b\nContent-Type: application/octet-stream\n\nx\n".repeat(103);
    let arrival = arrival(&format!("Content-Type: multipart/mixed; boundary=b\n\n{part}--b--\n"));
    assert_eq!(arrival.message.attachments.len(), 100);
    assert_eq!(arrival.contents.len(), 100);
    assert_eq!(arrival.message.attributes["attachments_left_out"], 3);
}

#[test]
fn inspection_tells_what_would_happen() {
    let found = serde_json::to_value(inspect(b"Subject: x\n\nhello")).unwrap();
    assert_eq!(
        (&found["outcome"], &found["messages"][0]["text"]),
        (&json!("accepted"), &json!("hello"))
    );
    let bomb = "Content-Type: message/rfc822\n\n".repeat(200);
    let found = inspect(bomb.as_bytes());
    assert_eq!(found.exit_code(), 3);
    assert_eq!(found.problem.unwrap().code, "mail_too_deep");
    let bare = inspect_body(b"Yes.\r\n\r\n-- \r\nAda", BareBody::Text);
    assert_eq!(bare.messages[0].visible_text.as_deref(), Some("Yes."));
    let bare = inspect_body(b"<p>Yes.</p><blockquote>No?</blockquote>", BareBody::Html);
    assert_eq!(bare.messages[0].visible_text.as_deref(), Some("Yes."));
}
