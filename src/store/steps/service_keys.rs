//! Adds and removes service keys.

use super::Step;
use crate::model::ids::ServiceKeyId;
use crate::model::service_key::ServiceKeyRecord;
use crate::store::StoreError;
use crate::store::format::{Record, RecordKey};
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;

/// Adds a service key.
#[derive(Clone, Debug)]
pub struct AddServiceKey {
    /// The service key.
    pub key: ServiceKeyRecord,
}

impl Step for AddServiceKey {
    type Outcome = ();

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Unknown
    }

    fn priority(&self) -> Priority {
        Priority::Adding
    }

    fn decide(&self, _: &dyn Records, changes: &mut Changes) -> Result<(), StoreError> {
        changes.put(Record::ServiceKey(self.key.clone()));
        Ok(())
    }
}

/// Removes a service key; the outcome is false if there is none.
#[derive(Clone, Copy, Debug)]
pub struct RemoveServiceKey {
    /// The service key's id.
    pub id: ServiceKeyId,
}

impl Step for RemoveServiceKey {
    type Outcome = bool;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Unknown
    }

    fn priority(&self) -> Priority {
        Priority::Ending
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<bool, StoreError> {
        if records.service_key(self.id)?.is_none() {
            return Ok(false);
        }
        changes.remove(RecordKey::ServiceKey(self.id));
        Ok(true)
    }
}
