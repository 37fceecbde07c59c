//! Makes a store that was put back from a copy another store.

use super::Step;
use super::end_everyone::EndEveryone;
use crate::model::counters::Era;
use crate::model::ids::StoreId;
use crate::model::key::{KeyRecord, KeyState, Kid};
use crate::model::names::Names;
use crate::model::revocation::Revocation;
use crate::model::service_key::ServiceKeyRecord;
use crate::model::timestamp::Timestamp;
use crate::store::format::{Record, RecordKey};
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;
use crate::store::{StoreError, StoreIdentity};

/// Makes a store that was put back from a copy another store, in which nothing of the old one's is good.
///
/// What ended since the copy was made is live in it again, and nobody can say what that was. So it is another store from
/// now on: everyone is signed out, every signing key of the copy is distrusted, and no service key of it works unless the
/// operator keeps them.
#[derive(Clone, Debug)]
pub struct Restore {
    /// The store's new id.
    pub store: StoreId,
    /// The names that its tokens are given; `None` if these are the present ones of the copy.
    pub names: Option<Names>,
    /// The store's new signing keys.
    pub keys: Vec<KeyRecord>,
    /// Whether service keys stay, also those that were removed since the copy was made.
    pub keep_service_keys: bool,
    /// The present time.
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
    pub service_keys: Vec<ServiceKeyRecord>,
}

impl Step for Restore {
    type Outcome = Restored;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Counters
    }

    fn priority(&self) -> Priority {
        Priority::Ending
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<Restored, StoreError> {
        let Self { store, now, .. } = *self;
        let era = EndEveryone { now }.decide(records, changes)?;
        if let Some(identity) = records.identity()? {
            let identity = match &self.names {
                // Followers of the original expect its names: they must not take a store that runs beside it for it. No
                // token of the copy is accepted any more, so none needs its former names.
                Some(Names { issuer, audience }) if self.names != Some(identity.present()) => StoreIdentity {
                    issuer: issuer.clone(),
                    audience: audience.clone(),
                    names: Vec::new(),
                    ..identity
                },
                // Followers of a store that was restored in its place may expect former names.
                _ => identity,
            };
            changes.put(Record::StoreIdentity(StoreIdentity { store, ..identity }));
        }
        let version = records.counters()?.keys.next();
        let mut distrusted = Vec::new();
        for key in records.keys()?.into_iter().filter(|key| key.state != KeyState::Distrusted) {
            let kid = key.kid.clone();
            changes.put(Record::Key(KeyRecord { state: KeyState::Distrusted, ..key }));
            changes.log(now, Revocation::Keys { version, distrusted: Some(kid.clone()) });
            distrusted.push(kid);
        }
        for key in &self.keys {
            changes.put(Record::Key(key.clone()));
        }
        changes.log(now, Revocation::Keys { version, distrusted: None });
        let service_keys = records.service_keys()?;
        for key in service_keys.iter().filter(|_| !self.keep_service_keys) {
            changes.remove(RecordKey::ServiceKey(key.id));
        }
        if records.rolled_back()? {
            changes.remove(RecordKey::RolledBack);
        }
        Ok(Restored { era, distrusted, service_keys })
    }
}
