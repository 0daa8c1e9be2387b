//! Secrets: 256 random bits with a prefix that tells what they are, kept only as hashes.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use postroom_model::Random;
use postroom_model::digest::Digest;

use crate::CredentialKind;

/// A secret in the clear: shown once, never stored, never printed by `Debug`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn generate(kind: CredentialKind, random: &dyn Random) -> Self {
        let prefix = match kind {
            CredentialKind::Token => "prt_",
            CredentialKind::Link => "prl_",
            CredentialKind::Session => "prs_",
        };
        let mut bytes = [0; 32];
        random.fill(&mut bytes);
        Self(format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> Digest {
        hash_of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Under which hash a shown secret is stored. The secret is 256 random bits, so one round is enough.
pub fn hash_of(shown: &str) -> Digest {
    Digest::of(shown.as_bytes())
}

#[cfg(test)]
mod tests {
    use postroom_model::SeededRandom;

    use super::{Secret, hash_of};
    use crate::CredentialKind;

    #[test]
    fn secret_is_long_tells_its_kind_and_stays_out_of_debug() {
        let random = SeededRandom::new(7);
        let secret = Secret::generate(CredentialKind::Token, &random);
        assert!(secret.reveal().starts_with("prt_") && secret.reveal().len() == 47);
        assert_eq!(hash_of(secret.reveal()), secret.hash());
        assert!(!format!("{secret:?}").contains(secret.reveal()));
        let other = Secret::generate(CredentialKind::Token, &random);
        assert_ne!(secret.reveal(), other.reveal());
    }
}
