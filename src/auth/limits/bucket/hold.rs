//! Holding a token whose holder decides later whether it is taken.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::{Buckets, BucketsState, RetryAfter};

/// The reason why no token could be held.
#[derive(Debug)]
pub(in crate::auth::limits) enum Denied<'a, K: Copy + Ord + Hash> {
    /// Every token is taken; with the time until one is refilled.
    Empty(RetryAfter),
    /// Every remaining token is held by others: wait for them, then try again.
    Busy(WaitingHold<'a, K>),
}

/// A held token. Dropping it without [`Hold::release`] takes it.
#[derive(Debug)]
#[must_use = "a token that is not released is taken"]
pub(in crate::auth::limits) struct Hold<'a, K: Copy + Ord + Hash> {
    buckets: &'a Buckets<K>,
    key: K,
    now: Duration,
    released: bool,
}

/// A registration as a waiting caller of a key. To be kept until the next try is over: dropping it lets the next
/// caller try if there is a token or a refusal for it.
#[derive(Debug)]
pub(in crate::auth::limits) struct WaitingHold<'a, K: Copy + Ord + Hash> {
    buckets: &'a Buckets<K>,
    key: K,
    now: Duration,
    settled: Arc<Notify>,
}

impl<K: Copy + Ord + Hash> Buckets<K> {
    /// Holds a token.
    ///
    /// # Errors
    ///
    /// [`Denied`] if all tokens are taken, or the remaining ones are held.
    pub(in crate::auth::limits) fn hold(&self, key: K, now: Duration) -> Result<Hold<'_, K>, Denied<'_, K>> {
        let mut kept = self.kept();
        self.after_one_more(&mut kept, key, now).map_err(Denied::Empty)?;
        let room = self.has_room(&kept, key, now);
        let held = kept.held.entry(key).or_default();
        if room {
            held.tokens = held.tokens.saturating_add(1);
            return Ok(Hold { buckets: self, key, now, released: false });
        }
        held.waiting = held.waiting.saturating_add(1);
        let settled = Arc::clone(&held.settled);
        Err(Denied::Busy(WaitingHold { buckets: self, key, now, settled }))
    }

    /// Whether one more token can be held beside those taken and held.
    fn has_room(&self, kept: &BucketsState<K>, key: K, now: Duration) -> bool {
        let empty = self.empty(now);
        let taken = kept.full_at.get(&key).map_or(now, |moment| (*moment).clamp(now, empty));
        let held = kept.held.get(&key).map_or(0, |held| held.tokens);
        taken.saturating_add(self.allowance.every.saturating_mul(held.saturating_add(1))) <= empty
    }

    /// Wakes one waiting caller if its next try would be decided: by a token, or by a refusal.
    fn wake_next(&self, kept: &mut BucketsState<K>, key: K, now: Duration) {
        let has_answer = self.has_room(kept, key, now) || self.after_one_more(kept, key, now).is_err();
        let Some(held) = kept.held.get(&key) else { return };
        if held.tokens == 0 && held.waiting == 0 {
            kept.held.remove(&key);
        } else if held.waiting > 0 && has_answer {
            held.settled.notify_one();
        }
    }
}

impl<K: Copy + Ord + Hash> Hold<'_, K> {
    /// Returns the token unused.
    pub(in crate::auth::limits) fn release(mut self) {
        self.released = true;
    }
}

impl<K: Copy + Ord + Hash> Drop for Hold<'_, K> {
    fn drop(&mut self) {
        let Self { buckets, key, now, released } = *self;
        let mut kept = buckets.kept();
        if let Some(held) = kept.held.get_mut(&key) {
            held.tokens = held.tokens.saturating_sub(1);
        }
        if !released && let Ok(after) = buckets.after_one_more(&mut kept, key, now) {
            buckets.set(&mut kept, key, after);
        }
        buckets.wake_next(&mut kept, key, now);
    }
}

impl<K: Copy + Ord + Hash> WaitingHold<'_, K> {
    /// Waits until a holder has settled. Another caller may still be faster, so the next try may fail again.
    pub(in crate::auth::limits) async fn settled(&self) {
        self.settled.notified().await;
    }
}

impl<K: Copy + Ord + Hash> Drop for WaitingHold<'_, K> {
    fn drop(&mut self) {
        let mut kept = self.buckets.kept();
        if let Some(held) = kept.held.get_mut(&self.key) {
            held.waiting = held.waiting.saturating_sub(1);
        }
        self.buckets.wake_next(&mut kept, self.key, self.now);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Allowance;
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000);

    fn buckets(burst: u32) -> Buckets<u32> {
        Buckets::new(Allowance { burst, every: Duration::from_secs(60) }, 10)
    }

    fn denied(buckets: &Buckets<u32>, key: u32) -> Denied<'_, u32> {
        buckets.hold(key, NOW).map(drop).unwrap_err()
    }

    #[test]
    fn a_dropped_token_is_taken_and_a_released_one_is_not() {
        let buckets = buckets(2);
        buckets.hold(1, NOW).unwrap().release();
        drop(buckets.hold(1, NOW).unwrap());
        drop(buckets.hold(1, NOW).unwrap());
        assert!(matches!(denied(&buckets, 1), Denied::Empty(wait) if wait.seconds() == 60));
        assert!(buckets.hold(2, NOW).is_ok(), "another key");
    }

    #[test]
    fn held_tokens_are_neither_given_twice_nor_a_refusal() {
        let buckets = buckets(2);
        drop(buckets.hold(1, NOW).unwrap());
        let held = buckets.hold(1, NOW).unwrap();
        assert!(matches!(denied(&buckets, 1), Denied::Busy(_)));
        held.release();
        assert!(buckets.hold(1, NOW).is_ok());
    }

    #[test]
    fn nothing_is_kept_of_a_key_once_all_have_settled() {
        let buckets = buckets(1);
        let held = buckets.hold(1, NOW).unwrap();
        let waiting = denied(&buckets, 1);
        held.release();
        drop(waiting);
        assert!(buckets.kept().held.is_empty());
        assert!(buckets.kept().full_at.is_empty());
    }

    #[tokio::test]
    async fn whoever_gives_up_lets_the_next_one_try() {
        let buckets = buckets(1);
        let held = buckets.hold(1, NOW).unwrap();
        let Denied::Busy(first) = denied(&buckets, 1) else { panic!("not busy") };
        let Denied::Busy(second) = denied(&buckets, 1) else { panic!("not busy") };
        held.release();
        first.settled().await;
        drop(first);
        second.settled().await;
        assert!(buckets.hold(1, NOW).is_ok());
    }
}
