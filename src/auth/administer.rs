//! What administrators do with users and devices. Each deed is logged with the reason they give.

use super::devices::DevicePage;
use std::fmt;
use std::net::IpAddr;

use super::error::AuthError;
use super::events;
use super::hashing::{Salt, Source};
use super::issue::Issued;
use super::login::DeviceWish;
use super::logout::SignedOut;
use super::{Auth, Origin};
use crate::model::counters::Era;
use crate::model::device::Cause;
use crate::model::ids::{DeviceId, ServiceKeyId, UserId, reads_as_id};
use crate::model::password::Password;
use crate::model::user::User;
use crate::model::username::Username;
use crate::store::steps::account::{DeleteUser, DisabledSet, SetDisabled, UserDeleted};
use crate::store::steps::password::{By as PasswordBy, PasswordSet, SetPassword};
use crate::store::steps::session::OpenDevice;
use crate::store::steps::sign_out::{By, DevicesEnded, EndDevice, EndDevices};
use crate::store::{EndedPlace, ListedUser};

/// Who administers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Administrator {
    /// Whoever may open the administration socket.
    Operator,
    /// The owner of a service key.
    ServiceKey {
        /// Which.
        id: ServiceKeyId,
        /// Where the request comes from.
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

/// On whose word something is done, and why.
#[derive(Clone, Debug)]
pub struct Order {
    /// On whose.
    pub by: Administrator,
    /// Why, if that was said.
    pub reason: Option<String>,
}

impl Order {
    /// Notes in the log what was done: an administrator's deed is never silent.
    pub(super) fn record(&self, event: &'static str, on: &dyn fmt::Display) {
        tracing::warn!(event, %on, by = %self.by, reason = self.reason, request_id = events::request_id(), "done by an administrator");
    }

    /// Notes in the log what was done to the keys or for users, which is shown to whoever did it already.
    pub fn note(&self, event: &'static str, on: &dyn fmt::Display) {
        tracing::info!(event, %on, by = %self.by, request_id = events::request_id(), "done by an administrator");
    }
}

/// What an administrator names a user by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meant {
    Id,
    Name,
    Either,
}

impl Meant {
    /// Takes `id:` or `name:` off a text that reads as an id. Any other text is a name as it stands: names have colons, too.
    fn read(text: &str) -> (Self, &str) {
        let prefixed = [("id:", Self::Id), ("name:", Self::Name)];
        let taken = prefixed.iter().find_map(|(prefix, meant)| Some((*meant, text.strip_prefix(prefix)?)));
        taken.filter(|(_, rest)| reads_as_id(rest)).unwrap_or((Self::Either, text))
    }
}

impl Auth {
    /// The user an administrator means, by id or by name.
    ///
    /// No new account can be named like an id, but an older one may be named like the id of somebody else. Then neither is
    /// taken for the other: such a text is refused as ambiguous, and `id:` or `name:` in front of it says which is meant.
    pub async fn find_user(&self, id_or_name: &str) -> Result<User, AuthError> {
        let (meant, text) = Meant::read(id_or_name);
        let by_id = match UserId::parse(text).filter(|_| meant != Meant::Name) {
            Some(id) => self.store.user(id).await?,
            None => None,
        };
        let by_name = match Username::presented(text).ok().filter(|_| meant != Meant::Id) {
            Some(name) => self.store.user_named(name.key()).await?,
            None => None,
        };
        match (by_id, by_name) {
            (Some(one), Some(other)) if one.id != other.id => Err(AuthError::AmbiguousUser),
            (Some(user), _) | (None, Some(user)) => Ok(user),
            (None, None) => Err(AuthError::NotFound),
        }
    }

    /// Users in order of their names' keys, after the one with the key `after`.
    pub async fn users(&self, after: Option<&str>, limit: usize) -> Result<Vec<ListedUser>, AuthError> {
        Ok(self.store.users(after, limit).await?)
    }

    /// How many of the user's devices are live.
    pub async fn live_devices(&self, user: &User) -> Result<u64, AuthError> {
        Ok(user.live_devices(self.store.clock().await?.era))
    }

    /// The user's live devices.
    pub async fn devices_of(
        &self,
        user: UserId,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<DevicePage, AuthError> {
        self.device_page(user, after, limit).await
    }

    /// The user's ended devices that are still kept, the one that ended last first.
    pub async fn ended_devices_of(
        &self,
        user: UserId,
        after: Option<EndedPlace>,
        limit: usize,
    ) -> Result<DevicePage<EndedPlace>, AuthError> {
        let devices = self.store.ended_devices(user, after, limit).await?;
        let last = devices.last().filter(|_| devices.len() >= limit);
        let next = last.and_then(|listed| EndedPlace::of(&listed.device));
        Ok(DevicePage { devices, next })
    }

    /// Ends one device of a user. Returns 1, or 0 if it had ended before.
    pub async fn end_device_of(
        &self,
        user: UserId,
        device: DeviceId,
        order: Order,
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
        let ended = self.device_ended(self.store.end_device(request).await?)?;
        order.record("device_ended", &device);
        Ok(ended)
    }

    /// Ends every device of a user.
    pub async fn logout_all_of(&self, user: UserId, order: Order) -> Result<SignedOut, AuthError> {
        let by = By::Administrator { user, note: order.reason.clone() };
        match self.store.end_devices(EndDevices { by, now: self.world.now() }).await? {
            DevicesEnded::Ended { signed_out, user, .. } => {
                self.metrics.sign_out("administrator");
                order.record("user_signed_out", &user.id);
                Ok(SignedOut { signed_out, generation: user.generation })
            }
            DevicesEnded::NoUser => Err(AuthError::NotFound),
            DevicesEnded::Refused(refusal) => Err(self.refused(refusal)),
        }
    }

    /// Disables or enables a user.
    pub async fn set_disabled(
        &self,
        user: UserId,
        disabled: bool,
        order: Order,
    ) -> Result<(User, u64), AuthError> {
        let request = SetDisabled { user, disabled, note: order.reason.clone(), now: self.world.now() };
        match self.store.set_disabled(request).await? {
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

    /// Sets a user's password and ends every device of it.
    pub async fn replace_password(
        &self,
        user: &User,
        password: &str,
        order: Order,
    ) -> Result<u64, AuthError> {
        let password = Password::chosen(password, &user.username)
            .map_err(|why| AuthError::WeakPassword { field: "password", why })?;
        let password = self.hashing.hash(Source::Operator, &password, Salt(self.world.random())).await?;
        let request = SetPassword { by: PasswordBy::Administrator(user.id), password, now: self.world.now() };
        match self.store.set_password(request).await? {
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

    /// Deletes a user.
    pub async fn delete_user(&self, user: UserId, order: Order) -> Result<SignedOut, AuthError> {
        match self.store.delete_user(DeleteUser { user, caller: None, now: self.world.now() }).await? {
            UserDeleted::Deleted { signed_out, generation } => {
                self.metrics.sign_out("administrator");
                order.record("user_deleted", &user);
                Ok(SignedOut { signed_out, generation })
            }
            UserDeleted::NoUser => Err(AuthError::NotFound),
            other => Err(AuthError::Internal(format!("an administrator's deletion came to {other:?}"))),
        }
    }

    /// Ends every device of everyone.
    pub async fn logout_everyone(&self, order: Order) -> Result<Era, AuthError> {
        let era = self.store.end_everyone(self.world.now()).await?;
        self.metrics.sign_out("everyone");
        order.record("everyone_signed_out", &"everyone");
        Ok(era)
    }

    /// Opens a device for a user whom another system has signed in.
    pub async fn open_session(
        &self,
        user: UserId,
        device: DeviceWish,
        origin: &Origin,
        order: Order,
    ) -> Result<Issued, AuthError> {
        let found = self.store.user(user).await?.ok_or(AuthError::NotFound)?;
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
