//! What a check needs to know of a user and a device.

use super::Query;
use crate::model::device::LastSeen;
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

/// Reads what the decision on a token of a device needs, and when and from where the device was last heard of.
#[derive(Clone, Copy, Debug)]
pub struct ReadSeenStanding {
    /// The user whom the token names.
    pub user: UserId,
    /// The device that the token names.
    pub device: DeviceId,
}

/// The standing of a device, and when and from where it was last heard of.
#[derive(Clone, Debug)]
pub struct SeenStanding {
    /// What the decision on a token needs.
    pub standing: Standing,
    /// When and from where the device was last heard of.
    pub last_seen: Option<LastSeen>,
}

impl AsRef<Standing> for SeenStanding {
    fn as_ref(&self) -> &Standing {
        &self.standing
    }
}

impl Query for ReadSeenStanding {
    type Answer = SeenStanding;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Device(self.user, self.device)
    }

    fn run(&self, records: &dyn Records) -> Result<SeenStanding, StoreError> {
        let standing = Standing::read(records, self.user, self.device)?;
        let last_seen = records.last_seen(self.user, self.device)?;
        Ok(SeenStanding { standing, last_seen })
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
