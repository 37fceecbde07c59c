//! Signing and encryption keys of tokens as stored: sealed under the master key.

use std::fmt;

use super::timestamp::Timestamp;

/// A key's PASERK id: `k4.pid.…` of a public key, `k4.lid.…` of a local (symmetric) one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kid(String);

impl Kid {
    /// Parses the shape of a PASERK id; does not check that such a key exists.
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

/// The purpose of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Signs access tokens (Ed25519, PASETO `v4.public`); anyone can verify them.
    Access,
    /// Encrypts refresh tokens (PASETO `v4.local`); only the issuer can read them.
    Refresh,
}

impl Purpose {
    /// The stable name of the purpose in lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }
}

/// The state of a key in its life cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// The key is published but not yet used, so that every verifier has it in time.
    Next,
    /// The key is used for new tokens.
    Active,
    /// The key is used for no new tokens; its tokens are accepted until they expire.
    Retired {
        /// When the last token made with the key expires.
        until: Timestamp,
    },
    /// The key's tokens are refused.
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

    /// The stable name of the state in lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired { .. } => "retired",
            Self::Distrusted => "distrusted",
        }
    }
}

/// A key as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// The key's PASERK id.
    pub kid: Kid,
    /// The purpose of the key.
    pub purpose: Purpose,
    /// The key's state in its life cycle.
    pub state: KeyState,
    /// When the key was created.
    pub created: Timestamp,
    /// The secret key, sealed under the master key.
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
