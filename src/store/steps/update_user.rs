//! Changes what a user is called and found by, and the password hash.

use super::Step;
use super::ending::bump;
use crate::model::device::Cause;
use crate::model::external_id::ExternalId;
use crate::model::ids::UserId;
use crate::model::password::PasswordHash;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::model::username::Username;
use crate::store::StoreError;
use crate::store::former_account;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;

/// Changes a user, all of it or nothing.
///
/// A new name or external id ends no device: the user's id, which tokens carry, stays. Another system's tokens carry the external
/// id: once it is given up, those that were not exchanged yet are of no use to whoever has it next. Another password hash ends
/// all devices, which may have been opened by somebody who knows the former password; a first one ends none.
#[derive(Clone, Debug)]
pub struct UpdateUser {
    /// The user.
    pub user: UserId,
    /// The new name; `None` to keep the present one.
    pub username: Option<Username>,
    /// The new external id, or `Some(None)` to remove it; `None` to keep the present one.
    pub external_id: Option<Option<ExternalId>>,
    /// The hash of the new password; `None` to keep the present one.
    pub password: Option<PasswordHash>,
    /// The present time.
    pub now: Timestamp,
    /// Until when it is remembered that another system's sessions under a former external id have ended.
    pub former_until: Timestamp,
}

/// What became of a change of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserUpdated {
    /// The user is as asked for.
    Updated {
        /// The user.
        user: Box<User>,
        /// Whether anything of the user is another than before.
        changed: bool,
        /// Whether the password hash is another one than before.
        password_set: bool,
        /// How many devices were ended.
        signed_out: u64,
    },
    /// There is no such user.
    NoUser,
    /// Another user has that name.
    UsernameTaken,
    /// Another user has that external id.
    ExternalIdTaken,
}

impl Step for UpdateUser {
    type Outcome = UserUpdated;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::User(self.user)
    }

    fn priority(&self) -> Priority {
        if self.password.is_some() { Priority::Ending } else { Priority::Adding }
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<UserUpdated, StoreError> {
        let Some(before) = records.user(self.user)? else { return Ok(UserUpdated::NoUser) };
        let mut user = before.clone();
        if let Some(username) = &self.username {
            if records.user_named(username.key())?.is_some_and(|other| other != user.id) {
                return Ok(UserUpdated::UsernameTaken);
            }
            user.username = username.clone();
        }
        if let Some(external_id) = &self.external_id {
            let holder = match external_id {
                Some(external_id) => records.user_with_external_id(external_id)?,
                None => None,
            };
            if holder.is_some_and(|other| other != user.id) {
                return Ok(UserUpdated::ExternalIdTaken);
            }
            user.external_id.clone_from(external_id);
            if let Some(former) =
                before.external_id.as_ref().filter(|_| user.external_id != before.external_id)
            {
                former_account::remember(changes, former, Some(user.id), self.now, self.former_until);
            }
        }
        let password_set = self.password.is_some() && self.password != before.password;
        let mut signed_out = 0;
        if password_set {
            user.password.clone_from(&self.password);
            if before.password.is_some() {
                let era = records.counters()?.era;
                signed_out = bump(changes, era, &mut user, None, self.now, Cause::PasswordChanged, None);
                user.password_since = user.generation;
            }
        }
        let differs = user != before;
        if differs {
            changes.user(&user);
        }
        Ok(UserUpdated::Updated { user: Box::new(user), changed: differs, password_set, signed_out })
    }
}
