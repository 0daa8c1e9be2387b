//! Where a signature begins, and what programs add below somebody's words by themselves.

use super::{Line, headers, shapes};

/// Lines of a signature whose delimiter is not the standard one.
const LINES_MAX: usize = 12;
/// Characters of a line that a program adds.
const ADDED_CHARS_MAX: usize = 110;

/// How lines begin that programs on telephones and the like add.
const ADDED_STARTS: &[&str] = &[
    "sent from my ",
    "sent from mail",
    "sent by ",
    "sent from outlook",
    "sent from yahoo",
    "sent from proton",
    "sent from mailbox",
    "sent from windows",
    "sent from samsung",
    "sent from a ",
    "sent from android",
    "sent from gmail",
    "sent from the all new aol",
    "sent from aol",
    "sent from blue",
    "sent from spark",
    "sent from nine",
    "sent from type",
    "sent from galaxy",
    "sent from iphone",
    "sent from ipad",
    "sent from mobile",
    "sent from surface",
    "sent from xfinity",
    "sent from mymail",
    "sent via ",
    "sent with ",
    "sent using ",
    "get outlook for",
    "get bluemail",
    "get typeapp",
    "from my iphone",
    "from my ipad",
    "from my mobile",
    "from my android",
    "from my phone",
    "gesendet von ",
    "gesendet mit ",
    "von meinem ",
    "von unterwegs gesendet",
    "diese nachricht wurde von meinem ",
    "outlook für ",
    "holen sie sich outlook",
    "envoyé depuis ",
    "envoyé de mon ",
    "envoyé à partir ",
    "envoyé avec ",
    "obtenir outlook",
    "obtenez outlook",
    "télécharger outlook",
    "enviado desde ",
    "enviado con ",
    "obtener outlook",
    "enviado do ",
    "enviado pelo ",
    "enviado a partir d",
    "obter o outlook",
    "inviato da",
    "scarica outlook",
    "ottieni outlook",
    "verstuurd vanaf ",
    "verzonden vanaf ",
    "verstuurd via ",
    "verzonden met ",
    "wysłane z ",
    "wysłano z ",
    "отправлено с ",
    "отправлено из ",
    "skickat från ",
    "skickades från ",
    "sendt fra ",
    "hent outlook",
    "hämta outlook",
    "lähetetty ",
    "odesláno z",
    "发自",
    "發自",
];

/// How they end.
const ADDED_ENDS: &[&str] = &[
    " gesendet",
    " gesendet.",
    "から送信",
    "에서 보냄",
    "에서 보냄.",
    "から送信されました",
    "gönderildi",
    "küldve",
    " from mobile",
    "via mobile",
    "发送",
    "傳送",
    "へ入手",
];

/// Devices and programs, one of which must be named where the start alone says too little.
const NAMES: &[&str] = &[
    "iphone",
    "ipad",
    "ipod",
    "android",
    "mobile",
    "mobil",
    "phone",
    "telefon",
    "téléphone",
    "samsung",
    "galaxy",
    "huawei",
    "xiaomi",
    "blackberry",
    "windows",
    "outlook",
    "mail",
    "yahoo",
    "proton",
    "nokia",
    "sony",
    "htc",
    "lg",
    "oneplus",
    "pixel",
    "smartphone",
    "tablet",
    "手机",
    "手機",
    "app",
];

/// Whether this line is the delimiter before a signature that goes on to the end of somebody's words.
pub(super) fn begins(lines: &[Line<'_>], at: usize) -> bool {
    let Some(line) = lines.get(at) else { return false };
    let text = line.text.trim();
    if !text.starts_with(['-', '_', '—', '–', '*', '~', '=']) || !shapes::is_rule(text) {
        return false;
    }
    let rest = lines.get(at + 1..).unwrap_or_default();
    let signs = text.chars().filter(|c| !c.is_whitespace()).count();
    let words = rest.iter().take_while(|line| !line.is_quote() && line.mark == super::Mark::Own);
    let words = words.filter(|line| !line.is_blank()).take(LINES_MAX + 1).count();
    match text {
        "--" => true,
        // Two dashes, as some programs write them.
        "—" | "––" | "- -" | "__" | "---" => words <= LINES_MAX,
        _ => {
            // A rule with a few short lines behind it, to the end. Dashes are also tables and titles.
            let ruled = text.starts_with(['_', '—', '–']) && signs >= 2;
            ruled && words > 0 && words <= LINES_MAX && headers::at(lines, at).is_none()
        }
    }
}

/// Takes away what stands below somebody's last words: blank lines, rules, what programs add.
pub(super) fn trim_tail(kept: &mut Vec<&str>) {
    while let Some(last) = kept.last() {
        if !last.trim().is_empty() && !shapes::is_rule(last) && !is_added(last) {
            break;
        }
        kept.pop();
    }
}

/// A line that a program added by itself.
pub(super) fn is_added(line: &str) -> bool {
    let text = line.trim();
    if text.len() > ADDED_CHARS_MAX * 4 || text.chars().count() > ADDED_CHARS_MAX {
        return false;
    }
    let lower: String = text
        .chars()
        .filter(|c| !matches!(c, '[' | ']' | '*' | '_' | '<' | '>' | '(' | ')'))
        .collect();
    let lower = lower.trim().to_lowercase();
    let names = || NAMES.iter().any(|name| lower.contains(name));
    let excuse = ["excuse", "typo", "brevity", "entschuldig", "tippfehler", "excusez", "disculp"];
    let excuses = excuse.iter().any(|word| lower.contains(word));
    let sentence =
        !excuses && (lower.contains(", ") || lower.ends_with('?') || lower.contains(". "));
    let starts = ADDED_STARTS.iter().any(|start| lower.starts_with(start));
    let ends = ADDED_ENDS.iter().any(|end| lower.ends_with(end));
    let short = lower.split(' ').count() <= 7;
    starts && !sentence && (names() || short || excuses) || ends && names() && !sentence
}

#[cfg(test)]
mod tests {
    use super::is_added;

    #[test]
    fn lines_of_telephones_are_known_and_sentences_are_not() {
        for line in [
            "Sent from my iPhone",
            "*Sent from my Android phone with K-9 Mail.*",
            "Get Outlook for iOS<https://aka.ms/o0ukef>",
            "Von meinem iPhone gesendet",
            "Envoyé de mon iPad",
            "Enviado desde mi iPhone",
            "Inviato da iPhone",
            "Verstuurd vanaf mijn iPhone",
            "Wysłane z iPhone'a",
            "Отправлено с iPhone",
            "发自我的iPhone",
            "iPhoneから送信",
            "나의 iPhone에서 보냄",
        ] {
            assert!(is_added(line), "{line}");
        }
        for line in [
            "Sent from my desk, which is much easier than a telephone.",
            "The parcel was sent from my office in March and never came.",
            "Von meinem Konto wurde zweimal abgebucht, und zwar am Montag.",
            "Hello",
            "",
        ] {
            assert!(!is_added(line), "{line}");
        }
    }
}
