//! The caller's own account.

use std::sync::Arc;
use std::time::Duration;

use super::authenticate::{Authentication, Bearer, Caller};
use super::error::AuthError;
use super::former_sessions::FormerSessions;
use super::hashing::Hashing;
use super::issue::TokenMint;
use super::limits::RateLimits;
use super::logout::SignedOut;
use super::{ClientInfo, events};
use crate::metrics::Metrics;
use crate::model::device::LastSeen;
use crate::store::steps::delete_user::{DeleteUser, DeleteUserBy, UserDeleted};
use crate::world::reference::ReferenceClock;

/// The account of a signed-in user.
#[derive(Debug)]
pub struct Account {
    pub(super) authentication: Arc<Authentication>,
    pub(super) former_sessions: Arc<FormerSessions>,
    pub(super) clock: Arc<ReferenceClock>,
    pub(super) mint: Arc<TokenMint>,
    pub(super) hashing: Arc<Hashing>,
    pub(super) limits: Arc<RateLimits>,
    /// The time after which a device expires without a refresh.
    pub(super) device_idle: Duration,
    pub(super) metrics: Arc<Metrics>,
}

impl Account {
    /// The caller's user and device, and when and from where the device was last seen.
    pub async fn me(
        &self,
        bearer: &Bearer,
        client: &ClientInfo,
    ) -> Result<(Caller, Option<LastSeen>), AuthError> {
        self.authentication.authenticate_seen(bearer, client).await
    }

    /// Deletes the caller's account: ends everything and frees the username.
    pub async fn delete_account(
        &self,
        bearer: &Bearer,
        password: &str,
        client: &ClientInfo,
    ) -> Result<SignedOut, AuthError> {
        let caller = self.authentication.authenticate(bearer, client).await?;
        let verified = self.confirm(&caller, password, client).await?;
        let (now, former_until) = (self.clock.world().now(), self.former_sessions.given_up_until());
        let step = |token| {
            let by = DeleteUserBy::Caller { token, verified: verified.clone() };
            DeleteUser { by, now, former_until }
        };
        let (_, deleted) = self.authentication.run_as(bearer, step).await?;
        match deleted {
            UserDeleted::Deleted { signed_out, generation } => {
                self.metrics.sign_out("delete_account");
                events::record("account_deleted", Some(caller.user.id), Some(caller.device.id), client);
                Ok(SignedOut { signed_out, generation })
            }
            UserDeleted::PasswordChanged => Err(AuthError::WrongPassword),
            UserDeleted::Refused(refusal) => Err(refusal.into()),
            UserDeleted::NoUser => Err(AuthError::TokenInvalid),
        }
    }
}
