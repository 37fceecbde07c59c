//! Founds an empty store.

use super::Step;
use crate::model::counters::{Era, KeysVersion, Position};
use crate::model::key::KeyRecord;
use crate::store::priority::Priority;
use crate::store::records::{Change, Changes, Records};
use crate::store::working_set::WorkingSet;
use crate::store::{Counters, StoreError, StoreIdentity, Totals};

/// Founds an empty store, or says what the store was founded as before.
#[derive(Clone, Debug)]
pub struct Initialize {
    /// What the store is from now on.
    pub founding: StoreIdentity,
    /// The store's first signing keys.
    pub keys: Vec<KeyRecord>,
}

/// What became of founding a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Initialized {
    /// The store was empty and is founded now, as this.
    Now(StoreIdentity),
    /// The store was founded before, as this.
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
        if let Some(founding) = records.founding()? {
            return Ok(Initialized::Before(founding));
        }
        changes.push(Change::Initialize(self.founding.clone()));
        changes.push(Change::Counters(Counters {
            era: Era::default().following(self.founding.at),
            keys: KeysVersion::new(1),
            head: Position::default(),
        }));
        changes.push(Change::Totals(Totals::default()));
        for key in &self.keys {
            changes.push(Change::Key(key.clone()));
        }
        Ok(Initialized::Now(self.founding.clone()))
    }
}
