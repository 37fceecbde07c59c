//! A password changes: the other devices are signed out, this one goes on with new tokens.

use super::authenticate::{Bearer, Caller};
use super::error::AuthError;
use super::hashing::{Salt, Verified};
use super::issue::Issued;
use super::login::settle;
use super::{Auth, Origin};
use crate::model::password::Password;
use crate::store::steps::password::{By, PasswordSet, SetPassword};

impl Auth {
    /// Changes the caller's password. Returns the caller's new tokens and how many other devices were signed out.
    pub async fn change_password(
        &self,
        bearer: &Bearer,
        current: &str,
        new: &str,
        origin: &Origin,
    ) -> Result<(Issued, u64), AuthError> {
        let caller = self.authenticate(bearer, origin).await?;
        let new = Password::chosen(new, &caller.user.username)
            .map_err(|why| AuthError::WeakPassword { field: "new_password", why })?;
        self.confirm(&caller, current, origin).await?;
        let password = self.hashing.hash(&new, Salt(self.world.random())).await?;
        let now = self.world.now();
        let by = By::Caller {
            presented: caller.presented(),
            verified: caller.user.password,
            idle: self.lasting(self.policy.device_idle),
        };
        match self.store.set_password(SetPassword { by, password, now }).await? {
            PasswordSet::Changed { session, signed_out } => {
                self.metrics.sign_out("password");
                Ok((self.issue(*session, now).await?, signed_out))
            }
            PasswordSet::PasswordChanged => Err(AuthError::WrongPassword),
            PasswordSet::Refused(refusal) => Err(self.refused(refusal)),
            PasswordSet::Replaced { .. } | PasswordSet::NoUser => Err(AuthError::TokenInvalid),
        }
    }

    /// Makes sure that the caller knows the password: a token alone does not change or delete an account.
    pub(super) async fn confirm(
        &self,
        caller: &Caller,
        password: &str,
        origin: &Origin,
    ) -> Result<(), AuthError> {
        let password = Password::presented(password).map_err(|_| AuthError::WrongPassword)?;
        let attempt = self.limits.attempt(&caller.user.username, origin.address, self.since_start())?;
        let verified = self.hashing.verify(&password, Some(&caller.user.password)).await;
        settle(
            attempt,
            match verified {
                Ok(Verified::Match { .. }) => Ok(()),
                Ok(Verified::Mismatch) => Err(AuthError::WrongPassword),
                Err(error) => Err(error.into()),
            },
        )
    }
}
