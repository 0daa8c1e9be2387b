//! Lengths of time as people write them: `90s`, `15m`, `4h`, `2d`, `1h30m`.

use crate::checks::Complaint;

const UNITS: [(char, i64); 4] = [('d', 86_400_000), ('h', 3_600_000), ('m', 60_000), ('s', 1_000)];
/// The longest that can be written.
const DURATION_MS_MAX: i64 = 366 * 86_400_000;

/// Milliseconds; the units come from the largest to the smallest, each once.
pub(crate) fn duration(text: &str) -> Result<i64, Complaint> {
    let example = "a number with d, h, m or s, as in 90s, 15m, 4h, 2d or 1h30m";
    let complain = |message: &str| Err((message.to_owned(), Some(example.to_owned())));
    let mut rest = text.trim();
    let mut total: i64 = 0;
    for (unit, millis) in UNITS {
        let Some((number, after)) = rest.split_once(unit) else { continue };
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let Some(number) = number.parse::<i64>().ok().filter(|_| digits) else {
            return complain("this is no length of time");
        };
        total = total.saturating_add(number.saturating_mul(millis));
        rest = after;
    }
    if !rest.is_empty() || text.trim().is_empty() {
        return complain("this is no length of time");
    }
    if total > DURATION_MS_MAX {
        return complain("this is longer than 366 days");
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn duration_is_read_in_its_units() {
        for (text, expected) in [
            ("90s", 90_000),
            ("15m", 900_000),
            ("4h", 14_400_000),
            ("2d", 172_800_000),
            ("1h30m", 5_400_000),
            ("1d2h3m4s", 93_784_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn duration_that_is_none_is_refused() {
        for text in ["", " ", "15", "h", "1h1h", "30m1h", "-1h", "1.5h", "1 h", "1w", "9999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
