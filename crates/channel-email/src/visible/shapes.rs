//! How lines look: quoted, ruled, dated.

/// At most `max` bytes of a text, cut between characters.
pub(super) fn head(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let mut end = max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Begins with the sign of quotation; arrows that only decorate do not count.
pub(super) fn is_quote(line: &str) -> bool {
    const INDENT_MAX: usize = 3;
    let text = line.trim_start_matches([' ', '\u{a0}', '\t']);
    let indent = line.len() - text.len();
    let quoted = text.starts_with('>') || text.starts_with('＞') || text.starts_with("&gt;");
    quoted && indent <= INDENT_MAX && !text.trim_end().ends_with("<<")
}

/// A line of dashes and the like, without a word.
pub(super) fn is_rule(line: &str) -> bool {
    let text = line.trim();
    !text.is_empty() && text.chars().all(is_rule_sign)
}

pub(super) fn is_rule_sign(c: char) -> bool {
    matches!(c, '-' | '_' | '=' | '*' | '#' | '~' | '+' | '.' | '|' | ' ' | '\t' | 'ᐧ' | '\u{200b}')
        || matches!(c, '\u{2010}'..='\u{2015}' | '━' | '─' | '═' | '＿' | '－' | '•' | '·')
}

/// A time of day, a year, or a date in figures.
pub(super) fn has_date(text: &str) -> bool {
    let mut run = 0;
    let mut before: Option<(char, usize)> = None;
    let mut value = 0_u32;
    let mut separated = 0;
    for c in text.chars().chain(std::iter::once(' ')) {
        if let Some(digit) = c.to_digit(10) {
            run += 1;
            value = value.saturating_mul(10).saturating_add(digit);
            continue;
        }
        if run > 0 {
            if run == 4 && (1970..2100).contains(&value) {
                return true;
            }
            let pair = run == 2 && value < 60;
            if let Some((sign, digits)) = before {
                if matches!(sign, ':' | 'h' | '：') && digits <= 2 && pair {
                    return true;
                }
                separated += usize::from(matches!(sign, '/' | '.' | '-'));
                if separated == 2 {
                    return true;
                }
            }
        }
        before = (run > 0).then_some((c, run));
        if before.is_none() {
            separated = 0;
        }
        (run, value) = (0, 0);
    }
    false
}

/// A mail address, in brackets or bare.
pub(super) fn has_address(text: &str) -> bool {
    let named = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | '=' | '"');
    text.split('@').zip(text.split('@').skip(1)).any(|(local, domain)| {
        local.ends_with(named) && domain.starts_with(|c: char| c.is_alphanumeric() || c == '[')
    })
}

#[cfg(test)]
mod tests {
    use super::{has_address, has_date, is_quote, is_rule};

    #[test]
    fn shapes_are_known() {
        for (text, date) in [
            ("On Mon at 4:18 PM", true),
            ("le 3 mai 10h30", true),
            ("in 2024", true),
            ("04.07.24", true),
            ("2016-1-2", true),
            ("Call 555-1234", false),
            ("version 1.2", false),
            ("12345", false),
            ("10 of 20", false),
            ("", false),
        ] {
            assert_eq!(has_date(text), date, "{text}");
        }
        assert!(has_address("Ada <ada@example.com> wrote") && has_address("a@b.c"));
        assert!(!has_address("@ada said") && !has_address("a @ b"));
        assert!(is_quote("> a") && is_quote(">> a") && is_quote(">") && is_quote("  > a"));
        assert!(!is_quote("a > b") && !is_quote(">>> www.example.com <<<"));
        assert!(is_rule("-----") && is_rule("—————") && !is_rule("-- a") && !is_rule(" "));
    }
}
