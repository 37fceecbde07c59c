//! What checks and steps need to know of many users and devices, read by one statement.

use std::collections::HashMap;

use tokio_postgres::SimpleQueryRow;
use uuid::Uuid;

use super::failure::QueryFailure;
use super::loaded::{Loaded, Need};
use super::sql;
use super::sql_query::SqlQuery;
use crate::model::ids::{DeviceId, UserId};
use crate::store::StoreError;

/// The statement that reads the counters and all of these users and devices, with when and from where each device was
/// last heard of.
pub(super) fn query(devices: &[(UserId, DeviceId)]) -> SqlQuery {
    SqlQuery::new(sql::STANDINGS.text)
        .users(devices.iter().map(|(user, _)| *user))
        .devices(devices.iter().map(|(_, device)| *device))
}

/// The documents that one statement returned: the counters, users, devices, and when and from where each was last heard of.
#[derive(Default)]
pub(super) struct Documents {
    counters: Option<String>,
    users: HashMap<UserId, String>,
    devices: HashMap<(UserId, DeviceId), String>,
    last_seen: HashMap<(UserId, DeviceId), String>,
}

impl Documents {
    /// Reads the rows of [`STANDINGS`](sql::STANDINGS); other rows are passed over.
    pub(super) fn of(rows: &[SimpleQueryRow]) -> Result<Self, QueryFailure> {
        let mut documents = Self::default();
        for row in rows {
            let document = || Ok::<_, QueryFailure>(row.try_get(2)?.unwrap_or_default().to_owned());
            match row.try_get(0)? {
                Some("counters") => documents.counters = Some(document()?),
                Some("user") => drop(documents.users.insert(UserId::from_bytes(id(row, 1)?), document()?)),
                Some("device") => drop(documents.devices.insert(device(row)?, document()?)),
                Some("seen") => drop(documents.last_seen.insert(device(row)?, document()?)),
                _ => {}
            }
        }
        Ok(documents)
    }

    /// The counters and the records of a user and of one device of the user, absent ones included.
    pub(super) fn loaded(&self, user: UserId, device: Option<DeviceId>) -> Loaded {
        let mut loaded = Loaded::default();
        let of_user = [(Need::Counters, self.counters.as_ref()), (Need::User(user), self.users.get(&user))];
        let of_device = device.map(|device| {
            let key = (user, device);
            [
                (Need::Device(user, device), self.devices.get(&key)),
                (Need::LastSeen(user, device), self.last_seen.get(&key)),
            ]
        });
        for (need, document) in of_user.into_iter().chain(of_device.into_iter().flatten()) {
            match document {
                Some(document) => loaded.add(need, document.clone()),
                None => loaded.looked_for(need),
            }
        }
        loaded
    }
}

/// The user and the device that a row is about.
fn device(row: &SimpleQueryRow) -> Result<(UserId, DeviceId), QueryFailure> {
    Ok((UserId::from_bytes(id(row, 3)?), DeviceId::from_bytes(id(row, 1)?)))
}

fn id(row: &SimpleQueryRow, column: usize) -> Result<[u8; 16], QueryFailure> {
    let id = row.try_get(column)?.and_then(|text| Uuid::try_parse(text).ok());
    let unreadable = || StoreError::Corrupt("an id cannot be read".to_owned());
    Ok(id.ok_or_else(unreadable)?.into_bytes())
}
