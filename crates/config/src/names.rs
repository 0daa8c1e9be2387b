//! Finds the name that somebody probably meant. Knows nothing of what the names are for.

/// Names shown where none is near enough to be suggested.
const NAMES_SHOWN_MAX: usize = 24;

/// The candidate that `word` is probably a misspelling of. None if nothing is near.
///
/// Near is: equal but for case and `-`, `_` or space, one the beginning of the other from three
/// characters on, or at most one edit in three characters.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let plain = plain(word);
    let distance_max = (plain.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter_map(|candidate| Some((distance(&plain, candidate, distance_max)?, candidate)))
        .min()
        .map(|(_, candidate)| candidate)
}

fn distance(plain_word: &str, candidate: &str, distance_max: usize) -> Option<usize> {
    let candidate = plain(candidate);
    let edits = strsim::damerau_levenshtein(plain_word, &candidate);
    if edits <= distance_max && edits < candidate.chars().count() {
        return Some(edits);
    }
    let long = plain_word.len() >= 3 && candidate.len() >= 3;
    let begins = candidate.starts_with(plain_word) || plain_word.starts_with(candidate.as_str());
    // After everything that is a few edits away.
    (long && begins).then(|| edits.saturating_add(100))
}

fn plain(word: &str) -> String {
    let kept = word.chars().filter(|c| !matches!(c, '-' | '_' | ' '));
    kept.flat_map(char::to_lowercase).collect()
}

/// What to tell somebody who wrote `word`: the nearest name, or else all of them.
pub fn suggestion(word: &str, what: &str, candidates: &[String]) -> Option<String> {
    if let Some(name) = nearest(word, candidates.iter().map(String::as_str)) {
        return Some(format!("did you mean `{name}`?"));
    }
    if candidates.is_empty() || candidates.len() > NAMES_SHOWN_MAX {
        return None;
    }
    let names: Vec<String> = candidates.iter().map(|name| format!("`{name}`")).collect();
    Some(format!("{what}: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::{nearest, suggestion};

    #[test]
    fn nearest_name_is_found_and_far_ones_are_not_suggested() {
        let names = ["support", "billing", "public_url", "listen"];
        for (word, expected) in [
            ("suport", Some("support")),
            ("Support", Some("support")),
            ("supprot", Some("support")),
            ("biling", Some("billing")),
            ("publicurl", Some("public_url")),
            ("public-url", Some("public_url")),
            ("pub", Some("public_url")),
            ("listen_address", Some("listen")),
            ("sales", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, names), expected, "{word}");
        }
    }

    #[test]
    fn suggestion_names_all_where_none_is_near() {
        let names = ["support".to_owned(), "billing".to_owned()];
        assert_eq!(
            suggestion("sales", "queues", &names).as_deref(),
            Some("queues: `support`, `billing`")
        );
        assert_eq!(suggestion("sales", "queues", &[]), None);
    }
}
