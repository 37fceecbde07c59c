//! Changes of records as writes of keys and values.

use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::store::StoreError;
use crate::store::format::{EndedDevice, Record, RecordKey, RecordKind, binary};
use crate::store::records::{Change, Changes, Records as _};
use crate::store::sled::codec::{encode, storable};
use crate::store::sled::layout::{self, COUNTERS, IDENTITY, ROLLED_BACK, TOTALS, Table};
use crate::store::sled::view::SledView;
use crate::store::sled::writes::Writes;

/// The writes of a step's `changes`.
///
/// # Errors
///
/// A record is too long; or the store is not initialized and the changes do not initialize it: its folder would be
/// started over.
pub(in crate::store::sled) fn writes(view: &SledView<'_>, changes: Changes) -> Result<Writes, StoreError> {
    let initialized = changes.is_empty()
        || changes.records.iter().any(|change| matches!(change, Change::Put(Record::StoreIdentity(_))))
        || view.get(IDENTITY)?.is_some();
    if !initialized {
        return Err(Table::Of(RecordKind::StoreIdentity).corrupt("the record is missing"));
    }
    let priority = changes.priority;
    collected(Writes::of(priority), view, changes.settled(view)?)
}

/// The writes of copied records, which are stored as they are, whether or not the store is initialized.
pub(in crate::store::sled) fn imported(
    view: &SledView<'_>,
    records: Vec<Record>,
) -> Result<Writes, StoreError> {
    collected(Writes::none(), view, records.into_iter().map(Change::Put))
}

fn collected(
    mut writes: Writes,
    view: &SledView<'_>,
    changes: impl IntoIterator<Item = Change>,
) -> Result<Writes, StoreError> {
    for change in changes {
        match change {
            Change::Put(record) => {
                if let Some(at) = moment(&record) {
                    writes.happened(at);
                }
                put(&mut writes, view, &record)?;
            }
            Change::Remove(key) => remove(&mut writes, &key),
        }
    }
    Ok(writes)
}

fn put(writes: &mut Writes, view: &SledView<'_>, record: &Record) -> Result<(), StoreError> {
    let table = record.kind().into();
    match record {
        Record::StoreIdentity(identity) => writes.put(IDENTITY, encode(table, identity)?),
        Record::Counters(counters) => writes.put(COUNTERS, encode(table, counters)?),
        Record::Totals(totals) => writes.put(TOTALS, encode(table, totals)?),
        Record::RolledBack => writes.put(ROLLED_BACK, storable(table, binary::encode(1, &()))?),
        Record::Key(key) => writes.put(layout::key(&key.kid), encode(table, key)?),
        Record::ServiceKey(key) => writes.put(&layout::service_key(key.id)[..], encode(table, key)?),
        Record::User(user) => put_user(writes, view, user)?,
        Record::Device(device) => {
            let key = layout::device(device.user, device.stamp, device.id);
            writes.put(&key[..], encode(table, &**device)?);
        }
        Record::EndedDevice(device) => {
            let key = layout::ended(device.user, device.id);
            writes.put(&key[..], encode(table, &EndedDevice((**device).clone()))?);
        }
        Record::LastSeen(user, device, seen) => {
            writes.put(&layout::last_seen(*user, *device)[..], encode(table, seen)?);
        }
        Record::ExpiryCheck(check) => writes.put(&layout::expiry_check(check)[..], Vec::new()),
        Record::Entry(entry) => writes.put(&layout::entry(entry.position)[..], encode(table, entry)?),
    }
    Ok(())
}

fn remove(writes: &mut Writes, key: &RecordKey) {
    match key {
        RecordKey::RolledBack => writes.delete(ROLLED_BACK),
        RecordKey::Key(kid) => writes.delete(layout::key(kid)),
        RecordKey::ServiceKey(id) => writes.delete(&layout::service_key(*id)[..]),
        RecordKey::User { id, name, external_id } => {
            writes.delete(layout::name(name));
            if let Some(external_id) = external_id {
                writes.delete(layout::external_id(external_id));
            }
            writes.delete(&layout::user(*id)[..]);
        }
        RecordKey::Device(user, stamp, device) => {
            writes.delete(&layout::device(*user, *stamp, *device)[..]);
        }
        RecordKey::EndedDevice(user, device) => writes.delete(&layout::ended(*user, *device)[..]),
        RecordKey::LastSeen(user, device) => writes.delete(&layout::last_seen(*user, *device)[..]),
        RecordKey::ExpiryCheck(check) => writes.delete(&layout::expiry_check(check)[..]),
        RecordKey::Entry(position) => writes.delete(&layout::entry(*position)[..]),
    }
}

/// Writes a user, which happens at every sign-in; the indexes only if the name or the external id has changed.
fn put_user(writes: &mut Writes, view: &SledView<'_>, user: &User) -> Result<(), StoreError> {
    let before = view.user(user.id)?;
    let indexes = |user: &User| {
        let external_id = user.external_id.as_ref();
        let name = (Table::Names, layout::name(user.username.key()));
        [Some(name), external_id.map(|id| (Table::ExternalIds, layout::external_id(id)))]
    };
    let (former, present) = (before.as_ref().map_or([None, None], indexes), indexes(user));
    for (former, present) in former.into_iter().zip(present) {
        if former == present {
            continue;
        }
        if let Some((_, key)) = former {
            writes.delete(key);
        }
        if let Some((table, key)) = present {
            writes.put(key, encode(table, &user.id)?);
        }
    }
    writes.put(&layout::user(user.id)[..], encode(RecordKind::User.into(), user)?);
    Ok(())
}

/// The time at which a record says it happened, never ahead of the clock of its step.
fn moment(record: &Record) -> Option<Timestamp> {
    match record {
        Record::StoreIdentity(identity) => Some(identity.at),
        Record::Entry(entry) => Some(entry.at),
        Record::User(user) => Some(user.created),
        Record::Device(device) => Some(device.authenticated),
        Record::LastSeen(_, _, seen) => Some(seen.at),
        Record::ServiceKey(key) => Some(key.created),
        _ => None,
    }
}
