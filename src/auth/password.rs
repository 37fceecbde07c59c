//! Change of the password: signs out the other devices, and gives this one new tokens.

use super::account::Account;
use super::authenticate::{Bearer, Caller};
use super::error::AuthError;
use super::hashing::{HashSource, PasswordVerified, Salt};
use super::issue::Issued;
use super::login::settle;
use super::{ClientInfo, events};
use crate::model::password::{Password, PasswordHash};
use crate::store::steps::set_password::{PasswordSet, SetPassword, SetPasswordBy};

impl Account {
    /// Changes the caller's password. Returns the caller's new tokens and how many other devices were signed out.
    pub async fn change_password(
        &self,
        bearer: &Bearer,
        current: &str,
        new: &str,
        client: &ClientInfo,
    ) -> Result<(Issued, u64), AuthError> {
        let caller = self.authentication.authenticate(bearer, client).await?;
        let new = Password::chosen(new, &caller.user.username)
            .map_err(|why| AuthError::WeakPassword { field: "new_password", why })?;
        let verified = self.confirm(&caller, current, client).await?;
        self.limits.sign_out_of_others(caller.user.id, self.clock.world().uptime())?;
        let salt = Salt(self.clock.world().random());
        let password = self.hashing.hash(HashSource::of(client.address), &new, salt).await?;
        let now = self.clock.world().now();
        let idle = self.clock.lasting(self.device_idle);
        let step = |token| {
            let by = SetPasswordBy::Caller { token, verified: verified.clone(), idle };
            SetPassword { by, password: password.clone(), now }
        };
        let (_, set) = self.authentication.run_as(bearer, step).await?;
        match set {
            PasswordSet::Changed { session, signed_out } => {
                self.metrics.sign_out("password");
                events::record("password_changed", Some(session.user.id), Some(session.device.id), client);
                Ok((self.mint.session(*session, now).await?, signed_out))
            }
            PasswordSet::PasswordChanged => Err(AuthError::WrongPassword),
            PasswordSet::Refused(refusal) => Err(refusal.into()),
            PasswordSet::Replaced { .. } | PasswordSet::NoUser => Err(AuthError::TokenInvalid),
        }
    }

    /// Confirms that the caller knows the password: a token alone must not change or delete an account. Returns the hash
    /// that the password was checked against.
    ///
    /// Only failures of this device count, so that nobody else can block it.
    pub(super) async fn confirm(
        &self,
        caller: &Caller,
        password: &str,
        client: &ClientInfo,
    ) -> Result<PasswordHash, AuthError> {
        let stored = caller.user.password.as_ref().ok_or(AuthError::NoPassword)?;
        let password = Password::presented(password).map_err(|_| AuthError::WrongPassword)?;
        let attempt = self.limits.confirmation(caller.device.id, self.clock.world().uptime()).await?;
        let source = HashSource::of(client.address);
        let verified = self.hashing.verify(source, &password, Some(stored)).await;
        if verified == Ok(PasswordVerified::Mismatch) {
            events::record("password_refused", Some(caller.user.id), Some(caller.device.id), client);
        }
        settle(
            attempt,
            match verified {
                Ok(PasswordVerified::Match { .. }) => Ok(stored.clone()),
                Ok(PasswordVerified::Mismatch) => Err(AuthError::WrongPassword),
                Err(error) => Err(error.into()),
            },
        )
    }
}
