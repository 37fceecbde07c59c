//! Ends every device of everyone.

use super::Step;
use crate::model::counters::Era;
use crate::model::revocation::Revocation;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;

/// Ends every device of everyone by one bump of the era; the outcome is the new era.
#[derive(Clone, Copy, Debug)]
pub struct EndEveryone {
    /// The present time.
    pub now: Timestamp,
}

impl Step for EndEveryone {
    type Outcome = Era;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Counters
    }

    fn priority(&self) -> Priority {
        Priority::Ending
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<Era, StoreError> {
        let era = records.counters()?.era.following(self.now);
        changes.log(self.now, Revocation::Era(era));
        Ok(era)
    }
}
