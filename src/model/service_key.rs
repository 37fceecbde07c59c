//! The service key: the credential of a resource server or of an administrator's tool.

use super::ids::ServiceKeyId;
use super::timestamp::Timestamp;

/// A permission of a service key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Token introspection (RFC 7662).
    Introspect,
    /// Reading the revocation feed.
    Feed,
    /// Opening a device for a user who signed in elsewhere.
    Sessions,
    /// Administration of users and devices.
    Admin,
}

impl Scope {
    /// All scopes, in order.
    pub const ALL: [Self; 4] = [Self::Introspect, Self::Feed, Self::Sessions, Self::Admin];

    /// The stable name of the scope, as used in the API and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Introspect => "introspect",
            Self::Feed => "feed",
            Self::Sessions => "sessions",
            Self::Admin => "admin",
        }
    }

    /// Parses the stable name of a scope.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// A service key as stored: its secret only as a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceKeyRecord {
    /// The key's id, the public part of its text.
    pub id: ServiceKeyId,
    /// The name its owner gave the key.
    pub name: String,
    /// The key's scopes, sorted and without duplicates.
    pub scopes: Vec<Scope>,
    /// The BLAKE3 hash of the secret: 256 random bits need no slow hash.
    pub digest: [u8; 32],
    /// When the key was created.
    pub created: Timestamp,
}
