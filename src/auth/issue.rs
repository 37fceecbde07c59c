//! Issuing tokens: an access token and a refresh token for one device.

use std::sync::Arc;
use std::time::Duration;

use super::error::AuthError;
use crate::issuer::signing_keys::SigningKeys;
use crate::model::claims::{AccessClaims, RefreshClaims};
use crate::model::device::Device;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::store::steps::session::Session;
use crate::token::MintError;
use crate::token::keyring::Keyring;

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

/// Mints the tokens of devices.
#[derive(Debug)]
pub struct TokenMint {
    pub(super) keys: Arc<SigningKeys>,
    /// The lifetime of an access token.
    pub(super) access_lifetime: Duration,
}

impl TokenMint {
    /// Mints both tokens of a session, with the key set that the session's step read: the store is not asked again.
    pub(super) async fn session(&self, session: Session, now: Timestamp) -> Result<Issued, AuthError> {
        let Session { user, device, era, keys } = session;
        let keyring = self.keys.of_version(keys).await?;
        let access = self.mint_access(&keyring, &device, now, now + self.access_lifetime)?;
        let refresh = keyring.mint_refresh(&RefreshClaims {
            subject: user.id,
            device: device.id,
            stamp: user.stamp(era),
            sequence: device.refresh.current,
            // The one token of a device that does not rotate lasts as long as refreshing it keeps the device.
            expires: if device.rotates { device.end() } else { device.absolute_end },
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
    pub(super) async fn access(
        &self,
        device: &Device,
        now: Timestamp,
        end: Timestamp,
    ) -> Result<Access, AuthError> {
        let keyring = self.keys.checked().await?;
        Ok(self.mint_access(&keyring, device, now, end)?)
    }

    fn mint_access(
        &self,
        keyring: &Keyring,
        device: &Device,
        now: Timestamp,
        end: Timestamp,
    ) -> Result<Access, MintError> {
        let (expires, names) = (end.min(device.end()), self.keys.names());
        let token = keyring.mint_access(&AccessClaims {
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
