//! Reads for checks, shared: one statement reads what all checks that wait need to know.
//!
//! The statement is sent after the last of its checks arrived, so each of them sees every step that was acknowledged
//! before the check began, as with a statement of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use super::connection::Rows;
use super::failure::QueryFailure;
use super::group_queue::{GroupLimits, GroupObserver, GroupQueue, Grouped};
use super::load;
use super::loaded::{Loaded, Need};
use super::pool::Pool;
use crate::model::ids::{DeviceId, UserId};
use crate::store::StoreError;

/// One statement is under way at a time, which makes the groups large. The next one does not wait longer than `patience`
/// for a slow one.
const LIMITS: GroupLimits = GroupLimits { most: 256, under_way: 1, patience: Duration::from_millis(5) };

/// A user and a device of the user that a check waits to be read.
struct WaitingCheck {
    user: UserId,
    device: DeviceId,
    answer: oneshot::Sender<Result<Loaded, QueryFailure>>,
}

/// The queue of reads for checks.
pub(super) struct SharedReads(GroupQueue<WaitingCheck>);

impl SharedReads {
    /// A queue that reads over connections of `pool`, each statement within `budget`.
    pub(super) fn start(pool: Arc<Pool>, budget: Duration, observer: GroupObserver) -> Self {
        let handle = move |group: Vec<WaitingCheck>| {
            observer(Grouped { what: "read", requests: group.len() });
            let pool = Arc::clone(&pool);
            async move {
                let pairs: Vec<_> = group.iter().map(|waiting| (waiting.user, waiting.device)).collect();
                let late = || Err(QueryFailure::Lost("the database does not answer".to_owned()));
                let read = timeout(budget, read(&pool, &pairs)).await.unwrap_or_else(|_| late());
                for waiting in group {
                    let loaded = match &read {
                        Ok(documents) => Ok(documents.loaded(waiting.user, Some(waiting.device))),
                        Err(failure) => Err(failure.clone()),
                    };
                    // Whoever asked may have gone.
                    let _gone = waiting.answer.send(loaded);
                }
            }
        };
        Self(GroupQueue::start(LIMITS, |_| None::<()>, handle))
    }

    /// Reads the counters, a user and a device, together with whatever other reads wait.
    pub(super) async fn read(&self, user: UserId, device: DeviceId) -> Result<Loaded, QueryFailure> {
        let (answer, answered) = oneshot::channel();
        self.0.add(WaitingCheck { user, device, answer });
        let aborted = || QueryFailure::Final(StoreError::Unavailable("a read was aborted".to_owned()));
        answered.await.unwrap_or_else(|_| Err(aborted()))
    }
}

async fn read(pool: &Pool, pairs: &[(UserId, DeviceId)]) -> Result<Documents, QueryFailure> {
    let connection = pool.connection().await?;
    let rows = load::standings(pairs).run(connection.begin()).await?;
    connection.done();
    Documents::of(&rows)
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
