//! The keys of the tree, by table.
//!
//! The first byte of a key is its table. Numbers are big-endian and ids are UUIDv7, so the order of the keys is the
//! order of lists; and a user's live devices, those under the user's current stamp, have one prefix, so that a bump
//! hides them all without writing any.

use std::fmt;

use crate::model::counters::{Era, Generation, Position, Stamp};
use crate::model::external_id::ExternalId;
use crate::model::ids::{DeviceId, ServiceKeyId, UserId};
use crate::model::key::Kid;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::expiry_check::ExpiryCheck;
use crate::store::format::RecordKind;

/// The format of the tree at its initialization: the first record written, never changed.
pub(super) const FORMAT_KEY: &[u8] = b"\0format";
/// The number, time and checksum of the last commit.
pub(super) const COMMIT_KEY: &[u8] = b"\0commit";
/// The first key after the engine's own records.
pub(super) const FIRST_TABLE: &[u8] = &[1];
pub(super) const IDENTITY: &[u8] = &Table::Of(RecordKind::StoreIdentity).prefix();
pub(super) const COUNTERS: &[u8] = &Table::Of(RecordKind::Counters).prefix();
pub(super) const ROLLED_BACK: &[u8] = &Table::Of(RecordKind::RolledBack).prefix();
pub(super) const TOTALS: &[u8] = &Table::Of(RecordKind::Totals).prefix();

/// A table: the records of a kind, or an index.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    /// The records of a kind.
    Of(RecordKind),
    /// The index of usernames: `username's key` → `user`.
    Names,
    /// The index of external ids: `external id` → `user`.
    ExternalIds,
}

impl From<RecordKind> for Table {
    fn from(kind: RecordKind) -> Self {
        Self::Of(kind)
    }
}

impl Table {
    /// The number of the table; 0 is the engine's own. A number is never reused, so that a record of an old format is not
    /// taken for another one.
    const fn number(self) -> u8 {
        match self {
            // A single record each.
            Self::Of(RecordKind::StoreIdentity) => 1,
            Self::Of(RecordKind::Counters) => 2,
            Self::Of(RecordKind::Totals) => 3,
            // By `user`.
            Self::Of(RecordKind::User) => 4,
            Self::Names => 5,
            // By `user ‖ era ‖ generation ‖ device`.
            Self::Of(RecordKind::Device) => 6,
            // By `user ‖ device`.
            Self::Of(RecordKind::EndedDevice) => 7,
            Self::Of(RecordKind::LastSeen) => 8,
            // By `kid`.
            Self::Of(RecordKind::Key) => 9,
            // By `service key`.
            Self::Of(RecordKind::ServiceKey) => 10,
            // By `position`.
            Self::Of(RecordKind::Entry) => 11,
            // By `time ‖ user ‖ era ‖ generation ‖ device`; the records are empty.
            Self::Of(RecordKind::ExpiryCheck) => 12,
            // A single record, present if the store was rolled back.
            Self::Of(RecordKind::RolledBack) => 13,
            Self::ExternalIds => 14,
        }
    }

    /// The prefix of all keys of the table.
    pub(super) const fn prefix(self) -> [u8; 1] {
        [self.number()]
    }

    /// The error for an invalid record of this table. It quotes neither key nor content, because both identify people.
    pub(super) fn corrupt(self, what: &str) -> StoreError {
        StoreError::Corrupt(format!("{what} in the table of {self}"))
    }

    /// The error for a record of this table whose version is not known.
    pub(super) fn newer(self) -> StoreError {
        StoreError::Newer(format!("a record in the table of {self}"))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(kind) => kind.fmt(f),
            Self::Names => f.write_str("usernames"),
            Self::ExternalIds => f.write_str("external ids"),
        }
    }
}

pub(super) fn user(id: UserId) -> [u8; 17] {
    join(Table::Of(RecordKind::User), &[id.as_bytes()])
}

pub(super) fn name(key: &str) -> Vec<u8> {
    [&Table::Names.prefix(), key.as_bytes()].concat()
}

pub(super) fn external_id(external_id: &ExternalId) -> Vec<u8> {
    [&Table::ExternalIds.prefix(), external_id.as_str().as_bytes()].concat()
}

pub(super) fn device(user: UserId, stamp: Stamp, id: DeviceId) -> [u8; 49] {
    let (era, generation) = numbers(stamp);
    join(Table::Of(RecordKind::Device), &[user.as_bytes(), &era, &generation, id.as_bytes()])
}

/// The prefix of the user's devices that are live under `stamp`.
pub(super) fn devices_under(user: UserId, stamp: Stamp) -> [u8; 33] {
    let (era, generation) = numbers(stamp);
    join(Table::Of(RecordKind::Device), &[user.as_bytes(), &era, &generation])
}

/// The prefix of the user's devices in `table`.
pub(super) fn devices_of(table: Table, user: UserId) -> [u8; 17] {
    join(table, &[user.as_bytes()])
}

pub(super) fn ended(user: UserId, id: DeviceId) -> [u8; 33] {
    join(Table::Of(RecordKind::EndedDevice), &[user.as_bytes(), id.as_bytes()])
}

pub(super) fn last_seen(user: UserId, id: DeviceId) -> [u8; 33] {
    join(Table::Of(RecordKind::LastSeen), &[user.as_bytes(), id.as_bytes()])
}

/// Parses a user's key: the record itself does not hold the id.
pub(super) fn parse_user(key: &[u8]) -> Option<UserId> {
    Some(UserId::from_bytes(key.strip_prefix(&Table::Of(RecordKind::User).prefix())?.try_into().ok()?))
}

/// Parses the key of a last-seen record: the record itself holds neither id.
pub(super) fn parse_last_seen(key: &[u8]) -> Option<(UserId, DeviceId)> {
    let (user, device) = key.strip_prefix(&Table::Of(RecordKind::LastSeen).prefix())?.split_first_chunk()?;
    Some((UserId::from_bytes(*user), DeviceId::from_bytes(device.try_into().ok()?)))
}

pub(super) fn key(kid: &Kid) -> Vec<u8> {
    [&Table::Of(RecordKind::Key).prefix(), kid.as_str().as_bytes()].concat()
}

pub(super) fn service_key(id: ServiceKeyId) -> [u8; 17] {
    join(Table::Of(RecordKind::ServiceKey), &[id.as_bytes()])
}

pub(super) fn entry(position: Position) -> [u8; 9] {
    join(Table::Of(RecordKind::Entry), &[&position.value().to_be_bytes()])
}

pub(super) fn expiry_check(check: &ExpiryCheck) -> [u8; 57] {
    let (era, generation) = numbers(check.stamp);
    let at = in_order(check.at);
    join(
        Table::Of(RecordKind::ExpiryCheck),
        &[&at, check.user.as_bytes(), &era, &generation, check.device.as_bytes()],
    )
}

/// Parses the key of an expiry check, whose record is empty.
pub(super) fn parse_expiry_check(key: &[u8]) -> Option<ExpiryCheck> {
    let rest = key.strip_prefix(&Table::Of(RecordKind::ExpiryCheck).prefix())?;
    let (at, path) = rest.split_first_chunk()?;
    let at = Timestamp::from_unix((u64::from_be_bytes(*at) ^ SIGN).cast_signed());
    let (user, stamp, device) = parse_device_path(path)?;
    Some(ExpiryCheck { at, user, stamp, device })
}

/// Parses the key of a live device: user, stamp and device.
pub(super) fn parse_device(key: &[u8]) -> Option<(UserId, Stamp, DeviceId)> {
    parse_device_path(key.strip_prefix(&Table::Of(RecordKind::Device).prefix())?)
}

/// Parses the key of an ended device: user and device.
pub(super) fn parse_ended(key: &[u8]) -> Option<(UserId, DeviceId)> {
    let (user, device) =
        key.strip_prefix(&Table::Of(RecordKind::EndedDevice).prefix())?.split_first_chunk()?;
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

    fn a_check() -> impl Strategy<Value = ExpiryCheck> {
        let numbers = (any::<i64>(), any::<[u8; 16]>(), 0..3_u64, any::<u64>(), any::<[u8; 16]>());
        numbers.prop_map(|(at, user, era, generation, device)| ExpiryCheck {
            at: Timestamp::from_unix(at),
            user: UserId::from_bytes(user),
            stamp: Stamp { era: Era::new(era), generation: Generation::new(generation) },
            device: DeviceId::from_bytes(device),
        })
    }

    proptest! {
        #[test]
        fn expiry_checks_are_kept_in_their_order_and_read_back(a in a_check(), b in a_check()) {
            prop_assert_eq!(expiry_check(&a).cmp(&expiry_check(&b)), a.cmp(&b));
            prop_assert_eq!(parse_expiry_check(&expiry_check(&a)), Some(a));
        }

        #[test]
        fn devices_are_kept_by_user_stamp_and_id(a in a_check(), b in a_check()) {
            let path = |l: &ExpiryCheck| (l.user, l.stamp, l.device);
            let key = |l: &ExpiryCheck| device(l.user, l.stamp, l.device);
            prop_assert_eq!(key(&a).cmp(&key(&b)), path(&a).cmp(&path(&b)));
            prop_assert!(key(&a).starts_with(&devices_under(a.user, a.stamp)));
            prop_assert!(key(&a).starts_with(&devices_of(Table::Of(RecordKind::Device), a.user)));
            prop_assert_eq!(parse_device(&key(&a)), Some(path(&a)));
            prop_assert_eq!(parse_ended(&ended(a.user, a.device)), Some((a.user, a.device)));
        }
    }

    #[test]
    fn a_key_of_another_table_or_length_is_not_read() {
        let zero = [0; 58];
        for bytes in [&zero[..57], &[12; 56], &[12; 58], &[12], &[]] {
            assert_eq!(parse_expiry_check(bytes), None, "{} bytes", bytes.len());
        }
        for bytes in [&zero[..49], &[6; 48], &[6; 50], &[6]] {
            assert_eq!(parse_device(bytes), None, "{} bytes", bytes.len());
        }
        for bytes in [&zero[..33], &[7; 32], &[7; 34], &[7]] {
            assert_eq!(parse_ended(bytes), None, "{} bytes", bytes.len());
        }
    }
}
