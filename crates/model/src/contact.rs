//! A person and the addresses by which they write or call.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{AgentId, ContactId, Timestamp};

/// Where somebody can be reached: `mailto:ada@example.com`, `tel:+8613800138000`, `telegram:42`.
///
/// A scheme in lower case, a colon, and the rest as the provider writes it; the domain of a mail
/// address is in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(String);

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an address is a scheme, a colon and a name, such as mailto:ada@example.com")]
pub struct NotAnAddress;

impl Address {
    /// Bytes in an address.
    pub const BYTES_MAX: usize = 512;

    /// `scheme` must be lower-case letters and digits; `name` must not be empty.
    pub fn new(scheme: &str, name: &str) -> Result<Self, NotAnAddress> {
        format!("{scheme}:{name}").parse()
    }

    /// A mail address: the domain goes to lower case, the local part stays as it is (RFC 5321, 2.4).
    pub fn mail(address: &str) -> Result<Self, NotAnAddress> {
        let (local, domain) = address.rsplit_once('@').ok_or(NotAnAddress)?;
        if local.is_empty() || domain.is_empty() || address.chars().any(char::is_whitespace) {
            return Err(NotAnAddress);
        }
        Self::new("mailto", &format!("{local}@{}", domain.to_lowercase()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn scheme(&self) -> &str {
        self.0.split_once(':').map_or("", |(scheme, _)| scheme)
    }

    pub fn name(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, name)| name)
    }
}

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let (scheme, name) = text.split_once(':').ok_or(NotAnAddress)?;
        let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let fits = !scheme.is_empty() && scheme.bytes().all(good) && !name.is_empty();
        if !fits || text.len() > Self::BYTES_MAX || name.chars().any(char::is_control) {
            return Err(NotAnAddress);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl schemars::JsonSchema for Address {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[a-z0-9-]+:.+$", "maxLength": Address::BYTES_MAX })
    }
}

impl utoipa::PartialSchema for Address {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .examples(["mailto:ada@example.com"])
            .into()
    }
}

impl utoipa::ToSchema for Address {}

/// A person. One contact holds every address that is known to be theirs.
#[derive(
    Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
pub struct Contact {
    pub id: ContactId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// In the order in which they became known; none once it was merged.
    pub addresses: Vec<Address>,
    /// Those of them to which mail came back because nobody is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dead: Vec<Address>,
    pub created_at: Timestamp,
    /// Who had a conversation of theirs when it was resolved, the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_agent: Option<AgentId>,
    /// Conversations that were opened with them so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub conversations: u64,
    /// The contact that has its addresses since the two were found to be one person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<ContactId>,
}

/// What is done with contacts by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct ContactSettings {
    /// Kinds of addresses by which two contacts are found to be one person: the scheme, such as
    /// `mailto` or `tel`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub merge_by: Vec<String>,
}

impl ContactSettings {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn address_of_mail_has_its_domain_in_lower_case() {
        let address = Address::mail("Ada.L@Example.COM").unwrap();
        assert_eq!(address.as_str(), "mailto:Ada.L@example.com");
        assert_eq!((address.scheme(), address.name()), ("mailto", "Ada.L@example.com"));
        for bad in ["ada", "@example.com", "ada@", "a da@example.com", ""] {
            assert!(Address::mail(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn address_needs_a_scheme_and_a_name_without_control_characters() {
        assert!("telegram:42".parse::<Address>().is_ok());
        for bad in ["telegram:", ":42", "Tel:+1", "tel:+1\r\n", "nothing"] {
            assert!(bad.parse::<Address>().is_err(), "{bad:?}");
        }
    }
}
