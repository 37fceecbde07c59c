//! Standings of users and devices that were read before, and what keeps them true: the log of the same database.
//!
//! Only what the log would say is cached: whatever ends a token that was live appends an entry to it. The log is followed
//! before each decision, so what is still here is as good as a read at that moment for the answer *live*, and for no other.
//! What the log does not say, as names and when a device was last seen, is at most [`KEPT`] old, and not even that after a
//! step of this node. A refresh may move the end of a device, but never to less than an hour from then, which is later
//! than any standing is kept.

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

    /// Whether a standing is cached.
    pub(super) fn contains(&self, user: UserId, device: DeviceId) -> bool {
        self.find(user, device).is_some()
    }

    /// A cached standing, with the counters of the position up to which the log was applied.
    pub(super) fn get(&self, user: UserId, device: DeviceId) -> Option<(Counters, S)> {
        Some((self.followed.as_ref()?.1, self.find(user, device)?.clone()))
    }

    fn find(&self, user: UserId, device: DeviceId) -> Option<&S> {
        let devices = self.users.as_ref()?.get(&user)?;
        let (_, cached) = devices.iter().find(|(id, _)| *id == device)?;
        (cached.sent.elapsed() < KEPT).then_some(&cached.standing)
    }

    /// Applies what a statement read of the log. Answers whether the standings that were cached are of another store, or of
    /// another time of this one: a log that is shorter than it was when the statement was sent went back.
    pub(super) fn follow(&mut self, sent: Sent, head: &LogHead) -> bool {
        match &mut self.followed {
            Some((store, counters)) if *store == head.store && head.counters.head >= sent.applied => {
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
                *followed = Some((head.store.clone(), head.counters));
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
        let is_of_this_store = self.followed.as_ref().is_some_and(|(store, _)| *store == head.store);
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
mod tests {
    use super::*;
    use crate::model::counters::{Era, KeysVersion};
    use crate::model::timestamp::Timestamp;

    const ADA: (UserId, DeviceId) = (UserId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
    const BOB: (UserId, DeviceId) = (UserId::from_bytes([3; 16]), DeviceId::from_bytes([4; 16]));

    /// The head of the log at a position, with the entries that end a device of these users.
    fn head(position: u64, ended: &[(u64, (UserId, DeviceId))]) -> LogHead {
        let entry = |(position, (user, device)): &(u64, (UserId, DeviceId))| Entry {
            position: Position::new(*position),
            at: Timestamp::from_unix(0),
            revocation: Revocation::Device { user: *user, device: *device },
        };
        let counters = Counters { head: Position::new(position), ..Counters::default() };
        LogHead { store: "a store".to_owned(), counters, entries: ended.iter().map(entry).collect() }
    }

    /// A cache at position 7 that knows both.
    fn cache() -> StandingCache<&'static str> {
        let mut cache = StandingCache::new(100);
        assert!(!follow(&mut cache, &head(7, &[])));
        for whose in [ADA, BOB] {
            cache.insert(cache.sent(), &head(7, &[]), whose, "live");
        }
        assert!(knows(&cache, ADA) && knows(&cache, BOB));
        cache
    }

    /// Follows a head that a statement of this moment has read.
    fn follow(cache: &mut StandingCache<&'static str>, head: &LogHead) -> bool {
        cache.follow(cache.sent(), head)
    }

    fn knows(cache: &StandingCache<&'static str>, (user, device): (UserId, DeviceId)) -> bool {
        assert_eq!(cache.get(user, device).is_some(), cache.contains(user, device));
        cache.contains(user, device)
    }

    #[test]
    fn an_entry_ends_what_is_cached_of_its_user() {
        let mut cache = cache();
        assert!(!follow(&mut cache, &head(8, &[(8, ADA)])));
        assert_eq!((knows(&cache, ADA), knows(&cache, BOB)), (false, true));
        assert_eq!(cache.applied(), Position::new(8));
    }

    #[test]
    fn what_was_read_before_an_entry_and_arrives_after_it_is_not_cached() {
        let mut cache = cache();
        let sent = cache.sent();
        follow(&mut cache, &head(8, &[(8, ADA)]));
        cache.insert(sent, &head(7, &[]), ADA, "live");
        cache.insert(sent, &head(7, &[]), BOB, "live");
        assert_eq!((knows(&cache, ADA), knows(&cache, BOB)), (false, true));
        cache.insert(cache.sent(), &head(8, &[]), ADA, "live");
        assert!(knows(&cache, ADA));
    }

    #[test]
    fn what_was_read_before_a_step_of_this_node_is_not_cached() {
        let mut cache = cache();
        let sent = cache.sent();
        cache.change([ADA.0]);
        cache.insert(sent, &head(7, &[]), ADA, "live");
        assert_eq!((knows(&cache, ADA), knows(&cache, BOB)), (false, true));
    }

    #[test]
    fn what_was_read_before_more_changes_than_are_remembered_is_not_cached() {
        let mut cache = cache();
        let sent = cache.sent();
        (0..=CHANGES).for_each(|_| cache.change([BOB.0]));
        cache.change([ADA.0]);
        cache.insert(sent, &head(7, &[]), (UserId::from_bytes([9; 16]), ADA.1), "live");
        assert!(!cache.contains(UserId::from_bytes([9; 16]), ADA.1));
    }

    #[test]
    fn an_answer_that_was_overtaken_takes_nothing_back() {
        let mut cache = cache();
        let overtaken = cache.sent();
        follow(&mut cache, &head(8, &[(8, ADA)]));
        assert!(!cache.follow(overtaken, &head(7, &[])));
        assert_eq!(cache.applied(), Position::new(8));
        assert_eq!((knows(&cache, ADA), knows(&cache, BOB)), (false, true));
    }

    #[test]
    fn a_log_that_went_back_empties_the_cache() {
        let mut cache = cache();
        assert!(follow(&mut cache, &head(6, &[])));
        assert!(!knows(&cache, ADA));
        assert_eq!(cache.applied(), Position::new(6));
    }

    #[test]
    fn entries_that_are_not_all_there_are_empty_the_cache() {
        for (position, entries) in [(9, &[(9, BOB)][..]), (9, &[(8, BOB)]), (8, &[])] {
            let mut cache = cache();
            follow(&mut cache, &head(position, entries));
            assert!(!knows(&cache, ADA), "{position}");
            assert_eq!(cache.applied(), Position::new(position));
        }
    }

    #[test]
    fn another_store_or_era_or_set_of_keys_empties_the_cache_also_of_what_is_still_read() {
        let counters = head(7, &[]).counters;
        let others = [
            (LogHead { store: "another".to_owned(), ..head(7, &[]) }, true),
            (LogHead { counters: Counters { era: Era::new(9), ..counters }, ..head(7, &[]) }, false),
            (LogHead { counters: Counters { keys: KeysVersion::new(9), ..counters }, ..head(7, &[]) }, false),
        ];
        for (other, is_another) in others {
            let mut cache = cache();
            let sent = cache.sent();
            assert_eq!(follow(&mut cache, &other), is_another);
            assert!(!knows(&cache, ADA));
            cache.insert(sent, &head(7, &[]), ADA, "live");
            cache.insert(sent, &other, BOB, "live");
            assert_eq!((knows(&cache, ADA), knows(&cache, BOB)), (false, false));
        }
    }

    #[test]
    fn what_is_cached_is_bounded() {
        let mut cache = StandingCache::new(100);
        follow(&mut cache, &head(7, &[]));
        let device = |number: u32| DeviceId::from_bytes(u128::from(number).to_be_bytes());
        for number in 0..1_000 {
            cache.insert(cache.sent(), &head(7, &[]), (ADA.0, device(number)), "live");
            let user = UserId::from_bytes(u128::from(number).to_le_bytes());
            cache.insert(cache.sent(), &head(7, &[]), (user, ADA.1), "live");
        }
        let users = cache.users.as_ref().unwrap();
        let held: usize = users.iter().map(|(_, devices)| devices.len()).sum();
        assert!(held <= 100, "{held}");
        assert!(StandingCache::<&str>::new(0).users.is_none());
    }
}
