//! What a check needs to know of a user and a device.

use super::Query;
use crate::model::claims::Presented;
use crate::model::ids::{DeviceId, UserId};
use crate::model::timestamp::Timestamp;
use crate::model::verdict::Verdict;
use crate::store::records::Records;
use crate::store::working_set::WorkingSet;
use crate::store::{SeenStanding, Standing, StoreError};

/// Reads what the decision on a token of a device needs.
#[derive(Clone, Copy, Debug)]
pub struct ReadStanding {
    /// The user whom the token names.
    pub user: UserId,
    /// The device that the token names.
    pub device: DeviceId,
}

/// Reads what the decision on a token of a device needs, and when and from where the device was last heard of.
#[derive(Clone, Copy, Debug)]
pub struct ReadSeenStanding {
    /// The user whom the token names.
    pub user: UserId,
    /// The device that the token names.
    pub device: DeviceId,
}

/// Reads what the decision on a token needs, or takes it from a cache where that says that the token is live.
#[derive(Clone, Copy, Debug)]
pub struct CheckStanding {
    /// What the token says.
    pub presented: Presented,
    /// The present time.
    pub now: Timestamp,
}

/// Reads what the decision on a token needs, and when and from where its device was last heard of; or takes both from a
/// cache where that says that the token is live.
#[derive(Clone, Copy, Debug)]
pub struct CheckSeenStanding {
    /// What the token says.
    pub presented: Presented,
    /// The present time.
    pub now: Timestamp,
}

impl CheckStanding {
    fn is_live(&self, standing: &Standing) -> bool {
        standing.judge(&self.presented, self.now) == Verdict::Live
    }
}

impl Query for CheckStanding {
    type Answer = Standing;

    const CACHED: bool = true;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Device(self.presented.user, self.presented.device)
    }

    fn run(&self, records: &dyn Records) -> Result<Standing, StoreError> {
        Standing::read(records, self.presented.user, self.presented.device)
    }

    fn answer_cached(&self, seen: SeenStanding) -> Option<Standing> {
        self.is_live(&seen.standing).then_some(seen.standing)
    }
}

impl Query for CheckSeenStanding {
    type Answer = SeenStanding;

    const CACHED: bool = true;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Device(self.presented.user, self.presented.device)
    }

    fn run(&self, records: &dyn Records) -> Result<SeenStanding, StoreError> {
        SeenStanding::read(records, self.presented.user, self.presented.device)
    }

    fn answer_cached(&self, seen: SeenStanding) -> Option<SeenStanding> {
        let Self { presented, now } = *self;
        CheckStanding { presented, now }.is_live(&seen.standing).then_some(seen)
    }
}

impl Query for ReadSeenStanding {
    type Answer = SeenStanding;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Device(self.user, self.device)
    }

    fn run(&self, records: &dyn Records) -> Result<SeenStanding, StoreError> {
        SeenStanding::read(records, self.user, self.device)
    }
}

impl Query for ReadStanding {
    type Answer = Standing;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Device(self.user, self.device)
    }

    fn run(&self, records: &dyn Records) -> Result<Standing, StoreError> {
        Standing::read(records, self.user, self.device)
    }
}
