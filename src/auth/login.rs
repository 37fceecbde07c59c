//! Signing in with username and password.

use super::error::AuthError;
use super::hashing::{Salt, Verified};
use super::issue::Issued;
use super::limits::Attempt;
use super::{Auth, Origin, last_seen};
use crate::model::device::{DeviceKind, DeviceName};
use crate::model::ids::UserId;
use crate::model::network::Network;
use crate::model::password::{Password, PasswordHash};
use crate::model::user_agent;
use crate::model::username::Username;
use crate::store::steps::password::Rehash;
use crate::store::steps::session::{NewDevice, OpenDevice, Opened};

/// What a client says about the device it signs in on; the rest is guessed from its user agent.
#[derive(Clone, Debug, Default)]
pub struct DeviceWish {
    /// What people call it.
    pub name: Option<DeviceName>,
    /// What sort of device it is.
    pub kind: Option<DeviceKind>,
}

/// Only a wrong guess costs an attempt; an answer that says nothing about the password gives it back.
pub(super) fn settle<T>(attempt: Attempt<'_>, result: Result<T, AuthError>) -> Result<T, AuthError> {
    if !matches!(result, Err(AuthError::WrongCredentials | AuthError::WrongPassword)) {
        attempt.give_back();
    }
    result
}

impl Auth {
    /// Signs a user in on a new device. An unknown user, a disabled one and a wrong password cost the same work and
    /// get the same answer.
    pub async fn login(
        &self,
        username: &str,
        password: &str,
        device: DeviceWish,
        origin: &Origin,
    ) -> Result<Issued, AuthError> {
        let result = self.try_login(username, password, device, origin).await;
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
        device: DeviceWish,
        origin: &Origin,
    ) -> Result<Issued, AuthError> {
        // A name or password that could not exist is not worth a hash: nobody learns anything from it.
        let username = Username::parse(username).map_err(|_| AuthError::WrongCredentials)?;
        let password = Password::presented(password).map_err(|_| AuthError::WrongCredentials)?;
        let attempt = self.limits.attempt(&username, origin.address, self.since_start())?;
        settle(attempt, self.check_and_open(&username, &password, device, origin).await)
    }

    async fn check_and_open(
        &self,
        username: &Username,
        password: &Password,
        device: DeviceWish,
        origin: &Origin,
    ) -> Result<Issued, AuthError> {
        let user = self.store.user_named(username.key()).await?.filter(|user| user.disabled.is_none());
        let stored = user.as_ref().map(|user| &user.password);
        let verified = self.hashing.verify(password, stored).await?;
        let (Some(user), Verified::Match { stale }) = (user, verified) else {
            return Err(AuthError::WrongCredentials);
        };
        let request = OpenDevice {
            user: user.id,
            verified: Some(user.password.clone()),
            device: self.new_device(device, origin),
            most: self.policy.devices_per_user,
            now: self.world.now(),
        };
        let issued = self.open(request).await?;
        if stale {
            self.rehash(user.id, password, user.password).await;
        }
        Ok(issued)
    }

    /// Opens a device and mints its tokens.
    pub(super) async fn open(&self, request: OpenDevice) -> Result<Issued, AuthError> {
        let (user, now) = (request.user, request.now);
        match self.store.open_device(request).await? {
            Opened::Opened { session, evicted } => {
                for device in evicted {
                    self.metrics.sign_out("evicted");
                    tracing::info!(event = "device_evicted", %user, %device, "the least recently seen device gave way");
                }
                self.issue(*session, now).await
            }
            Opened::NoUser | Opened::Disabled | Opened::PasswordChanged => Err(AuthError::WrongCredentials),
        }
    }

    /// The device a sign-in from `origin` opens.
    pub(super) fn new_device(&self, wish: DeviceWish, origin: &Origin) -> NewDevice {
        let guess = user_agent::readable(origin.user_agent.as_deref().unwrap_or_default());
        let name = wish.name.or_else(|| DeviceName::parse(&guess.name).ok());
        let kind = wish.kind.or_else(|| DeviceKind::parse(guess.kind).ok());
        NewDevice {
            id: self.world.device_id(),
            name: name.unwrap_or_else(DeviceName::unknown),
            kind: kind.unwrap_or_else(DeviceKind::other),
            network: Network::of(origin.address),
            seen: last_seen::seen(origin, self.world.now()),
            idle: self.lasting(self.policy.device_idle),
            lifetime: self.lasting(self.policy.device_lifetime),
        }
    }

    /// Hashes a password again with the parameters of today. The user is signed in already: a failure only waits for
    /// the next time.
    async fn rehash(&self, user: UserId, password: &Password, verified: PasswordHash) {
        let Ok(hash) = self.hashing.hash(password, Salt(self.world.random())).await else { return };
        if let Err(error) = self.store.rehash_password(Rehash { user, verified, password: hash }).await {
            tracing::warn!(%user, %error, "a password was not hashed anew");
        }
    }
}
