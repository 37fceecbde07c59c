//! What is known of sessions of another system.

use super::Query;
use crate::model::external_id::ExternalId;
use crate::model::ids::{DeviceId, UserId};
use crate::model::user::User;
use crate::model::verdict::Reason;
use crate::store::former_account;
use crate::store::records::Records;
use crate::store::steps::continue_session::ended_before;
use crate::store::working_set::WorkingSet;
use crate::store::{Standing, StoreError};

/// Finds the user of a session of another system: of those who have or had its external id, the one who has continued it
/// here; else the one who has the external id now.
#[derive(Clone, Debug)]
pub struct FindSessionUser {
    /// The user's id in the other system.
    pub external_id: ExternalId,
    /// The device that continues the session.
    pub device: DeviceId,
}

impl Query for FindSessionUser {
    type Answer = Option<User>;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Unknown
    }

    fn run(&self, records: &dyn Records) -> Result<Option<User>, StoreError> {
        let holder = match records.user_with_external_id(&self.external_id)? {
            Some(user) => Some(Standing::read(records, user, self.device)?),
            None => None,
        };
        if holder.as_ref().is_none_or(|holder| holder.device.is_none()) {
            for former in former_account::former_users(records, &self.external_id)? {
                let former = Standing::read(records, former, self.device)?;
                if former.device.is_some() {
                    return Ok(former.user);
                }
            }
        }
        Ok(holder.and_then(|holder| holder.user))
    }
}

/// Finds why the user's sessions of another system have ended that are not continued here yet; `None` if they go on.
#[derive(Clone, Copy, Debug)]
pub struct FindFormerEnd {
    /// The user.
    pub user: UserId,
}

impl Query for FindFormerEnd {
    type Answer = Option<Reason>;

    /// An answer about a token rests on it: it has to be the primary's.
    const DURABLE: bool = true;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Unknown
    }

    fn run(&self, records: &dyn Records) -> Result<Option<Reason>, StoreError> {
        let era = records.counters()?.era;
        match records.user(self.user)? {
            Some(user) => ended_before(records, &user, era),
            None => Ok(Some(Reason::SignedOutEverywhere)),
        }
    }
}
