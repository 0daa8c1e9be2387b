//! Lines that stand before the original message: "-----Original Message-----", "Begin forwarded
//! message:", "--- Reply above this line ---".

use super::{Line, shapes};

/// Signs without which a phrase between them is somebody's own.
const SIGNS_MIN: usize = 2;
/// Signs that make a rule of their own.
const RULE_SIGNS_MIN: usize = 5;

/// Between dashes, in the languages of the mail programs.
const PHRASES: &[&str] = &[
    "original message",
    "forwarded message",
    "forwarded by",
    "reply message",
    "replied message",
    "回复的原邮件",
    "回复的邮件",
    "原始信息",
    "original appointment",
    "original email",
    "original mail",
    "originalmessage",
    "begin message",
    "previous message",
    "ursprüngliche nachricht",
    "urspruengliche nachricht",
    "originalnachricht",
    "original-nachricht",
    "weitergeleitete nachricht",
    "ursprüngliche mail",
    "originaltext",
    "originalmail",
    "message d'origine",
    "message d’origine",
    "message original",
    "message transféré",
    "message initial",
    "courriel original",
    "mail original",
    "e-mail original",
    "mensaje original",
    "mensaje reenviado",
    "correo original",
    "mensagem original",
    "mensagem encaminhada",
    "messaggio originale",
    "messaggio inoltrato",
    "messaggio originario",
    "oorspronkelijk bericht",
    "origineel bericht",
    "doorgestuurd bericht",
    "wiadomość oryginalna",
    "oryginalna wiadomość",
    "wiadomość przekazana",
    "treść przekazanej wiadomości",
    "исходное сообщение",
    "пересылаемое сообщение",
    "перенаправленное сообщение",
    "пересланное сообщение",
    "конец пересылаемого",
    "оригинал сообщения",
    "вихідне повідомлення",
    "originalmeddelande",
    "ursprungligt meddelande",
    "vidarebefordrat meddelande",
    "oprindelig meddelelse",
    "oprindelig besked",
    "oprindelig mail",
    "videresendt",
    "opprinnelig melding",
    "opprinnelig e-post",
    "alkuperäinen viesti",
    "välitetty viesti",
    "původní zpráva",
    "původní e-mail",
    "přeposlaná zpráva",
    "pôvodná správa",
    "eredeti üzenet",
    "továbbított üzenet",
    "orijinal mesaj",
    "özgün ileti",
    "iletilen mesaj",
    "mesaj original",
    "mesajul original",
    "αρχικό μήνυμα",
    "原始邮件",
    "原始郵件",
    "原邮件",
    "原郵件",
    "转发邮件",
    "轉寄郵件",
    "转发的邮件",
    "元のメッセージ",
    "転送メッセージ",
    "オリジナルメッセージ",
    "original e-mail",
    "원본 메시지",
    "원본 메일",
    "전달된 메시지",
    "הודעה מקורית",
];

/// A whole line, as Apple's programs write it.
const APPLE: &[&str] = &[
    "begin forwarded message",
    "start of forwarded message",
    "anfang der weitergeleiteten nachricht",
    "anfang der weitergeleiteten e‑mail",
    "début du message réexpédié",
    "début du message transféré",
    "inicio del mensaje reenviado",
    "início da mensagem encaminhada",
    "início da mensagem reencaminhada",
    "inizio messaggio inoltrato",
    "begin doorgestuurd bericht",
    "vidarebefordrat brev",
    "videresendt meddelelse",
    "videresend melding",
    "start på videresendt melding",
    "välitetty viesti alkaa",
    "początek przekazywanej wiadomości",
    "начало переадресованного сообщения",
    "začátek přeposílané zprávy",
    "yönlendirilen ileti başlangıcı",
    "以下是转发的邮件",
    "开始转发的邮件",
    "以下是轉寄的郵件",
    "開始轉寄郵件",
    "転送されたメッセージ",
    "전달된 메시지 시작",
];

/// Programs ask for the answer above a line and quote themselves below it.
const ABOVE: &[&str] = &[
    "reply above this line",
    "type your reply above",
    "write your reply above",
    "please reply above",
    "reply above the line",
    "respond above this line",
    "oberhalb dieser zeile",
    "über dieser zeile antworten",
    "au-dessus de cette ligne",
    "encima de esta línea",
    "acima desta linha",
    "sopra questa riga",
    "boven deze regel",
    "powyżej tej linii",
    "выше этой строки",
    "请在此行上方回复",
];

/// Over how many lines the separator goes that begins here.
pub(super) fn at(lines: &[Line<'_>], at: usize) -> Option<usize> {
    const CHARS_MAX: usize = 120;
    const WORDS_CHARS_MAX: usize = 40;
    let line = lines.get(at)?.head().trim();
    if line.len() > CHARS_MAX * 4 {
        return None;
    }
    let first = line.chars().next()?;
    let decorated = shapes::is_rule_sign(first) || matches!(first, '<' | '[' | '#' | '(');
    let asks = decorated || line.ends_with([':', '：', '#', '-']);
    if !asks && (first.is_ascii() || line.chars().count() > WORDS_CHARS_MAX) {
        return None;
    }
    let lower = line.to_lowercase();
    let signs = lower.chars().take_while(|c| shapes::is_rule_sign(*c)).count();
    let inner = lower.trim_matches(|c| shapes::is_rule_sign(c) || matches!(c, ':' | '：' | ' '));
    let phrase = PHRASES.iter().any(|phrase| inner.starts_with(phrase));
    let known = phrase && signs >= SIGNS_MIN
        || inner == "original" && signs >= RULE_SIGNS_MIN
        || APPLE.contains(&inner)
        || asks && ABOVE.iter().any(|phrase| inner.contains(phrase));
    known.then_some(1)
}
