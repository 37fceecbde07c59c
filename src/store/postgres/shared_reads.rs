//! Reads for checks, shared: one statement reads what all checks that wait need to know.
//!
//! The statement is sent after the last of its checks arrived, so each of them sees every step that was acknowledged
//! before the check began, as with a statement of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::failure::QueryFailure;
use super::group_queue::{GroupLimits, GroupObserver, GroupQueue, Grouped};
use super::loaded::Loaded;
use super::pool::Pool;
use super::standings::{self, Documents};
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
    let rows = standings::query(pairs).run(connection.begin()).await?;
    connection.done();
    Documents::of(&rows)
}
