//! Initializes an empty store.

use super::Step;
use crate::model::counters::{Era, KeysVersion, Position};
use crate::model::key::KeyRecord;
use crate::store::format::Record;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;
use crate::store::{Counters, StoreError, StoreIdentity, Totals};

/// Initializes an empty store, or answers with the identity of a store that was initialized before.
#[derive(Clone, Debug)]
pub struct Initialize {
    /// The identity of the new store.
    pub identity: StoreIdentity,
    /// The store's first signing keys.
    pub keys: Vec<KeyRecord>,
}

/// The result of initializing a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Initialized {
    /// The store was empty and has this identity now.
    Now(StoreIdentity),
    /// The store was initialized before, with this identity.
    Before(StoreIdentity),
}

impl Step for Initialize {
    type Outcome = Initialized;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Counters
    }

    fn priority(&self) -> Priority {
        Priority::Adding
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<Initialized, StoreError> {
        if let Some(identity) = records.identity()? {
            return Ok(Initialized::Before(identity));
        }
        changes.put(Record::StoreIdentity(self.identity.clone()));
        changes.put(Record::Counters(Counters {
            era: Era::default().following(self.identity.at),
            keys: KeysVersion::new(1),
            head: Position::default(),
        }));
        changes.put(Record::Totals(Totals::default()));
        for key in &self.keys {
            changes.put(Record::Key(key.clone()));
        }
        Ok(Initialized::Now(self.identity.clone()))
    }
}
