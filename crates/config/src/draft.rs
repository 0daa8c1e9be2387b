//! A configuration with the mistakes that were found in it so far: what other rooms look at before
//! all mistakes are reported together. It decides nothing about their parts.

use std::fmt;

use crate::Config;
use crate::diagnostic::{Diagnostic, Diagnostics};

/// What could be read. A value with a mistake reads as absent.
pub struct Draft {
    pub(crate) config: Config,
    pub(crate) mistakes: Vec<Diagnostic>,
}

impl Draft {
    /// What could be read; not to be run.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Whether nothing was found wrong at this key, nor around it or within it.
    pub fn is_sound(&self, key: &str) -> bool {
        !self.mistakes.iter().any(|mistake| touches(&mistake.key, key))
    }

    /// The configuration, if nobody found a mistake. Of what other rooms found, that is left out
    /// which only follows from a mistake that is known: a secret is missing where its file could
    /// not be read.
    pub fn finish(self, found: Vec<Diagnostic>) -> Result<Config, Diagnostics> {
        let found: Vec<Diagnostic> =
            found.into_iter().filter(|mistake| self.is_sound(&mistake.key)).collect();
        let Self { config, mut mistakes } = self;
        mistakes.extend(found);
        if mistakes.is_empty() { Ok(config) } else { Err(config.diagnostics(mistakes)) }
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Draft({} mistakes)", self.mistakes.len())
    }
}

/// Whether a mistake in one setting says something about the other: the same one, one around it,
/// or the file that its value comes from.
fn touches(wrong: &str, key: &str) -> bool {
    let wrong = wrong.strip_suffix("_file").unwrap_or(wrong);
    is_within(key, wrong) || is_within(wrong, key)
}

fn is_within(key: &str, outer: &str) -> bool {
    let rest = key.strip_prefix(outer);
    !outer.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::touches;

    #[test]
    fn mistake_touches_what_is_around_it_and_within_it() {
        for (wrong, key, expected) in [
            ("bus.url", "bus.url", true),
            ("bus.url_file", "bus.url", true),
            ("channels[0].secret_file", "channels[0].secret", true),
            ("channels[0]", "channels[0].secret", true),
            ("channels[0].retry.wait_ms", "channels[0].retry", true),
            ("channels[0]", "channels[01].secret", false),
            ("channels[0].secret", "channels[0].secret_next", false),
            ("bus.urls", "bus.url", false),
            ("", "bus.url", false),
        ] {
            assert_eq!(touches(wrong, key), expected, "{wrong} {key}");
        }
    }
}
