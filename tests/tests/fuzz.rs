//! Bytes that nobody means well by: mails, addresses, HTML, conversations with the listener, and what an IMAP
//! server says. None of them takes anything down or keeps anybody busy; the same seed gives the same.
//!
//! A few thousand each time. More, alone and without a limit of time:
//!
//!     POSTROOM_FUZZ=1000000 cargo test -p postroom-tests --test fuzz -- --nocapture --test-threads 1

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use postroom_channel::contract::TestInlet;
use postroom_channel_email::trial::Listener;
use postroom_channel_email::{BareBody, EmailOptions, MailError, inspect_body, parse};
use postroom_channel_imap::trial::responses;
use postroom_model::ChannelId;
use postroom_testkit::Mutator;
use postroom_tests::street::wanted;
use serde_json::json;

/// One input, without optimisation and beside other work.
const TIME_MAX: Duration = Duration::from_secs(5);

const MAILS: &[&[u8]] = &[
    b"From: Ada <ada@example.com>\r\nTo: support@example.com\r\nSubject: =?utf-8?B?5L2g5aW9?=\r\nMessage-ID: <1@a>\r\nDate: Mon, 2 Mar 2026 10:30:00 +0000\r\n\r\nHello\r\n-- \r\nAda\r\n",
    b"From: a@b.c\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain; charset=gb2312\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C4=E3=BA=C3\r\n--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<div class=gmail_quote>On Monday, Bob wrote:<blockquote>Hi</blockquote></div>\r\n--c--\r\n--b\r\nContent-Type: application/pdf; name*0*=utf-8''a%20; name*1=b.pdf\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVsbG8=\r\n--b--\r\n",
    b"From: MAILER-DAEMON@mx.example\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n--r\r\n\r\nIt failed.\r\n--r\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; gus@gone.example\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 no such user\r\n--r\r\nContent-Type: message/rfc822\r\n\r\nFrom: support@example.com\r\nMessage-ID: <o@example.com>\r\n\r\nx\r\n--r--\r\n",
    b"Subject: AW: Bestellung\r\nAuto-Submitted: auto-replied\r\nContent-Type: text/plain; format=flowed; delsp=yes\r\n\r\nDanke \r\nsehr.\r\n\r\nAm 3. Mai 2024 um 10:00 schrieb Ada <ada@example.com>:\r\n> Hallo\r\n> > Servus\r\n",
    b"Content-Type: text/plain; charset=utf-7\r\n\r\n+T2BZfQ- +-\r\n",
    b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B$3$s\x1b(B\r\n",
];
const MAIL_WORDS: &[&str] = &[
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    "--",
    "--b",
    "--b--",
    "boundary=",
    "\"",
    ";",
    ":",
    "=",
    "=?utf-8?Q?",
    "=?gb18030?B?",
    "?=",
    "<",
    ">",
    "@",
    "(",
    ")",
    ",",
    "Content-Type: ",
    "message/rfc822",
    "multipart/mixed",
    "multipart/digest",
    "text/html",
    "charset=",
    "utf-16",
    "hz-gb-2312",
    "iso-2022-kr",
    "base64",
    "quoted-printable",
    "Content-Transfer-Encoding: ",
    "References: ",
    "Date: ",
    "> ",
    "On Monday, Ada wrote:",
    "-----Original Message-----",
    "From: ",
    "\u{feff}",
    "\u{202e}",
    "\u{fffd}",
    "\u{2028}",
];

/// Plays inputs, and gives in words how it went.
fn play(
    name: &str,
    seed: u64,
    good: &[&[u8]],
    words: &[&str],
    mut take: impl FnMut(&[u8]),
) -> String {
    let count = wanted("POSTROOM_FUZZ", 2_000);
    let seed = wanted("POSTROOM_SEED", seed);
    let mut mutator = Mutator::new(seed, good, words);
    let (begun, mut slowest) = (Instant::now(), Duration::ZERO);
    for number in 0..count {
        let input = mutator.input();
        let clock = Instant::now();
        let taken = catch_unwind(AssertUnwindSafe(|| take(&input)));
        let took = clock.elapsed();
        slowest = slowest.max(took);
        let shown = || String::from_utf8_lossy(&input).into_owned();
        assert!(taken.is_ok(), "{name}: seed {seed}, input {number}: {:?}", shown());
        assert!(
            took < TIME_MAX,
            "{name}: seed {seed}, input {number} took {took:?}: {:?}",
            shown()
        );
    }
    let took = begun.elapsed();
    format!("{name}: {count} inputs of seed {seed} in {took:.1?}, the slowest in {slowest:.1?}")
}

#[test]
fn mail_of_any_bytes_takes_nothing_down() {
    let mut given_up = 0_u64;
    let told = play("mime", 1, MAILS, MAIL_WORDS, |input| {
        // The library broke, or made nothing of it; it did so behind our guard.
        if let Err(MailError::Unreadable) = parse(input) {
            given_up += 1;
        }
    });
    println!("{told}; the library gave up on {given_up}");
}

#[test]
fn addresses_of_any_bytes_take_nothing_down() {
    let good: &[&[u8]] = &[
        b"Ada Lovelace <ada@example.com>, \"Bob, B.\" <bob@example.com> (work)",
        b"undisclosed-recipients:;, Team: a@b.c, d@e.f;",
        b"=?utf-8?Q?=E8=89=BE=E8=BE=BE?= <ada@b\xc3\xbccher.example>, <@a,@b:c@d.e>",
        b"\"very.(),:;<>[]\\\".VERY.\\\"very@\\ \\\"very\\\".unusual\"@strange.example",
    ];
    let words = [
        "<",
        ">",
        "@",
        ",",
        ";",
        ":",
        "\"",
        "\\",
        "(",
        ")",
        "=?",
        "?=",
        "=?utf-8?B?",
        " ",
        "\t",
        ".",
        "\r\n ",
    ];
    let told = play("addresses", 2, good, &words, |input| {
        let line: Vec<u8> =
            input.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }).collect();
        for field in ["From", "To", "Reply-To"] {
            let mail = [field.as_bytes(), b": ", &line, b"\r\n\r\nx"].concat();
            drop(parse(&mail));
        }
    });
    println!("{told}");
}

#[test]
fn html_of_any_bytes_takes_nothing_down() {
    let good: &[&[u8]] = &[
        b"<html><head><style>p{}</style></head><body><p>Hello <b>Ada</b>,</p><ul><li>a<li>b</ul></body></html>",
        b"<div>Yes.</div><div class=\"gmail_quote\"><div class=gmail_attr>On Monday Bob wrote:<br></div><blockquote>Well?</blockquote></div>",
        b"<table><tr><td>Order</td><td>77</td></tr></table><img src=\"cid:a@b\"><a href='https://example.com/?a>b'>link</a>&amp;&#x4f60;&nbsp",
        b"<div id=divRplyFwdMsg><b>From:</b> Bob<br><b>Sent:</b> Monday</div><svg><math><mtext></math></svg><!-- x --><![CDATA[y]]>",
    ];
    let words = [
        "<",
        ">",
        "</",
        "/>",
        "<!--",
        "-->",
        "<div",
        "<blockquote>",
        "</blockquote>",
        "<script>",
        "<style>",
        "<table>",
        "<svg>",
        "<math>",
        "<template>",
        "<plaintext>",
        "<p>",
        "</p>",
        "<b>",
        "<i>",
        " class=",
        " style='display:none'",
        "\"",
        "'",
        "=",
        "&",
        "&#",
        "&#x",
        ";",
        "javascript:",
        "onerror=",
        "\0",
        "\u{a0}",
    ];
    let told = play("html", 3, good, &words, |input| drop(inspect_body(input, BareBody::Html)));
    println!("{told}");
}

#[test]
fn conversation_of_any_bytes_takes_nothing_down() {
    let options = json!({ "address": "support@example.com",
        "listen": { "protocol": "lmtp", "address": "127.0.0.1:0", "mail_bytes_max": 8192, "recipients_max": 3 } });
    let options = EmailOptions::parse(options.as_object().unwrap()).unwrap();
    let listener = Listener::new(&ChannelId::new("mail").unwrap(), &options).unwrap();
    let good: &[&[u8]] = &[
        b"LHLO a\r\nMAIL FROM:<a@b.c> SIZE=100 BODY=8BITMIME\r\nRCPT TO:<support@example.com>\r\nRCPT TO:<support+x@example.com>\r\nDATA\r\nSubject: a\r\n\r\nb\r\n..c\r\n.\r\nQUIT\r\n",
        b"LHLO a\r\nRSET\r\nNOOP\r\nVRFY x\r\nMAIL FROM:<>\r\nRCPT TO:<support@example.com>\r\nDATA\r\nx\r\n.\r\n",
        b"LHLO a\r\nMAIL FROM:<a@b.c> SMTPUTF8\r\nRCPT TO:<\"a b\"@example.com> NOTIFY=NEVER\r\nBDAT 5 LAST\r\nhelloAUTH PLAIN AA==\r\nSTARTTLS\r\n",
    ];
    let words = [
        "\r\n",
        "\r",
        "\n",
        ".",
        "\r\n.\r\n",
        "\n.\n",
        "DATA\r\n",
        "LHLO a\r\n",
        "EHLO ",
        "HELO ",
        "MAIL FROM:<",
        "RCPT TO:<support@example.com>\r\n",
        "RSET\r\n",
        "QUIT\r\n",
        "BDAT 1 LAST\r\n",
        "<",
        ">",
        "@",
        " ",
        "SIZE=",
        "XFORWARD ADDR=",
        "ENVID=",
        "ORCPT=rfc822;",
        "AUTH ",
        "\0",
        "\u{e4}",
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut stored, mut inlet) = (0, Arc::new(TestInlet::taking()));
    let told = play("lmtp", 4, good, &words, |input| {
        let answers = runtime.block_on(listener.hear(input, Arc::clone(&inlet) as Arc<_>));
        assert!(answers.starts_with(b"220 "), "it is greeted");
        // Nobody hears 250 for a mail that is not stored.
        let said = answers.windows(16).filter(|some| some == b"250 2.0.0 stored").count();
        let kept = inlet.offered().len() + inlet.unparsed().len();
        assert!(kept <= said && (said == 0 || kept > 0), "{said} stored, {kept} there");
        stored += kept;
        if kept > 0 {
            inlet = Arc::new(TestInlet::taking());
        }
    });
    println!("{told}; {stored} mails were stored");
    assert!(stored > 0, "it comes as far as the mail");
}

#[test]
fn server_that_says_any_bytes_takes_nothing_down() {
    let good: &[&[u8]] = &[
        b"* OK [CAPABILITY IMAP4rev1 IDLE CONDSTORE MOVE UIDPLUS] hello\r\n* CAPABILITY IMAP4rev1 IDLE\r\nA1 OK done\r\n",
        b"* 172 EXISTS\r\n* OK [UIDVALIDITY 3857529045] valid\r\n* OK [UIDNEXT 4392] next\r\n* OK [HIGHESTMODSEQ 715194045007] m\r\n* FLAGS (\\Answered \\Seen)\r\nA2 OK [READ-ONLY] selected\r\n",
        b"* 1 FETCH (UID 7 RFC822.SIZE 12 INTERNALDATE \"02-Mar-2026 10:30:00 +0000\" FLAGS (\\Seen))\r\n* 2 FETCH (UID 8 BODY[] {12}\r\nSubject: a\r\n)\r\nA3 OK done\r\n",
        b"* 3 FETCH (UID 9 ENVELOPE (\"Mon\" \"s\" ((\"a\" NIL \"a\" \"b.c\")) NIL NIL NIL NIL NIL NIL \"<1@a>\") BODYSTRUCTURE (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"UTF-8\") NIL NIL \"7BIT\" 3 1))\r\n+ idling\r\n* BYE\r\n",
    ];
    let words = [
        "\r\n",
        "\r",
        "\n",
        "* ",
        "+ ",
        "A1 ",
        "OK ",
        "NO ",
        "BAD ",
        "BYE ",
        "FETCH (",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "{3}\r\n",
        "{99999999999}\r\n",
        "\"",
        "\\",
        "NIL",
        "BODY[]",
        "UID ",
        "4294967296",
        "18446744073709551616",
        "-1",
        "EXISTS",
        "EXPUNGE",
        "\0",
        "\u{fffd}",
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut read = 0;
    let told = play("imap", 5, good, &words, |input| read += runtime.block_on(responses(input)));
    println!("{told}; {read} responses were read");
    assert!(read > 0);
}
