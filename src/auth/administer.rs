//! Administration of users and devices. Every action is logged, with the administrator's reason where one is given.

use std::sync::Arc;

use super::administrator::AdministratorOrder;
use super::devices::device_ended;
use super::error::AuthError;
use super::former_sessions::FormerSessions;
use super::hashing::{HashSource, Hashing, Salt};
use super::issue::Issued;
use super::login::{DeviceWish, SignIn};
use super::logout::SignedOut;
use super::{ClientInfo, events};
use crate::issuer::signing_keys::SigningKeys;
use crate::metrics::Metrics;
use crate::model::authentication_method::AuthenticationMethod;
use crate::model::counters::Era;
use crate::model::device::Cause;
use crate::model::ids::{DeviceId, UserId};
use crate::model::password::Password;
use crate::model::user::User;
use crate::store::Store;
use crate::store::queries::service::ReadCounters;
use crate::store::queries::users::{FindUser, ListUsers, ListedUser};
use crate::store::steps::delete_user::{DeleteUser, DeleteUserBy, UserDeleted};
use crate::store::steps::end_device::EndDevice;
use crate::store::steps::end_devices::{DevicesEnded, EndDevices, EndDevicesBy};
use crate::store::steps::end_everyone::EndEveryone;
use crate::store::steps::set_disabled::{DisabledSet, SetDisabled};
use crate::store::steps::set_password::{PasswordSet, SetPassword, SetPasswordBy};
use crate::world::World;

/// What administrators do with users, devices, service keys and signing keys.
#[derive(Debug)]
pub struct Administration {
    pub(super) store: Store,
    pub(super) world: World,
    pub(super) keys: Arc<SigningKeys>,
    pub(super) hashing: Arc<Hashing>,
    pub(super) sign_in: Arc<SignIn>,
    pub(super) former_sessions: Arc<FormerSessions>,
    pub(super) metrics: Arc<Metrics>,
}

impl Administration {
    /// Lists users in order of their names' keys, after the one with the key `after`.
    pub async fn users(&self, after: Option<&str>, limit: usize) -> Result<Vec<ListedUser>, AuthError> {
        Ok(self.store.read(ListUsers { after: after.map(str::to_owned), limit }).await?)
    }

    /// The number of the user's live devices.
    pub async fn live_devices(&self, user: &User) -> Result<u64, AuthError> {
        Ok(user.live_devices(self.store.read(ReadCounters).await?.era))
    }

    /// Ends one device of a user. Returns 1, or 0 if it had ended before.
    pub async fn end_device_of(
        &self,
        user: UserId,
        device: DeviceId,
        order: AdministratorOrder,
    ) -> Result<u64, AuthError> {
        let request = EndDevice {
            user,
            device,
            caller: None,
            named_by: None,
            cause: Cause::Administrator,
            note: order.reason.clone(),
            now: self.world.now(),
        };
        let ended = device_ended(self.store.run(request).await?, &self.metrics)?;
        order.record("device_ended", &device);
        Ok(ended)
    }

    /// Ends every device of a user.
    pub async fn logout_all_of(
        &self,
        user: UserId,
        order: AdministratorOrder,
    ) -> Result<SignedOut, AuthError> {
        let by = EndDevicesBy::Administrator { user, note: order.reason.clone() };
        match self.store.run(EndDevices { by, now: self.world.now() }).await? {
            DevicesEnded::Ended { signed_out, user, .. } => {
                self.metrics.sign_out("administrator");
                order.record("user_signed_out", &user.id);
                Ok(SignedOut { signed_out, generation: user.generation })
            }
            DevicesEnded::NoUser => Err(AuthError::NotFound),
            DevicesEnded::Refused(refusal) => Err(refusal.into()),
        }
    }

    /// Disables or enables a user. Returns the user and the number of devices that ended.
    pub async fn set_disabled(
        &self,
        user: UserId,
        disabled: bool,
        order: AdministratorOrder,
    ) -> Result<(User, u64), AuthError> {
        let request = SetDisabled { user, disabled, note: order.reason.clone(), now: self.world.now() };
        match self.store.run(request).await? {
            DisabledSet::Set { user, signed_out } => {
                if disabled {
                    self.metrics.sign_out("disabled");
                }
                order.record(if disabled { "user_disabled" } else { "user_enabled" }, &user.id);
                Ok((*user, signed_out))
            }
            DisabledSet::NoUser => Err(AuthError::NotFound),
        }
    }

    /// Sets a user's password and ends all of the user's devices. Returns how many ended.
    pub async fn replace_password(
        &self,
        user: &User,
        password: &str,
        order: AdministratorOrder,
    ) -> Result<u64, AuthError> {
        let password = Password::chosen(password, &user.username)
            .map_err(|why| AuthError::WeakPassword { field: "password", why })?;
        let password = self.hashing.hash(HashSource::Operator, &password, Salt(self.world.random())).await?;
        let request =
            SetPassword { by: SetPasswordBy::Administrator(user.id), password, now: self.world.now() };
        match self.store.run(request).await? {
            PasswordSet::Replaced { signed_out } => {
                self.metrics.sign_out("password");
                order.record("password_replaced", &user.id);
                Ok(signed_out)
            }
            PasswordSet::NoUser => Err(AuthError::NotFound),
            other => {
                Err(AuthError::Internal(format!("an administrator's password change came to {other:?}")))
            }
        }
    }

    /// Deletes a user: ends every device and frees the username.
    pub async fn delete_user(&self, user: UserId, order: AdministratorOrder) -> Result<SignedOut, AuthError> {
        let by = DeleteUserBy::Administrator(user);
        match self
            .store
            .run(DeleteUser {
                by,
                now: self.world.now(),
                former_until: self.former_sessions.given_up_until(),
            })
            .await?
        {
            UserDeleted::Deleted { signed_out, generation } => {
                self.metrics.sign_out("administrator");
                order.record("user_deleted", &user);
                Ok(SignedOut { signed_out, generation })
            }
            UserDeleted::NoUser => Err(AuthError::NotFound),
            other => Err(AuthError::Internal(format!("an administrator's deletion came to {other:?}"))),
        }
    }

    /// Ends every device of every user by a new era.
    pub async fn logout_everyone(&self, order: AdministratorOrder) -> Result<Era, AuthError> {
        let era = self.store.run(EndEveryone { now: self.world.now() }).await?;
        self.metrics.sign_out("everyone");
        order.record("everyone_signed_out", &"everyone");
        Ok(era)
    }

    /// Opens a device for a user whom another system has signed in. `client` is the user's, as far as that system says so,
    /// and `amr` is how it made sure who the user is.
    pub async fn open_session(
        &self,
        user: UserId,
        device: DeviceWish,
        amr: Vec<AuthenticationMethod>,
        client: &ClientInfo,
        order: AdministratorOrder,
    ) -> Result<Issued, AuthError> {
        let found = self.store.read(FindUser { id: user }).await?.ok_or(AuthError::NotFound)?;
        if found.disabled.is_some() {
            return Err(AuthError::Forbidden("The user is disabled; enable the account first.".to_owned()));
        }
        let vouched = DeviceWish { amr, ..device };
        let issued = self.sign_in.open(user, None, vouched, client).await?;
        self.metrics.sign_in("vouched");
        order.record("session_opened", &user);
        events::record("signed_in", Some(user), Some(issued.device.id), client);
        Ok(issued)
    }
}
