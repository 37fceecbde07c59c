//! The store itself: its identity, its counters, how much it holds, and whether it was rolled back.

use super::Query;
use crate::store::records::Records;
use crate::store::working_set::WorkingSet;
use crate::store::{Counters, StoreError, StoreIdentity, Totals};

/// Reads the identity of the store; none before [`Initialize`](crate::store::steps::initialize::Initialize).
#[derive(Clone, Copy, Debug)]
pub struct ReadStoreIdentity;

impl Query for ReadStoreIdentity {
    type Answer = Option<StoreIdentity>;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Unknown
    }

    fn run(&self, records: &dyn Records) -> Result<Option<StoreIdentity>, StoreError> {
        records.identity()
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
