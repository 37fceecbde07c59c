//! The caller's own account.

use super::authenticate::{Bearer, Caller};
use super::error::AuthError;
use super::logout::SignedOut;
use super::{Auth, ClientInfo, events};
use crate::model::device::LastSeen;
use crate::store::queries::devices::FindLastSeen;
use crate::store::steps::delete_user::{DeleteUser, DeleteUserBy, UserDeleted};

impl Auth {
    /// The caller's user and device, and when and from where the device was last seen.
    pub async fn me(
        &self,
        bearer: &Bearer,
        origin: &ClientInfo,
    ) -> Result<(Caller, Option<LastSeen>), AuthError> {
        let caller = self.authenticate(bearer, origin).await?;
        let last_seen =
            self.store.read(FindLastSeen { user: caller.user.id, device: caller.device.id }).await?;
        Ok((caller, last_seen))
    }

    /// Deletes the caller's account: ends everything and frees the username.
    pub async fn delete_account(
        &self,
        bearer: &Bearer,
        password: &str,
        origin: &ClientInfo,
    ) -> Result<SignedOut, AuthError> {
        let caller = self.authenticate(bearer, origin).await?;
        self.confirm(&caller, password, origin).await?;
        let by = DeleteUserBy::Caller { presented: caller.presented(), verified: caller.user.password };
        match self.store.run(DeleteUser { by, now: self.world.now() }).await? {
            UserDeleted::Deleted { signed_out, generation } => {
                self.metrics.sign_out("delete_account");
                events::record("account_deleted", Some(caller.user.id), Some(caller.device.id), origin);
                Ok(SignedOut { signed_out, generation })
            }
            UserDeleted::PasswordChanged => Err(AuthError::WrongPassword),
            UserDeleted::Refused(refusal) => Err(refusal.into()),
            UserDeleted::NoUser => Err(AuthError::TokenInvalid),
        }
    }
}
