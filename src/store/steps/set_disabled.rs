//! Disables or enables a user.

use super::Step;
use super::ending::{bump, enable};
use crate::model::device::Cause;
use crate::model::ids::UserId;
use crate::model::timestamp::Timestamp;
use crate::model::user::{Disabled, User};
use crate::store::StoreError;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;

/// Disables or enables a user. Disabling ends every device; enabling brings none back. Both write a log entry, which
/// tells followers why earlier tokens are refused.
#[derive(Clone, Debug)]
pub struct SetDisabled {
    /// The user.
    pub user: UserId,
    /// Whether the user is to be disabled.
    pub disabled: bool,
    /// The administrator's reason.
    pub note: Option<String>,
    /// The present time.
    pub now: Timestamp,
}

/// What became of disabling or enabling a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DisabledSet {
    /// The user is disabled or enabled as asked, now or since before.
    Set {
        /// The user.
        user: Box<User>,
        /// How many devices were ended.
        signed_out: u64,
    },
    /// There is no such user.
    NoUser,
}

impl Step for SetDisabled {
    type Outcome = DisabledSet;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::User(self.user)
    }

    fn priority(&self) -> Priority {
        if self.disabled { Priority::Ending } else { Priority::Adding }
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<DisabledSet, StoreError> {
        let Some(mut user) = records.user(self.user)? else { return Ok(DisabledSet::NoUser) };
        let mut signed_out = 0;
        match (self.disabled, user.disabled.is_some()) {
            (true, false) => {
                let era = records.counters()?.era;
                user.disabled = Some(Disabled { at: self.now, note: self.note.clone() });
                let note = self.note.clone();
                signed_out = bump(changes, era, &mut user, None, self.now, Cause::Disabled, note);
                changes.user(&user);
            }
            (false, true) => {
                enable(changes, &mut user, self.now);
                changes.user(&user);
            }
            _ => {}
        }
        Ok(DisabledSet::Set { user: Box::new(user), signed_out })
    }
}
