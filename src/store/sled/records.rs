//! The records that steps read from the tree, and the changes they write to it.

use std::ops::Bound;

use serde::de::DeserializeOwned;
use sled::IVec;

use super::codec::decode;
use super::layout::{self, COUNTERS, IDENTITY, ROLLED_BACK, TOTALS, Table};
use super::view::SledView;
use crate::model::counters::{Position, Stamp};
use crate::model::device::{Device, LastSeen};
use crate::model::ids::{DeviceId, ServiceKeyId, UserId};
use crate::model::key::KeyRecord;
use crate::model::revocation::Entry;
use crate::model::service_key::ServiceKeyRecord;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::store::records::{Look, Records};
use crate::store::{Counters, StoreError, StoreIdentity, Totals};

mod change;
mod stored;

pub(super) use change::{imported, writes};
pub(super) use stored::decode_entry;
#[cfg(test)]
pub(super) use stored::encode_entry;
use stored::{StoredDevice, StoredEnded, StoredUser};

type Read<T> = Result<T, StoreError>;

impl SledView<'_> {
    fn record<T: DeserializeOwned>(&self, table: Table, key: &[u8]) -> Read<Option<T>> {
        self.get(key)?.map(|bytes| decode(table, &bytes)).transpose()
    }

    /// A record that exists since the initialization: without it the store is damaged or was never initialized.
    fn singleton<T: DeserializeOwned>(&self, table: Table, key: &[u8]) -> Read<T> {
        self.record(table, key)?.ok_or_else(|| table.corrupt("the record is missing"))
    }

    /// The records from `start` on whose key starts with `prefix`.
    fn list<T: DeserializeOwned>(
        &self,
        table: Table,
        prefix: &[u8],
        start: Bound<&[u8]>,
    ) -> impl Iterator<Item = Read<T>> {
        self.scan_from(prefix, start).map(move |record| decode(table, &record?.1))
    }
}

impl Records for SledView<'_> {
    fn identity(&self) -> Read<Option<StoreIdentity>> {
        let Some(bytes) = self.get(IDENTITY)? else { return Ok(None) };
        // A store whose tokens never had other names says nothing of them, like every store before there were any.
        let unnamed =
            |(store, issuer, audience, at)| StoreIdentity { store, issuer, audience, at, names: Vec::new() };
        let found = decode(Table::StoreIdentity, &bytes);
        found.or_else(|_| decode(Table::StoreIdentity, &bytes).map(unnamed)).map(Some)
    }

    fn counters(&self) -> Read<Counters> {
        self.singleton(Table::Counters, COUNTERS)
    }

    fn rolled_back(&self) -> Read<bool> {
        Ok(self.get(ROLLED_BACK)?.is_some())
    }

    fn totals(&self) -> Read<Totals> {
        if self.get(IDENTITY)?.is_none() {
            return Ok(Totals::default());
        }
        self.singleton(Table::Totals, TOTALS)
    }

    fn user(&self, id: UserId) -> Read<Option<User>> {
        let found = self.get(&layout::user(id))?.map(|bytes| StoredUser::decode(&bytes)).transpose()?;
        Ok(found.map(|user| user.under(id)))
    }

    fn user_named(&self, key: &str) -> Read<Option<UserId>> {
        self.record(Table::Names, &layout::name(key))
    }

    fn users(&self, after: Option<&str>, limit: usize) -> Read<Vec<User>> {
        let after = after.map(layout::name);
        let start = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let table = Table::Names.prefix();
        let start = if start == Bound::Unbounded { Bound::Included(table.as_slice()) } else { start };
        let mut users = Vec::new();
        for record in self.scan_from(&table, start) {
            if users.len() >= limit {
                break;
            }
            let (name, id) = record?;
            let id = decode(Table::Names, &id)?;
            match self.user(id)? {
                Some(user) => users.push(user),
                // Outside a step the user may have been deleted since the name was read; its name with it.
                None if self.get(&name)?.is_none() => {}
                None => return Err(Table::Names.corrupt("a name without its user")),
            }
        }
        Ok(users)
    }

    fn device(&self, user: UserId, stamp: Stamp, id: DeviceId) -> Read<Option<Device>> {
        let found = self.get(&layout::device(user, stamp, id))?;
        found.map(|bytes| StoredDevice::decode(&bytes, user, stamp, id)).transpose()
    }

    fn ended(&self, user: UserId, id: DeviceId) -> Read<Option<Device>> {
        let found = self.get(&layout::ended(user, id))?;
        found.map(|bytes| StoredEnded::decode(&bytes, user, id)).transpose()
    }

    fn devices(
        &self,
        user: UserId,
        stamp: Stamp,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Read<Vec<Device>> {
        let prefix = layout::devices_under(user, stamp);
        let after = after.map(|id| layout::device(user, stamp, id));
        let start = match &after {
            Some(after) => Bound::Excluded(after.as_slice()),
            None => Bound::Included(prefix.as_slice()),
        };
        self.scan_from(&prefix, start).map(device).take(limit).collect()
    }

    fn past_devices(&self, user: UserId, stamp: Stamp, limit: usize) -> Read<Vec<Device>> {
        let of_user = layout::devices_of(Table::Ended, user);
        let ended = self.scan(&of_user).map(ended);
        let of_user = layout::devices_of(Table::Devices, user);
        // The live ones in the middle are stepped over, not read: there may be thousands.
        let live = layout::device(user, stamp, DeviceId::from_bytes([0; 16]));
        let older = self
            .scan(&of_user)
            .take_while(move |record| record.as_ref().map_or(true, |(key, _)| **key < live[..]))
            .map(device);
        let last = layout::device(user, stamp, DeviceId::from_bytes([0xff; 16]));
        let newer = self.scan_from(&of_user, Bound::Excluded(&last)).map(device);
        ended.chain(older).chain(newer).take(limit).collect()
    }

    fn oldest_past_devices(&self, user: UserId, stamp: Stamp, limit: usize) -> Read<Vec<Device>> {
        let of_user = layout::devices_of(Table::Ended, user);
        let ended = self.scan(&of_user).map(ended).take(limit);
        let of_user = layout::devices_of(Table::Devices, user);
        let live = layout::devices_under(user, stamp);
        // Generations only grow: what was left behind comes before what is live.
        let left_behind = self
            .scan(&of_user)
            .take_while(move |record| record.as_ref().map_or(true, |(key, _)| **key < live[..]))
            .map(device)
            .take(limit);
        ended.chain(left_behind).collect()
    }

    fn last_seen(&self, user: UserId, id: DeviceId) -> Read<Option<LastSeen>> {
        self.record(Table::LastSeen, &layout::last_seen(user, id))
    }

    fn keys(&self) -> Read<Vec<KeyRecord>> {
        let table = Table::Keys.prefix();
        let mut keys: Vec<KeyRecord> =
            self.list(Table::Keys, &table, Bound::Included(&table)).collect::<Read<_>>()?;
        keys.sort_by_key(|key| key.created);
        Ok(keys)
    }

    fn service_key(&self, id: ServiceKeyId) -> Read<Option<ServiceKeyRecord>> {
        let found: Option<ServiceKeyRecord> = self.record(Table::ServiceKeys, &layout::service_key(id))?;
        match found {
            Some(key) if key.id != id => {
                Err(Table::ServiceKeys.corrupt("a record stands in the place of another"))
            }
            found => Ok(found),
        }
    }

    fn service_keys(&self) -> Read<Vec<ServiceKeyRecord>> {
        let table = Table::ServiceKeys.prefix();
        self.list(Table::ServiceKeys, &table, Bound::Included(&table)).collect()
    }

    fn log(&self, after: Position, limit: usize) -> Read<Vec<Entry>> {
        let start = layout::entry(after);
        let mut entries: Vec<Entry> = Vec::new();
        for record in self.scan_from(&Table::Log.prefix(), Bound::Excluded(&start)).take(limit) {
            let entry = decode_entry(&record?.1)?;
            // The sweep takes from the front only.
            if entries.last().is_some_and(|before| before.position.next() != entry.position) {
                return Err(Table::Log.corrupt("an entry is missing"));
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    fn due(&self, now: Timestamp, limit: usize) -> Read<Vec<Look>> {
        self.scan(&Table::Looks.prefix())
            .map(look)
            .take_while(|look| look.as_ref().map_or(true, |look| look.at <= now))
            .take(limit)
            .collect()
    }
}

/// Decodes a record of the users' table.
pub(super) fn user(record: Read<(IVec, IVec)>) -> Read<User> {
    let (key, value) = record?;
    let id = layout::parse_user(&key).ok_or_else(|| unreadable_key(Table::Users))?;
    Ok(StoredUser::decode(&value)?.under(id))
}

/// Decodes a record of the devices' table.
pub(super) fn device(record: Read<(IVec, IVec)>) -> Read<Device> {
    let (key, value) = record?;
    let (user, stamp, id) = layout::parse_device(&key).ok_or_else(|| unreadable_key(Table::Devices))?;
    StoredDevice::decode(&value, user, stamp, id)
}

/// Decodes a record of the ended devices' table.
pub(super) fn ended(record: Read<(IVec, IVec)>) -> Read<Device> {
    let (key, value) = record?;
    let (user, id) = layout::parse_ended(&key).ok_or_else(|| unreadable_key(Table::Ended))?;
    StoredEnded::decode(&value, user, id)
}

/// Decodes a record of the expiry checks' table.
pub(super) fn look(record: Read<(IVec, IVec)>) -> Read<Look> {
    let (key, _) = record?;
    layout::parse_look(&key).ok_or_else(|| unreadable_key(Table::Looks))
}

pub(super) fn unreadable_key(table: Table) -> StoreError {
    table.corrupt("a key cannot be read")
}
