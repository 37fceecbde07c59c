//! The registry of followers: open streams, their progress, and their limits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::error::FeedError;
use crate::model::counters::Position;
use crate::model::ids::{FollowerId, ServiceKeyId};
use crate::model::service_key::ServiceKeyRecord;

/// The limits of the feed.
#[derive(Clone, Copy, Debug)]
pub struct FollowerLimits {
    /// The most streams open at once.
    pub streams: usize,
    /// The most streams of one service key open at once.
    pub streams_per_key: usize,
    /// The longest time a fence waits.
    pub wait: Duration,
}

/// A follower with an open stream.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) id: FollowerId,
    pub(super) key: ServiceKeyId,
    /// The name of the service key, the label of its metrics.
    pub(super) name: String,
    /// The last position sent to the follower.
    sent: AtomicU64,
    /// When the follower opened the stream or last pinged, in milliseconds of
    /// [`World::uptime`](crate::world::World::uptime).
    heard: AtomicI64,
    progress: watch::Sender<FollowerProgress>,
}

/// The progress of a follower.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FollowerProgress {
    /// The position up to which the log is in force at the follower, as it reported.
    pub(super) applied: Position,
    /// Whether the stream has ended, or is to end.
    pub(super) ended: bool,
}

impl Follower {
    /// Notes that everything up to `position` is sent to the follower.
    pub(super) fn sent(&self, position: Position) {
        self.sent.store(position.value(), Ordering::Release);
    }

    /// Subscribes to the follower's progress.
    pub(super) fn progress(&self) -> watch::Receiver<FollowerProgress> {
        self.progress.subscribe()
    }

    pub(super) fn applied(&self) -> Position {
        self.progress.borrow().applied
    }

    pub(super) fn heard(&self) -> i64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// Notes the follower's report that it has applied everything up to `applied`, capped at the last position it was
    /// sent.
    fn says(&self, applied: Position, now: i64) {
        self.heard.store(now, Ordering::Relaxed);
        let applied = applied.min(Position::new(self.sent.load(Ordering::Acquire)));
        self.progress.send_if_modified(|progress| {
            let further = applied > progress.applied;
            progress.applied = progress.applied.max(applied);
            further
        });
    }

    /// Marks the stream as ended; returns whether it was not before.
    fn end(&self) -> bool {
        self.progress.send_if_modified(|progress| !std::mem::replace(&mut progress.ended, true))
    }
}

/// The followers with an open stream at this node.
pub(super) struct Followers {
    limits: FollowerLimits,
    open: Mutex<BTreeMap<FollowerId, Arc<Follower>>>,
}

impl Followers {
    pub(super) fn new(limits: FollowerLimits) -> Self {
        Self { limits, open: Mutex::default() }
    }

    /// The longest time a fence may wait for the followers.
    pub(super) fn longest_wait(&self) -> Duration {
        self.limits.wait
    }

    /// Registers a follower with the service key `key` as `id`. Fails if a limit on open streams is reached.
    pub(super) fn enter(
        &self,
        id: FollowerId,
        key: &ServiceKeyRecord,
        now: i64,
    ) -> Result<Arc<Follower>, FeedError> {
        let mut open = self.open();
        if open.len() >= self.limits.streams {
            return Err(FeedError::TooMany);
        }
        if open.values().filter(|other| other.key == key.id).count() >= self.limits.streams_per_key {
            return Err(FeedError::TooManyOfKey(self.limits.streams_per_key));
        }
        let follower = Arc::new(Follower {
            id,
            key: key.id,
            name: key.name.clone(),
            sent: AtomicU64::default(),
            heard: AtomicI64::new(now),
            progress: watch::Sender::default(),
        });
        open.insert(id, Arc::clone(&follower));
        Ok(follower)
    }

    /// Removes a follower whose stream has ended.
    pub(super) fn leave(&self, follower: &Follower) {
        self.open().remove(&follower.id);
        follower.end();
    }

    /// Notes the progress that follower `id` with the service key `key` reports. An unknown follower is ignored: its
    /// stream may be at another node, or about to be opened again.
    pub(super) fn says(&self, id: FollowerId, key: ServiceKeyId, applied: Position, now: i64) {
        let follower = self.open().get(&id).filter(|follower| follower.key == key).cloned();
        if let Some(follower) = follower {
            follower.says(applied, now);
        }
    }

    /// Ends every stream of a service key. Returns how many were open; a blocked stream stays for a while and is not
    /// counted again.
    pub(super) fn end(&self, key: ServiceKeyId) -> usize {
        self.open().values().filter(|follower| follower.key == key && follower.end()).count()
    }

    /// All followers whose stream has not ended.
    pub(super) fn all(&self) -> Vec<Arc<Follower>> {
        self.open().values().filter(|follower| !follower.progress.borrow().ended).cloned().collect()
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<FollowerId, Arc<Follower>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::timestamp::Timestamp;
    use crate::world::World;

    #[test]
    fn a_stream_that_is_blocked_ends_once_and_nobody_waits_for_it() {
        let (world, _) = World::manual(Timestamp::from_unix(0), 1);
        let name = "shop".to_owned();
        let key = ServiceKeyRecord {
            id: world.service_key_id(),
            name,
            scopes: Vec::new(),
            digest: [0; 32],
            created: world.now(),
        };
        let followers =
            Followers::new(FollowerLimits { streams: 2, streams_per_key: 2, wait: Duration::from_secs(1) });
        let blocked = followers.enter(world.follower_id(), &key, 0).unwrap();
        assert_eq!((followers.all().len(), followers.end(key.id)), (1, 1));
        assert_eq!((followers.all().len(), followers.end(key.id)), (0, 0));
        followers.leave(&blocked);
    }
}
