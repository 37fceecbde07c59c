//! The keys tokens are made with, as the store keeps them: sealed.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;

/// A key's PASERK id, `k4.pid.…` or `k4.lid.…`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Kid(String);

impl Kid {
    /// Reads a PASERK id by its shape; whether there is such a key is the keyring's to say.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("k4.pid.").or_else(|| text.strip_prefix("k4.lid."))?;
        let is_id =
            rest.len() == 44 && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        is_id.then(|| Self(text.to_owned()))
    }

    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Purpose {
    /// Signing access tokens: Ed25519, verified by anyone.
    Access,
    /// Encrypting refresh tokens: read by the issuer only.
    Refresh,
}

impl Purpose {
    /// The stable word for lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }
}

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyState {
    /// Published, so that everyone has it before it is used.
    Next,
    /// Used for new tokens.
    Active,
    /// No longer used; its tokens are good until this moment, when the last of them has expired.
    Retired {
        /// When the last token minted with it has expired.
        until: Timestamp,
    },
    /// Its tokens are dead.
    Distrusted,
}

impl KeyState {
    /// Whether tokens made with a key in this state are accepted at `now`.
    pub fn is_trusted(self, now: Timestamp) -> bool {
        match self {
            Self::Next | Self::Active => true,
            Self::Retired { until } => now < until,
            Self::Distrusted => false,
        }
    }

    /// The stable word for lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired { .. } => "retired",
            Self::Distrusted => "distrusted",
        }
    }
}

/// A key as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Its id.
    pub kid: Kid,
    /// What it is for.
    pub purpose: Purpose,
    /// Where it is in its life.
    pub state: KeyState,
    /// When it was made.
    pub created: Timestamp,
    /// Its secret, encrypted under the master key: a `v4.local` token only the issuer can open.
    pub sealed: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kid_has_the_shape_of_a_paserk_id() {
        let body = "A".repeat(44);
        assert!(Kid::parse(&format!("k4.pid.{body}")).is_some());
        assert!(Kid::parse(&format!("k4.lid.{body}")).is_some());
        for other in [
            format!("k4.sid.{body}"),
            format!("k4.pid.{body}="),
            "k4.pid.".to_owned(),
            format!("k3.pid.{body}"),
        ] {
            assert_eq!(Kid::parse(&other), None, "{other}");
        }
    }
}
