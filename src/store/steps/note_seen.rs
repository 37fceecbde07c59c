//! Notes when and from where devices were last heard of.

use super::Step;
use crate::model::device::LastSeen;
use crate::model::ids::{DeviceId, UserId};
use crate::store::StoreError;
use crate::store::format::Record;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;

/// Notes when and from where devices were last heard of; devices that are gone are passed over.
#[derive(Clone, Debug)]
pub struct NoteSeen {
    /// The devices, and when and from where each was last heard of.
    pub seen: Vec<(UserId, DeviceId, LastSeen)>,
}

impl Step for NoteSeen {
    type Outcome = ();

    fn working_set(&self) -> WorkingSet {
        WorkingSet::LastSeen(self.seen.iter().map(|(user, device, _)| (*user, *device)).collect())
    }

    fn priority(&self) -> Priority {
        Priority::Adding
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<(), StoreError> {
        let counters = records.counters()?;
        for (user, device, seen) in &self.seen {
            let Some(found) = records.user(*user)? else { continue };
            if records.device(*user, found.stamp(counters.era), *device)?.is_some() {
                changes.put(Record::LastSeen(*user, *device, seen.clone()));
            }
        }
        Ok(())
    }
}
