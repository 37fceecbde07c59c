//! Sign-in with username and password.

use std::sync::Arc;

use super::authenticate::Authentication;
use super::error::AuthError;
use super::hashing::{HashSource, Hashing, PasswordVerified, Salt};
use super::issue::{Issued, TokenMint};
use super::limits::{Attempt, RateLimits};
use super::{ClientInfo, SessionPolicy, events, last_seen};
use crate::issuer::rollback::RollbackDetector;
use crate::log::request_id::request_id;
use crate::metrics::Metrics;
use crate::model::authentication_method::AuthenticationMethod;
use crate::model::device::{DeviceKind, DeviceName};
use crate::model::ids::{DeviceId, UserId};
use crate::model::network::Network;
use crate::model::password::{Password, PasswordHash};
use crate::model::timestamp::Timestamp;
use crate::model::username::Username;
use crate::store::Store;
use crate::store::queries::standing::ReadStanding;
use crate::store::queries::users::FindUserByName;
use crate::store::steps::open_device::{OpenDevice, Opened};
use crate::store::steps::rehash_password::RehashPassword;
use crate::store::steps::session::NewDevice;
use crate::world::reference::ReferenceClock;

/// The device that a sign-in is to open. `None` stands for "Unknown device" and `other`.
#[derive(Clone, Debug)]
pub struct DeviceWish {
    /// The name of the device.
    pub name: Option<DeviceName>,
    /// The kind of device.
    pub kind: Option<DeviceKind>,
    /// How the user proved who they are, if another system says so.
    pub amr: Vec<AuthenticationMethod>,
    /// Whether a refresh brings a new refresh token.
    pub rotates: bool,
}

impl Default for DeviceWish {
    fn default() -> Self {
        Self { name: None, kind: None, amr: Vec::new(), rotates: true }
    }
}

/// Settles an attempt: only a wrong password costs its token, any other result returns it.
pub(super) fn settle<T>(attempt: Attempt<'_>, result: Result<T, AuthError>) -> Result<T, AuthError> {
    if !matches!(result, Err(AuthError::WrongCredentials | AuthError::WrongPassword)) {
        attempt.give_back();
    }
    result
}

/// Sign-in and registration.
#[derive(Debug)]
pub struct SignIn {
    pub(super) authentication: Arc<Authentication>,
    pub(super) store: Store,
    pub(super) clock: Arc<ReferenceClock>,
    pub(super) rollback: Arc<RollbackDetector>,
    pub(super) mint: Arc<TokenMint>,
    pub(super) hashing: Arc<Hashing>,
    pub(super) limits: Arc<RateLimits>,
    pub(super) policy: SessionPolicy,
    pub(super) metrics: Arc<Metrics>,
}

impl SignIn {
    /// Signs a user in on a new device. An unknown user, a disabled one and a wrong password cost the same work and
    /// get the same answer.
    ///
    /// `refresh` is a refresh token that the client got for this user before. If it is one, failures of other clients
    /// do not count; if not, it is ignored.
    pub async fn login(
        &self,
        username: &str,
        password: &str,
        refresh: Option<&str>,
        device: DeviceWish,
        client: &ClientInfo,
    ) -> Result<Issued, AuthError> {
        let result = self.try_login(username, password, refresh, device, client).await;
        match &result {
            Ok(issued) => events::record("signed_in", Some(issued.user.id), Some(issued.device.id), client),
            Err(AuthError::RateLimited(_)) => events::record_refusal("sign_in_limited", client),
            // Recorded in `check_and_open`, where the user is known.
            Err(_) => {}
        }
        self.metrics.sign_in(match &result {
            Ok(_) => "ok",
            Err(AuthError::WrongCredentials) => "wrong_credentials",
            Err(AuthError::RateLimited(_)) => "rate_limited",
            Err(AuthError::Overloaded) => "overloaded",
            Err(_) => "failed",
        });
        result
    }

    async fn try_login(
        &self,
        username: &str,
        password: &str,
        refresh: Option<&str>,
        device: DeviceWish,
        client: &ClientInfo,
    ) -> Result<Issued, AuthError> {
        // A name or password that could not exist is not worth a hash: nobody learns anything from it.
        let (Ok(username), Ok(password)) = (Username::presented(username), Password::presented(password))
        else {
            events::record_refusal("sign_in_failed", client);
            return Err(AuthError::WrongCredentials);
        };
        let now = self.clock.world().uptime();
        let known = match refresh {
            Some(refresh) => self.known_device(&username, refresh).await?,
            None => None,
        };
        let attempt = match known {
            Some(device) => self.limits.sign_in_of_known(device, now).await?,
            None => self.limits.sign_in(&username, client.address, now).await?,
        };
        settle(attempt, self.check_and_open(&username, &password, device, client).await)
    }

    /// The device that `refresh` was made for, if the token proves that the client was signed in as `username` before.
    ///
    /// The token has to be authentic, of this user, and not from before the last password change, by which a user
    /// locks out a thief. It need not be live, since it only selects the counter of failures. It reveals nothing about
    /// usernames: a token that is not of this user changes no answer, whether or not the user exists.
    async fn known_device(&self, username: &Username, refresh: &str) -> Result<Option<DeviceId>, AuthError> {
        let Some(claims) = self.authentication.authentic_refresh(refresh).await? else { return Ok(None) };
        let named = self.store.read(FindUserByName { name: username.key().to_owned() }).await?;
        if named.is_none_or(|user| user.id != claims.subject) {
            return Ok(None);
        }
        let standing = self.store.read(ReadStanding { user: claims.subject, device: claims.device }).await?;
        Ok(standing.proves_user(&claims).then_some(claims.device))
    }

    async fn check_and_open(
        &self,
        username: &Username,
        password: &Password,
        device: DeviceWish,
        client: &ClientInfo,
    ) -> Result<Issued, AuthError> {
        let named = self.store.read(FindUserByName { name: username.key().to_owned() }).await?;
        let id = named.as_ref().map(|user| user.id);
        let user = named.filter(|user| user.disabled.is_none());
        // A user without a password costs a hash too, and none matches.
        let stored = user.as_ref().and_then(|user| user.password.as_ref());
        let verified = self.hashing.verify(HashSource::of(client.address), password, stored).await?;
        let (Some(user), PasswordVerified::Match { stale }) = (user, verified) else {
            events::record("sign_in_failed", id, None, client);
            return Err(AuthError::WrongCredentials);
        };
        self.limits.signed_in(user.id, client.address, self.clock.world().uptime())?;
        let opened = self.open(user.id, user.password.clone(), device, client).await;
        let issued = opened.inspect_err(|_| self.limits.not_signed_in(user.id, client.address))?;
        if let (true, Some(verified)) = (stale, user.password) {
            self.rehash(user.id, password, verified, client).await;
        }
        Ok(issued)
    }

    /// Opens a device and mints its tokens. `verified` is the hash that the password was verified against; `None` when
    /// another system vouches for the user.
    pub(super) async fn open(
        &self,
        user: UserId,
        verified: Option<PasswordHash>,
        device: DeviceWish,
        client: &ClientInfo,
    ) -> Result<Issued, AuthError> {
        self.rollback.check()?;
        let now = self.clock.world().now();
        let (device, most) = (self.new_device(device, client, now), self.policy.devices_per_user);
        let request = OpenDevice { user, verified, device, most, now };
        let opened = self.store.run(request).await?;
        self.opened(user, opened, now).await
    }

    /// Mints the tokens of a device that was opened for `user`.
    pub(super) async fn opened(
        &self,
        user: UserId,
        opened: Opened,
        now: Timestamp,
    ) -> Result<Issued, AuthError> {
        match opened {
            Opened::Opened { session, evicted } => {
                for device in evicted {
                    self.metrics.sign_out("evicted");
                    tracing::info!(event = "device_evicted", %user, %device, request_id = request_id(), "the least recently seen device was evicted");
                }
                self.mint.session(*session, now).await
            }
            Opened::NoUser | Opened::Disabled | Opened::PasswordChanged => Err(AuthError::WrongCredentials),
        }
    }

    /// The device that a sign-in by `client` opens.
    pub(super) fn new_device(&self, wish: DeviceWish, client: &ClientInfo, now: Timestamp) -> NewDevice {
        NewDevice {
            id: self.clock.world().device_id(),
            name: wish.name.unwrap_or_else(DeviceName::unknown),
            kind: wish.kind.unwrap_or_else(DeviceKind::other),
            amr: wish.amr,
            rotates: wish.rotates,
            network: Network::of(client.address),
            seen: last_seen::seen(client, now),
            idle: self.clock.lasting(self.policy.device_idle),
            lifetime: self.clock.lasting(self.policy.device_lifetime),
        }
    }

    /// Hashes a password again with the current parameters. The user is signed in already, so a failure only postpones
    /// it to the next sign-in.
    async fn rehash(&self, user: UserId, password: &Password, verified: PasswordHash, client: &ClientInfo) {
        let (source, salt) = (HashSource::of(client.address), Salt(self.clock.world().random()));
        let Ok(hash) = self.hashing.hash(source, password, salt).await else { return };
        if let Err(error) = self.store.run(RehashPassword { user, verified, password: hash }).await {
            tracing::warn!(%user, %error, "a password could not be hashed again");
        }
    }
}
