//! Issuing tokens: an access token and a refresh token for one device.

use std::time::Duration;

use super::Auth;
use super::error::AuthError;
use crate::model::claims::{AccessClaims, RefreshClaims};
use crate::model::device::Device;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::store::steps::session::Session;

/// The tokens of one device, with its user and the device.
pub struct Issued {
    /// The access token as PASETO text.
    pub access: String,
    /// The refresh token as PASETO text.
    pub refresh: String,
    /// The remaining lifetime of the access token.
    pub expires_in: Duration,
    /// The remaining lifetime of the refresh token.
    pub refresh_expires_in: Duration,
    /// The user of the device.
    pub user: User,
    /// The device that the tokens belong to.
    pub device: Device,
}

/// An access token and its remaining lifetime.
pub struct Access {
    /// The access token as PASETO text.
    pub token: String,
    /// The remaining lifetime of the access token.
    pub expires_in: Duration,
}

impl Auth {
    /// Mints both tokens of a session.
    pub(super) async fn issue(&self, session: Session, now: Timestamp) -> Result<Issued, AuthError> {
        let Session { user, device, era } = session;
        let access = self.issue_access(&device, now, now + self.policy.access_lifetime).await?;
        let refresh = self.keys.checked().await?.mint_refresh(&RefreshClaims {
            subject: user.id,
            device: device.id,
            stamp: user.stamp(era),
            sequence: device.refresh.current,
            expires: device.end(),
        })?;
        let refresh_expires_in = now.until(device.end());
        Ok(Issued {
            access: access.token,
            refresh,
            expires_in: access.expires_in,
            refresh_expires_in,
            user,
            device,
        })
    }

    /// Mints an access token that expires at `end`, or with the device if that comes first.
    pub(super) async fn issue_access(
        &self,
        device: &Device,
        now: Timestamp,
        end: Timestamp,
    ) -> Result<Access, AuthError> {
        let (expires, names) = (end.min(device.end()), self.keys.names());
        let token = self.keys.checked().await?.mint_access(&AccessClaims {
            issuer: names.issuer.clone(),
            subject: device.user,
            audience: names.audience.clone(),
            issued: now,
            expires,
            device: device.id,
            stamp: device.stamp,
            authenticated: device.authenticated,
        })?;
        Ok(Access { token, expires_in: now.until(expires) })
    }
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issued({}, {})", self.user.id, self.device.id)
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Access(..)")
    }
}
