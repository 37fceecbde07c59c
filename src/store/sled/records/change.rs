//! Changes of records as writes of keys and values.

use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::store::StoreError;
use crate::store::format::{EndedDevice, binary};
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
        || changes.records.iter().any(|change| matches!(change, Change::StoreIdentity(_)))
        || view.get(IDENTITY)?.is_some();
    if !initialized {
        return Err(Table::StoreIdentity.corrupt("the record is missing"));
    }
    let priority = changes.priority;
    collected(Writes::of(priority), view, changes.settled(view)?)
}

/// The writes of copied records, which are stored as they are, whether or not the store is initialized.
pub(in crate::store::sled) fn imported(
    view: &SledView<'_>,
    records: Vec<Change>,
) -> Result<Writes, StoreError> {
    collected(Writes::none(), view, records)
}

fn collected(mut writes: Writes, view: &SledView<'_>, records: Vec<Change>) -> Result<Writes, StoreError> {
    for change in records {
        if let Some(at) = moment(&change) {
            writes.happened(at);
        }
        add(&mut writes, view, change)?;
    }
    Ok(writes)
}

fn add(writes: &mut Writes, view: &SledView<'_>, change: Change) -> Result<(), StoreError> {
    match change {
        Change::StoreIdentity(identity) => writes.put(IDENTITY, encode(Table::StoreIdentity, &identity)?),
        Change::RolledBack(true) => {
            writes.put(ROLLED_BACK, storable(Table::RolledBack, binary::encode(1, &()))?);
        }
        Change::RolledBack(false) => writes.delete(ROLLED_BACK),
        Change::Counters(counters) => writes.put(COUNTERS, encode(Table::Counters, &counters)?),
        Change::Totals(totals) => writes.put(TOTALS, encode(Table::Totals, &totals)?),
        Change::Entry(entry) => {
            writes.put(&layout::entry(entry.position)[..], encode(Table::Log, &entry)?);
        }
        Change::DropEntry(position) => writes.delete(&layout::entry(position)[..]),
        Change::User(user) => put_user(writes, view, &user)?,
        Change::DropUser(user) => {
            writes.delete(layout::name(user.username.key()));
            writes.delete(&layout::user(user.id)[..]);
        }
        Change::Device(device) => {
            let key = layout::device(device.user, device.stamp, device.id);
            writes.put(&key[..], encode(Table::Devices, &*device)?);
        }
        Change::DropDevice(user, stamp, device) => writes.delete(&layout::device(user, stamp, device)[..]),
        Change::Ended(device) => {
            let key = layout::ended(device.user, device.id);
            writes.put(&key[..], encode(Table::Ended, &EndedDevice(*device))?);
        }
        Change::DropEnded(user, device) => writes.delete(&layout::ended(user, device)[..]),
        Change::LastSeen(user, device, seen) => {
            writes.put(&layout::last_seen(user, device)[..], encode(Table::LastSeen, &seen)?);
        }
        Change::DropLastSeen(user, device) => writes.delete(&layout::last_seen(user, device)[..]),
        Change::Look(look) => writes.put(&layout::look(&look)[..], Vec::new()),
        Change::DropLook(look) => writes.delete(&layout::look(&look)[..]),
        Change::Key(key) => writes.put(layout::key(&key.kid), encode(Table::Keys, &key)?),
        Change::DropKey(kid) => writes.delete(layout::key(&kid)),
        Change::ServiceKey(key) => {
            writes.put(&layout::service_key(key.id)[..], encode(Table::ServiceKeys, &key)?);
        }
        Change::DropServiceKey(id) => writes.delete(&layout::service_key(id)[..]),
    }
    Ok(())
}

/// Writes a user, which happens at every sign-in; the index of names only if the name has changed.
fn put_user(writes: &mut Writes, view: &SledView<'_>, user: &User) -> Result<(), StoreError> {
    let before = view.user(user.id)?;
    if before.is_none_or(|before| before.username != user.username) {
        writes.put(layout::name(user.username.key()), encode(Table::Names, &user.id)?);
    }
    writes.put(&layout::user(user.id)[..], encode(Table::Users, user)?);
    Ok(())
}

/// The time at which a change says it happened, never ahead of the clock of its step.
fn moment(change: &Change) -> Option<Timestamp> {
    match change {
        Change::StoreIdentity(identity) => Some(identity.at),
        Change::Entry(entry) => Some(entry.at),
        Change::User(user) => Some(user.created),
        Change::Device(device) => Some(device.authenticated),
        Change::LastSeen(_, _, seen) => Some(seen.at),
        Change::ServiceKey(key) => Some(key.created),
        _ => None,
    }
}
