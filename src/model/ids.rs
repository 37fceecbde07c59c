//! Identifiers (UUIDv7, and UUIDv8 of what is known by an id of another system), each kind with a type of its own so that two
//! cannot be swapped.

use std::fmt;

use uuid::Uuid;

use super::timestamp::Timestamp;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            pub(crate) const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// Parses the hyphenated form in any letter case (RFC 9562 §4). Ids are always written in lower case.
            pub fn parse(text: &str) -> Option<Self> {
                // No other form that the library reads is as long.
                if text.len() != uuid::fmt::Hyphenated::LENGTH {
                    return None;
                }
                Uuid::try_parse(text).ok().map(Self)
            }

            /// The sixteen bytes of the id; UUIDv7 sorts them by time of creation.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The id made of sixteen stored bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// When the id was created, by the clock of the node that created it; `None` unless it is a UUIDv7
            /// (RFC 9562, 5.7).
            pub fn made(self) -> Option<Timestamp> {
                let is_v7 = self.0.get_version_num() == 7;
                is_v7.then(|| Timestamp::from_unix(millis(self.as_bytes()).div_euclid(1000)))
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
    /// The id of a user (an account), claim `sub`.
    UserId
}
id! {
    /// The id of a device, claim `sid`, the token ID: one sign-in of one user on one app or browser.
    DeviceId
}
id! {
    /// The id of a service key.
    ServiceKeyId
}
id! {
    /// The id of a follower's stream of the feed.
    FollowerId
}
id! {
    /// The id of a store; a restore creates a new one.
    StoreId
}

/// Whether a text parses as a UUID in any spelling: letters of either case, without hyphens, in braces, as a URN.
pub fn reads_as_id(text: &str) -> bool {
    Uuid::try_parse(text).is_ok()
}

impl UserId {
    /// The id under which a deleted account of another system is remembered: a UUIDv8 (RFC 9562, 5.8) made of a `hash` of the
    /// id there. No user has it.
    pub fn of_former_account(hash: &[u8; 32]) -> Self {
        let (bytes, _) = hash.split_first_chunk().unwrap_or((&[0; 16], &[]));
        Self(uuid::Builder::from_custom_bytes(*bytes).into_uuid())
    }
}

impl DeviceId {
    /// The id of the device that continues a session of another system: a UUIDv8 (RFC 9562, 5.8) that begins, like a
    /// UUIDv7, with a time, which is when the session's own token `expires`, and goes on with a `hash` of that token's
    /// id.
    pub fn of_former_session(expires: Timestamp, hash: &[u8; 32]) -> Self {
        let millis = u64::try_from(expires.unix()).unwrap_or(0).saturating_mul(1000).min(MOST_MILLIS);
        let mut bytes = [0; 16];
        for (byte, part) in
            bytes.iter_mut().zip(millis.to_be_bytes().into_iter().skip(2).chain(hash.iter().copied()))
        {
            *byte = part;
        }
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// Until when the record of the device has to be kept after its end, if it continues a session of another system:
    /// while that session's own token could be presented again, the record shows that it was used.
    pub fn kept_until(self) -> Option<Timestamp> {
        let is_v8 = self.0.get_version_num() == 8;
        is_v8.then(|| Timestamp::from_unix(millis(self.as_bytes()).div_euclid(1000)))
    }
}

/// The time with which a UUIDv7 begins, in milliseconds.
fn millis(id: &[u8; 16]) -> i64 {
    id.iter().take(6).fold(0, |millis, byte| millis << 8 | i64::from(*byte))
}

/// The latest time that a UUID can begin with, in milliseconds: of the year 10889.
const MOST_MILLIS: u64 = (1 << 48) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_when_it_was_made() {
        let made = |text: &str| DeviceId::parse(text).unwrap().made().map(Timestamp::unix);
        assert_eq!(made("0197a5a0-0000-7000-8000-00000000abcd"), Some(1_750_830_415));
        assert_eq!(made("0197a5a0-0000-4000-8000-00000000abcd"), None);
    }

    #[test]
    fn a_device_of_a_former_session_says_until_when_its_record_is_kept() {
        let expires = Timestamp::from_unix(1_795_429_208);
        let device = DeviceId::of_former_session(expires, &[0xff; 32]);
        assert_eq!(device.to_string(), "01a207eb-8fc0-8fff-bfff-ffffffffffff");
        assert_eq!((device.kept_until(), device.made()), (Some(expires), None));
        let now = "0197a5a0-0000-7000-8000-00000000abcd";
        assert_eq!(DeviceId::parse(now).unwrap().kept_until(), None);
        let never = DeviceId::of_former_session(Timestamp::from_unix(i64::MAX), &[0; 32]);
        assert!(never.kept_until().unwrap() > expires);
    }

    #[test]
    fn an_id_is_read_in_any_case_and_written_in_one() {
        let text = "0197a5a0-0000-7000-8000-00000000abcd";
        assert_eq!(UserId::parse(text).map(|id| id.to_string()).as_deref(), Some(text));
        for same in [text.to_uppercase(), text.replace('b', "B")] {
            assert_eq!(UserId::parse(&same).map(|id| id.to_string()).as_deref(), Some(text));
        }
        for other in [
            "{0197a5a0-0000-7000-8000-00000000abcd}",
            "0197a5a000007000800000000000abcd",
            "urn:uuid:0197a5a0-0000-7000-8000-00000000abcd",
            "0197a5a0-0000-7000-8000-00000000abcg",
            "0197a5a0-0000-7000-8000-00000000abcd ",
            "0197a5a0-0000-7000-80000-0000000abcd",
            "0197a5a0-0000-7000-8000-0000000aé0d",
            "",
        ] {
            assert_eq!(UserId::parse(other), None, "{other}");
        }
    }
}
