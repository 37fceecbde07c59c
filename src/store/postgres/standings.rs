//! What checks and steps need to know of many users and devices, read by one statement.

use std::collections::HashMap;

use uuid::Uuid;

use super::connection::Rows;
use super::failure::QueryFailure;
use super::loaded::{Loaded, Need};
use super::sql;
use super::sql_query::SqlQuery;
use crate::model::ids::{DeviceId, UserId};

/// The statement that reads the counters and all of these users and devices, with when and from where each device was
/// last heard of.
pub(super) fn query(devices: &[(UserId, DeviceId)]) -> SqlQuery {
    match devices {
        [(user, device)] => SqlQuery::new(sql::COUNTERS_USER_AND_DEVICE).user(*user).device(*device),
        _ => SqlQuery::new(sql::COUNTERS_USERS_AND_DEVICES)
            .users(devices.iter().map(|(user, _)| *user))
            .devices(devices.iter().map(|(_, device)| *device)),
    }
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
    pub(super) fn of(rows: &Rows) -> Result<Self, QueryFailure> {
        let mut documents = Self::default();
        for row in rows {
            let id =
                |column| row.try_get::<_, Option<Uuid>>(column).map(|id| id.unwrap_or_default().into_bytes());
            let (what, document): (&str, String) = (row.try_get(0)?, row.try_get(2)?);
            match what {
                "counters" => documents.counters = Some(document),
                "user" => drop(documents.users.insert(UserId::from_bytes(id(1)?), document)),
                _ => {
                    let of_devices =
                        if what == "device" { &mut documents.devices } else { &mut documents.last_seen };
                    of_devices.insert((UserId::from_bytes(id(3)?), DeviceId::from_bytes(id(1)?)), document);
                }
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
