//! Users that come from another system with their password hashes, and users that leave with them. Only the operator
//! may do either.

use futures_util::future::join_all;

use super::administer::Administration;
use super::administrator::AdministratorOrder;
use super::error::AuthError;
use crate::model::external_id::ExternalId;
use crate::model::password::PasswordHash;
use crate::model::timestamp::Timestamp;
use crate::model::user::{Disabled, User};
use crate::model::username::Username;
use crate::store::queries::service::ReadTotals;
use crate::store::queries::users::ListUsers;
use crate::store::steps::dry_run::DryRun;
use crate::store::steps::import_user::ImportUser;
use crate::store::steps::register::{Register, Registered};

/// The reason recorded for an account that is disabled because it was not active in the other system.
const WAS_INACTIVE: &str = "not active in the system it was imported from";

/// A user to import.
#[derive(Clone, Debug)]
pub struct ArrivingUser {
    /// The username.
    pub username: Username,
    /// The user's id in the other system.
    pub external_id: ExternalId,
    /// The password hash; `None` for a user without a password.
    pub password: Option<PasswordHash>,
    /// When the account was created there, if that is known.
    pub created: Option<Timestamp>,
    /// Whether the account is to be disabled.
    pub disabled: bool,
}

/// What became of a user to import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The user was added, or would be.
    Created,
    /// A user with this name and external id is there, and stays as it is.
    Exists,
    /// Another user has the name.
    UsernameTaken,
    /// Another user has the external id.
    ExternalIdTaken,
}

impl Arrival {
    /// The outcome as one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Exists => "exists",
            Self::UsernameTaken => "username_taken",
            Self::ExternalIdTaken => "external_id_taken",
        }
    }
}

impl Administration {
    /// Imports users at the same time, each wholly or not at all. In a `dry_run` nothing is written. The outcomes are
    /// in the order of the users.
    ///
    /// An error means that some may have been added; the import can be repeated.
    pub async fn import_users(
        &self,
        users: Vec<ArrivingUser>,
        dry_run: bool,
        order: AdministratorOrder,
    ) -> Result<Vec<Arrival>, AuthError> {
        let arrivals: Vec<_> = join_all(users.into_iter().map(|user| self.import_user(user, dry_run))).await;
        let added = arrivals.iter().filter(|arrival| matches!(arrival, Ok(Arrival::Created))).count();
        if added > 0 && !dry_run {
            order.note("users_imported", &added);
        }
        arrivals.into_iter().collect()
    }

    async fn import_user(&self, user: ArrivingUser, dry_run: bool) -> Result<Arrival, AuthError> {
        let now = self.world.now();
        let ArrivingUser { username, external_id, password, created, disabled } = user;
        let step = ImportUser {
            user: Register {
                id: self.world.user_id(),
                username,
                external_id: Some(external_id),
                password,
                device: None,
                now,
            },
            created: created.map_or(now, |created| created.min(now)),
            disabled: disabled.then(|| Disabled { at: now, note: Some(WAS_INACTIVE.to_owned()) }),
        };
        let registered =
            if dry_run { self.store.run(DryRun(step)).await } else { self.store.run(step).await };
        match registered? {
            Registered::User(_) => Ok(Arrival::Created),
            Registered::Exists(_) => Ok(Arrival::Exists),
            Registered::UsernameTaken => Ok(Arrival::UsernameTaken),
            Registered::ExternalIdTaken => Ok(Arrival::ExternalIdTaken),
            Registered::Session(_) => Err(AuthError::Internal("an imported user is signed in".to_owned())),
        }
    }

    /// The number of users.
    pub async fn user_count(&self) -> Result<u64, AuthError> {
        Ok(self.store.read(ReadTotals).await?.users)
    }

    /// Lists users with their password hashes, in order of their names' keys, after the one with the key `after`.
    pub async fn export_users(
        &self,
        after: Option<&str>,
        limit: usize,
        order: AdministratorOrder,
    ) -> Result<Vec<User>, AuthError> {
        if after.is_none() {
            order.record("users_exported", &"everyone");
        }
        let listed = self.store.read(ListUsers { after: after.map(str::to_owned), limit }).await?;
        Ok(listed.into_iter().map(|listed| listed.user).collect())
    }
}
