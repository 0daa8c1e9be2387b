//! Mail that is made to take the program down: three megabytes each, read or refused in time and
//! within bounds. Alone in its program, so that the memory is its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use postroom_channel_email::parse;

const BYTES: usize = 3 * 1024 * 1024;
const MEMORY_KIB_MAX: u64 = 256 * 1024;

/// For one mail. Without optimisation, and beside other work, everything takes longer.
const TIME_MAX: Duration =
    if cfg!(debug_assertions) { Duration::from_secs(10) } else { Duration::from_secs(1) };

fn fill(unit: &str) -> String {
    unit.repeat(BYTES / unit.len())
}

fn html(body: &str) -> String {
    format!("Content-Type: text/html\n\n{body}")
}

fn mixed(parts: &str) -> String {
    format!("Content-Type: multipart/mixed; boundary=b\n\n{parts}--b--\n")
}

type Bombs = Vec<(&'static str, String)>;

fn parts() -> Bombs {
    let levels: Vec<String> = (0..90)
        .map(|level| format!("Content-Type: multipart/mixed; boundary=b{level}x\n\n--b{level}x\n"))
        .collect();
    vec![
        ("mails in mails", fill("Content-Type: message/rfc822\n\n")),
        (
            "mails in mails, up to the limit",
            "Content-Type: message/rfc822\n\n".repeat(100) + &fill("x\n"),
        ),
        ("lists of mails", fill("Content-Type: multipart/digest; boundary=b\n\n--b\n\n")),
        ("multiparts", fill("Content-Type: multipart/mixed; boundary=b\n\n--b\n")),
        ("multiparts, up to the limit", levels.concat() + &fill("x\n")),
        (
            "multiparts without end",
            mixed(&fill("--b\nContent-Type: multipart/mixed; boundary=z\n\n")),
        ),
        ("empty parts", mixed(&fill("--b\n\n"))),
        ("parts in a line", mixed(&fill("x--b\n\n"))),
        ("parts with files", mixed(&fill("--b\nContent-Type: a/b\n\nx\n"))),
        ("fields", fill("X-A: b\n") + "\nx"),
        ("fields of a part", mixed(&format!("--b\n{}\nx\n", fill("X-A: b\n")))),
    ]
}

fn fields() -> Bombs {
    vec![
        ("one long field", format!("Subject: {}\n\nx", fill("=?utf-8?Q?a?= "))),
        ("unfinished words", format!("Subject: {}\n\nx", "=?utf-8?Q?".repeat(20_000))),
        ("addresses", format!("To: {}\n\nx", "a@b.example, ".repeat(20_000))),
        ("comments", format!("To: {}\n\nx", "(".repeat(250_000))),
        ("references", format!("References: {}\n\nx", "<a@b> ".repeat(40_000))),
        ("parameters", format!("Content-Type: text/plain; {}\n\nx", "a=b; ".repeat(50_000))),
        ("continued parameters", {
            let parts: Vec<String> = (0..10_000).map(|part| format!(" name*{part}=x;\n")).collect();
            format!("Content-Type: text/plain;\n{}\n\nx", parts.concat())
        }),
        ("no line end", fill("x")),
        ("line ends", fill("\n") + "x"),
    ]
}

fn words() -> Bombs {
    vec![
        ("quotations", fill("> x\n")),
        ("quotation in quotation", format!("Subject: x\n\n{}", fill(">"))),
        ("attributions", format!("Subject: x\n\n{}", fill("On 1 May 2024 at 10:10 a@b.example\n"))),
        ("long attribution", format!("Subject: x\n\n{}", fill("On 2024 a@b.example wrote "))),
        ("header blocks", format!("Subject: x\n\n{}", fill("From: a@b.example\n"))),
        ("signatures", format!("Subject: x\n\n{}", fill("--\n__\n"))),
    ]
}

fn pages() -> Bombs {
    let half = |unit: &str| unit.repeat(500_000 / unit.len());
    vec![
        ("elements", html(&fill("<div>"))),
        ("elements, up to the size", html(&half("<div>"))),
        ("unclosed elements", html(&half("<b><p>x"))),
        ("paragraphs", html(&half("<p>x"))),
        ("tables", html(&half("<table><tr><td>"))),
        ("attributes", html(&format!("<p {}>x", half("a=b ")))),
        ("quotes in tags", html(&fill("<a b=\"x>"))),
        ("comments in HTML", html(&fill("<!--"))),
        ("references in HTML", html(&fill("&#x41;&amp;&"))),
    ]
}

fn encodings() -> Bombs {
    vec![
        ("base64", format!("Content-Transfer-Encoding: base64\n\n{}", fill("QUJD\n"))),
        (
            "quoted-printable",
            format!("Content-Transfer-Encoding: quoted-printable\n\n{}", fill("=41=\n")),
        ),
        (
            "ISO-2022-JP",
            format!(
                "Content-Type: text/plain; charset=iso-2022-jp\n\n{}",
                fill("\u{1b}$B\u{1b}(B")
            ),
        ),
        ("UTF-7", format!("Content-Type: text/plain; charset=utf-7\n\n{}", fill("+AGE-"))),
        (
            "status",
            format!(
                "From: MAILER-DAEMON@x.example\nContent-Type: multipart/report; boundary=b\n\n\
             --b\nContent-Type: message/delivery-status\n\n{}\n--b--\n",
                fill("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1\n\n")
            ),
        ),
        (
            "prose",
            format!(
                "From: MAILER-DAEMON@x.example\nSubject: failure notice\n\n{}",
                fill("<a@b.example>: 550 5.1.1\n")
            ),
        ),
        ("boundary on lines of their own", fill("Content-Type: multipart/mixed;\nboundary=b\n")),
    ]
}

/// The most memory that this process has held.
#[cfg(target_os = "linux")]
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

#[cfg(not(target_os = "linux"))]
fn peak_kib() -> u64 {
    0
}

#[test]
fn bomb_is_read_or_refused_in_time() {
    let bombs = [parts(), fields(), words(), pages(), encodings()].into_iter().flatten();
    for (name, mail) in bombs {
        let clock = Instant::now();
        let outcome = parse(mail.as_bytes()).map(|received| received.arrivals.len());
        let took = clock.elapsed();
        assert!(took < TIME_MAX, "{name}: {took:?}, {outcome:?}");
        assert!(peak_kib() < MEMORY_KIB_MAX, "{name}: {} KiB", peak_kib());
    }
}
