//! Standings of users and devices that were read before, and what keeps them true: the log of the same database.
//!
//! Only what the log would say is cached: whatever ends a token that was live appends an entry to it. The log is followed
//! before each decision, so what is still here is as good as a read at that moment for the answer *live*, and for no other.
//! What the log does not say, as names and when a device was last seen, is at most [`KEPT`] old, and not even that after a
//! step of this node. A refresh may move the end of a device, but not to before both its absolute end, which was known, and
//! an hour from then, which is later than any standing is kept.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quick_cache::Weighter;
use quick_cache::unsync::Cache;

use super::head::LogHead;
use crate::model::counters::Position;
use crate::model::ids::{DeviceId, UserId};
use crate::model::revocation::{Entry, Revocation};
use crate::store::{Counters, SeenStanding};

/// The longest time that a standing is kept after the statement that read it was sent.
const KEPT: Duration = Duration::from_secs(10);

/// The most devices of one user. A further one takes the place of the one that was read first.
const DEVICES: usize = 64;

/// How many changes are remembered, for statements that were sent before them.
const CHANGES: usize = 4096;

/// The cached standings of a node. It does not look into a standing `S`.
pub(super) struct StandingCache<S = SeenStanding> {
    users: Option<Cache<UserId, Devices<S>, DeviceCount>>,
    /// The store that the standings are of, and the counters of the position up to which its log was applied.
    followed: Option<(String, Counters)>,
    /// The users of the latest changes.
    changed: VecDeque<UserId>,
    /// How many changes there were.
    changes: u64,
}

/// The cached standings, shared by the checks that use them and the steps that change them.
pub(super) struct SharedCache {
    standings: Mutex<StandingCache>,
    is_on: bool,
}

impl SharedCache {
    /// An empty cache of so many devices. With zero nothing is ever cached.
    pub(super) fn new(devices: usize) -> Self {
        Self { standings: Mutex::new(StandingCache::new(devices)), is_on: devices > 0 }
    }

    /// Whether anything is cached at all.
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, StandingCache> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Devices<S> = Vec<(DeviceId, Cached<S>)>;

struct Cached<S> {
    standing: S,
    /// When the statement that read it was sent.
    sent: Instant,
}

#[derive(Clone)]
struct DeviceCount;

impl<S> Weighter<UserId, Devices<S>> for DeviceCount {
    fn weight(&self, _: &UserId, devices: &Devices<S>) -> u64 {
        devices.len() as u64
    }
}

/// The number of changes when a statement was sent: what it read may lack those that came later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    changes: u64,
    applied: Position,
    at: Instant,
}

impl<S: Clone> StandingCache<S> {
    fn new(devices: usize) -> Self {
        let capacity = devices as u64;
        let users = (devices > 0).then(|| Cache::with_weighter(devices, capacity, DeviceCount));
        Self { users, followed: None, changed: VecDeque::new(), changes: 0 }
    }

    /// The position up to which the log was applied: the entries after it are to be read.
    pub(super) fn applied(&self) -> Position {
        self.followed.as_ref().map(|(_, counters)| counters.head).unwrap_or_default()
    }

    /// Notes that a statement is sent now.
    pub(super) fn sent(&self) -> Sent {
        Sent { changes: self.changes, applied: self.applied(), at: Instant::now() }
    }

    /// Whether a standing is cached at this moment.
    pub(super) fn contains(&self, user: UserId, device: DeviceId, now: Instant) -> bool {
        self.find(user, device, now).is_some()
    }

    /// A standing that is cached at this moment, with the counters of the position up to which the log was applied.
    pub(super) fn get(&self, user: UserId, device: DeviceId, now: Instant) -> Option<(Counters, S)> {
        Some((self.followed.as_ref()?.1, self.find(user, device, now)?.clone()))
    }

    fn find(&self, user: UserId, device: DeviceId, now: Instant) -> Option<&S> {
        let devices = self.users.as_ref()?.get(&user)?;
        let (_, cached) = devices.iter().find(|(id, _)| *id == device)?;
        (now.duration_since(cached.sent) < KEPT).then_some(&cached.standing)
    }

    /// Applies what a statement read of the log. Answers whether the standings that were cached are of another store, or of
    /// another time of this one: a log that is shorter than it was when the statement was sent went back.
    pub(super) fn follow(&mut self, sent: Sent, head: &LogHead) -> bool {
        match &mut self.followed {
            Some((store, counters))
                if *store == head.database.store && head.counters.head >= sent.applied =>
            {
                let applied = counters.head;
                // Answers may come in another order than their statements were sent. What was applied since is newer.
                if head.counters.head < applied {
                    return false;
                }
                let is_same = counters.era == head.counters.era && counters.keys == head.counters.keys;
                *counters = head.counters;
                if is_same && head.continues(applied) {
                    head.entries
                        .iter()
                        .filter(|entry| entry.position > applied)
                        .for_each(|entry| self.apply(entry));
                } else {
                    self.clear();
                }
                false
            }
            followed => {
                let is_another = followed.is_some();
                *followed = Some((head.database.store.clone(), head.counters));
                self.clear();
                is_another
            }
        }
    }

    fn apply(&mut self, entry: &Entry) {
        match entry.revocation {
            Revocation::Device { user, .. } | Revocation::Generation { user, .. } => self.forget(user),
            Revocation::Era(_) | Revocation::Keys { .. } => self.clear(),
        }
    }

    /// Caches a standing that a statement read together with `head`, unless something has changed since it was sent.
    pub(super) fn insert(
        &mut self,
        sent: Sent,
        head: &LogHead,
        (user, device): (UserId, DeviceId),
        standing: S,
    ) {
        let is_of_this_store = self.followed.as_ref().is_some_and(|(store, _)| *store == head.database.store);
        if !is_of_this_store || self.has_changed_since(sent, user) {
            return;
        }
        let Some(users) = &mut self.users else { return };
        let mut devices = users.remove(&user).map(|(_, devices)| devices).unwrap_or_default();
        devices.retain(|(id, cached)| *id != device && cached.sent.elapsed() < KEPT);
        if devices.len() >= DEVICES {
            devices.remove(0);
        }
        devices.push((device, Cached { standing, sent: sent.at }));
        users.insert(user, devices);
    }

    fn has_changed_since(&self, sent: Sent, user: UserId) -> bool {
        let missed = self.changes.saturating_sub(sent.changes);
        usize::try_from(missed)
            .ok()
            .filter(|missed| *missed <= self.changed.len())
            .is_none_or(|missed| self.changed.iter().rev().take(missed).any(|changed| *changed == user))
    }

    /// Forgets the standings of users about whom something has changed.
    pub(super) fn change(&mut self, users: impl IntoIterator<Item = UserId>) {
        users.into_iter().for_each(|user| self.forget(user));
    }

    fn forget(&mut self, user: UserId) {
        if let Some(users) = &mut self.users {
            users.remove(&user);
        }
        self.changes += 1;
        if self.changed.len() == CHANGES {
            self.changed.pop_front();
        }
        self.changed.push_back(user);
    }

    /// Forgets everything, also what statements that were sent before will answer.
    fn clear(&mut self) {
        if let Some(users) = &mut self.users {
            users.clear();
        }
        self.changes += 1;
        self.changed.clear();
    }
}

#[cfg(test)]
mod tests;
