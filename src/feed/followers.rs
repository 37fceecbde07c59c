//! Who listens, how far each of them is, and how many there may be.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::error::FeedError;
use crate::model::counters::Position;
use crate::model::ids::{FollowerId, ServiceKeyId};
use crate::model::service_key::ServiceKey;

/// How many may listen.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Streams at once.
    pub streams: usize,
    /// Streams at once of one service key.
    pub streams_per_key: usize,
    /// How long a fence waits at most.
    pub wait: Duration,
}

/// One open stream.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) id: FollowerId,
    pub(super) key: ServiceKeyId,
    /// What the service key's owner calls it: the label of its figures.
    pub(super) name: String,
    /// The last position that it was sent.
    sent: AtomicU64,
    /// When it opened the stream or last pinged, in milliseconds of Unix time.
    heard: AtomicI64,
    progress: watch::Sender<Progress>,
}

/// How far a follower is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Up to where the log is in force there, by its own word.
    pub(super) applied: Position,
    /// Its stream has ended, or is to end.
    pub(super) ended: bool,
}

impl Follower {
    /// It is sent everything up to `position`.
    pub(super) fn sent(&self, position: Position) {
        self.sent.store(position.value(), Ordering::Release);
    }

    /// Its progress, for whoever waits for some.
    pub(super) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(super) fn applied(&self) -> Position {
        self.progress.borrow().applied
    }

    pub(super) fn heard(&self) -> i64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// It says that it has applied everything up to `applied`; more than it was sent is not believed.
    fn says(&self, applied: Position, now: i64) {
        self.heard.store(now, Ordering::Relaxed);
        let applied = applied.min(Position::new(self.sent.load(Ordering::Acquire)));
        self.progress.send_if_modified(|progress| {
            let further = applied > progress.applied;
            progress.applied = progress.applied.max(applied);
            further
        });
    }

    /// Whether it had not ended before.
    fn end(&self) -> bool {
        self.progress.send_if_modified(|progress| !std::mem::replace(&mut progress.ended, true))
    }
}

/// Everyone who listens at this node.
pub(super) struct Followers {
    limits: Limits,
    open: Mutex<BTreeMap<FollowerId, Arc<Follower>>>,
}

impl Followers {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, open: Mutex::default() }
    }

    /// How long anyone may wait for all of them.
    pub(super) fn longest_wait(&self) -> Duration {
        self.limits.wait
    }

    /// Lets a bearer of `key` listen as `id`.
    pub(super) fn enter(
        &self,
        id: FollowerId,
        key: &ServiceKey,
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

    /// Its stream has ended.
    pub(super) fn leave(&self, follower: &Follower) {
        self.open().remove(&follower.id);
        follower.end();
    }

    /// The bearer of `key` that listens as `id` says how far it is. One that does not listen here is passed over: its
    /// stream may be at another node, or about to be opened again.
    pub(super) fn says(&self, id: FollowerId, key: ServiceKeyId, applied: Position, now: i64) {
        let follower = self.open().get(&id).filter(|follower| follower.key == key).cloned();
        if let Some(follower) = follower {
            follower.says(applied, now);
        }
    }

    /// Ends every stream of a service key. Returns how many there were; one that is blocked stays for a while, and is
    /// not counted again.
    pub(super) fn end(&self, key: ServiceKeyId) -> usize {
        self.open().values().filter(|follower| follower.key == key && follower.end()).count()
    }

    /// Everyone whose stream has not ended.
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
        let key = ServiceKey {
            id: world.service_key_id(),
            name,
            scopes: Vec::new(),
            digest: [0; 32],
            created: world.now(),
        };
        let followers =
            Followers::new(Limits { streams: 2, streams_per_key: 2, wait: Duration::from_secs(1) });
        let blocked = followers.enter(world.follower_id(), &key, 0).unwrap();
        assert_eq!((followers.all().len(), followers.end(key.id)), (1, 1));
        assert_eq!((followers.all().len(), followers.end(key.id)), (0, 0));
        followers.leave(&blocked);
    }
}
