//! The keys of the tree, by table.
//!
//! The first byte of a key is its table. Numbers are big-endian and ids are UUIDv7, so the order of the keys is the
//! order of lists; and a user's live devices, those under the user's current stamp, have one prefix, so that a bump
//! hides them all without writing any.

use std::fmt;

use crate::model::counters::{Era, Generation, Position, Stamp};
use crate::model::ids::{DeviceId, ServiceKeyId, UserId};
use crate::model::key::Kid;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::records::Look;

/// The format of the tree at its initialization: the first record written, never changed.
pub(super) const FORMAT_KEY: &[u8] = b"\0format";
/// The number, time and checksum of the last commit.
pub(super) const COMMIT_KEY: &[u8] = b"\0commit";
/// The first key after the engine's own records.
pub(super) const FIRST_TABLE: &[u8] = &[1];
pub(super) const IDENTITY: &[u8] = &[Table::StoreIdentity as u8];
pub(super) const COUNTERS: &[u8] = &[Table::Counters as u8];
pub(super) const ROLLED_BACK: &[u8] = &[Table::RolledBack as u8];
pub(super) const TOTALS: &[u8] = &[Table::Totals as u8];

/// The tables; 0 is the engine's own. A number is never reused, so that a record of an old format is not taken for
/// another one.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Table {
    /// A single record: the store identity.
    StoreIdentity = 1,
    /// A single record: the counters.
    Counters = 2,
    /// A single record: the totals.
    Totals = 3,
    /// Users, by `user`.
    Users = 4,
    /// The index of usernames: `username's key` → `user`.
    Names = 5,
    /// Live devices, by `user ‖ era ‖ generation ‖ device`.
    Devices = 6,
    /// Ended devices, by `user ‖ device`.
    Ended = 7,
    /// Last-seen records, by `user ‖ device`.
    LastSeen = 8,
    /// Keys of tokens, by `kid`.
    Keys = 9,
    /// Service keys, by `service key`.
    ServiceKeys = 10,
    /// Log entries, by `position`.
    Log = 11,
    /// Expiry checks, by `time ‖ user ‖ era ‖ generation ‖ device`; the records are empty.
    Looks = 12,
    /// A single empty record, present if the store was rolled back.
    RolledBack = 13,
}

impl Table {
    /// The prefix of all keys of the table.
    pub(super) const fn prefix(self) -> [u8; 1] {
        [self as u8]
    }

    /// The error for an invalid record of this table. It quotes neither key nor content, because both identify people.
    pub(super) fn corrupt(self, what: &str) -> StoreError {
        StoreError::Corrupt(format!("{what} in the table of {self}"))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StoreIdentity => "the store identity",
            Self::Counters => "the counters",
            Self::Totals => "the totals",
            Self::Users => "users",
            Self::Names => "usernames",
            Self::Devices => "devices",
            Self::Ended => "ended devices",
            Self::LastSeen => "last seen",
            Self::Keys => "keys",
            Self::ServiceKeys => "service keys",
            Self::Log => "the log",
            Self::Looks => "looks",
            Self::RolledBack => "rollbacks",
        })
    }
}

pub(super) fn user(id: UserId) -> [u8; 17] {
    join(Table::Users, &[id.as_bytes()])
}

pub(super) fn name(key: &str) -> Vec<u8> {
    [&Table::Names.prefix(), key.as_bytes()].concat()
}

pub(super) fn device(user: UserId, stamp: Stamp, id: DeviceId) -> [u8; 49] {
    let (era, generation) = numbers(stamp);
    join(Table::Devices, &[user.as_bytes(), &era, &generation, id.as_bytes()])
}

/// The prefix of the user's devices that are live under `stamp`.
pub(super) fn devices_under(user: UserId, stamp: Stamp) -> [u8; 33] {
    let (era, generation) = numbers(stamp);
    join(Table::Devices, &[user.as_bytes(), &era, &generation])
}

/// The prefix of the user's devices in `table`.
pub(super) fn devices_of(table: Table, user: UserId) -> [u8; 17] {
    join(table, &[user.as_bytes()])
}

pub(super) fn ended(user: UserId, id: DeviceId) -> [u8; 33] {
    join(Table::Ended, &[user.as_bytes(), id.as_bytes()])
}

pub(super) fn last_seen(user: UserId, id: DeviceId) -> [u8; 33] {
    join(Table::LastSeen, &[user.as_bytes(), id.as_bytes()])
}

/// Parses a user's key: the record itself does not hold the id.
pub(super) fn parse_user(key: &[u8]) -> Option<UserId> {
    Some(UserId::from_bytes(key.strip_prefix(&Table::Users.prefix())?.try_into().ok()?))
}

/// Parses the key of a last-seen record: the record itself holds neither id.
pub(super) fn parse_last_seen(key: &[u8]) -> Option<(UserId, DeviceId)> {
    let (user, device) = key.strip_prefix(&Table::LastSeen.prefix())?.split_first_chunk()?;
    Some((UserId::from_bytes(*user), DeviceId::from_bytes(device.try_into().ok()?)))
}

pub(super) fn key(kid: &Kid) -> Vec<u8> {
    [&Table::Keys.prefix(), kid.as_str().as_bytes()].concat()
}

pub(super) fn service_key(id: ServiceKeyId) -> [u8; 17] {
    join(Table::ServiceKeys, &[id.as_bytes()])
}

pub(super) fn entry(position: Position) -> [u8; 9] {
    join(Table::Log, &[&position.value().to_be_bytes()])
}

pub(super) fn look(look: &Look) -> [u8; 57] {
    let (era, generation) = numbers(look.stamp);
    let at = in_order(look.at);
    join(Table::Looks, &[&at, look.user.as_bytes(), &era, &generation, look.device.as_bytes()])
}

/// Parses the key of an expiry check, whose record is empty.
pub(super) fn parse_look(key: &[u8]) -> Option<Look> {
    let rest = key.strip_prefix(&Table::Looks.prefix())?;
    let (at, path) = rest.split_first_chunk()?;
    let at = Timestamp::from_unix((u64::from_be_bytes(*at) ^ SIGN).cast_signed());
    let (user, stamp, device) = parse_device_path(path)?;
    Some(Look { at, user, stamp, device })
}

/// Parses the key of a live device: user, stamp and device.
pub(super) fn parse_device(key: &[u8]) -> Option<(UserId, Stamp, DeviceId)> {
    parse_device_path(key.strip_prefix(&Table::Devices.prefix())?)
}

/// Parses the key of an ended device: user and device.
pub(super) fn parse_ended(key: &[u8]) -> Option<(UserId, DeviceId)> {
    let (user, device) = key.strip_prefix(&Table::Ended.prefix())?.split_first_chunk()?;
    Some((UserId::from_bytes(*user), DeviceId::from_bytes(device.try_into().ok()?)))
}

/// Parses `user ‖ era ‖ generation ‖ device`, the path of a device within a key.
fn parse_device_path(path: &[u8]) -> Option<(UserId, Stamp, DeviceId)> {
    let (user, rest) = path.split_first_chunk()?;
    let (era, rest) = rest.split_first_chunk()?;
    let (generation, device) = rest.split_first_chunk()?;
    let stamp = Stamp {
        era: Era::new(u64::from_be_bytes(*era)),
        generation: Generation::new(u64::from_be_bytes(*generation)),
    };
    Some((UserId::from_bytes(*user), stamp, DeviceId::from_bytes(device.try_into().ok()?)))
}

/// The sign bit, inverted so that times before 1970 sort first.
const SIGN: u64 = 1 << 63;

fn in_order(at: Timestamp) -> [u8; 8] {
    (at.unix().cast_unsigned() ^ SIGN).to_be_bytes()
}

fn numbers(stamp: Stamp) -> ([u8; 8], [u8; 8]) {
    (stamp.era.value().to_be_bytes(), stamp.generation.value().to_be_bytes())
}

/// Joins the parts of a key on the stack, since a check builds two keys.
fn join<const N: usize>(table: Table, parts: &[&[u8]]) -> [u8; N] {
    let mut key = [0; N];
    let mut rest = key.as_mut_slice();
    for part in [table.prefix().as_slice()].iter().chain(parts) {
        if let Some((place, after)) = std::mem::take(&mut rest).split_at_mut_checked(part.len()) {
            place.copy_from_slice(part);
            rest = after;
        }
    }
    debug_assert!(rest.is_empty(), "a key of another length");
    key
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn a_look() -> impl Strategy<Value = Look> {
        let numbers = (any::<i64>(), any::<[u8; 16]>(), 0..3_u64, any::<u64>(), any::<[u8; 16]>());
        numbers.prop_map(|(at, user, era, generation, device)| Look {
            at: Timestamp::from_unix(at),
            user: UserId::from_bytes(user),
            stamp: Stamp { era: Era::new(era), generation: Generation::new(generation) },
            device: DeviceId::from_bytes(device),
        })
    }

    proptest! {
        #[test]
        fn looks_are_kept_in_their_order_and_read_back(a in a_look(), b in a_look()) {
            prop_assert_eq!(look(&a).cmp(&look(&b)), a.cmp(&b));
            prop_assert_eq!(parse_look(&look(&a)), Some(a));
        }

        #[test]
        fn devices_are_kept_by_user_stamp_and_id(a in a_look(), b in a_look()) {
            let path = |l: &Look| (l.user, l.stamp, l.device);
            let key = |l: &Look| device(l.user, l.stamp, l.device);
            prop_assert_eq!(key(&a).cmp(&key(&b)), path(&a).cmp(&path(&b)));
            prop_assert!(key(&a).starts_with(&devices_under(a.user, a.stamp)));
            prop_assert!(key(&a).starts_with(&devices_of(Table::Devices, a.user)));
            prop_assert_eq!(parse_device(&key(&a)), Some(path(&a)));
            prop_assert_eq!(parse_ended(&ended(a.user, a.device)), Some((a.user, a.device)));
        }
    }

    #[test]
    fn a_key_of_another_table_or_length_is_not_read() {
        let zero = [0; 58];
        for bytes in [&zero[..57], &[12; 56], &[12; 58], &[12], &[]] {
            assert_eq!(parse_look(bytes), None, "{} bytes", bytes.len());
        }
        for bytes in [&zero[..49], &[6; 48], &[6; 50], &[6]] {
            assert_eq!(parse_device(bytes), None, "{} bytes", bytes.len());
        }
        for bytes in [&zero[..33], &[7; 32], &[7; 34], &[7]] {
            assert_eq!(parse_ended(bytes), None, "{} bytes", bytes.len());
        }
    }
}
