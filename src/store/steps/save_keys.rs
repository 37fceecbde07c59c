//! Changes the set of signing keys.

use super::Step;
use crate::model::counters::KeysVersion;
use crate::model::key::{KeyRecord, Kid};
use crate::model::revocation::Revocation;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::format::{Record, RecordKey};
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;

/// Changes the set of signing keys, if it is still of the version that the caller read.
#[derive(Clone, Debug)]
pub struct SaveKeys {
    /// The version that the caller read.
    pub read: KeysVersion,
    /// The keys that are new or changed.
    pub put: Vec<KeyRecord>,
    /// The keys that are removed.
    pub drop: Vec<Kid>,
    /// The key whose tokens are dead from now on.
    pub distrusted: Option<Kid>,
    /// The present time.
    pub now: Timestamp,
}

/// What became of changing the set of signing keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysSaved {
    /// The set is changed and has this version.
    Saved(KeysVersion),
    /// Somebody changed the set meanwhile: read again.
    Stale,
}

impl Step for SaveKeys {
    type Outcome = KeysSaved;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Counters
    }

    fn priority(&self) -> Priority {
        Priority::Ending
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<KeysSaved, StoreError> {
        let read = records.counters()?.keys;
        if read != self.read {
            return Ok(KeysSaved::Stale);
        }
        let version = read.next();
        for key in &self.put {
            changes.put(Record::Key(key.clone()));
        }
        for kid in &self.drop {
            changes.remove(RecordKey::Key(kid.clone()));
        }
        changes.log(self.now, Revocation::Keys { version, distrusted: self.distrusted.clone() });
        Ok(KeysSaved::Saved(version))
    }
}
