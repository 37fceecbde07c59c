//! Token buckets for many keys in bounded memory, by the generic cell rate algorithm (GCRA, ITU-T I.371): the state of
//! a bucket is one number, the time at which it will be full again. Taking a token moves that time forward; a full
//! bucket need not be stored.
//!
//! A token can be *taken*, or *held* until its use is decided. While all remaining tokens are held, a further caller
//! is neither admitted nor refused: it waits until a holder has settled.
//!
//! Modules: `hold` lets a caller hold a token, and others wait until its use is decided.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

mod hold;

pub(super) use hold::{Denied, Hold};

/// The size and refill rate of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The number of tokens in a full bucket.
    pub burst: u32,
    /// The time in which one token is refilled.
    pub every: Duration,
}

/// The time to wait before the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts: try again in {} s", self.seconds())]
pub struct RetryAfter(Duration);

impl RetryAfter {
    /// The wait in whole seconds, rounded up and at least 1, for the `Retry-After` header.
    pub fn seconds(self) -> u64 {
        self.0.as_secs().saturating_add(u64::from(self.0.subsec_nanos() > 0)).max(1)
    }
}

#[derive(Debug)]
pub(super) struct Buckets<K> {
    allowance: Allowance,
    most_keys: usize,
    kept: Mutex<BucketsState<K>>,
}

/// The state of all buckets that are not full: by key, and in the order in which they fill up, with the held tokens of
/// the callers in progress.
#[derive(Debug)]
struct BucketsState<K> {
    full_at: HashMap<K, Duration>,
    by_moment: BTreeSet<(Duration, K)>,
    held: HashMap<K, HeldTokens>,
}

/// The held tokens of one key, and the number of callers waiting for them.
#[derive(Debug, Default)]
struct HeldTokens {
    tokens: u32,
    waiting: u32,
    settled: Arc<Notify>,
}

impl<K: Copy + Ord + Hash> Buckets<K> {
    pub(super) fn new(allowance: Allowance, most_keys: usize) -> Self {
        let kept = BucketsState { full_at: HashMap::new(), by_moment: BTreeSet::new(), held: HashMap::new() };
        Self { allowance, most_keys, kept: Mutex::new(kept) }
    }

    /// Takes a token, or returns the time until there is one.
    pub(super) fn take(&self, key: K, now: Duration) -> Result<(), RetryAfter> {
        let mut kept = self.kept();
        let after = self.after_one_more(&mut kept, key, now)?;
        self.set(&mut kept, key, after);
        Ok(())
    }

    /// The time at which the bucket would be full again after one more token is taken, or the wait until there is one.
    fn after_one_more(
        &self,
        kept: &mut BucketsState<K>,
        key: K,
        now: Duration,
    ) -> Result<Duration, RetryAfter> {
        kept.forget_full(now);
        let empty = self.empty(now);
        // Never later than that of a bucket emptied this moment: should the clock jump back, nobody waits longer
        // for it.
        let known = kept.full_at.get(&key).map(|moment| (*moment).clamp(now, empty));
        let after = known.unwrap_or(now).saturating_add(self.allowance.every);
        if after > empty {
            if let Some(full_at) = known {
                kept.set(key, full_at);
            }
            return Err(RetryAfter(after.saturating_sub(empty)));
        }
        Ok(after)
    }

    /// The time at which a bucket emptied at `now` would be full again.
    fn empty(&self, now: Duration) -> Duration {
        now.saturating_add(self.allowance.every.saturating_mul(self.allowance.burst))
    }

    fn set(&self, kept: &mut BucketsState<K>, key: K, full_at: Duration) {
        kept.set(key, full_at);
        if kept.full_at.len() > self.most_keys {
            kept.forget_first();
        }
    }

    /// Returns one token that was taken.
    pub(super) fn give_back(&self, key: K) {
        let mut kept = self.kept();
        // If the bucket was forgotten meanwhile it is as good as full.
        if let Some(full_at) = kept.full_at.get(&key).copied() {
            kept.set(key, full_at.saturating_sub(self.allowance.every));
        }
    }

    fn kept(&self) -> MutexGuard<'_, BucketsState<K>> {
        // Nothing in here can panic half way; and a limit that stopped working would be the worse answer.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Ord + Hash> BucketsState<K> {
    fn set(&mut self, key: K, moment: Duration) {
        if let Some(before) = self.full_at.insert(key, moment) {
            self.by_moment.remove(&(before, key));
        }
        self.by_moment.insert((moment, key));
    }

    /// Forgets up to two full buckets: more than a call can add, so that full buckets are cleared without any single
    /// call paying for all.
    fn forget_full(&mut self, now: Duration) {
        for _ in 0..2 {
            if self.by_moment.first().is_some_and(|(moment, _)| *moment <= now) {
                self.forget_first();
            }
        }
    }

    /// Forgets the bucket that is full soonest: a flood of new keys pushes out its own, not the ones under attack.
    fn forget_first(&mut self) {
        if let Some((_, key)) = self.by_moment.pop_first() {
            self.full_at.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(1_000_000 + seconds)
    }

    fn buckets(burst: u32, most_keys: usize) -> Buckets<u32> {
        Buckets::new(Allowance { burst, every: MINUTE }, most_keys)
    }

    fn taken(buckets: &Buckets<u32>, key: u32, now: Duration) -> usize {
        std::iter::from_fn(|| buckets.take(key, now).ok()).take(100).count()
    }

    #[test]
    fn a_burst_then_one_token_at_a_time() {
        let buckets = buckets(5, 10);
        assert_eq!(taken(&buckets, 1, at(0)), 5);
        assert_eq!(buckets.take(1, at(59)).unwrap_err().seconds(), 1);
        assert_eq!(taken(&buckets, 1, at(60)), 1);
        assert_eq!(taken(&buckets, 1, at(60 + 150)), 2, "half a token is kept");
        assert_eq!(buckets.take(1, at(210)).unwrap_err().seconds(), 30);
        assert_eq!(taken(&buckets, 1, at(100_000)), 5, "never more than a burst");
    }

    #[test]
    fn being_refused_costs_nothing() {
        let buckets = buckets(1, 10);
        assert_eq!(taken(&buckets, 1, at(0)), 1);
        for second in 0..60 {
            assert!(buckets.take(1, at(second)).is_err());
        }
        assert!(buckets.take(1, at(60)).is_ok());
    }

    #[test]
    fn a_token_given_back_can_be_taken_again_and_never_adds_up() {
        let buckets = buckets(2, 10);
        assert_eq!(taken(&buckets, 1, at(0)), 2);
        buckets.give_back(1);
        assert_eq!(taken(&buckets, 1, at(0)), 1);
        for _ in 0..10 {
            buckets.give_back(1);
            buckets.give_back(7);
        }
        assert_eq!(taken(&buckets, 1, at(0)), 2);
        assert_eq!(taken(&buckets, 7, at(0)), 2);
    }

    #[test]
    fn memory_is_bounded_and_a_flood_of_keys_frees_nobody() {
        let buckets = buckets(3, 100);
        assert_eq!(taken(&buckets, 1, at(0)), 3);
        for key in 1_000..10_000 {
            assert!(buckets.take(key, at(1)).is_ok());
            let kept = buckets.kept();
            assert!(kept.full_at.len() <= 100 && kept.by_moment.len() == kept.full_at.len());
        }
        assert!(buckets.take(1, at(2)).is_err(), "the emptied bucket is still known");
    }

    #[test]
    fn what_is_full_again_is_forgotten() {
        let buckets = buckets(3, 1_000);
        for key in 0..100 {
            buckets.take(key, at(0)).unwrap();
        }
        for second in 60..120 {
            let _ = buckets.take(7_777, at(second));
        }
        assert_eq!(buckets.kept().full_at.len(), 1);
    }

    #[test]
    fn a_clock_that_jumps_back_makes_nobody_wait_longer_than_an_empty_bucket() {
        let buckets = buckets(2, 10);
        assert_eq!(taken(&buckets, 1, at(1_000_000)), 2);
        assert_eq!(buckets.take(1, at(0)).unwrap_err().seconds(), 60);
        assert!(buckets.take(1, at(60)).is_ok());
    }

    #[test]
    fn odd_settings_do_no_harm() {
        let never = Buckets::new(Allowance { burst: 0, every: MINUTE }, 10);
        assert!(never.take(1, at(0)).is_err());
        assert_eq!(never.kept().full_at.len(), 0);
        let free = Buckets::new(Allowance { burst: 1, every: Duration::ZERO }, 10);
        assert_eq!(taken(&free, 1, at(0)), 100);
        let for_ever = Buckets::new(Allowance { burst: u32::MAX, every: Duration::MAX }, 10);
        let _ = for_ever.take(1, at(0));
        let forgetful = Buckets::new(Allowance { burst: 1, every: MINUTE }, 0);
        assert!(forgetful.take(1, at(0)).is_ok());
    }
}
