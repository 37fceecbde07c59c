//! Users that administrators and other systems find, add and change.

use super::administer::Administration;
use super::administrator::{Administrator, AdministratorOrder};
use super::error::AuthError;
use super::hashing::{HashSource, Salt};
use crate::model::external_id::ExternalId;
use crate::model::ids::{UserId, reads_as_id};
use crate::model::password::{Password, PasswordHash};
use crate::model::user::User;
use crate::model::username::Username;
use crate::store::queries::users::{FindUser, FindUserByExternalId, FindUserByName};
use crate::store::steps::register::{Register, Registered};
use crate::store::steps::update_user::{UpdateUser, UserUpdated};

/// The password with which a user is added.
pub enum NewPassword<'a> {
    /// The user has none, and signs in through another system only.
    None,
    /// A password in plain text.
    Plain(&'a str),
    /// The hash that another system made of it.
    Hash(PasswordHash),
}

/// A user to add.
pub struct NewUser<'a> {
    /// The username.
    pub username: &'a str,
    /// The user's id in another system.
    pub external_id: Option<ExternalId>,
    /// The password.
    pub password: NewPassword<'a>,
}

/// What is changed of a user; `None` keeps what there is.
#[derive(Default)]
pub struct UserChange<'a> {
    /// The new username.
    pub username: Option<&'a str>,
    /// The new external id, or `Some(None)` to remove it.
    pub external_id: Option<Option<ExternalId>>,
    /// The new password hash.
    pub password: Option<PasswordHash>,
}

/// The kind of identifier by which an administrator names a user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IdentifierKind {
    Id,
    Name,
    ExternalId,
    Any,
}

impl IdentifierKind {
    /// Removes the prefix `external_id:`, and `id:` or `name:` from a text that otherwise reads as an id or, for
    /// `name:`, in any case. A username may begin with `id:`, so before another text that is no prefix.
    fn read(text: &str) -> (Self, &str) {
        if let Some(rest) = text.strip_prefix("external_id:") {
            return (Self::ExternalId, rest);
        }
        match (text.strip_prefix("id:"), text.strip_prefix("name:")) {
            (Some(rest), _) if reads_as_id(rest) => (Self::Id, rest),
            (_, Some(rest)) => (Self::Name, rest),
            _ => (Self::Any, text),
        }
    }

    fn allows(self, other: Self) -> bool {
        self == Self::Any || self == other
    }
}

impl Administration {
    /// Finds the user that an administrator names by id, username or external id.
    ///
    /// A text that fits more than one user is refused as ambiguous; the prefix `id:`, `name:` or `external_id:` selects
    /// one of them. A username may begin with `name:`: it is found by itself if no user has the name behind the prefix.
    pub async fn find_user(&self, named: &str) -> Result<User, AuthError> {
        let (kind, text) = IdentifierKind::read(named);
        let mut found: Option<User> = None;
        if let Some(id) = UserId::parse(text).filter(|_| kind.allows(IdentifierKind::Id)) {
            found = self.store.read(FindUser { id }).await?;
        }
        for other in [self.named(kind, text).await?, self.of_another_system(kind, text).await?] {
            match (&found, other) {
                (Some(one), Some(other)) if one.id != other.id => return Err(AuthError::AmbiguousUser),
                (None, Some(other)) => found = Some(other),
                (_, Some(_) | None) => {}
            }
        }
        if found.is_none() && kind == IdentifierKind::Name && !reads_as_id(text) {
            found = self.named(kind, named).await?;
        }
        found.ok_or(AuthError::NotFound)
    }

    async fn named(&self, kind: IdentifierKind, text: &str) -> Result<Option<User>, AuthError> {
        match Username::presented(text).ok().filter(|_| kind.allows(IdentifierKind::Name)) {
            Some(name) => Ok(self.store.read(FindUserByName { name: name.key().to_owned() }).await?),
            None => Ok(None),
        }
    }

    async fn of_another_system(&self, kind: IdentifierKind, text: &str) -> Result<Option<User>, AuthError> {
        match ExternalId::parse(text).ok().filter(|_| kind.allows(IdentifierKind::ExternalId)) {
            Some(external_id) => Ok(self.store.read(FindUserByExternalId { external_id }).await?),
            None => Ok(None),
        }
    }

    /// Adds a user without signing in. If the very user exists, with this name and this external id, nothing is changed.
    /// Returns the user, and whether it was added.
    pub async fn create_user(
        &self,
        new: NewUser<'_>,
        order: AdministratorOrder,
    ) -> Result<(User, bool), AuthError> {
        let NewUser { username, external_id, password } = new;
        let username =
            Username::parse(username).map_err(|error| AuthError::Field("username", error.into()))?;
        let password = match password {
            NewPassword::None => None,
            NewPassword::Hash(hash) => Some(hash),
            NewPassword::Plain(text) => {
                let chosen = Password::chosen(text, &username)
                    .map_err(|why| AuthError::WeakPassword { field: "password", why })?;
                // A repeated order costs no hash.
                if let Some(user) = self.existing(&username, external_id.as_ref()).await? {
                    return Ok((user, false));
                }
                let source = match order.by {
                    Administrator::Operator => HashSource::Operator,
                    Administrator::ServiceKey { address, .. } => HashSource::of(address),
                };
                Some(self.hashing.hash(source, &chosen, Salt(self.world.random())).await?)
            }
        };
        let (id, device, now) = (self.world.user_id(), None, self.world.now());
        match self.store.run(Register { id, username, external_id, password, device, now }).await? {
            Registered::User(user) => {
                order.note("user_added", &user.id);
                Ok((*user, true))
            }
            Registered::Exists(user) => Ok((*user, false)),
            Registered::UsernameTaken => Err(AuthError::UsernameTaken),
            Registered::ExternalIdTaken => Err(AuthError::ExternalIdTaken),
            Registered::Session(_) => Err(AuthError::Internal("an added account is signed in".to_owned())),
        }
    }

    /// The user who has both this name and this external id.
    async fn existing(
        &self,
        username: &Username,
        external_id: Option<&ExternalId>,
    ) -> Result<Option<User>, AuthError> {
        let Some(external_id) = external_id.cloned() else { return Ok(None) };
        let found = self.store.read(FindUserByExternalId { external_id }).await?;
        Ok(found.filter(|user| user.username.key() == username.key()))
    }

    /// Renames a user, sets or removes the external id, or sets the password hash. Returns the user.
    pub async fn update_user(
        &self,
        user: UserId,
        change: UserChange<'_>,
        order: AdministratorOrder,
    ) -> Result<User, AuthError> {
        let username = change.username.map(Username::parse).transpose();
        let username = username.map_err(|error| AuthError::Field("username", error.into()))?;
        let UserChange { external_id, password, .. } = change;
        let (now, former_until) = (self.world.now(), self.former_sessions.given_up_until());
        let request = UpdateUser { user, username, external_id, password, now, former_until };
        match self.store.run(request).await? {
            UserUpdated::Updated { user, changed, password_set, signed_out } => {
                if signed_out > 0 {
                    self.metrics.sign_out("password");
                }
                if changed {
                    order.record("user_changed", &user.id);
                }
                if password_set {
                    order.record("password_replaced", &user.id);
                }
                Ok(*user)
            }
            UserUpdated::NoUser => Err(AuthError::NotFound),
            UserUpdated::UsernameTaken => Err(AuthError::UsernameTaken),
            UserUpdated::ExternalIdTaken => Err(AuthError::ExternalIdTaken),
        }
    }
}
