//! The log of revocations.

use super::Query;
use crate::model::counters::Position;
use crate::model::revocation::Entry;
use crate::store::StoreError;
use crate::store::records::Records;
use crate::store::working_set::WorkingSet;

/// Reads entries of the log, in order.
#[derive(Clone, Copy, Debug)]
pub struct ReadLog {
    /// The position after which the page begins.
    pub after: Position,
    /// At most so many.
    pub limit: usize,
}

impl Query for ReadLog {
    type Answer = Vec<Entry>;

    /// Nobody is told an entry that is not durable.
    const DURABLE: bool = true;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Unknown
    }

    fn run(&self, records: &dyn Records) -> Result<Vec<Entry>, StoreError> {
        records.log(self.after, self.limit)
    }
}
