//! Deletes a user.

use super::Step;
use super::caller::{self, AskedFor, CallerToken, Refusal};
use super::ending::bump;
use crate::model::counters::Generation;
use crate::model::device::Cause;
use crate::model::ids::UserId;
use crate::model::password::PasswordHash;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::format::RecordKey;
use crate::store::former_account;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;

/// Deletes a user with the last bump of the user's generation; the name and the external id are free again.
#[derive(Clone, Debug)]
pub struct DeleteUser {
    /// Who deletes the user.
    pub by: DeleteUserBy,
    /// The present time.
    pub now: Timestamp,
    /// Until when it is remembered that the user's sessions of another system have ended: until then no token of theirs is
    /// exchanged, should an account with the same external id be added again.
    pub former_until: Timestamp,
}

/// Who deletes a user.
#[derive(Clone, Debug)]
pub enum DeleteUserBy {
    /// The user.
    Caller {
        /// The user's token.
        token: CallerToken,
        /// The hash that the user's password was checked against.
        verified: PasswordHash,
    },
    /// An administrator, for this user.
    Administrator(UserId),
}

/// What became of deleting a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserDeleted {
    /// The user is gone.
    Deleted {
        /// How many devices were ended.
        signed_out: u64,
        /// The generation that ended the devices.
        generation: Generation,
    },
    /// There is no such user.
    NoUser,
    /// The password was changed meanwhile.
    PasswordChanged,
    /// The caller does not act for the user.
    Refused(Refusal),
}

impl AskedFor for UserDeleted {
    fn refusal(&self) -> Option<Refusal> {
        if let Self::Refused(refusal) = self { Some(*refusal) } else { None }
    }
}

impl Step for DeleteUser {
    type Outcome = UserDeleted;

    fn working_set(&self) -> WorkingSet {
        match &self.by {
            DeleteUserBy::Caller { token, .. } => token.working_set(),
            DeleteUserBy::Administrator(user) => WorkingSet::User(*user),
        }
    }

    fn priority(&self) -> Priority {
        Priority::Ending
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<UserDeleted, StoreError> {
        let now = self.now;
        let (era, mut user) = match &self.by {
            DeleteUserBy::Caller { token, verified } => match caller::judge(records, token, now)? {
                Err(refusal) => return Ok(UserDeleted::Refused(refusal)),
                Ok((_, user, _)) if user.password.as_ref() != Some(verified) => {
                    return Ok(UserDeleted::PasswordChanged);
                }
                Ok((counters, user, _)) => (counters.era, user),
            },
            DeleteUserBy::Administrator(user) => match records.user(*user)? {
                None => return Ok(UserDeleted::NoUser),
                Some(user) => (records.counters()?.era, user),
            },
        };
        // The tokens of a user who is gone are refused as signed out, not as disabled.
        user.disabled = None;
        let signed_out = bump(changes, era, &mut user, None, now, Cause::SignedOutEverywhere, None);
        changes.counted.users = -1;
        let generation = user.generation;
        if let Some(external_id) = &user.external_id {
            former_account::remember(changes, external_id, None, now, self.former_until);
        }
        changes.remove(RecordKey::User {
            id: user.id,
            name: user.username.key().to_owned(),
            external_id: user.external_id,
        });
        Ok(UserDeleted::Deleted { signed_out, generation })
    }
}
