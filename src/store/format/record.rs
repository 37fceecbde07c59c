//! The kinds of records: the one list of what is stored. Engines, copies of a store and their messages go by it.

use std::fmt;

use crate::model::counters::{Position, Stamp};
use crate::model::device::{Device, LastSeen};
use crate::model::external_id::ExternalId;
use crate::model::ids::{DeviceId, ServiceKeyId, UserId};
use crate::model::key::{KeyRecord, Kid};
use crate::model::revocation::Entry;
use crate::model::service_key::ServiceKeyRecord;
use crate::model::user::User;
use crate::store::expiry_check::ExpiryCheck;
use crate::store::{Counters, StoreIdentity, Totals};

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// The identity of the store.
    StoreIdentity,
    /// The service-wide counters.
    Counters,
    /// How many users and live devices there are.
    Totals,
    /// The mark of a store that is known to have gone back in time.
    RolledBack,
    /// Keys of tokens.
    Key,
    /// Service keys.
    ServiceKey,
    /// Users.
    User,
    /// Devices that were not ended, each under its stamp.
    Device,
    /// Devices that were ended.
    EndedDevice,
    /// When and from where devices were last used.
    LastSeen,
    /// Notes to check a device at a certain time.
    ExpiryCheck,
    /// Entries of the revocation log.
    Entry,
}

impl RecordKind {
    /// The kinds of which a copy of a store consists, in the order of copying: the counters before the totals, which
    /// belong to their era. The identity is copied last, and a store that was rolled back is not copied.
    pub const COPIED: [Self; 10] = [
        Self::Counters,
        Self::Totals,
        Self::Key,
        Self::ServiceKey,
        Self::User,
        Self::Device,
        Self::EndedDevice,
        Self::LastSeen,
        Self::ExpiryCheck,
        Self::Entry,
    ];

    /// The stable name of the kind, for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StoreIdentity => "store_identity",
            Self::Counters => "counters",
            Self::Totals => "totals",
            Self::RolledBack => "rolled_back",
            Self::Key => "keys",
            Self::ServiceKey => "service_keys",
            Self::User => "users",
            Self::Device => "devices",
            Self::EndedDevice => "ended_devices",
            Self::LastSeen => "last_seen",
            Self::ExpiryCheck => "expiry_checks",
            Self::Entry => "log",
        }
    }
}

/// The kind as errors name it.
impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StoreIdentity => "the store identity",
            Self::Counters => "the counters",
            Self::Totals => "the totals",
            Self::RolledBack => "rollbacks",
            Self::Key => "keys",
            Self::ServiceKey => "service keys",
            Self::User => "users",
            Self::Device => "devices",
            Self::EndedDevice => "ended devices",
            Self::LastSeen => "last seen",
            Self::ExpiryCheck => "expiry checks",
            Self::Entry => "the log",
        })
    }
}

/// A record of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The identity of the store.
    StoreIdentity(StoreIdentity),
    /// The counters.
    Counters(Counters),
    /// The totals.
    Totals(Totals),
    /// The mark of a rollback.
    RolledBack,
    /// A key of tokens.
    Key(KeyRecord),
    /// A service key.
    ServiceKey(ServiceKeyRecord),
    /// A user. The engine keeps the indexes from the username's key and from the external id.
    User(Box<User>),
    /// A device that was not ended, under its stamp.
    Device(Box<Device>),
    /// A device that was ended.
    EndedDevice(Box<Device>),
    /// When and from where a device was last used.
    LastSeen(UserId, DeviceId, LastSeen),
    /// A note to check a device.
    ExpiryCheck(ExpiryCheck),
    /// An entry of the log.
    Entry(Entry),
}

impl Record {
    /// The kind of the record.
    pub const fn kind(&self) -> RecordKind {
        match self {
            Self::StoreIdentity(_) => RecordKind::StoreIdentity,
            Self::Counters(_) => RecordKind::Counters,
            Self::Totals(_) => RecordKind::Totals,
            Self::RolledBack => RecordKind::RolledBack,
            Self::Key(_) => RecordKind::Key,
            Self::ServiceKey(_) => RecordKind::ServiceKey,
            Self::User(_) => RecordKind::User,
            Self::Device(_) => RecordKind::Device,
            Self::EndedDevice(_) => RecordKind::EndedDevice,
            Self::LastSeen(..) => RecordKind::LastSeen,
            Self::ExpiryCheck(_) => RecordKind::ExpiryCheck,
            Self::Entry(_) => RecordKind::Entry,
        }
    }
}

/// The key of a record that can be removed. Identity, counters and totals stay as long as the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordKey {
    /// The mark of a rollback.
    RolledBack,
    /// A key of tokens.
    Key(Kid),
    /// A service key.
    ServiceKey(ServiceKeyId),
    /// A user, and what the user is found by.
    User {
        /// The user.
        id: UserId,
        /// The username's key.
        name: String,
        /// The external id.
        external_id: Option<ExternalId>,
    },
    /// A device that was not ended, under a stamp.
    Device(UserId, Stamp, DeviceId),
    /// A device that was ended.
    EndedDevice(UserId, DeviceId),
    /// The last-seen record of a device.
    LastSeen(UserId, DeviceId),
    /// A note to check a device.
    ExpiryCheck(ExpiryCheck),
    /// An entry of the log.
    Entry(Position),
}
