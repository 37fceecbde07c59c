//! Adds a user who comes from another system.

use super::Step;
use super::register::{Register, Registered};
use crate::model::timestamp::Timestamp;
use crate::model::user::Disabled;
use crate::store::StoreError;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;

/// Adds a user as another system had it: with the time of its creation there, and disabled if it was. A user who is
/// there already, with the same name and external id, stays unchanged.
#[derive(Clone, Debug)]
pub struct ImportUser {
    /// The registration, without a device.
    pub user: Register,
    /// When the account was created in the other system.
    pub created: Timestamp,
    /// The time and reason of disabling, if the account is to be disabled.
    pub disabled: Option<Disabled>,
}

impl Step for ImportUser {
    type Outcome = Registered;

    fn working_set(&self) -> WorkingSet {
        self.user.working_set()
    }

    fn priority(&self) -> Priority {
        self.user.priority()
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<Registered, StoreError> {
        let mut registered = self.user.decide(records, changes)?;
        if let Registered::User(user) = &mut registered {
            user.created = self.created;
            user.disabled.clone_from(&self.disabled);
            changes.user(user);
        }
        Ok(registered)
    }
}
