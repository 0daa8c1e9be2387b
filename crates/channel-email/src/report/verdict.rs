//! Whether an address is dead, from what its server said. Servers agree on codes no more than people
//! do, so the words count first: "User unknown" with a code of policy is still a dead address, and a
//! full mailbox is none, whatever its code.

use crate::phrases::Phrases;

/// What stands behind a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// No such user, no such host, or moved.
    Dead,
    /// Only this message, or only now.
    Other,
}

/// Room and size.
static FULL: Phrases = Phrases::new(&[
    "mailbox full",
    "mailbox is full",
    "mailbox for",
    "over quota",
    "overquota",
    "quota exceeded",
    "exceeded quota",
    "exceeds quota",
    "quota",
    "mailfolder is full",
    "out of storage",
    "storage space",
    "exceeded storage",
    "insufficient system storage",
    "disk full",
    "no space left",
    "too full",
    "over the maximum",
    "mailbox size",
    "too large",
    "too big",
    "size limit",
    "exceeds maximum",
    "message size",
    "maildirsize",
    "boîte pleine",
    "容量",
    "已满",
]);

/// What is said of the message or its sender.
static REFUSED: Phrases = Phrases::new(&[
    "spam",
    "blacklist",
    "black list",
    "blocklist",
    "block list",
    "blocked",
    "dnsbl",
    "rbl",
    "dmarc",
    "dkim",
    "spf ",
    "spf:",
    "sender policy framework",
    "unauthenticated",
    "authentication check",
    "reverse dns",
    "ptr record",
    "virus",
    "malware",
    "phish",
    "content filter",
    "rejected by content",
    "message content",
    "reputation",
    "sender address rejected",
    "sender rejected",
    "sender denied",
    "bad sender",
    "sender verify failed",
    "unroutable sender",
    "sender address",
    "your ip",
    "greylist",
    "rate limit",
    "too many",
    "throttl",
    "hop count",
    "mail loop",
    "message expired",
    "loops back",
]);

/// A program behind the server failed; what it says of users is about its own.
static LOCAL: Phrases =
    Phrases::new(&["couldn't create", "can't create", "mailer error", "command died", "pipe to "]);

/// Given up after trying for long.
static EXPIRED: Phrases = Phrases::new(&[
    "retry timeout exceeded",
    "failing for a long time",
    "retry time not reached",
    "retry limit",
    "message expired",
    "delivery time expired",
]);

/// The address or its host is not there, or no longer there.
static DEAD: Phrases = Phrases::new(&[
    "account or domain may not exist",
    "invalid final delivery userid",
    "no smtp service",
    "domain is not reachable",
    "user unknown",
    "unknown user",
    "no such user",
    "no such recipient",
    "no such mailbox",
    "no such account",
    "no such address",
    "no such person",
    "no such id",
    "unknown recipient",
    "unknown or illegal",
    "unknown local",
    "unknown account",
    "recipient unknown",
    "recipient not found",
    "recipient name is not recognized",
    "not recognized",
    "user not found",
    "mailbox not found",
    "mailbox unknown",
    "account not found",
    "address not found",
    "address unknown",
    "no mailbox here",
    "no mailbox by that name",
    "no user by that name",
    "does not exist",
    "doesn't exist",
    "doesn’t exist",
    "do not exist",
    "not exist",
    "may not exist",
    "non-existent",
    "nonexistent",
    "no existe",
    "existiert nicht",
    "n'existe pas",
    "não existe",
    "inesistente",
    "не существует",
    "не найден",
    "not our customer",
    "not a known user",
    "not a valid",
    "invalid recipient",
    "invalid mailbox",
    "invalid user",
    "invalid address",
    "bad destination mailbox",
    "unrouteable address",
    "unroutable address",
    "user doesn't have",
    "doesn't have a",
    "does not have an account",
    "no account by that name",
    "user invalid",
    "recipient invalid",
    "is not a registered",
    "not listed in",
    "unable to find recipient",
    "could not be found",
    "couldn't be found",
    "wasn't found",
    "was not found at",
    "not found in directory",
    "recipient address rejected: access denied",
    "recipnotfound",
    "user is unknown",
    "no valid recipients",
    "this address no longer",
    "no longer with",
    "no longer available",
    "no longer in use",
    "no longer valid",
    "no longer employed",
    "has moved",
    "user has left",
    "has left the",
    "moved to",
    "address has changed",
    "changed their email",
    "please use the new address",
    "host unknown",
    "unknown host",
    "host not found",
    "no such host",
    "no such domain",
    "domain not found",
    "domain name not found",
    "unrouteable mail domain",
    "unroutable mail domain",
    "unrouteable domain",
    "domain does not",
    "domain doesn't",
    "name or service not known",
    "host or domain name not found",
    "couldn't find any host",
    "could not find any host",
    "cannot find any host",
    "can't find any host",
    "couldn't find a mail exchanger",
    "no mx or a",
    "no mail exchanger",
    "nxdomain",
    "nullmx",
    "null mx",
    "does not accept mail",
    "doesn't accept mail",
    "dns lookup failure",
    "destination server was not found",
    "destination domain",
    "no route to host for domain",
    "宛先不明",
    "用户不存在",
    "收件人不存在",
    "ユーザが存在しません",
    "存在しない",
    "账号不存在",
    "帳號不存在",
    "无此用户",
    "域名不存在",
    "destinataire inconnu",
    "utilisateur inconnu",
    "usuario desconocido",
    "unbekannter empfänger",
    "empfänger unbekannt",
]);

/// Policy and the moment, in words that also stand beside a dead address.
static OTHERWISE: Phrases = Phrases::new(&[
    "policy",
    "denied",
    "not permitted",
    "not allowed",
    "not authorized",
    "unauthorized",
    "permission",
    "relay",
    "suspended",
    "suspend",
    "disabled",
    "timed out",
    "timeout",
    "time out",
    "refused",
    "try again",
    "temporarily",
    "temporary",
    "too long",
    "in the queue",
    "deferred",
    "giving up",
    "unable to connect",
    "unreachable",
    "restricted",
    "local configuration error",
    "mailer error",
    "unknown mailer",
    "i/o error",
    "system error",
    "prohibited",
    "not accepting",
    "does not like",
    "rejected due",
]);

/// Statuses of a dead address: unknown, bad domain, bad syntax, moved, null MX; no host.
const DEAD_STATUSES: &[&str] = &["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.4.4"];

/// Codes of SMTP that say the same: moved, and a domain that takes no mail (RFC 7504).
const DEAD_CODES: &[u16] = &[551, 556];

pub(super) fn is_dead_status(status: &str) -> bool {
    DEAD_STATUSES.contains(&status)
}

/// Whether a server gave up because time ran out.
pub(super) fn is_expired(said: &str) -> bool {
    let said = said.to_lowercase();
    EXPIRED.is_in(&said)
}

pub(super) fn of(said: &str, status: Option<&str>, code: Option<u16>) -> Reason {
    let said = said.to_lowercase();
    let any = |phrases: &Phrases| phrases.is_in(&said);
    let dead_status = status.is_some_and(is_dead_status);
    let surely = said.contains("account or domain may not exist");
    let other = if any(&FULL) || any(&LOCAL) {
        true
    } else if surely {
        false
    } else if any(&DEAD) {
        // A link to a page about spam stands in many an answer.
        !dead_status && any(&REFUSED)
    } else {
        let dead = dead_status || code.is_some_and(|code| DEAD_CODES.contains(&code));
        any(&REFUSED) || any(&OTHERWISE) || !dead
    };
    if other { Reason::Other } else { Reason::Dead }
}

#[cfg(test)]
mod tests {
    use super::{Reason, of};

    #[test]
    fn words_decide_before_codes() {
        for (said, status, dead) in [
            ("550 5.1.1 <ada@example.com>: User unknown", Some("5.1.1"), true),
            ("550 5.1.1 Mailbox full", Some("5.1.1"), false),
            ("554 5.7.1 blocked for spam", Some("5.7.1"), false),
            ("550 5.1.1 no such user, see https://example.com/spam", Some("5.1.1"), true),
            ("550 5.4.1 Recipient address rejected: Access denied", Some("5.4.1"), true),
            ("550 account suspended", Some("5.2.1"), false),
            ("551 user has moved, try bob@example.net", Some("5.1.6"), true),
            ("Host or domain name not found", Some("5.4.4"), true),
            ("connection timed out", Some("4.4.1"), false),
            ("", Some("5.1.1"), true),
            ("", Some("5.0.0"), false),
            ("用户不存在", None, true),
        ] {
            assert_eq!(of(said, status, None) == Reason::Dead, dead, "{said}");
        }
        assert_eq!(of("", None, Some(556)), Reason::Dead);
    }
}
