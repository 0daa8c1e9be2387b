//! Signs a mail for the domain that it comes from (DKIM, RFC 6376).

use std::fmt;

use mail_auth::common::crypto::{Ed25519Key, RsaKey, Sha256, SigningKey};
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::dkim::{DkimSigner, Done};
use postroom_channel::SendError;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use crate::options::DkimOptions;

/// What must not be changed on the way. Fields that a mail does not have are named once more than
/// they occur, so that nobody can add them.
const FIELDS: [&str; 14] = [
    "From",
    "From",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Auto-Submitted",
];

pub(crate) enum Signer {
    Rsa(DkimSigner<RsaKey<Sha256>, Done>),
    Ed25519(DkimSigner<Ed25519Key, Done>),
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

/// The key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no private key, RSA or Ed25519, in PEM")]
pub(crate) struct NotAKey;

impl Signer {
    pub(crate) fn new(options: &DkimOptions) -> Result<Self, NotAKey> {
        let der = PrivateKeyDer::from_pem_slice(options.key.as_bytes()).map_err(|_| NotAKey)?;
        if let PrivateKeyDer::Pkcs8(der) = &der
            && let Ok(key) = Ed25519Key::from_pkcs8_maybe_unchecked_der(der.secret_pkcs8_der())
        {
            return Ok(Self::Ed25519(signer(key, options)));
        }
        let key = RsaKey::<Sha256>::from_key_der(der).map_err(|_| NotAKey)?;
        Ok(Self::Rsa(signer(key, options)))
    }

    /// The mail with its signature before it.
    pub(crate) fn sign(&self, mail: &[u8]) -> Result<Vec<u8>, SendError> {
        let signature = match self {
            Self::Rsa(signer) => signer.sign(mail),
            Self::Ed25519(signer) => signer.sign(mail),
        };
        let signature = signature.map_err(|error| {
            let detail = format!("the mail could not be signed: {error}");
            SendError::permanent("mail_not_writable", detail)
        })?;
        let mut signed = signature.to_header().into_bytes();
        signed.extend_from_slice(mail);
        Ok(signed)
    }
}

fn signer<K: SigningKey>(key: K, options: &DkimOptions) -> DkimSigner<K, Done> {
    DkimSigner::from_key(key)
        .domain(options.domain.as_str())
        .selector(options.selector.as_str())
        .headers(FIELDS)
}
