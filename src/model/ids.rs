//! The names of things: UUIDv7, each kind a type of its own so that two cannot be swapped.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Uuid);

        impl $name {
            pub(crate) const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// Reads the hyphenated lower-case form, and only that: one id has one spelling.
            pub fn parse(text: &str) -> Option<Self> {
                let id = Uuid::try_parse(text).ok()?;
                let mut spelling = Uuid::encode_buffer();
                (id.hyphenated().encode_lower(&mut spelling) == text).then_some(Self(id))
            }

            /// The sixteen bytes, in order of creation.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The id of sixteen stored bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

id! {
    /// A user: an account. Claim `sub`.
    UserId
}
id! {
    /// A device: one sign-in of one user on one app or browser. Claim `sid`, the token ID.
    DeviceId
}
id! {
    /// A service key.
    ServiceKeyId
}
id! {
    /// A follower's stream of the feed.
    FollowerId
}
id! {
    /// A store; a restore makes a new one.
    StoreId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let text = "0197a5a0-0000-7000-8000-00000000abcd";
        assert_eq!(UserId::parse(text).map(|id| id.to_string()).as_deref(), Some(text));
        for other in [
            &text.to_uppercase(),
            "{0197a5a0-0000-7000-8000-00000000abcd}",
            "0197a5a000007000800000000000abcd",
            "",
        ] {
            assert_eq!(UserId::parse(other), None, "{other}");
        }
    }
}
