//! Sign-outs of one device, of every device, and of every other device.

use std::sync::Arc;

use super::authenticate::{Authentication, Bearer};
use super::error::{AuthError, FieldFault};
use super::former_sessions::{FormerSession, FormerSessions};
use super::issue::{Access, TokenMint};
use super::limits::RateLimits;
use super::login::{DeviceWish, SignIn};
use super::{ClientInfo, events};
use crate::issuer::rollback::RollbackDetector;
use crate::metrics::Metrics;
use crate::model::claims::{AccessClaims, Presented};
use crate::model::counters::Generation;
use crate::model::device::Cause;
use crate::store::Store;
use crate::store::steps::continue_session::EndSession;
use crate::store::steps::end_device::{DeviceEnded, EndDevice, NamedBy};
use crate::store::steps::end_devices::{DevicesEnded, EndDevices, EndDevicesBy};
use crate::store::steps::session::NewDevice;
use crate::token::seen::VerifiedClaims;
use crate::world::World;

/// The result of a sign-out of many devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedOut {
    /// The number of devices that ended.
    pub signed_out: u64,
    /// The user's new generation.
    pub generation: Generation,
}

/// A device to be signed out, and the token that names it.
#[derive(Clone, Copy)]
struct Leaving {
    presented: Presented,
    token: NamedBy,
}

impl Leaving {
    fn by_access(claims: &AccessClaims) -> Self {
        let token = NamedBy::Access(claims.stamp.generation);
        Self { presented: claims.into(), token }
    }
}

/// Sign-out.
#[derive(Debug)]
pub struct SignOut {
    pub(super) authentication: Arc<Authentication>,
    pub(super) former_sessions: Arc<FormerSessions>,
    pub(super) sign_in: Arc<SignIn>,
    pub(super) store: Store,
    pub(super) world: World,
    pub(super) rollback: Arc<RollbackDetector>,
    pub(super) mint: Arc<TokenMint>,
    pub(super) limits: Arc<RateLimits>,
    pub(super) metrics: Arc<Metrics>,
}

impl SignOut {
    /// Signs out one device: the one that the refresh token names, else the one that the bearer token names. Returns
    /// 1, or 0 if it had ended before.
    ///
    /// Any authentic token will do, even an expired or replaced one. With an authentic bearer token the sign-out
    /// succeeds whatever else was sent, unless the refresh token belongs to another user.
    pub async fn logout(
        &self,
        refresh: Option<&str>,
        bearer: &Bearer,
        client: &ClientInfo,
    ) -> Result<u64, AuthError> {
        let by_bearer = self.named_by_bearer(bearer).await?;
        if let Some(refresh) = refresh {
            if let Some(session) = self.former(refresh).await? {
                let other = |bearer: &Leaving| bearer.presented.user != session.user.id;
                if by_bearer.as_ref().is_some_and(other) {
                    return Err(AuthError::Field("refresh", FieldFault::OtherUser));
                }
                return self.end_former(&session, client).await;
            }
            match (self.named_by_refresh(refresh).await?, &by_bearer) {
                (Some(leaving), by_bearer) => {
                    if by_bearer
                        .as_ref()
                        .is_some_and(|bearer| bearer.presented.user != leaving.presented.user)
                    {
                        return Err(AuthError::Field("refresh", FieldFault::OtherUser));
                    }
                    return self.sign_out_leaving(leaving, by_bearer.as_ref(), client).await;
                }
                (None, None) => return Err(AuthError::TokenInvalid),
                (None, Some(_)) => {}
            }
        }
        match (by_bearer, bearer) {
            (Some(leaving), _) => self.sign_out_leaving(leaving, None, client).await,
            (None, Bearer::Missing) => Err(AuthError::TokenMissing),
            (None, _) => Err(AuthError::TokenInvalid),
        }
    }

    /// Signs out the device that a refresh token names, whatever its age. Returns 1, or 0 if the device had ended before.
    pub async fn end_by_refresh(&self, refresh: &str, client: &ClientInfo) -> Result<u64, AuthError> {
        if let Some(session) = self.former_sessions.find(refresh, Some(client)).await? {
            return self.end_former(&session, client).await;
        }
        let leaving = self.named_by_refresh(refresh).await?.ok_or(AuthError::TokenInvalid)?;
        self.sign_out_leaving(leaving, None, client).await
    }

    /// The session of another system that a token names; one that is refused names none.
    async fn former(&self, token: &str) -> Result<Option<FormerSession>, AuthError> {
        match self.former_sessions.find(token, None).await {
            Err(AuthError::TokenInvalid | AuthError::TokenExpired | AuthError::Ended(_)) => Ok(None),
            found => found,
        }
    }

    /// Ends a session of another system, also one that was not continued here. Returns 1, or 0 if it had ended before.
    async fn end_former(&self, session: &FormerSession, client: &ClientInfo) -> Result<u64, AuthError> {
        let (user, now) = (session.user.id, self.world.now());
        let end = EndDevice {
            user,
            device: session.device,
            caller: None,
            named_by: Some(NamedBy::Refresh(session.claims().sequence)),
            cause: Cause::SignedOut,
            note: None,
            now,
        };
        let device = self.sign_in.new_device(DeviceWish::default(), client, now);
        let device = NewDevice { id: session.device, ..device };
        match self.store.run(EndSession { end, device }).await? {
            DeviceEnded::Ended => {
                self.metrics.sign_out("logout");
                events::record("signed_out", Some(user), Some(session.device), client);
                Ok(1)
            }
            DeviceEnded::AlreadyEnded | DeviceEnded::BelowFloor | DeviceEnded::NoDevice => Ok(0),
            DeviceEnded::Refused(refusal) => Err(refusal.into()),
        }
    }

    /// Revokes an access or refresh token by signing out its device (RFC 7009), also a refresh token of another system that is
    /// exchanged here. An unknown token is no error; with an authentic bearer token it means the device of that one. `token` is `None` if it was missing or unreadable.
    ///
    /// # Errors
    ///
    /// [`AuthError::TokenMissing`] if there is neither a token nor an authentic bearer token.
    pub async fn revoke(
        &self,
        token: Option<&str>,
        bearer: &Bearer,
        client: &ClientInfo,
    ) -> Result<(), AuthError> {
        let by_bearer = self.named_by_bearer(bearer).await?;
        let mut named = None;
        if let Some(token) = token {
            if let Some(session) = self.former(token).await? {
                if by_bearer.as_ref().is_some_and(|bearer| bearer.presented.user != session.user.id) {
                    return Err(AuthError::Field("token", FieldFault::OtherUser));
                }
                return self.end_former(&session, client).await.map(drop);
            }
            named = self.named_by_refresh(token).await?;
            if let (Some(leaving), Some(bearer)) = (&named, &by_bearer)
                && leaving.presented.user != bearer.presented.user
            {
                return Err(AuthError::Field("token", FieldFault::OtherUser));
            }
            if named.is_none() {
                named = self
                    .authentication
                    .authentic_access(token)
                    .await?
                    .map(|claims| Leaving::by_access(&claims));
            }
        }
        match (named, by_bearer) {
            (Some(leaving), by_bearer) => {
                self.sign_out_leaving(leaving, by_bearer.as_ref(), client).await.map(drop)
            }
            (None, Some(leaving)) => self.sign_out_leaving(leaving, None, client).await.map(drop),
            (None, None) if token.is_none() => Err(AuthError::TokenMissing),
            (None, None) => Ok(()),
        }
    }

    async fn named_by_bearer(&self, bearer: &Bearer) -> Result<Option<Leaving>, AuthError> {
        match bearer {
            Bearer::Missing | Bearer::Malformed => Ok(None),
            Bearer::Token(token) => Ok(self
                .authentication
                .authentic_access(token)
                .await?
                .map(|claims| Leaving::by_access(&claims))),
        }
    }

    async fn named_by_refresh(&self, token: &str) -> Result<Option<Leaving>, AuthError> {
        Ok(self
            .authentication
            .authentic_refresh(token)
            .await?
            .map(|claims| Leaving { presented: (&claims).into(), token: NamedBy::Refresh(claims.sequence) }))
    }

    /// Ends a device; if its token is older than a password change, the device of the bearer token instead.
    async fn sign_out_leaving(
        &self,
        leaving: Leaving,
        bearer: Option<&Leaving>,
        client: &ClientInfo,
    ) -> Result<u64, AuthError> {
        let mut left = leaving;
        let mut outcome = self.end_leaving(leaving).await?;
        if let (DeviceEnded::BelowFloor, Some(bearer)) = (outcome, bearer)
            && bearer.presented.user == leaving.presented.user
        {
            left = *bearer;
            outcome = self.end_leaving(left).await?;
        }
        match outcome {
            DeviceEnded::Ended => {
                self.metrics.sign_out("logout");
                events::record("signed_out", Some(left.presented.user), Some(left.presented.device), client);
                Ok(1)
            }
            DeviceEnded::NoDevice => {
                let sequence = match left.token {
                    NamedBy::Refresh(sequence) => Some(sequence),
                    NamedBy::Access(_) => None,
                };
                self.rollback.unknown_device(left.presented, sequence).await?;
                Ok(0)
            }
            DeviceEnded::AlreadyEnded | DeviceEnded::BelowFloor => Ok(0),
            DeviceEnded::Refused(refusal) => Err(refusal.into()),
        }
    }

    async fn end_leaving(&self, leaving: Leaving) -> Result<DeviceEnded, AuthError> {
        let Leaving { presented, token } = leaving;
        let request = EndDevice {
            user: presented.user,
            device: presented.device,
            caller: None,
            named_by: Some(token),
            cause: Cause::SignedOut,
            note: None,
            now: self.world.now(),
        };
        Ok(self.store.run(request).await?)
    }

    /// Signs out every device of the caller, including this one.
    pub async fn logout_all(&self, bearer: &Bearer, client: &ClientInfo) -> Result<SignedOut, AuthError> {
        let (claims, ended) = self.end_devices(bearer, false).await?;
        match ended {
            DevicesEnded::Ended { signed_out, user, .. } => {
                self.metrics.sign_out("logout_all");
                events::record("signed_out_everywhere", Some(user.id), Some(claims.device), client);
                Ok(SignedOut { signed_out, generation: user.generation })
            }
            DevicesEnded::NoUser => Err(AuthError::TokenInvalid),
            DevicesEnded::Refused(refusal) => Err(refusal.into()),
        }
    }

    async fn end_devices(
        &self,
        bearer: &Bearer,
        keep: bool,
    ) -> Result<(Arc<VerifiedClaims>, DevicesEnded), AuthError> {
        let now = self.world.now();
        let step = |token| EndDevices { by: EndDevicesBy::Caller { token, keep }, now };
        self.authentication.run_as(bearer, step).await
    }

    /// Signs out every device of the caller except this one, and issues an access token of the new generation that
    /// expires no later than the presented one.
    pub async fn logout_others(
        &self,
        bearer: &Bearer,
        client: &ClientInfo,
    ) -> Result<(SignedOut, Access), AuthError> {
        let caller = self.authentication.authenticate(bearer, client).await?;
        self.limits.sign_out_of_others(caller.user.id, self.world.uptime())?;
        let (claims, ended) = self.end_devices(bearer, true).await?;
        match ended {
            DevicesEnded::Ended { signed_out, user, kept: Some(device) } => {
                self.metrics.sign_out("logout_others");
                events::record("signed_out_elsewhere", Some(user.id), Some(device.id), client);
                let access = self.mint.access(&device, self.world.now(), claims.expires).await?;
                Ok((SignedOut { signed_out, generation: user.generation }, access))
            }
            DevicesEnded::Ended { kept: None, .. } => {
                Err(AuthError::Internal("the caller's device was lost".into()))
            }
            DevicesEnded::NoUser => Err(AuthError::TokenInvalid),
            DevicesEnded::Refused(refusal) => Err(refusal.into()),
        }
    }
}
