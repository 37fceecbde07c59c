//! What a check needs to know of a user and a device.

use super::Query;
use crate::model::ids::{DeviceId, UserId};
use crate::store::records::Records;
use crate::store::working_set::WorkingSet;
use crate::store::{Standing, StoreError};

/// Reads what the decision on a token of a device needs.
#[derive(Clone, Copy, Debug)]
pub struct ReadStanding {
    /// The user whom the token names.
    pub user: UserId,
    /// The device that the token names.
    pub device: DeviceId,
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
