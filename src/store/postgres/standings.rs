//! What checks and steps need to know of many users and devices, read by one statement.

use std::collections::HashMap;

use super::failure::QueryFailure;
use super::loaded::{Loaded, Need};
use super::row::{self, Rows};
use super::sql;
use super::sql_query::SqlQuery;
use crate::model::counters::Position;
use crate::model::external_id::ExternalId;
use crate::model::ids::{DeviceId, UserId};

/// The statement that reads the counters and all of these users and devices.
pub(super) fn query(devices: &[(UserId, DeviceId)]) -> SqlQuery {
    of(SqlQuery::prepared(&sql::STANDINGS), devices)
}

/// The statement that reads what [`query`] reads, and when and from where each device was last heard of.
pub(super) fn query_seen(devices: &[(UserId, DeviceId)]) -> SqlQuery {
    of(SqlQuery::prepared(&sql::SEEN_STANDINGS), devices)
}

/// The statement that reads what [`query_seen`] reads, and the head of the log with the entries after a position.
pub(super) fn query_with_head(after: Position, devices: &[(UserId, DeviceId)]) -> SqlQuery {
    of(SqlQuery::prepared(&sql::HEAD_AND_STANDINGS).number(after.value()), devices)
}

fn of(query: SqlQuery, devices: &[(UserId, DeviceId)]) -> SqlQuery {
    query.users(devices.iter().map(|(user, _)| *user)).devices(devices.iter().map(|(_, device)| *device))
}

/// The statement that reads who has these usernames and these external ids.
pub(super) fn query_new<'a>(users: impl IntoIterator<Item = (&'a str, Option<&'a ExternalId>)>) -> SqlQuery {
    let (names, external_ids): (Vec<_>, Vec<_>) = users.into_iter().unzip();
    let external_ids = external_ids.into_iter().flatten().map(ExternalId::as_str);
    SqlQuery::prepared(&sql::NEW_USERS).names(names).names(external_ids)
}

/// The documents that statements returned: the counters, users, devices, and when and from where each was last heard of; and who
/// has a username or an external id.
#[derive(Default)]
pub(super) struct Documents {
    counters: Option<String>,
    users: HashMap<UserId, String>,
    devices: HashMap<(UserId, DeviceId), String>,
    last_seen: HashMap<(UserId, DeviceId), String>,
    by_name: HashMap<String, (UserId, String)>,
    by_external_id: HashMap<String, (UserId, String)>,
}

impl Documents {
    /// Reads the rows of [`SEEN_STANDINGS`](sql::SEEN_STANDINGS) and [`NEW_USERS`](sql::NEW_USERS); other rows are passed over.
    pub(super) fn of(rows: &Rows) -> Result<Self, QueryFailure> {
        let mut documents = Self::default();
        for row in rows {
            let document = || Ok::<_, QueryFailure>(row::document(row, 2)?.unwrap_or_default());
            let key = || Ok::<_, QueryFailure>(row::document(row, 4)?.unwrap_or_default());
            let user = || Ok::<_, QueryFailure>((row::user(row)?, document()?));
            match row::name(row)? {
                "counters" => documents.counters = Some(document()?),
                "user" => drop(documents.users.insert(row::user(row)?, document()?)),
                "device" => drop(documents.devices.insert(row::device(row)?, document()?)),
                "seen" => drop(documents.last_seen.insert(row::device(row)?, document()?)),
                "by_name" => drop(documents.by_name.insert(key()?, user()?)),
                "by_external_id" => drop(documents.by_external_id.insert(key()?, user()?)),
                _ => {}
            }
        }
        Ok(documents)
    }

    /// The counters and the records of a user and of one device of the user, absent ones included.
    pub(super) fn loaded(&self, user: UserId, device: Option<DeviceId>) -> Loaded {
        let mut loaded = Loaded::default();
        let of_user = [(Need::Counters, self.counters.as_ref()), (Need::User(user), self.users.get(&user))];
        let of_device = device.map(|device| (Need::Device(user, device), self.devices.get(&(user, device))));
        for (need, document) in of_user.into_iter().chain(of_device) {
            loaded.found(need, document);
        }
        loaded
    }

    /// The counters, the records of a user and of one device of the user, and when and from where it was last heard of, absent
    /// ones included.
    pub(super) fn loaded_seen(&self, user: UserId, device: DeviceId) -> Loaded {
        let mut loaded = self.loaded(user, Some(device));
        loaded.found(Need::LastSeen(user, device), self.last_seen.get(&(user, device)));
        loaded
    }

    /// The counters, and who has a username and an external id, if anybody has.
    pub(super) fn loaded_new(&self, name: &str, external_id: Option<&ExternalId>) -> Loaded {
        let mut loaded = Loaded::default();
        loaded.found(Need::Counters, self.counters.as_ref());
        let by_name = (Need::Named(name.to_owned()), self.by_name.get(name));
        let by_id =
            external_id.map(|id| (Need::WithExternalId(id.clone()), self.by_external_id.get(id.as_str())));
        for (need, user) in [by_name].into_iter().chain(by_id) {
            loaded.found(need, user.map(|(_, document)| document));
            if let Some((user, document)) = user {
                loaded.found(Need::User(*user), Some(document));
            }
        }
        loaded
    }
}
