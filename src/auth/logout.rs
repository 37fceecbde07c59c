//! Sign-outs: of one device, of every device, of every other device.

use super::authenticate::Bearer;
use super::error::AuthError;
use super::issue::Access;
use super::{Auth, Origin};
use crate::model::counters::Generation;
use crate::model::device::Cause;
use crate::model::ids::{DeviceId, UserId};
use crate::store::steps::sign_out::{By, DeviceEnded, DevicesEnded, EndDevice, EndDevices};

/// What a sign-out of many devices did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedOut {
    /// How many devices were ended.
    pub signed_out: u64,
    /// The user's generation now.
    pub generation: Generation,
}

impl Auth {
    /// Signs out the device that is leaving: the one its refresh token names, else the one its bearer token names.
    /// Returns how many devices that ended: 1, or 0 if it had ended before.
    ///
    /// Whatever still proves which device it is will do: the token may be expired, replaced or long dead.
    pub async fn logout(&self, refresh: Option<&str>, bearer: &Bearer) -> Result<u64, AuthError> {
        let bearer = match bearer {
            Bearer::Missing => None,
            Bearer::Malformed => Some(None),
            Bearer::Token(token) => Some(self.authentic_access(token).await?),
        };
        let (user, device) = match (refresh, bearer) {
            (Some(refresh), bearer) => {
                let claims = self.authentic_refresh(refresh).await?.ok_or(AuthError::TokenInvalid)?;
                if bearer.flatten().is_some_and(|bearer| bearer.subject != claims.subject) {
                    return Err(AuthError::Field("refresh", "other_user"));
                }
                (claims.subject, claims.device)
            }
            (None, None) => return Err(AuthError::TokenMissing),
            (None, Some(None)) => return Err(AuthError::TokenInvalid),
            (None, Some(Some(claims))) => (claims.subject, claims.device),
        };
        self.end_leaving(user, device).await
    }

    /// Signs out the device that an access or a refresh token belongs to (RFC 7009); an unknown token is no error.
    pub async fn revoke(&self, token: &str) -> Result<(), AuthError> {
        let of_refresh = self.authentic_refresh(token).await?.map(|claims| (claims.subject, claims.device));
        let named = match of_refresh {
            Some(named) => Some(named),
            None => self.authentic_access(token).await?.map(|claims| (claims.subject, claims.device)),
        };
        if let Some((user, device)) = named {
            self.end_leaving(user, device).await?;
        }
        Ok(())
    }

    async fn end_leaving(&self, user: UserId, device: DeviceId) -> Result<u64, AuthError> {
        let request = EndDevice {
            user,
            device,
            caller: None,
            cause: Cause::SignedOut,
            note: None,
            now: self.world.now(),
        };
        match self.store.end_device(request).await? {
            DeviceEnded::Ended => {
                self.metrics.sign_out("logout");
                Ok(1)
            }
            DeviceEnded::AlreadyEnded | DeviceEnded::NoDevice => Ok(0),
            DeviceEnded::Refused(refusal) => Err(self.refused(refusal)),
        }
    }

    /// Signs out every device of the caller, this one too.
    pub async fn logout_all(&self, bearer: &Bearer, origin: &Origin) -> Result<SignedOut, AuthError> {
        let caller = self.authenticate(bearer, origin).await?;
        let by = By::Caller { presented: caller.presented(), keep: false };
        match self.store.end_devices(EndDevices { by, now: self.world.now() }).await? {
            DevicesEnded::Ended { signed_out, user, .. } => {
                self.metrics.sign_out("logout_all");
                Ok(SignedOut { signed_out, generation: user.generation })
            }
            DevicesEnded::NoUser => Err(AuthError::TokenInvalid),
            DevicesEnded::Refused(refusal) => Err(self.refused(refusal)),
        }
    }

    /// Signs out every device of the caller but this one, and gives it an access token of the new generation that
    /// ends no later than the presented one.
    pub async fn logout_others(
        &self,
        bearer: &Bearer,
        origin: &Origin,
    ) -> Result<(SignedOut, Access), AuthError> {
        let caller = self.authenticate(bearer, origin).await?;
        let now = self.world.now();
        let by = By::Caller { presented: caller.presented(), keep: true };
        match self.store.end_devices(EndDevices { by, now }).await? {
            DevicesEnded::Ended { signed_out, user, kept: Some(device) } => {
                self.metrics.sign_out("logout_others");
                let access = self.issue_access(&device, now, caller.claims.expires).await?;
                Ok((SignedOut { signed_out, generation: user.generation }, access))
            }
            DevicesEnded::Ended { kept: None, .. } => {
                Err(AuthError::Internal("the caller's device was lost".into()))
            }
            DevicesEnded::NoUser => Err(AuthError::TokenInvalid),
            DevicesEnded::Refused(refusal) => Err(self.refused(refusal)),
        }
    }
}
