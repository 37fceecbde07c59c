//! Administration of users and devices. Every action is logged, with the administrator's reason where one is given.

use super::devices::DevicePage;
use std::fmt;
use std::net::IpAddr;

use super::error::AuthError;
use super::hashing::{HashSource, Salt};
use super::issue::Issued;
use super::login::DeviceWish;
use super::logout::SignedOut;
use super::{Auth, ClientInfo};
use crate::log::request_id::request_id;
use crate::model::counters::Era;
use crate::model::device::Cause;
use crate::model::ids::{DeviceId, ServiceKeyId, UserId, reads_as_id};
use crate::model::password::Password;
use crate::model::user::User;
use crate::model::username::Username;
use crate::store::queries::devices::{EndedPosition, ListEndedDevices};
use crate::store::queries::service::ReadCounters;
use crate::store::queries::users::{FindUser, FindUserByName, ListUsers, ListedUser};
use crate::store::steps::delete_user::{DeleteUser, DeleteUserBy, UserDeleted};
use crate::store::steps::end_device::EndDevice;
use crate::store::steps::end_devices::{DevicesEnded, EndDevices, EndDevicesBy};
use crate::store::steps::end_everyone::EndEveryone;
use crate::store::steps::open_device::OpenDevice;
use crate::store::steps::set_disabled::{DisabledSet, SetDisabled};
use crate::store::steps::set_password::{PasswordSet, SetPassword, SetPasswordBy};

/// The administrator who acts on users, devices or keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Administrator {
    /// A person with access to the administration socket.
    Operator,
    /// The bearer of a service key.
    ServiceKey {
        /// The id of the service key.
        id: ServiceKeyId,
        /// The address of the client that presented the key.
        address: IpAddr,
    },
}

impl fmt::Display for Administrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("operator"),
            Self::ServiceKey { id, address } => write!(f, "service key {id} at {address}"),
        }
    }
}

/// The administrator who ordered an action, and the reason.
#[derive(Clone, Debug)]
pub struct AdministratorOrder {
    /// The administrator who ordered it.
    pub by: Administrator,
    /// The reason, if one was given.
    pub reason: Option<String>,
}

impl AdministratorOrder {
    /// Logs an administrative action as a warning, so that it is never silent.
    pub(super) fn record(&self, event: &'static str, on: &dyn fmt::Display) {
        tracing::warn!(event, %on, by = %self.by, reason = self.reason, request_id = request_id(), "done by an administrator");
    }

    /// Logs, at level info and without a reason, that a user, a signing key or a service key was added or changed.
    pub(super) fn note(&self, event: &'static str, on: &dyn fmt::Display) {
        tracing::info!(event, %on, by = %self.by, request_id = request_id(), "done by an administrator");
    }
}

/// The kind of identifier by which an administrator names a user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meant {
    Id,
    Name,
    Either,
}

impl Meant {
    /// Removes the prefix `id:` or `name:` from a text that otherwise reads as an id. Any other text is returned
    /// unchanged, since a username may contain a colon.
    fn read(text: &str) -> (Self, &str) {
        let prefixed = [("id:", Self::Id), ("name:", Self::Name)];
        let taken = prefixed.iter().find_map(|(prefix, meant)| Some((*meant, text.strip_prefix(prefix)?)));
        taken.filter(|(_, rest)| reads_as_id(rest)).unwrap_or((Self::Either, text))
    }
}

impl Auth {
    /// Finds the user that an administrator names by id or username.
    ///
    /// A new username cannot read as an id, but an older one may equal another user's id. Such a text is refused as
    /// ambiguous; the prefix `id:` or `name:` selects one of the two users.
    pub async fn find_user(&self, id_or_name: &str) -> Result<User, AuthError> {
        let (meant, text) = Meant::read(id_or_name);
        let by_id = match UserId::parse(text).filter(|_| meant != Meant::Name) {
            Some(id) => self.store.read(FindUser { id }).await?,
            None => None,
        };
        let by_name = match Username::presented(text).ok().filter(|_| meant != Meant::Id) {
            Some(name) => self.store.read(FindUserByName { name: name.key().to_owned() }).await?,
            None => None,
        };
        match (by_id, by_name) {
            (Some(one), Some(other)) if one.id != other.id => Err(AuthError::AmbiguousUser),
            (Some(user), _) | (None, Some(user)) => Ok(user),
            (None, None) => Err(AuthError::NotFound),
        }
    }

    /// Lists users in order of their names' keys, after the one with the key `after`.
    pub async fn users(&self, after: Option<&str>, limit: usize) -> Result<Vec<ListedUser>, AuthError> {
        Ok(self.store.read(ListUsers { after: after.map(str::to_owned), limit }).await?)
    }

    /// The number of the user's live devices.
    pub async fn live_devices(&self, user: &User) -> Result<u64, AuthError> {
        Ok(user.live_devices(self.store.read(ReadCounters).await?.era))
    }

    /// Lists the user's live devices.
    pub async fn devices_of(
        &self,
        user: UserId,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<DevicePage, AuthError> {
        self.device_page(user, after, limit).await
    }

    /// Lists the user's ended devices that are still kept, the latest end first.
    pub async fn ended_devices_of(
        &self,
        user: UserId,
        after: Option<EndedPosition>,
        limit: usize,
    ) -> Result<DevicePage<EndedPosition>, AuthError> {
        let devices = self.store.read(ListEndedDevices { user, after, limit }).await?;
        let last = devices.last().filter(|_| devices.len() >= limit);
        let next = last.and_then(|listed| EndedPosition::of(&listed.device));
        Ok(DevicePage { devices, next })
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
        let ended = self.device_ended(self.store.run(request).await?)?;
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
        match self.store.run(DeleteUser { by, now: self.world.now() }).await? {
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

    /// Opens a device for a user whom another system has signed in.
    pub async fn open_session(
        &self,
        user: UserId,
        device: DeviceWish,
        origin: &ClientInfo,
        order: AdministratorOrder,
    ) -> Result<Issued, AuthError> {
        let found = self.store.read(FindUser { id: user }).await?.ok_or(AuthError::NotFound)?;
        if found.disabled.is_some() {
            return Err(AuthError::Forbidden("The user is disabled; enable the account first.".to_owned()));
        }
        let request = OpenDevice {
            user,
            verified: None,
            device: self.new_device(device, origin),
            most: self.policy.devices_per_user,
            now: self.world.now(),
        };
        let issued = self.open(request).await?;
        self.metrics.sign_in("vouched");
        order.record("session_opened", &user);
        Ok(issued)
    }
}
