//! The store is founded, or was restored; keys of the service change.

use super::Step;
use super::sign_out::end_everyone;
use crate::model::counters::{Era, KeysVersion, Position};
use crate::model::ids::{ServiceKeyId, StoreId};
use crate::model::key::{KeyRecord, KeyState, Kid};
use crate::model::names::Names;
use crate::model::revocation::Revocation;
use crate::model::service_key::ServiceKey;
use crate::model::timestamp::Timestamp;
use crate::store::priority::Priority;
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

/// Tells a store that was put back from a copy that it was.
///
/// What ended since the copy was made is live in it again, and nobody can say what that was. So it is another store from
/// now on: everyone is signed out, every signing key of the copy is distrusted, and no service key of it works unless the
/// operator keeps them.
#[derive(Clone, Debug)]
pub struct Restore {
    /// Its new id.
    pub store: StoreId,
    /// Its new signing keys.
    pub keys: Vec<KeyRecord>,
    /// Whether service keys stay, also those that were removed since the copy was made.
    pub keep_service_keys: bool,
    /// Now.
    pub now: Timestamp,
}

/// What became of a store that was put back from a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The new era.
    pub era: Era,
    /// The signing keys that are distrusted from now on.
    pub distrusted: Vec<Kid>,
    /// The service keys of the copy, which were dropped unless they were to be kept.
    pub service_keys: Vec<ServiceKey>,
}

/// See [`Restore`].
pub fn restored(records: &dyn Records, request: &Restore) -> Step<Restored> {
    let Restore { store, now, .. } = *request;
    let (mut changes, era) = end_everyone(records, now)?;
    if let Some(founding) = records.founding()? {
        changes.push(Change::Found(Founding { store, ..founding }));
    }
    let version = records.clock()?.keys.next();
    let mut distrusted = Vec::new();
    for key in records.keys()?.into_iter().filter(|key| key.state != KeyState::Distrusted) {
        let kid = key.kid.clone();
        changes.push(Change::Key(KeyRecord { state: KeyState::Distrusted, ..key }));
        changes.log(now, Revocation::Keys { version, distrusted: Some(kid.clone()) });
        distrusted.push(kid);
    }
    for key in &request.keys {
        changes.push(Change::Key(key.clone()));
    }
    changes.log(now, Revocation::Keys { version, distrusted: None });
    let service_keys = records.service_keys()?;
    for key in service_keys.iter().filter(|_| !request.keep_service_keys) {
        changes.push(Change::DropServiceKey(key.id));
    }
    if records.rolled_back()? {
        changes.push(Change::RolledBack(false));
    }
    Ok((changes, Restored { era, distrusted, service_keys }))
}

/// How many names are remembered. Who changes them more often than this within the life of an access token does without
/// the oldest.
const NAMES_KEPT: usize = 8;

/// See [`Store::use_names`](crate::store::Store::use_names).
///
/// Names are not forgotten when the last token with them has expired: then it is refused as expired, not as a token that
/// is not ours.
pub fn use_names(records: &dyn Records, names: &Names, now: Timestamp) -> Step<()> {
    let mut changes = Changes::none();
    if let Some(mut founding) = records.founding()?.filter(|founding| founding.present() != *names) {
        founding.names.retain(|other| other != names);
        founding.names.push(names.clone());
        let surplus = founding.names.len().saturating_sub(NAMES_KEPT);
        founding.names.drain(..surplus);
        changes.push(Change::Found(founding));
        let version = records.clock()?.keys.next();
        changes.log(now, Revocation::Keys { version, distrusted: None });
    }
    Ok((changes, ()))
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
    let mut changes = Changes::of(Priority::Ending);
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
    let mut changes = Changes::of(Priority::Ending);
    changes.push(Change::DropServiceKey(id));
    Ok((changes, true))
}
