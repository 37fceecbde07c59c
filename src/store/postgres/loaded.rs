//! The records that were read for a step, and the first one it lacks.

use std::cell::Cell;
use std::collections::HashMap;

use crate::model::counters::{Position, Stamp};
use crate::model::device::{Device, LastSeen};
use crate::model::external_id::ExternalId;
use crate::model::ids::{DeviceId, ServiceKeyId, UserId};
use crate::model::key::KeyRecord;
use crate::model::revocation::Entry;
use crate::model::service_key::ServiceKeyRecord;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::store::expiry_check::ExpiryCheck;
use crate::store::format::JsonRecord;
use crate::store::records::Records;
use crate::store::{Counters, StoreError, StoreIdentity, Totals};

type Read<T> = Result<T, StoreError>;

/// A record or list that a step reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Need {
    StoreIdentity,
    Counters,
    RolledBack,
    Totals,
    User(UserId),
    Named(String),
    WithExternalId(ExternalId),
    Users(Option<String>, usize),
    Device(UserId, DeviceId),
    Devices(UserId, Stamp, Option<DeviceId>, usize),
    PastDevices(UserId, Stamp, usize),
    OldestPastDevices(UserId, Stamp, usize),
    LastSeen(UserId, DeviceId),
    Keys,
    ServiceKey(ServiceKeyId),
    ServiceKeys,
    Log(Position, usize),
    Due(Timestamp, usize),
}

/// The records read so far, as documents by need; an empty list if there are none.
#[derive(Default)]
pub(super) struct Loaded {
    answers: HashMap<Need, Vec<String>>,
    missed: Cell<Option<Need>>,
}

impl Loaded {
    /// Notes that `need` was read.
    pub(super) fn looked_for(&mut self, need: Need) {
        self.answers.entry(need).or_default();
    }

    /// Notes a document that answers `need`.
    pub(super) fn add(&mut self, need: Need, document: String) {
        self.answers.entry(need).or_default().push(document);
    }

    /// Notes the document that answers `need`, or that there is none.
    pub(super) fn found(&mut self, need: Need, document: Option<&String>) {
        match document {
            Some(document) => self.add(need, document.clone()),
            None => self.looked_for(need),
        }
    }

    /// Takes the record or list that was requested but had not been read; a decision made without it does not count.
    pub(super) fn missed(&self) -> Option<Need> {
        self.missed.take()
    }

    fn documents(&self, need: Need) -> Read<&[String]> {
        if let Some(documents) = self.answers.get(&need) {
            return Ok(documents);
        }
        self.missed.set(Some(need));
        Err(StoreError::Unavailable("a record was not read yet".to_owned()))
    }

    fn one<T: JsonRecord>(&self, need: Need) -> Read<Option<T>> {
        self.documents(need)?.first().map(|document| parse(document)).transpose()
    }

    fn all<T: JsonRecord>(&self, need: Need) -> Read<Vec<T>> {
        self.documents(need)?.iter().map(|document| parse(document)).collect()
    }
}

/// The record in a document.
pub(super) fn parse<T: JsonRecord>(document: &str) -> Read<T> {
    Ok(T::from_json(document)?)
}

impl Records for Loaded {
    fn identity(&self) -> Read<Option<StoreIdentity>> {
        self.one(Need::StoreIdentity)
    }

    fn counters(&self) -> Read<Counters> {
        self.one(Need::Counters)?
            .ok_or_else(|| StoreError::Corrupt("the store was never initialized".to_owned()))
    }

    fn rolled_back(&self) -> Read<bool> {
        // A column, in PostgreSQL's spelling of booleans.
        Ok(self.documents(Need::RolledBack)?.first().is_some_and(|marked| marked != "false"))
    }

    fn totals(&self) -> Read<Totals> {
        Ok(self.one(Need::Totals)?.unwrap_or_default())
    }

    fn user(&self, id: UserId) -> Read<Option<User>> {
        self.one(Need::User(id))
    }

    fn user_named(&self, key: &str) -> Read<Option<UserId>> {
        Ok(self.one::<User>(Need::Named(key.to_owned()))?.map(|user| user.id))
    }

    fn user_with_external_id(&self, external_id: &ExternalId) -> Read<Option<UserId>> {
        Ok(self.one::<User>(Need::WithExternalId(external_id.clone()))?.map(|user| user.id))
    }

    fn users(&self, after: Option<&str>, limit: usize) -> Read<Vec<User>> {
        // The rows come with others, in no order.
        let mut users: Vec<User> = self.all(Need::Users(after.map(str::to_owned), limit))?;
        users.sort_by(|one, other| one.username.key().cmp(other.username.key()));
        Ok(users)
    }

    fn device(&self, user: UserId, stamp: Stamp, id: DeviceId) -> Read<Option<Device>> {
        let device: Option<Device> = self.one(Need::Device(user, id))?;
        Ok(device.filter(|device| device.stamp == stamp && device.ended.is_none()))
    }

    fn ended(&self, user: UserId, id: DeviceId) -> Read<Option<Device>> {
        let device: Option<Device> = self.one(Need::Device(user, id))?;
        Ok(device.filter(|device| device.ended.is_some()))
    }

    fn devices(
        &self,
        user: UserId,
        stamp: Stamp,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Read<Vec<Device>> {
        let mut devices: Vec<Device> = self.all(Need::Devices(user, stamp, after, limit))?;
        devices.sort_by_key(|device| device.id);
        Ok(devices)
    }

    fn past_devices(&self, user: UserId, stamp: Stamp, limit: usize) -> Read<Vec<Device>> {
        self.all(Need::PastDevices(user, stamp, limit))
    }

    fn oldest_past_devices(&self, user: UserId, stamp: Stamp, limit: usize) -> Read<Vec<Device>> {
        self.all(Need::OldestPastDevices(user, stamp, limit))
    }

    fn last_seen(&self, user: UserId, id: DeviceId) -> Read<Option<LastSeen>> {
        self.one(Need::LastSeen(user, id))
    }

    fn keys(&self) -> Read<Vec<KeyRecord>> {
        let mut keys: Vec<KeyRecord> = self.all(Need::Keys)?;
        keys.sort_by_key(|key| key.created);
        Ok(keys)
    }

    fn service_key(&self, id: ServiceKeyId) -> Read<Option<ServiceKeyRecord>> {
        self.one(Need::ServiceKey(id))
    }

    fn service_keys(&self) -> Read<Vec<ServiceKeyRecord>> {
        self.all(Need::ServiceKeys)
    }

    fn log(&self, after: Position, limit: usize) -> Read<Vec<Entry>> {
        self.all(Need::Log(after, limit))
    }

    fn due(&self, now: Timestamp, limit: usize) -> Read<Vec<ExpiryCheck>> {
        self.all(Need::Due(now, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_read_is_missed_and_what_is_not_there_is_absent() {
        let mut loaded = Loaded::default();
        let id = UserId::from_bytes([7; 16]);
        assert!(loaded.user(id).is_err());
        assert_eq!(loaded.missed(), Some(Need::User(id)));
        assert_eq!(loaded.missed(), None);
        loaded.looked_for(Need::User(id));
        assert_eq!(loaded.user(id), Ok(None));
        assert_eq!(loaded.missed(), None);
    }

    #[test]
    fn what_cannot_be_read_is_corrupt_and_not_repeated() {
        let mut loaded = Loaded::default();
        loaded.add(Need::Counters, r#"{"era":"hunter2"}"#.to_owned());
        assert_eq!(loaded.counters(), Err(StoreError::Corrupt("a record cannot be read".to_owned())));
        assert_eq!(loaded.missed(), None);
    }
}
