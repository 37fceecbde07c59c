//! The credential of a resource server or an administrator's tool.

use serde::{Deserialize, Serialize};

use super::ids::ServiceKeyId;
use super::timestamp::Timestamp;

/// What a service key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Ask about tokens (RFC 7662).
    Introspect,
    /// Follow the log of revocations.
    Feed,
    /// Open a device for a user who signed in elsewhere.
    Sessions,
    /// Administer users and devices.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Introspect, Self::Feed, Self::Sessions, Self::Admin];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Introspect => "introspect",
            Self::Feed => "feed",
            Self::Sessions => "sessions",
            Self::Admin => "admin",
        }
    }

    /// Reads the stable word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// A service key as the store keeps it: its secret only as a hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceKey {
    /// Its id, the public part of the key's text.
    pub id: ServiceKeyId,
    /// What its owner calls it.
    pub name: String,
    /// What it may do, in order and each once.
    pub scopes: Vec<Scope>,
    /// BLAKE3 of the secret: 256 random bits need no slow hash.
    pub digest: [u8; 32],
    /// When it was made.
    pub created: Timestamp,
}
