//! The line that says who wrote what follows, in the languages of the mail programs: "On Monday, Ada
//! wrote:", "Am Montag schrieb Ada:", "在 2024年，艾达写道：".

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{Line, shapes};

/// Lines over which one attribution may be folded.
const LINES_MAX: usize = 5;
/// Characters in one.
const CHARS_MAX: usize = 400;

/// What is said of the other's words; each with the space before it where the script has spaces.
const VERBS: &[&str] = &[
    " wrote",
    " writes",
    " sent",
    " said",
    " replied",
    " schrieb",
    " geschrieben",
    " a écrit",
    " à écrit",
    " écrit",
    " a ecrit",
    " escribió",
    " escribio",
    " escribe",
    " ha escrito",
    " escreveu",
    " ha scritto",
    " scrive",
    " scrisse",
    " ha scrit",
    " schreef",
    " geschreven",
    " napisał",
    " napisał(a)",
    " napisała",
    " napisal(a)",
    " pisze",
    " написал",
    " написала",
    " написал(а)",
    " пишет",
    " писал",
    " писал(а)",
    " написав",
    " пише",
    " skrev",
    " skrifaði",
    " kirjoitti",
    " napsal",
    " napsal(a)",
    " napsala",
    " napísal",
    " napísal(a)",
    " írta",
    " a írt",
    " ezt írta",
    " a scris",
    " έγραψε",
    " написа",
    " yazdı",
    " şunu yazdı",
    " đã viết",
    " menulis",
    " rašė",
    " kirjutas",
    "写道",
    "寫道",
    "写到",
    "写了",
    "寫了",
    "书写",
    "のメール",
    "書きました",
    "작성",
    "님이 쓴 글",
    "כתב",
];

/// Verbs after which a date follows: "Ada <ada@example.com> schrieb am Fr., 28. Apr. um 11:53:".
const VERBS_BEFORE_DATE: &[&str] = &[
    " schrieb am ",
    " schrieb ",
    " a écrit le ",
    " ha scritto il ",
    " escribió el ",
    " schreef op ",
    " skrev den ",
    " napisał w dniu ",
    " wrote on ",
    " wrote at ",
    " написал ",
    "于",
];

/// How an attribution begins in a line that it does not fill.
const STARTS: &[&str] = &[
    "on ",
    "at ",
    "le ",
    "am ",
    "em ",
    "el ",
    "il ",
    "in data ",
    "op ",
    "w dniu ",
    "den ",
    "på ",
    "kl ",
    "dne ",
    "v ",
    "в ",
    "dnia ",
    "la ",
    "pe ",
    "στις ",
    "vào ",
    "pada ",
    "dňa ",
    "tarihinde ",
    "---- ",
    "--- ",
    "在",
    "于",
    "於",
    "a ",
];

/// Words between which dashes share the line with somebody's own.
const SHARED: &[&str] = &["--- On ", "---- On ", "—On "];

/// Most lines begin and end with a letter with which none of the words does, so they are kept by it.
type ByLetter = BTreeMap<char, Vec<&'static str>>;

static VERBS_BY_END: LazyLock<ByLetter> =
    LazyLock::new(|| by_letter(VERBS, |verb| verb.chars().next_back()));
static STARTS_BY_BEGIN: LazyLock<ByLetter> =
    LazyLock::new(|| by_letter(STARTS, |start| start.chars().next()));

fn by_letter(words: &[&'static str], letter: impl Fn(&str) -> Option<char>) -> ByLetter {
    let mut kept = ByLetter::new();
    for word in words {
        if let Some(letter) = letter(word) {
            kept.entry(letter).or_default().push(word);
        }
    }
    kept
}

pub(super) struct Attribution<'a> {
    pub(super) lines: usize,
    /// Somebody's own words before it in the same line.
    pub(super) before: &'a str,
}

/// An attribution that begins in this line.
pub(super) fn at<'a>(lines: &[Line<'a>], at: usize) -> Option<Attribution<'a>> {
    let first = lines.get(at)?;
    if first.text.len() > CHARS_MAX * 4 || first.is_quote() {
        return None;
    }
    if let Some(before) = shared(first.head()) {
        return Some(Attribution { lines: 1, before });
    }
    if runs_on(first.head().trim()) {
        return Some(Attribution { lines: 1, before: "" });
    }
    let count = length(lines, at)?;
    // A later line that is one by itself is the one; this is somebody's own.
    let own = !opens(first.head())
        && (1..count).any(|skipped| starts(lines, at + skipped, count - skipped));
    (!own).then_some(Attribution { lines: count, before: "" })
}

/// An attribution after which the original goes on in the same line, as some programs on telephones
/// write it.
fn runs_on(line: &str) -> bool {
    if !line.contains('@') || !opens(line) {
        return false;
    }
    let lower = line.to_lowercase();
    VERBS.iter().any(|verb| {
        let parts = lower.split_once(&format!("{verb}:"));
        parts.is_some_and(|(before, after)| {
            !after.trim().is_empty() && shapes::has_address(before) && shapes::has_date(before)
        })
    })
}

/// A quoted line that is an attribution: "> On Monday, Ada wrote:".
pub(super) fn is_quoted(line: &str) -> bool {
    let text = line.trim_start_matches(['>', ' ']);
    is_attribution(text.trim(), true)
}

fn starts(lines: &[Line<'_>], at: usize, count: usize) -> bool {
    let begins = lines.get(at).is_some_and(|line| {
        starts_known(line.head().trim_start()) || shapes::has_date(line.head())
    });
    begins && length(lines, at) == Some(count)
}

/// Begins as attributions do, and with a date.
fn opens(line: &str) -> bool {
    starts_known(line.trim_start()) && shapes::has_date(line)
}

fn starts_known(text: &str) -> bool {
    let Some(first) = text.chars().next().and_then(|first| first.to_lowercase().next()) else {
        return false;
    };
    let starts = STARTS_BY_BEGIN.get(&first).map_or(&[][..], Vec::as_slice);
    starts.iter().any(|start| begins_with(text, start))
}

/// Ends so, whatever the case. `end` is in lower case.
fn ends_with(text: &str, end: &str) -> bool {
    let mut own = text.chars().rev();
    end.chars().rev().all(|wanted| {
        own.next().is_some_and(|own| own == wanted || own.to_lowercase().eq([wanted]))
    })
}

/// Begins so, whatever the case. `start` is in lower case.
fn begins_with(text: &str, start: &str) -> bool {
    let mut known = start.chars();
    let mut next = known.next();
    for own in text.chars().flat_map(char::to_lowercase) {
        match next {
            None => return true,
            Some(wanted) if wanted == own => next = known.next(),
            Some(_) => return false,
        }
    }
    next.is_none()
}

/// Over how many lines the attribution that begins here goes.
fn length(lines: &[Line<'_>], at: usize) -> Option<usize> {
    let first = lines.get(at)?.head().trim();
    if !may_begin(first) {
        return None;
    }
    let mut heads: Vec<&str> = Vec::with_capacity(LINES_MAX + 1);
    let mut bytes = 0;
    let mut blanks = 0;
    for (index, line) in lines.iter().skip(at).take(LINES_MAX + 1).enumerate() {
        let head = line.head().trim();
        if line.is_blank() {
            // Some programs put the address into paragraphs of its own.
            let next = lines.get(at + index + 1).map_or("", |line| line.text);
            blanks += 1;
            if blanks > 1 || !next.trim_start().starts_with('<') {
                return None;
            }
            continue;
        }
        let closes = head.starts_with('>') && heads.iter().any(|head| head.contains('<'));
        if index > 0 && line.is_quote() && !closes {
            return None;
        }
        bytes += head.len() + usize::from(!heads.is_empty());
        heads.push(head);
        if bytes > CHARS_MAX && heads.join(" ").chars().count() > CHARS_MAX {
            return None;
        }
        let next = lines.iter().skip(at + index + 1).find(|line| !line.is_blank());
        let quoted = next.is_some_and(|line| line.is_quote() || line.text.starts_with("| "));
        // Most lines end none, and that is told by their last letters.
        if !quoted && !may_end(head) && !head.ends_with(['*', '_', '"']) {
            continue;
        }
        let text = heads.join(" ");
        let open = text.matches('<').count() > text.matches('>').count();
        if is_attribution(&text, quoted && !open) {
            return Some(index + 1);
        }
    }
    None
}

/// Whether the line can be the first of an attribution. Most lines cannot, so this is cheap.
fn may_begin(line: &str) -> bool {
    line.contains('@')
        || line.bytes().any(|byte| byte.is_ascii_digit())
        || line.ends_with([':', '：'])
        || starts_known(line)
}

/// Whether an attribution can end so where no quotation follows: with a sign, or with a verb.
fn may_end(text: &str) -> bool {
    let said = text.trim_end_matches(['*', '_', '"', ' ']);
    let Some(last) = said.chars().next_back() else { return false };
    if matches!(last, ':' | '：' | '-') {
        return true;
    }
    let ends = |last: char| {
        let verbs = VERBS_BY_END.get(&last).map_or(&[][..], Vec::as_slice);
        verbs.iter().any(|verb| ends_with(said, verb))
    };
    last.to_lowercase().any(ends)
}

/// `quoted`: a quotation follows.
fn is_attribution(text: &str, quoted: bool) -> bool {
    if !quoted && !may_end(text) {
        return false;
    }
    let known = shapes::has_date(text) || shapes::has_address(text);
    if !known && !quoted && !text.starts_with("---") {
        return false;
    }
    let lower = text.to_lowercase();
    let text = lower.trim_end_matches(['*', '_', '"', ' ']);
    if let Some(inner) = text.strip_prefix("---").and_then(|rest| rest.strip_suffix("---")) {
        let inner = inner.trim_matches(['-', ' ']);
        return VERBS.iter().any(|verb| inner.ends_with(verb));
    }
    let ends = text.strip_suffix([':', '：']);
    let said = ends.unwrap_or(text).trim_end();
    let verb = VERBS.iter().any(|verb| said.ends_with(verb));
    if verb && known && (ends.is_some() || quoted || shapes::has_address(said)) {
        return true;
    }
    if ends.is_none() {
        return quoted && shapes::has_date(said) && said.ends_with(['>', ')']) && known;
    }
    let dated = VERBS_BEFORE_DATE.iter().any(|verb| said.contains(verb));
    let both = shapes::has_date(said) && shapes::has_address(said);
    let opens = STARTS.iter().any(|start| said.starts_with(start)) && shapes::has_date(said);
    // A verb with the name behind it: "Am 3. Mai 2024 um 10:00 schrieb Ada:".
    let inside = opens && VERBS.iter().any(|verb| said.contains(&format!("{verb} ")));
    both && (dated || ends_with_party(said))
        || inside
        || dated && shapes::has_address(said) && shapes::has_date(said)
        || quoted && (verb || opens || shapes::has_address(said) || dated && known)
}

/// "…, Ada <ada@example.com>": what stands last is who wrote.
fn ends_with_party(text: &str) -> bool {
    let last = text.split(' ').next_back().unwrap_or_default();
    last.ends_with(['>', ')', ']', '"']) && text.contains('@')
        || shapes::has_address(last) && shapes::has_date(text)
}

/// Somebody's own words before an attribution in the same line.
fn shared(line: &str) -> Option<&str> {
    // Most lines have none of the marks.
    if !line.contains("On ") {
        return None;
    }
    let (before, rest) = SHARED.iter().find_map(|mark| line.split_once(mark))?;
    let said = rest.trim_end();
    (!before.trim().is_empty() && is_attribution(said, false)).then(|| before.trim_end())
}

#[cfg(test)]
mod tests {
    use super::{begins_with, ends_with};

    #[test]
    fn case_means_nothing_at_either_end() {
        for (text, start, end, found) in [
            ("On Monday, Ada Wrote", "on ", " wrote", (true, true)),
            ("ÜBER Ada НАПИСАЛ", "über", " написал", (true, true)),
            ("在 2024年，艾达写道", "在", "写道", (true, true)),
            ("O", "on ", " wrote", (false, false)),
            ("", "a ", "a", (false, false)),
            ("Once she wrote to", "on ", " wrote", (false, false)),
        ] {
            assert_eq!((begins_with(text, start), ends_with(text, end)), found, "{text}");
        }
    }
}
