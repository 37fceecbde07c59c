//! Users, found by id, name or external id, and listed.

use super::Query;
use crate::model::external_id::ExternalId;
use crate::model::ids::UserId;
use crate::model::user::User;
use crate::store::StoreError;
use crate::store::records::Records;
use crate::store::working_set::WorkingSet;

/// Finds a user by id.
#[derive(Clone, Copy, Debug)]
pub struct FindUser {
    /// The user's id.
    pub id: UserId,
}

impl Query for FindUser {
    type Answer = Option<User>;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::User(self.id)
    }

    fn run(&self, records: &dyn Records) -> Result<Option<User>, StoreError> {
        records.user(self.id)
    }
}

/// Finds a user by the key of the username.
#[derive(Clone, Debug)]
pub struct FindUserByName {
    /// The key of the username: see [`Username::key`](crate::model::username::Username::key).
    pub name: String,
}

impl Query for FindUserByName {
    type Answer = Option<User>;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Username(self.name.clone())
    }

    fn run(&self, records: &dyn Records) -> Result<Option<User>, StoreError> {
        match records.user_named(&self.name)? {
            Some(id) => records.user(id),
            None => Ok(None),
        }
    }
}

/// Finds a user by the external id.
#[derive(Clone, Debug)]
pub struct FindUserByExternalId {
    /// The id that the user has in another system.
    pub external_id: ExternalId,
}

impl Query for FindUserByExternalId {
    type Answer = Option<User>;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Unknown
    }

    fn run(&self, records: &dyn Records) -> Result<Option<User>, StoreError> {
        match records.user_with_external_id(&self.external_id)? {
            Some(id) => records.user(id),
            None => Ok(None),
        }
    }
}

/// Lists users in order of the keys of their usernames.
#[derive(Clone, Debug)]
pub struct ListUsers {
    /// The key after which the page begins; none for the first page.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// A user as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedUser {
    /// The user.
    pub user: User,
    /// How many devices are live; one that merely ran out counts until it is swept.
    pub live_devices: u64,
}

impl Query for ListUsers {
    type Answer = Vec<ListedUser>;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Unknown
    }

    fn run(&self, records: &dyn Records) -> Result<Vec<ListedUser>, StoreError> {
        let users = records.users(self.after.as_deref(), self.limit)?;
        let era = records.counters()?.era;
        let listed = |user: User| ListedUser { live_devices: user.live_devices(era), user };
        Ok(users.into_iter().map(listed).collect())
    }
}
