//! What a step reads and what it writes: the seam between the decisions and the engines.

use super::counters::Counted;
use super::expiry_check::ExpiryCheck;
use super::format::{Record, RecordKey};
use super::priority::Priority;
use super::{Counters, StoreError, StoreIdentity, Totals};
use crate::model::counters::{Position, Stamp};
use crate::model::device::{Device, LastSeen};
use crate::model::external_id::ExternalId;
use crate::model::ids::{DeviceId, ServiceKeyId, UserId};
use crate::model::key::KeyRecord;
use crate::model::revocation::{Entry, Revocation};
use crate::model::service_key::ServiceKeyRecord;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;

type Read<T> = Result<T, StoreError>;

/// What can be read of a store. Within a step nothing changes between two reads.
pub trait Records {
    /// The identity of the store; `None` before the store is initialized.
    fn identity(&self) -> Read<Option<StoreIdentity>>;
    /// The service-wide counters; an error before the store is initialized.
    fn counters(&self) -> Read<Counters>;
    /// How much there is.
    fn totals(&self) -> Read<Totals>;
    /// A user.
    fn user(&self, id: UserId) -> Read<Option<User>>;
    /// The user of a username's key.
    fn user_named(&self, key: &str) -> Read<Option<UserId>>;
    /// The user with an external id.
    fn user_with_external_id(&self, external_id: &ExternalId) -> Read<Option<UserId>>;
    /// Users in order of their usernames' keys, after `after`.
    fn users(&self, after: Option<&str>, limit: usize) -> Read<Vec<User>>;
    /// A device that was not ended, under `stamp`.
    fn device(&self, user: UserId, stamp: Stamp, id: DeviceId) -> Read<Option<Device>>;
    /// A device that was ended.
    fn ended(&self, user: UserId, id: DeviceId) -> Read<Option<Device>>;
    /// The user's devices that were not ended under `stamp`, by id, after `after`.
    fn devices(&self, user: UserId, stamp: Stamp, after: Option<DeviceId>, limit: usize)
    -> Read<Vec<Device>>;
    /// The user's devices that were ended, or left behind under another stamp than `stamp`, in no particular order.
    fn past_devices(&self, user: UserId, stamp: Stamp, limit: usize) -> Read<Vec<Device>>;
    /// Of the user's devices that were ended, and of those that were left behind under another stamp than `stamp`: the
    /// `limit` that signed in first of each.
    fn oldest_past_devices(&self, user: UserId, stamp: Stamp, limit: usize) -> Read<Vec<Device>>;
    /// When and from where a device was last heard of.
    fn last_seen(&self, user: UserId, id: DeviceId) -> Read<Option<LastSeen>>;
    /// Every key, the oldest first.
    fn keys(&self) -> Read<Vec<KeyRecord>>;
    /// A service key.
    fn service_key(&self, id: ServiceKeyId) -> Read<Option<ServiceKeyRecord>>;
    /// Every service key, the oldest first.
    fn service_keys(&self) -> Read<Vec<ServiceKeyRecord>>;
    /// Entries of the log after `after`, in order.
    fn log(&self, after: Position, limit: usize) -> Read<Vec<Entry>>;
    /// Whether the store is marked as rolled back.
    fn rolled_back(&self) -> Read<bool>;
    /// Expiry checks that are due at `now`, the most overdue first.
    fn due(&self, now: Timestamp, limit: usize) -> Read<Vec<ExpiryCheck>>;
}

/// One thing to write. An engine applies all changes of a step or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Stores a record, new or changed.
    Put(Record),
    /// Removes a record.
    Remove(RecordKey),
}

/// Everything one step writes.
///
/// Revocations have no position in the log yet, and counts are differences: the engine assigns positions and totals
/// when it applies them, so that steps of several nodes need not wait for each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Records, in the order they are to be written.
    pub records: Vec<Change>,
    /// What ended and when, in order: the next entries of the log.
    pub log: Vec<(Timestamp, Revocation)>,
    /// What comes on top of the totals.
    pub counted: Counted,
    /// How long this is still written when free space runs out.
    pub priority: Priority,
}

impl Changes {
    /// Nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Nothing yet, of this priority.
    pub fn of(priority: Priority) -> Self {
        Self { priority, ..Self::default() }
    }

    /// Stores a record, new or changed.
    pub fn put(&mut self, record: Record) {
        self.records.push(Change::Put(record));
    }

    /// Removes a record.
    pub fn remove(&mut self, key: RecordKey) {
        self.records.push(Change::Remove(key));
    }

    /// Writes a user.
    pub fn user(&mut self, user: &User) {
        self.put(Record::User(Box::new(user.clone())));
    }

    /// Writes a device under its stamp.
    pub fn device(&mut self, device: &Device) {
        self.put(Record::Device(Box::new(device.clone())));
    }

    /// Appends a revocation to the log.
    pub fn log(&mut self, at: Timestamp, revocation: Revocation) {
        self.log.push((at, revocation));
    }

    /// Adds what another step writes, after the changes of this one.
    pub fn append(&mut self, other: Self) {
        let Self { records, log, counted, priority } = other;
        self.records.extend(records);
        self.log.extend(log);
        self.counted.users += counted.users;
        self.counted.live_devices += counted.live_devices;
        self.priority = self.priority.max(priority);
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && !self.counts()
    }

    /// Whether the totals are written. Whatever ends a device writes them, even as they were: so that it costs the same
    /// for any number of devices.
    pub fn counts(&self) -> bool {
        !self.log.is_empty() || self.counted != Counted::default()
    }

    /// All of it as records: the entries at their positions after what `records` holds, counters and totals as they
    /// then are. For an engine whose steps happen one after the other.
    pub fn settled(self, records: &dyn Records) -> Read<Vec<Change>> {
        let counts = self.counts();
        let Self { records: mut settled, log, counted, priority: _ } = self;
        let new_era = log.iter().any(|(_, revocation)| matches!(revocation, Revocation::Era(_)));
        if counts {
            settled.push(Change::Put(Record::Totals(records.totals()?.with(counted, new_era))));
        }
        if !log.is_empty() {
            let mut counters = records.counters()?;
            for (at, revocation) in log {
                counters = counters.with(&revocation);
                let entry = Entry { position: counters.head, at, revocation };
                settled.push(Change::Put(Record::Entry(entry)));
            }
            settled.push(Change::Put(Record::Counters(counters)));
        }
        Ok(settled)
    }
}
