//! The store itself: what it was founded as, its counters, how much it holds, and whether it was rolled back.

use super::Query;
use crate::store::records::Records;
use crate::store::working_set::WorkingSet;
use crate::store::{Counters, StoreError, StoreIdentity, Totals};

/// Reads what the store was founded as; none before [`Initialize`](crate::store::steps::initialize::Initialize).
#[derive(Clone, Copy, Debug)]
pub struct ReadFounding;

impl Query for ReadFounding {
    type Answer = Option<StoreIdentity>;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Unknown
    }

    fn run(&self, records: &dyn Records) -> Result<Option<StoreIdentity>, StoreError> {
        records.founding()
    }
}

/// Reads the service-wide counters.
#[derive(Clone, Copy, Debug)]
pub struct ReadCounters;

impl Query for ReadCounters {
    type Answer = Counters;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Unknown
    }

    fn run(&self, records: &dyn Records) -> Result<Counters, StoreError> {
        records.counters()
    }
}

/// Reads how many users and live devices there are.
#[derive(Clone, Copy, Debug)]
pub struct ReadTotals;

impl Query for ReadTotals {
    type Answer = Totals;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Unknown
    }

    fn run(&self, records: &dyn Records) -> Result<Totals, StoreError> {
        records.totals()
    }
}

/// Reads whether the store is marked as rolled back.
#[derive(Clone, Copy, Debug)]
pub struct IsRolledBack;

impl Query for IsRolledBack {
    type Answer = bool;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Unknown
    }

    fn run(&self, records: &dyn Records) -> Result<bool, StoreError> {
        records.rolled_back()
    }
}
