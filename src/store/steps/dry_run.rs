//! What a step would come to.

use super::Step;
use crate::store::StoreError;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;

/// A step that is decided, and whose changes are dropped: it says what the step would come to at this moment.
#[derive(Clone, Debug)]
pub struct DryRun<S>(pub S);

impl<S: Step> Step for DryRun<S> {
    type Outcome = S::Outcome;

    fn working_set(&self) -> WorkingSet {
        self.0.working_set()
    }

    fn priority(&self) -> Priority {
        self.0.priority()
    }

    fn decide(&self, records: &dyn Records, _: &mut Changes) -> Result<S::Outcome, StoreError> {
        self.0.decide(records, &mut Changes::none())
    }
}
