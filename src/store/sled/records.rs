//! The records that steps read from the tree, and the changes they write to it.

use std::ops::Bound;

use sled::IVec;

use super::codec::{decode, decode_under};
use super::layout::{self, COUNTERS, IDENTITY, ROLLED_BACK, TOTALS, Table};
use super::view::SledView;
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
use crate::store::format::{BinaryRecord, EndedDevice, RecordKind};
use crate::store::records::Records;
use crate::store::{Counters, StoreError, StoreIdentity, Totals};

mod change;
mod indexes;

pub(super) use change::{imported, writes};

type Read<T> = Result<T, StoreError>;

impl SledView<'_> {
    fn record<T: BinaryRecord<Key = ()>>(&self, table: Table, key: &[u8]) -> Read<Option<T>> {
        self.get(key)?.map(|bytes| decode(table, &bytes)).transpose()
    }

    /// A record that exists since the initialization: without it the store is damaged or was never initialized.
    fn singleton<T: BinaryRecord<Key = ()>>(&self, table: Table, key: &[u8]) -> Read<T> {
        self.record(table, key)?.ok_or_else(|| table.corrupt("the record is missing"))
    }

    /// The records from `start` on whose key starts with `prefix`.
    fn list<T: BinaryRecord<Key = ()>>(
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
        self.record(Table::Of(RecordKind::StoreIdentity), IDENTITY)
    }

    fn counters(&self) -> Read<Counters> {
        self.singleton(Table::Of(RecordKind::Counters), COUNTERS)
    }

    fn rolled_back(&self) -> Read<bool> {
        Ok(self.get(ROLLED_BACK)?.is_some())
    }

    fn totals(&self) -> Read<Totals> {
        if self.get(IDENTITY)?.is_none() {
            return Ok(Totals::default());
        }
        self.singleton(Table::Of(RecordKind::Totals), TOTALS)
    }

    fn user(&self, id: UserId) -> Read<Option<User>> {
        let found = self.get(&layout::user(id))?;
        found.map(|bytes| decode_under(Table::Of(RecordKind::User), id, &bytes)).transpose()
    }

    fn user_named(&self, key: &str) -> Read<Option<UserId>> {
        self.record(Table::Names, &layout::name(key))
    }

    fn user_with_external_id(&self, external_id: &ExternalId) -> Read<Option<UserId>> {
        let key = layout::external_id(external_id);
        let Some(id) = self.record(Table::ExternalIds, &key)? else { return Ok(None) };
        if self.user(id)?.is_some_and(|user| user.external_id.as_ref() == Some(external_id)) {
            return Ok(Some(id));
        }
        // Outside a step it may have been removed since the index was read.
        match self.record::<UserId>(Table::ExternalIds, &key)? {
            Some(same) if same == id => Err(Table::ExternalIds.corrupt("an external id without its user")),
            other => Ok(other),
        }
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
                Some(user) if layout::name(user.username.key()) == *name => users.push(user),
                // Outside a step the user may have been deleted or renamed since the name was read; and the name may
                // have been given to another user.
                _ if self.record::<UserId>(Table::Names, &name)? != Some(id) => {}
                _ => return Err(Table::Names.corrupt("a name without its user")),
            }
        }
        Ok(users)
    }

    fn device(&self, user: UserId, stamp: Stamp, id: DeviceId) -> Read<Option<Device>> {
        let found = self.get(&layout::device(user, stamp, id))?;
        found.map(|bytes| decode_under(Table::Of(RecordKind::Device), (user, stamp, id), &bytes)).transpose()
    }

    fn ended(&self, user: UserId, id: DeviceId) -> Read<Option<Device>> {
        let found = self.get(&layout::ended(user, id))?;
        found.map(|bytes| decode_ended((user, id), &bytes)).transpose()
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
        let of_user = layout::devices_of(Table::Of(RecordKind::EndedDevice), user);
        let ended = self.scan(&of_user).map(ended);
        let of_user = layout::devices_of(Table::Of(RecordKind::Device), user);
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
        let of_user = layout::devices_of(Table::Of(RecordKind::EndedDevice), user);
        let ended = self.scan(&of_user).map(ended).take(limit);
        let of_user = layout::devices_of(Table::Of(RecordKind::Device), user);
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
        self.record(Table::Of(RecordKind::LastSeen), &layout::last_seen(user, id))
    }

    fn keys(&self) -> Read<Vec<KeyRecord>> {
        let table = Table::Of(RecordKind::Key).prefix();
        let mut keys: Vec<KeyRecord> =
            self.list(Table::Of(RecordKind::Key), &table, Bound::Included(&table)).collect::<Read<_>>()?;
        keys.sort_by_key(|key| key.created);
        Ok(keys)
    }

    fn service_key(&self, id: ServiceKeyId) -> Read<Option<ServiceKeyRecord>> {
        let found: Option<ServiceKeyRecord> =
            self.record(Table::Of(RecordKind::ServiceKey), &layout::service_key(id))?;
        match found {
            Some(key) if key.id != id => {
                Err(Table::Of(RecordKind::ServiceKey).corrupt("a record stands in the place of another"))
            }
            found => Ok(found),
        }
    }

    fn service_keys(&self) -> Read<Vec<ServiceKeyRecord>> {
        let table = Table::Of(RecordKind::ServiceKey).prefix();
        self.list(Table::Of(RecordKind::ServiceKey), &table, Bound::Included(&table)).collect()
    }

    fn log(&self, after: Position, limit: usize) -> Read<Vec<Entry>> {
        let start = layout::entry(after);
        let mut entries: Vec<Entry> = Vec::new();
        for record in
            self.scan_from(&Table::Of(RecordKind::Entry).prefix(), Bound::Excluded(&start)).take(limit)
        {
            let entry: Entry = decode(Table::Of(RecordKind::Entry), &record?.1)?;
            // The sweep takes from the front only.
            if entries.last().is_some_and(|before| before.position.next() != entry.position) {
                return Err(Table::Of(RecordKind::Entry).corrupt("an entry is missing"));
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    fn due(&self, now: Timestamp, limit: usize) -> Read<Vec<ExpiryCheck>> {
        self.scan(&Table::Of(RecordKind::ExpiryCheck).prefix())
            .map(expiry_check)
            .take_while(|check| check.as_ref().map_or(true, |check| check.at <= now))
            .take(limit)
            .collect()
    }
}

/// Decodes a record of the users' table.
pub(super) fn user(record: Read<(IVec, IVec)>) -> Read<User> {
    let (key, value) = record?;
    let id = layout::parse_user(&key).ok_or_else(|| unreadable_key(Table::Of(RecordKind::User)))?;
    decode_under(Table::Of(RecordKind::User), id, &value)
}

/// Decodes a record of the devices' table.
pub(super) fn device(record: Read<(IVec, IVec)>) -> Read<Device> {
    let (key, value) = record?;
    let path = layout::parse_device(&key).ok_or_else(|| unreadable_key(Table::Of(RecordKind::Device)))?;
    decode_under(Table::Of(RecordKind::Device), path, &value)
}

/// Decodes a record of the ended devices' table.
pub(super) fn ended(record: Read<(IVec, IVec)>) -> Read<Device> {
    let (key, value) = record?;
    let path = layout::parse_ended(&key).ok_or_else(|| unreadable_key(Table::Of(RecordKind::EndedDevice)))?;
    decode_ended(path, &value)
}

fn decode_ended(path: (UserId, DeviceId), bytes: &[u8]) -> Read<Device> {
    let EndedDevice(device) = decode_under(Table::Of(RecordKind::EndedDevice), path, bytes)?;
    Ok(device)
}

/// Decodes a record of the expiry checks' table.
pub(super) fn expiry_check(record: Read<(IVec, IVec)>) -> Read<ExpiryCheck> {
    let (key, _) = record?;
    layout::parse_expiry_check(&key).ok_or_else(|| unreadable_key(Table::Of(RecordKind::ExpiryCheck)))
}

pub(super) fn unreadable_key(table: Table) -> StoreError {
    table.corrupt("a key cannot be read")
}
