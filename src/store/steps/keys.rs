//! The store is founded, or was restored; keys of the service change.

use super::Step;
use super::sign_out::end_everyone;
use crate::model::counters::{Era, KeysVersion, Position};
use crate::model::ids::{ServiceKeyId, StoreId};
use crate::model::key::{KeyRecord, Kid};
use crate::model::revocation::Revocation;
use crate::model::service_key::ServiceKey;
use crate::model::timestamp::Timestamp;
use crate::store::records::{Change, Changes, Records};
use crate::store::{Clock, Founding, Totals};

/// Founds an empty store.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it is from now on.
    pub founding: Founding,
    /// Its first keys.
    pub keys: Vec<KeyRecord>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Founded {
    /// It was empty.
    Now(Founding),
    /// It was founded before, as this.
    Before(Founding),
}

/// See [`Found`].
pub fn found(records: &dyn Records, request: &Found) -> Step<Founded> {
    if let Some(founding) = records.founding()? {
        return Ok((Changes::none(), Founded::Before(founding)));
    }
    let mut changes = Changes::none();
    changes.push(Change::Found(request.founding.clone()));
    changes.push(Change::Clock(Clock {
        era: Era::default().following(request.founding.at),
        keys: KeysVersion::new(1),
        head: Position::default(),
    }));
    changes.push(Change::Totals(Totals::default()));
    for key in &request.keys {
        changes.push(Change::Key(key.clone()));
    }
    Ok((changes, Founded::Now(request.founding.clone())))
}

/// Tells a store that was put back from a copy that it was. What ended since the copy was made is live in it again, and
/// nobody can say what that was: so it is another store from now on, in which everyone is signed out.
pub fn restored(records: &dyn Records, store: StoreId, now: Timestamp) -> Step<Era> {
    let (mut changes, era) = end_everyone(records, now)?;
    if let Some(founding) = records.founding()? {
        changes.push(Change::Found(Founding { store, ..founding }));
    }
    Ok((changes, era))
}

/// Changes the key set.
#[derive(Clone, Debug)]
pub struct SaveKeys {
    /// The version the change was made from.
    pub read: KeysVersion,
    /// Keys that are new or changed.
    pub put: Vec<KeyRecord>,
    /// Keys that are gone.
    pub drop: Vec<Kid>,
    /// The key whose tokens are dead from now on.
    pub distrusted: Option<Kid>,
    /// Now.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysSaved {
    /// The new version.
    Saved(KeysVersion),
    /// Somebody changed the set meanwhile: read again.
    Stale,
}

/// See [`SaveKeys`].
pub fn save_keys(records: &dyn Records, request: &SaveKeys) -> Step<KeysSaved> {
    let read = records.clock()?.keys;
    if read != request.read {
        return Ok((Changes::none(), KeysSaved::Stale));
    }
    let version = read.next();
    let mut changes = Changes::none();
    for key in &request.put {
        changes.push(Change::Key(key.clone()));
    }
    for kid in &request.drop {
        changes.push(Change::DropKey(kid.clone()));
    }
    changes.log(request.now, Revocation::Keys { version, distrusted: request.distrusted.clone() });
    Ok((changes, KeysSaved::Saved(version)))
}

/// Adds a service key.
pub fn add_service_key(key: &ServiceKey) -> Step<()> {
    let mut changes = Changes::none();
    changes.push(Change::ServiceKey(key.clone()));
    Ok((changes, ()))
}

/// Removes a service key; false if there is none.
pub fn remove_service_key(records: &dyn Records, id: ServiceKeyId) -> Step<bool> {
    if records.service_key(id)?.is_none() {
        return Ok((Changes::none(), false));
    }
    let mut changes = Changes::none();
    changes.push(Change::DropServiceKey(id));
    Ok((changes, true))
}
