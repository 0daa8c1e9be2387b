//! A block of header lines before the original message, as Outlook and others write it: who, when, to
//! whom, about what, in the language of the program.

use super::{Line, shapes};

/// Lines in which the block must be told.
const LINES_MAX: usize = 14;
/// Characters in a label.
const LABEL_CHARS_MAX: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    From,
    Date,
    To,
    Subject,
    Other,
}

const FROM: &[&str] = &[
    "from",
    "von",
    "de",
    "da",
    "van",
    "från",
    "fra",
    "od",
    "от",
    "от кого",
    "від",
    "lähettäjä",
    "feladó",
    "kimden",
    "gönderen",
    "de la",
    "expeditor",
    "από",
    "expéditeur",
    "remitente",
    "mittente",
    "absender",
    "afzender",
    "sender",
    "发件人",
    "寄件者",
    "寄件人",
    "發件人",
    "差出人",
    "보낸 사람",
    "보낸사람",
];
const DATE: &[&str] = &[
    "date",
    "sent",
    "sent at",
    "sent on",
    "when",
    "gesendet",
    "gesendet am",
    "datum",
    "envoyé",
    "envoyé le",
    "envoyée",
    "fecha",
    "enviado",
    "enviado el",
    "enviado em",
    "enviada em",
    "data",
    "inviato",
    "inviato il",
    "verzonden",
    "verzonden op",
    "wysłano",
    "wysłane",
    "wysłany",
    "отправлено",
    "дата",
    "надіслано",
    "skickat",
    "sendt",
    "dato",
    "lähetetty",
    "päivämäärä",
    "päiväys",
    "odesláno",
    "odoslané",
    "dátum",
    "küldve",
    "elküldve",
    "gönderildi",
    "gönderme tarihi",
    "tarih",
    "trimis",
    "στάλθηκε",
    "ημερομηνία",
    "发送时间",
    "傳送時間",
    "發送時間",
    "发送日期",
    "寄件日期",
    "日期",
    "时间",
    "時間",
    "送信日時",
    "日時",
    "日付",
    "보낸 날짜",
    "보낸날짜",
    "날짜",
];
const TO: &[&str] = &[
    "to",
    "an",
    "à",
    "a",
    "pour",
    "para",
    "aan",
    "do",
    "кому",
    "till",
    "til",
    "vastaanottaja",
    "komu",
    "címzett",
    "kime",
    "alıcı",
    "către",
    "προς",
    "destinataire",
    "destinatario",
    "empfänger",
    "pre",
    "收件人",
    "收件者",
    "宛先",
    "받는 사람",
    "받는사람",
    "recipient",
    "reply-to",
    "reply to",
    "antwort an",
    "répondre à",
    "ontvanger",
    "发送至",
];
const SUBJECT: &[&str] = &[
    "subject",
    "betreff",
    "objet",
    "asunto",
    "assunto",
    "oggetto",
    "onderwerp",
    "temat",
    "тема",
    "ämne",
    "emne",
    "aihe",
    "předmět",
    "predmet",
    "tárgy",
    "konu",
    "subiect",
    "θέμα",
    "主题",
    "主題",
    "主旨",
    "件名",
    "제목",
    "sujet",
];
const OTHER: &[&str] = &[
    "cc",
    "bcc",
    "kopie",
    "copie",
    "copia",
    "cópia",
    "kopia",
    "kopi",
    "kopio",
    "копия",
    "копія",
    "dw",
    "másolat",
    "bilgi",
    "κοιν",
    "抄送",
    "副本",
    "참조",
    "attachments",
    "anlagen",
    "importance",
    "wichtigkeit",
    "priority",
    "organization",
    "pièces jointes",
];

/// Over how many lines the block goes that begins here, the blank lines behind it included.
pub(super) fn at(lines: &[Line<'_>], at: usize) -> Option<usize> {
    let first = lines.get(at)?;
    let ruled = shapes::is_rule(first.text);
    if !ruled && label(first.head()).is_none() {
        return None;
    }
    let rule = if ruled {
        let below = lines.iter().skip(at).take(3);
        below.take_while(|line| line.is_blank() || shapes::is_rule(line.text)).count()
    } else {
        0
    };
    let block = read(lines.get(at + rule..)?)?;
    Some(rule + block)
}

/// The same where no rule stands before.
fn read(lines: &[Line<'_>]) -> Option<usize> {
    let mut found = Found::default();
    let (mut end, mut strange) = (0, 0);
    for (index, line) in lines.iter().take(LINES_MAX).enumerate() {
        if line.is_blank() {
            // Paragraphs of HTML may leave one between the lines.
            let next = lines.get(index + 1).and_then(|line| label(line.head()));
            if index == 0 || next.is_none() {
                break;
            }
            continue;
        }
        match label(line.head()) {
            Some((label, value)) => {
                found.add(label, value);
                (end, strange) = (index + 1, 0);
            }
            // The rest of a long line.
            None if index == 0 || strange == 2 => break,
            None => {
                found.add_to_last(line.head());
                strange += 1;
            }
        }
    }
    // Folded values belong to the block.
    let folded = lines.iter().skip(end).take(strange).take_while(|line| !line.is_blank()).count();
    let end = end + folded;
    let blank = lines.iter().skip(end).take_while(|line| line.is_blank()).count();
    found.is_header().then_some(end + blank)
}

#[derive(Default)]
struct Found {
    from: bool,
    date: bool,
    to: bool,
    subject: bool,
    /// The sender has an address, or the date is one.
    sure: usize,
    last: Option<Label>,
}

impl Found {
    fn add(&mut self, label: Label, value: &str) {
        match label {
            Label::From => self.from = true,
            Label::Date => self.date = true,
            Label::To => self.to = true,
            Label::Subject => self.subject = true,
            Label::Other => {}
        }
        self.last = Some(label);
        self.add_to_last(value);
    }

    fn add_to_last(&mut self, value: &str) {
        self.sure += match self.last {
            Some(Label::From | Label::To) => usize::from(shapes::has_address(value)),
            Some(Label::Date) => usize::from(shapes::has_date(value)),
            _ => 0,
        };
    }

    fn is_header(&self) -> bool {
        let kinds = [self.from, self.date, self.to, self.subject];
        let kinds = kinds.into_iter().filter(|known| *known).count();
        let who = self.from || self.to;
        who && (kinds >= 4
            || kinds == 3 && self.sure >= 1
            || kinds == 2 && self.from && self.sure >= 2)
    }
}

/// The label of a line and what follows it.
fn label(line: &str) -> Option<(Label, &str)> {
    let decoration = |c: char| c.is_whitespace() || matches!(c, '*' | '_' | '|' | '\u{200e}');
    let text = line.trim_start_matches(decoration);
    let colon = text.char_indices().take(LABEL_CHARS_MAX).find(|(_, c)| matches!(c, ':' | '：'));
    let (end, sign) = colon?;
    let name = text.get(..end)?.trim_matches(decoration);
    let name = name.to_lowercase();
    let value = text.get(end + sign.len_utf8()..)?.trim_start_matches(decoration);
    let tables: [(&[&str], Label); 5] = [
        (FROM, Label::From),
        (DATE, Label::Date),
        (TO, Label::To),
        (SUBJECT, Label::Subject),
        (OTHER, Label::Other),
    ];
    let known = tables.into_iter().find(|(names, _)| names.contains(&name.as_str()));
    known.map(|(_, label)| (label, value))
}

#[cfg(test)]
mod tests {
    use super::{Label, label};

    #[test]
    fn labels_are_known_in_their_dress() {
        for (line, known) in [
            ("From: Ada", Some(Label::From)),
            ("*Sent:* Monday", Some(Label::Date)),
            (" À : Ada", Some(Label::To)),
            ("发件人：艾达", Some(Label::From)),
            ("主题: 你好", Some(Label::Subject)),
            ("Kopie:", Some(Label::Other)),
            ("Note: this", None),
            ("From here on it is", None),
            ("http://example.com", None),
        ] {
            assert_eq!(label(line).map(|(label, _)| label), known, "{line}");
        }
    }
}
