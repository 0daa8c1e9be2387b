//! The newest words in the languages and shapes of the mail programs.

use super::{is_marked, of_page, of_text};
use crate::page;

const OWN: &str = "Danke, das ist angekommen.\n谢谢！";
const OLD: &str = "When will it come?\nRegards";

fn quoted(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("> {line}\n")).collect();
    lines.concat()
}

#[test]
fn attribution_in_any_language_ends_the_newest_words() {
    for line in [
        "On Mon, 3 Jun 2024 at 10:15, Ada L. <ada@example.com> wrote:",
        "On 6/3/24 10:15 AM, Ada wrote:",
        "On Jun 3, 2024, at 10:15 AM, Ada <ada@example.com> wrote:",
        "Ada <ada@example.com> wrote on Monday, 3 June 2024:",
        "2024-06-03 10:15 GMT+02:00 Ada <ada@example.com>:",
        "Am 03.06.24 um 10:15 schrieb Ada L.:",
        "Am Mo., 3. Juni 2024 um 10:15 Uhr schrieb Ada <ada@example.com>:",
        "Ada <ada@example.com> schrieb am Mo., 3. Juni 2024, 10:15:",
        "Le lun. 3 juin 2024 à 10:15, Ada <ada@example.com> a écrit :",
        "Le 03/06/2024 à 10:15, Ada a écrit :",
        "El lun, 3 jun 2024 a las 10:15, Ada (<ada@example.com>) escribió:",
        "Em seg., 3 de jun. de 2024 às 10:15, Ada <ada@example.com> escreveu:",
        "Il giorno lun 3 giu 2024 alle ore 10:15 Ada <ada@example.com> ha scritto:",
        "Op ma 3 jun 2024 om 10:15 schreef Ada <ada@example.com>:",
        "Op 3 jun. 2024, om 10:15 heeft Ada <ada@example.com> het volgende geschreven:",
        "pon., 3 cze 2024 o 10:15 Ada <ada@example.com> napisał(a):",
        "W dniu 3.06.2024 o 10:15, Ada pisze:",
        "пн, 3 июн. 2024 г. в 10:15, Ada <ada@example.com>:",
        "3 июня 2024 г., в 10:15, Ada <ada@example.com> написал(а):",
        "Den mån 3 juni 2024 kl 10:15 skrev Ada <ada@example.com>:",
        "man. 3. jun. 2024 kl. 10.15 skrev Ada <ada@example.com>:",
        "ma 3. kesäk. 2024 klo 10.15 Ada (ada@example.com) kirjoitti:",
        "po 3. 6. 2024 v 10:15 odesílatel Ada <ada@example.com> napsal:",
        "Ada <ada@example.com> ezt írta (időpont: 2024. jún. 3., H, 10:15):",
        "Ada <ada@example.com>, 3 Haz 2024 Pzt, 10:15 tarihinde şunu yazdı:",
        "在 2024年6月3日，上午10:15，Ada <ada@example.com> 写道：",
        "Ada <ada@example.com> 于2024年6月3日周一 10:15写道：",
        "Ada <ada@example.com> 於 2024年6月3日 週一 上午10:15寫道：",
        "2024年6月3日(月) 10:15 Ada <ada@example.com>:",
        "2024년 6월 3일 (월) 오전 10:15, Ada <ada@example.com>님이 작성:",
        "Vào Th 2, 3 thg 6, 2024 vào lúc 10:15 Ada <ada@example.com> đã viết:",
    ] {
        for (mail, how) in [
            (format!("{OWN}\n\n{line}\n\n{}", quoted(OLD)), "quoted"),
            (format!("{OWN}\n\n{line}\n{}", quoted(OLD)), "close"),
            (format!("{OWN}\n\n{line}\n\n{OLD}"), "bare"),
        ] {
            assert_eq!(of_text(&mail), OWN, "{how}: {line}");
        }
        let below = format!("{line}\n{}\n{OWN}", quoted(OLD));
        assert_eq!(of_text(&below), OWN, "below: {line}");
    }
}

#[test]
fn attribution_without_a_date_counts_before_a_quotation() {
    for line in [
        "Quoting Ada <ada@example.com>:",
        "Zitat von Ada <ada@example.com>:",
        "Ada wrote on 6/3/2024 10:15 AM:",
        "\"Ada\" <ada@example.com> writes:",
    ] {
        assert_eq!(of_text(&format!("{OWN}\n\n{line}\n\n{}", quoted(OLD))), OWN, "{line}");
    }
}

#[test]
fn folded_attribution_is_one() {
    for line in [
        "On Mon, 3 Jun 2024 at 10:15, Ada Lovelace of the Analytical Engine\n<ada@example.com> wrote:",
        "On Jun 3, 2024,\nat 10:15,\nAda <ada@example.com> wrote:",
        "Ada <ada@example.com> schrieb am Mo., 3. Juni\n2024 um 10:15:",
        "On Mon, 3 Jun 2024 at 10:15 Ada\n\n<\nmailto:Ada <ada@example.com>\n> wrote:",
        "W dniu 3 czerwca 2024 10:15 użytkownik Ada <ada@example.com>\nnapisał:",
    ] {
        assert_eq!(of_text(&format!("{OWN}\n\n{line}\n\n{OLD}")), OWN, "{line}");
    }
}

#[test]
fn original_message_ends_the_newest_words() {
    for block in [
        "-----Original Message-----\nFrom: Ada",
        "-------- Ursprüngliche Nachricht --------\nVon: Ada",
        "------------------ 原始邮件 ------------------\n发件人: \"Ada\"<ada@example.com>;",
        "------------------ Original ------------------\nFrom: \"Ada\"<ada@example.com>;",
        "---- 回复的原邮件 ----\n| 发件人 | Ada |",
        "发件人： Ada\n发送时间： 2024-06-03 10:15\n收件人： Bob\n主题： 包裹",
        "On Mon, Jun 3, 2024 at 10:15, Ada<ada@example.com> wrote:   When will it come?",
        "----- Mail original -----\nDe: Ada <ada@example.com>\nÀ: Bob <bob@example.com>\nObjet: Colis",
        "---------- Forwarded message ---------\nFrom: Ada <ada@example.com>",
        "Begin forwarded message:\n\nFrom: Ada <ada@example.com>",
        "Anfang der weitergeleiteten Nachricht:\n\nVon: Ada",
        "________________________________\nFrom: Ada <ada@example.com>\nSent: Monday, June 3, 2024 10:15\n\
         To: Bob\nSubject: Parcel",
        "From: Ada <ada@example.com>\nSent: Monday, June 3, 2024 10:15\nTo: Bob\nSubject: Parcel",
        "*From:* Ada\n*Sent:* 2024-06-03\n*To:* bob@example.com\n*Subject:* Parcel",
        "Von: Ada <ada@example.com>\nGesendet: Montag, 3. Juni 2024 10:15\nAn: Bob\nBetreff: Paket",
        "De : Ada <ada@example.com>\nEnvoyé : lundi 3 juin 2024 10:15\nÀ : Bob\nObjet : Colis",
        "De: Ada <ada@example.com>\nEnviado el: lunes, 3 de junio de 2024 10:15\nPara: Bob\nAsunto: Caja",
        "Da: Ada <ada@example.com>\nInviato: lunedì 3 giugno 2024 10:15\nA: Bob\nOggetto: Pacco",
        "Van: Ada <ada@example.com>\nVerzonden: maandag 3 juni 2024 10:15\nAan: Bob\nOnderwerp: Pakje",
        "Od: Ada <ada@example.com>\nWysłano: 3 czerwca 2024 10:15\nDo: Bob\nTemat: Paczka",
        "От: Ada <ada@example.com>\nОтправлено: 3 июня 2024 г. 10:15\nКому: Bob\nТема: Посылка",
        "Från: Ada <ada@example.com>\nSkickat: den 3 juni 2024 10:15\nTill: Bob\nÄmne: Paket",
        "Fra: Ada <ada@example.com>\nSendt: 3. juni 2024 10:15\nTil: Bob\nEmne: Pakke",
        "发件人: Ada <ada@example.com>\n发送时间: 2024年6月3日 10:15\n收件人: Bob\n主题: 包裹",
        "寄件者: Ada <ada@example.com>\n傳送時間: 2024年6月3日 10:15\n收件者: Bob\n主旨: 包裹",
        "差出人: Ada <ada@example.com>\n送信日時: 2024年6月3日 10:15\n宛先: Bob\n件名: 荷物",
        "보낸 사람: Ada <ada@example.com>\n보낸 날짜: 2024년 6월 3일 10:15\n받는 사람: Bob\n제목: 소포",
        "##- Please type your reply above this line -##",
    ] {
        assert_eq!(of_text(&format!("{OWN}\n\n{block}\n\n{OLD}")), OWN, "{block}");
    }
}

#[test]
fn somebodys_own_words_stay() {
    for text in [
        "On the whole it works.\nOn Monday I wrote to you.\nOn average: fine.",
        "Please see:\n\nDate: 3 June 2024\nTime: 10:15\nPlace: Oslo",
        "To: the team\nI say thank you.",
        "2024-06-03 10:15:00\n2024/06/03 10:15\nare the times of the calls:",
        "Item        Price\n-----------------\nTea         3.50",
        "I sent it to ada@example.com at 10:15.",
        "- one\n- two\n\n--> three",
        ">>> www.example.com <<<",
        "The form said: original message missing.",
        "```\n# a\n####\n```\nend",
        "Steps:\n1. open\n2. close",
    ] {
        assert_eq!(of_text(text), text, "{text}");
    }
}

#[test]
fn answers_between_quotations_are_kept_and_the_quotations_are_not() {
    let mail =
        "On 3 June 2024 at 10:15, Ada <ada@example.com> wrote:\n> Tea?\n\nYes.\n\n> Milk?\n\nNo.\n";
    assert_eq!(of_text(mail).split_whitespace().collect::<Vec<_>>(), ["Yes.", "No."]);
}

#[test]
fn signature_is_cut_and_a_closing_is_not() {
    for (mail, own) in [
        ("Yes.\n\n-- \nAda\nAnalyst", "Yes."),
        ("Yes.\n\nBest regards\nAda\n\n--\nAda Ltd", "Yes.\n\nBest regards\nAda"),
        ("Yes.\n\nSent from my iPhone", "Yes."),
        ("Yes.\n\n发自我的iPhone", "Yes."),
        ("Yes.\n\nGet Outlook for Android<https://aka.ms/x>\n\n> old", "Yes."),
        ("Yes.\n________________\nList mailing list\nhttps://lists.example.com", "Yes."),
        ("Yes.\n\n—————\nAda\nAnalyst", "Yes."),
        ("Yes.\n\n***\n====", "Yes."),
    ] {
        assert_eq!(of_text(mail), own, "{mail}");
    }
}

#[test]
fn mail_without_words_of_its_own_shows_what_there_is() {
    assert_eq!(of_text("> only a quotation"), "> only a quotation");
    assert_eq!(of_text("On 3 June 2024 at 10:15, Ada <ada@example.com> wrote:\n> Tea?"), "");
    let forwarded = "---------- Forwarded message ---------\nFrom: Ada <ada@example.com>\n\
                     Date: Mon, Jun 3, 2024 at 10:15\nSubject: Parcel\nTo: Bob <bob@example.com>\n\n\nIt is here.";
    assert_eq!(of_text(forwarded), "It is here.");
    assert_eq!(of_text(""), "");
}

#[test]
fn markup_of_mail_programs_tells_what_is_quoted() {
    for html in [
        "Yes.<div class=\"gmail_quote\"><div class=gmail_attr>On Monday Ada wrote:<br></div>\
         <blockquote>Tea?</blockquote></div>",
        "<p>Yes.</p><div id=\"appendonsend\"></div><hr><div id=\"divRplyFwdMsg\"><b>From:</b> Ada</div>Tea?",
        "<p>Yes.</p><div style='border-top:solid #E1E1E1 1.0pt'><p><b>From:</b> Ada &lt;ada@example.com&gt;<br>\
         <b>Sent:</b> Monday, June 3, 2024 10:15<br><b>To:</b> Bob<br><b>Subject:</b> Tea</p></div><p>Tea?</p>",
        "Yes.<div class=\"moz-cite-prefix\">On 03.06.24 10:15, Ada wrote:</div><blockquote type=\"cite\">Tea?</blockquote>",
        "<div>Yes.</div><div><br></div><blockquote type=cite>On 3 Jun 2024, at 10:15, Ada wrote:<br>Tea?</blockquote>",
        "Yes.<div id=\"yahoo_quoted_123\" class=\"yahoo_quoted\">On Monday, Ada wrote: Tea?</div>",
        "Yes.<div class='protonmail_signature_block'>Ada</div><div class='protonmail_quote'>Tea?</div>",
        "<div name=\"quote\" style=\"border-left:2px solid #C3D9E5\"><b>Gesendet:</b> Montag<br>Tea?</div>Yes.",
        "<p>Yes.</p><p>26.06.2024, 14:41, \"Ada\" &lt;ada@example.com&gt;:</p><blockquote>Tea?</blockquote>",
        "<div>Yes.</div><div>------------------&nbsp;原始邮件&nbsp;------------------</div><div>发件人: Ada</div>Tea?",
        "<div>Yes.</div><blockquote id=\"isReplyContent\">At 2024-06-03 10:15:00, Ada wrote: Tea?</blockquote>",
        "<div>Yes.</div><div data-marker=\"__QUOTED_TEXT__\">Tea?</div>",
    ] {
        assert_eq!(of_page(&page::read(html)).trim(), "Yes.", "{html}");
    }
    assert!(is_marked(&page::read("a<div class=gmail_quote>b</div>")));
    assert!(!is_marked(&page::read("a<blockquote>b</blockquote>")));
}

#[test]
fn hostile_text_is_read_in_reasonable_time() {
    let clock = std::time::Instant::now();
    for text in [
        "On ".repeat(400_000),
        "On 1 2024 at 10:10\n".repeat(50_000),
        "a@b.example 10:10\n".repeat(50_000),
        ">".repeat(1_000_000),
        "> x\n".repeat(200_000),
        "From: a@b.example\n".repeat(50_000),
        "--\n".repeat(200_000),
        "-----Original Message".repeat(50_000),
        "Sent from my ".repeat(50_000),
        "\n".repeat(1_000_000),
        "x:\n".repeat(200_000),
    ] {
        assert!(of_text(&text).len() <= text.len());
    }
    // Generous for a busy machine; what grows with the square takes minutes.
    assert!(clock.elapsed().as_secs() < 30);
}
