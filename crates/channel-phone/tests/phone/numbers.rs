//! Numbers of every country: whatever the digits, nothing panics, and what is E.164 looks so.

use postroom_channel_phone::{Region, Style, read_number};
use proptest::prelude::*;

fn regions() -> Vec<(String, Region)> {
    let letters = || 'A'..='Z';
    let names = letters().flat_map(|first| letters().map(move |second| format!("{first}{second}")));
    names.filter_map(|name| Region::parse(&name).map(|region| (name, region))).collect()
}

/// Either as it was sent, or `+` and 7 to 15 digits.
fn is_read(text: &str, number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or_default();
    number == text
        || ((7..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit()))
}

#[test]
fn short_and_long_rows_of_digits_are_read_in_every_region() {
    let regions = regions();
    assert!(regions.len() > 200, "{}", regions.len());
    for (name, region) in regions {
        for prefix in ["", "0", "00", "011", "010", "0011", "810", "119", "9", "99511", "14110011"]
        {
            for rest in ["", "9", "99", "999", "4930901820", "99999999999999999"] {
                let text = format!("{prefix}{rest}");
                let number = read_number(&text, Style::Dialled, Some(&region), 1);
                assert!(is_read(text.trim(), &number), "{name} {text} {number}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_digits_are_read_in_any_region(
        region in prop::sample::select(regions()),
        digits in "[0-9]{1,22}",
        inside in 0..9_usize,
    ) {
        for style in [Style::Dialled, Style::International] {
            let number = read_number(&digits, style, Some(&region.1), inside);
            prop_assert!(is_read(&digits, &number), "{} {} {}", region.0, digits, number);
        }
    }

    #[test]
    fn any_text_is_read_without_a_region(text in "\\PC{0,40}") {
        let number = read_number(&text, Style::International, None, 6);
        prop_assert!(is_read(text.trim(), &number), "{} {}", text, number);
    }
}
