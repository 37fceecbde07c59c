//! Administration of users and devices. Every action is logged, with the administrator's reason where one is given.

use std::sync::Arc;

use super::ClientInfo;
use super::administrator::AdministratorOrder;
use super::devices::device_ended;
use super::error::AuthError;
use super::hashing::{HashSource, Hashing, Salt};
use super::issue::Issued;
use super::login::{DeviceWish, SignIn};
use super::logout::SignedOut;
use crate::issuer::signing_keys::SigningKeys;
use crate::metrics::Metrics;
use crate::model::counters::Era;
use crate::model::device::Cause;
use crate::model::ids::{DeviceId, UserId, reads_as_id};
use crate::model::password::Password;
use crate::model::user::User;
use crate::model::username::Username;
use crate::store::Store;
use crate::store::queries::service::ReadCounters;
use crate::store::queries::users::{FindUser, FindUserByName, ListUsers, ListedUser};
use crate::store::steps::delete_user::{DeleteUser, DeleteUserBy, UserDeleted};
use crate::store::steps::end_device::EndDevice;
use crate::store::steps::end_devices::{DevicesEnded, EndDevices, EndDevicesBy};
use crate::store::steps::end_everyone::EndEveryone;
use crate::store::steps::register::Registered;
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
    pub(super) metrics: Arc<Metrics>,
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

impl Administration {
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

    /// Adds an account without signing it in.
    pub async fn add_user(
        &self,
        username: &str,
        password: &str,
        order: AdministratorOrder,
    ) -> Result<User, AuthError> {
        let username =
            Username::parse(username).map_err(|error| AuthError::Field("username", error.into()))?;
        match self.sign_in.add(HashSource::Operator, username, password, None).await? {
            Registered::User(user) => {
                order.note("user_added", &user.id);
                Ok(*user)
            }
            Registered::UsernameTaken => Err(AuthError::UsernameTaken),
            other => Err(AuthError::Internal(format!("an added account came to {other:?}"))),
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
        client: &ClientInfo,
        order: AdministratorOrder,
    ) -> Result<Issued, AuthError> {
        let found = self.store.read(FindUser { id: user }).await?.ok_or(AuthError::NotFound)?;
        if found.disabled.is_some() {
            return Err(AuthError::Forbidden("The user is disabled; enable the account first.".to_owned()));
        }
        let issued = self.sign_in.open(user, None, device, client).await?;
        self.metrics.sign_in("vouched");
        order.record("session_opened", &user);
        Ok(issued)
    }
}
