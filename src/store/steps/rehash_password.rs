//! Replaces a password's hash by one with other parameters.

use super::Step;
use crate::model::ids::UserId;
use crate::model::password::PasswordHash;
use crate::store::StoreError;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;

/// Replaces a hash by one of the same password with other parameters; the outcome is false if the password changed
/// meanwhile.
#[derive(Clone, Debug)]
pub struct RehashPassword {
    /// The user.
    pub user: UserId,
    /// The hash that was verified; no other is overwritten.
    pub verified: PasswordHash,
    /// The new hash.
    pub password: PasswordHash,
}

impl Step for RehashPassword {
    type Outcome = bool;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::User(self.user)
    }

    fn priority(&self) -> Priority {
        Priority::Adding
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<bool, StoreError> {
        match records.user(self.user)? {
            Some(mut user) if user.password.as_ref() == Some(&self.verified) => {
                user.password = Some(self.password.clone());
                changes.user(&user);
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
