//! Whether a machine wrote a mail, and whether it may be answered automatically (RFC 3834).
//!
//! Headers lie and are missing, so several marks count; where one is doubtful the mail is not
//! answered automatically, which costs a person less than a loop (P8).

use postroom_model::{Automation, AutomationClass};

use crate::header::Fields;
use crate::phrases::Phrases;
use crate::report::Report;
use crate::words;

/// How the subject of an absence begins, or what it holds, in lower case.
static ABSENCES: Phrases = Phrases::new(&[
    "out of office",
    "out of the office",
    "out-of-office",
    "ooo:",
    "on vacation",
    "on holiday",
    "vacation reply",
    "vacation response",
    "vacation message",
    "away from my mail",
    "away from the office",
    "abwesenheit",
    "abwesend",
    "nicht im büro",
    "nicht im haus",
    "absence du bureau",
    "absent du bureau",
    "message d'absence",
    "réponse d'absence",
    "en congé",
    "je suis absent",
    "fuera de la oficina",
    "ausente de la oficina",
    "fora do escritório",
    "ausência temporária",
    "ausência do escritório",
    "fuori sede",
    "fuori ufficio",
    "assenza dall",
    "afwezig",
    "niet op kantoor",
    "poza biurem",
    "nieobecność",
    "вне офиса",
    "нет на месте",
    "отсутствую",
    "в отпуске",
    "frånvaro",
    "ikke til stede",
    "fravær",
    "ikke på kontoret",
    "poissa toimistosta",
    "mimo kancelář",
    "házon kívül",
    "ofis dışında",
    "不在办公室",
    "外出",
    "休假",
    "不在",
    "休暇",
    "부재중",
    "부재 중",
    "vacation-bericht",
]);

/// The same for answers that a program gives at once.
static ANSWERS: Phrases = Phrases::new(&[
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto response",
    "auto-response",
    "autoresponse",
    "automated response",
    "automated reply",
    "autoresponder",
    "automatische antwort",
    "automatisch antwoord",
    "réponse automatique",
    "respuesta automática",
    "resposta automática",
    "risposta automatica",
    "automatyczna odpowiedź",
    "odpowiedź automatyczna",
    "автоматический ответ",
    "автоответ",
    "автоматична відповідь",
    "autosvar",
    "automatiskt svar",
    "automatisk svar",
    "automaattinen vastaus",
    "automatická odpověď",
    "automatikus válasz",
    "otomatik yanıt",
    "răspuns automat",
    "αυτόματη απάντηση",
    "自动回复",
    "自動回覆",
    "自动答复",
    "自動応答",
    "自動返信",
    "자동 회신",
    "자동 응답",
    "자동응답",
]);

/// Local parts that nobody reads.
const UNREAD: &[&str] = &[
    "mailer-daemon",
    "mailerdaemon",
    "postmaster",
    "noreply",
    "no-reply",
    "no_reply",
    "donotreply",
    "do-not-reply",
    "do_not_reply",
    "bounce",
    "bounces",
    "daemon",
    "nobody",
    "listserv",
    "majordomo",
];

/// What a mail says of itself, beside what its report says.
pub(crate) fn of(fields: Fields<'_>, subject: &str, sender: &str, report: &Report) -> Automation {
    let class = report.class.unwrap_or_else(|| class(fields, subject));
    let may_answer = class == AutomationClass::None
        && !suppressed(fields)
        && !is_unread(sender)
        && !has_empty_return_path(fields);
    Automation { class, may_answer }
}

fn class(fields: Fields<'_>, subject: &str) -> AutomationClass {
    let subject = subject.to_lowercase();
    let submitted = fields.lower("Auto-Submitted");
    let on_vacation = submitted.contains("vacation");
    let submitted = submitted.split([';', ' ']).next().unwrap_or_default().trim();
    let replied = submitted.starts_with("auto-replied");
    let automatic = !submitted.is_empty() && submitted != "no";
    let vacation = ["X-Vacation", "X-Autoreply-Vacation"].into_iter().any(|name| fields.has(name))
        || on_vacation;
    let answer = replied || answers(fields) || ANSWERS.is_in(&subject);
    let absent = ABSENCES.is_in(&subject);
    let precedence = fields.lower("Precedence");
    if vacation || absent && (answer || automatic || is_answer_by_mailer(fields)) {
        return AutomationClass::OutOfOffice;
    }
    let listed = ["List-Id", "List-Post", "List-Help", "Mailing-List", "X-Mailing-List"]
        .into_iter()
        .any(|name| fields.has(name));
    if answer && (replied || !listed) {
        return AutomationClass::AutoReply;
    }
    if listed || precedence == "list" {
        return AutomationClass::List;
    }
    let bulk = ["bulk", "junk"].contains(&precedence.as_str())
        || ["List-Unsubscribe", "Feedback-ID", "X-Campaign", "X-CampaignID", "X-Mailgun-Tag"]
            .into_iter()
            .any(|name| fields.has(name));
    if bulk {
        return AutomationClass::Bulk;
    }
    if automatic { AutomationClass::AutoReply } else { AutomationClass::None }
}

/// Fields that only programs write which answer by themselves.
fn answers(fields: Fields<'_>) -> bool {
    let filled = |name| {
        fields.raw(name).is_some_and(|raw| {
            let value = words::decode(raw).to_lowercase();
            !["no", "false", "none", "0"].contains(&value.trim())
        })
    };
    let precedence = fields.lower("Precedence");
    [
        "X-Autoreply",
        "X-Auto-Reply",
        "X-Autorespond",
        "X-Autoresponder",
        "X-AutoReply-From",
        "X-Autogenerated",
        "X-Mail-Autoreply",
        "X-Auto-Response",
        "X-Autoresponse",
        "Auto-Reply",
        "X-POST-MessageClass-Autoreply",
        "X-FC-MachineGenerated",
    ]
    .into_iter()
    .any(filled)
        || ["auto_reply", "auto-reply", "autoreply"].contains(&precedence.as_str())
        || fields.lower("X-POST-MessageClass").contains("autoresponder")
        || fields.lower("Delivered-To").contains("autoresponder")
}

/// Programs that send absences and say so nowhere but in their name.
fn is_answer_by_mailer(fields: Fields<'_>) -> bool {
    let mailer = fields.lower("X-Mailer");
    let mailer = if mailer.is_empty() { fields.lower("User-Agent") } else { mailer };
    ["vacation", "autorespond", "auto-respond", "sieve", "zimbra"]
        .iter()
        .any(|name| mailer.contains(name))
        || fields.has("X-Auto-Response-Suppress")
        || !fields.has("X-Mailer") && !fields.has("User-Agent") && fields.has("In-Reply-To")
}

/// The sender asks for silence.
fn suppressed(fields: Fields<'_>) -> bool {
    let asked = fields.lower("X-Auto-Response-Suppress");
    let asked =
        asked.split([',', ' ']).any(|word| matches!(word, "all" | "autoreply" | "oof" | "dr"));
    asked || fields.has("X-Loop") || fields.lower("X-Spam-Flag") == "yes"
}

pub(crate) fn has_empty_return_path(fields: Fields<'_>) -> bool {
    fields.all("Return-Path").any(|path| path.trim_ascii() == b"<>")
}

/// Whether nobody reads what is sent to this address.
fn is_unread(address: &str) -> bool {
    let local = address.rsplit_once('@').map_or(address, |(local, _)| local).to_lowercase();
    let bare = local.split(['+', '=']).next().unwrap_or_default();
    UNREAD.contains(&bare)
        || bare.ends_with("noreply")
        || bare.ends_with("no-reply")
        || bare.starts_with("noreply")
        || bare.starts_with("no-reply")
}
