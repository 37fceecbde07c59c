//! The reference engine: plain maps behind a lock. Nothing outlives the process; for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use async_trait::async_trait;
use tokio::sync::watch;

use super::engine::Engine;
use super::erased::{ErasedQuery, ErasedStep};
use super::expiry_check::ExpiryCheck;
use super::format::{Record, RecordKey};
use super::records::{Change, Records};
use super::{Counters, StoreError, StoreIdentity, StoreTime, Totals};
use crate::model::counters::{Position, Stamp};
use crate::model::device::{Device, LastSeen};
use crate::model::external_id::ExternalId;
use crate::model::ids::{DeviceId, ServiceKeyId, UserId};
use crate::model::key::{KeyRecord, Kid};
use crate::model::revocation::Entry;
use crate::model::service_key::ServiceKeyRecord;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;

/// An engine that keeps everything in memory.
#[derive(Debug, Default)]
pub struct Memory {
    tables: RwLock<Tables>,
    writes: AtomicU64,
    written: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Tables {
    identity: Option<StoreIdentity>,
    counters: Option<Counters>,
    rolled_back: bool,
    totals: Totals,
    users: BTreeMap<UserId, User>,
    names: BTreeMap<String, UserId>,
    external_ids: BTreeMap<ExternalId, UserId>,
    devices: BTreeMap<(UserId, Stamp, DeviceId), Device>,
    ended: BTreeMap<(UserId, DeviceId), Device>,
    last_seen: BTreeMap<(UserId, DeviceId), LastSeen>,
    keys: BTreeMap<Kid, KeyRecord>,
    service_keys: BTreeMap<ServiceKeyId, ServiceKeyRecord>,
    log: BTreeMap<Position, Entry>,
    expiry_checks: BTreeSet<ExpiryCheck>,
}

impl Memory {
    /// How many records were written or dropped so far: what a step costs, counted.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Engine for Memory {
    async fn read(&self, query: &dyn ErasedQuery) -> Result<(), StoreError> {
        query.run(&*self.tables.read().map_err(|_| poisoned())?)
    }

    async fn commit(&self, step: Arc<dyn ErasedStep>) -> Result<(), StoreError> {
        let mut tables = self.tables.write().map_err(|_| poisoned())?;
        for change in step.decide(&*tables)?.settled(&*tables)? {
            tables.apply(change);
            self.writes.fetch_add(1, Ordering::SeqCst);
        }
        self.written.send_replace(());
        Ok(())
    }

    async fn time(&self) -> Result<StoreTime, StoreError> {
        Ok(StoreTime::Recorded(None))
    }

    fn written(&self) -> watch::Receiver<()> {
        self.written.subscribe()
    }
}

fn poisoned() -> StoreError {
    StoreError::Unavailable("a step failed half way".to_owned())
}

impl Tables {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Put(record) => self.put(record),
            Change::Remove(key) => self.remove(key),
        }
    }

    fn put(&mut self, record: Record) {
        match record {
            Record::StoreIdentity(identity) => self.identity = Some(identity),
            Record::Counters(counters) => self.counters = Some(counters),
            Record::Totals(totals) => self.totals = totals,
            Record::RolledBack => self.rolled_back = true,
            Record::Key(key) => drop(self.keys.insert(key.kid.clone(), key)),
            Record::ServiceKey(key) => drop(self.service_keys.insert(key.id, key)),
            Record::User(user) => {
                if let Some(before) = self.users.get(&user.id) {
                    self.names.remove(before.username.key());
                    before.external_id.as_ref().map(|external_id| self.external_ids.remove(external_id));
                }
                self.names.insert(user.username.key().to_owned(), user.id);
                if let Some(external_id) = &user.external_id {
                    self.external_ids.insert(external_id.clone(), user.id);
                }
                self.users.insert(user.id, *user);
            }
            Record::Device(device) => {
                self.devices.insert((device.user, device.stamp, device.id), *device);
            }
            Record::EndedDevice(device) => drop(self.ended.insert((device.user, device.id), *device)),
            Record::LastSeen(user, device, seen) => drop(self.last_seen.insert((user, device), seen)),
            Record::ExpiryCheck(check) => drop(self.expiry_checks.insert(check)),
            Record::Entry(entry) => drop(self.log.insert(entry.position, entry)),
        }
    }

    fn remove(&mut self, key: RecordKey) {
        match key {
            RecordKey::RolledBack => self.rolled_back = false,
            RecordKey::Key(kid) => drop(self.keys.remove(&kid)),
            RecordKey::ServiceKey(id) => drop(self.service_keys.remove(&id)),
            RecordKey::User { id, name, external_id } => {
                self.names.remove(&name);
                external_id.map(|external_id| self.external_ids.remove(&external_id));
                self.users.remove(&id);
            }
            RecordKey::Device(user, stamp, device) => drop(self.devices.remove(&(user, stamp, device))),
            RecordKey::EndedDevice(user, device) => drop(self.ended.remove(&(user, device))),
            RecordKey::LastSeen(user, device) => drop(self.last_seen.remove(&(user, device))),
            RecordKey::ExpiryCheck(check) => drop(self.expiry_checks.remove(&check)),
            RecordKey::Entry(position) => drop(self.log.remove(&position)),
        }
    }
}

impl Records for Tables {
    fn identity(&self) -> Result<Option<StoreIdentity>, StoreError> {
        Ok(self.identity.clone())
    }

    fn counters(&self) -> Result<Counters, StoreError> {
        self.counters.ok_or_else(|| StoreError::Corrupt("the store was never initialized".to_owned()))
    }

    fn totals(&self) -> Result<Totals, StoreError> {
        Ok(self.totals)
    }

    fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.users.get(&id).cloned())
    }

    fn user_named(&self, key: &str) -> Result<Option<UserId>, StoreError> {
        Ok(self.names.get(key).copied())
    }

    fn user_with_external_id(&self, external_id: &ExternalId) -> Result<Option<UserId>, StoreError> {
        Ok(self.external_ids.get(external_id).copied())
    }

    fn users(&self, after: Option<&str>, limit: usize) -> Result<Vec<User>, StoreError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let names = self.names.range::<str, _>((from, Bound::Unbounded)).take(limit);
        Ok(names.filter_map(|(_, id)| self.users.get(id).cloned()).collect())
    }

    fn device(&self, user: UserId, stamp: Stamp, id: DeviceId) -> Result<Option<Device>, StoreError> {
        Ok(self.devices.get(&(user, stamp, id)).cloned())
    }

    fn ended(&self, user: UserId, id: DeviceId) -> Result<Option<Device>, StoreError> {
        Ok(self.ended.get(&(user, id)).cloned())
    }

    fn devices(
        &self,
        user: UserId,
        stamp: Stamp,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<Vec<Device>, StoreError> {
        let from = match after {
            None => Bound::Included((user, stamp, DeviceId::from_bytes([0; 16]))),
            Some(after) => Bound::Excluded((user, stamp, after)),
        };
        let to = Bound::Included((user, stamp, DeviceId::from_bytes([0xff; 16])));
        Ok(self.devices.range((from, to)).take(limit).map(|(_, device)| device.clone()).collect())
    }

    fn past_devices(&self, user: UserId, stamp: Stamp, limit: usize) -> Result<Vec<Device>, StoreError> {
        let ended = self.ended.values().filter(|device| device.user == user);
        let behind = self.devices.values().filter(|device| device.user == user && device.stamp != stamp);
        Ok(ended.chain(behind).take(limit).cloned().collect())
    }

    fn oldest_past_devices(
        &self,
        user: UserId,
        stamp: Stamp,
        limit: usize,
    ) -> Result<Vec<Device>, StoreError> {
        let ended = self.ended.values().filter(|device| device.user == user).take(limit);
        let left_behind = self.devices.values().filter(|device| device.user == user && device.stamp < stamp);
        Ok(ended.chain(left_behind.take(limit)).cloned().collect())
    }

    fn last_seen(&self, user: UserId, id: DeviceId) -> Result<Option<LastSeen>, StoreError> {
        Ok(self.last_seen.get(&(user, id)).cloned())
    }

    fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let mut keys: Vec<_> = self.keys.values().cloned().collect();
        keys.sort_by_key(|key| key.created);
        Ok(keys)
    }

    fn service_key(&self, id: ServiceKeyId) -> Result<Option<ServiceKeyRecord>, StoreError> {
        Ok(self.service_keys.get(&id).cloned())
    }

    fn service_keys(&self) -> Result<Vec<ServiceKeyRecord>, StoreError> {
        Ok(self.service_keys.values().cloned().collect())
    }

    fn log(&self, after: Position, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let later = self.log.range((Bound::Excluded(after), Bound::Unbounded));
        Ok(later.take(limit).map(|(_, entry)| entry.clone()).collect())
    }

    fn rolled_back(&self) -> Result<bool, StoreError> {
        Ok(self.rolled_back)
    }

    fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<ExpiryCheck>, StoreError> {
        Ok(self.expiry_checks.iter().take_while(|check| check.at <= now).take(limit).copied().collect())
    }
}
