//! The cache of tokens whose signature was verified.
//!
//! Only the signature's result is cached; whether the token still acts for its user is decided for every check. The
//! cache belongs to one set of keys and is dropped with it.
//!
//! A set-associative table: each token may lie in either slot of one pair, and a newer token replaces the one of the pair
//! that was not found last. So a lookup is one hash, one or two loads and comparisons, without a lock, and memory
//! is bounded by the number of slots. With one slot for each token, two tokens of the same slot evicted each other
//! at every check: of a few hundred tokens in use there are always such two.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;

use super::claims::VerifiedClaims;

/// The number of characters that select a pair of slots: the end of the signature, in which no two tokens agree.
const DIGITS: usize = 32;

/// Verified tokens by their full text.
pub(super) struct SeenTokens {
    pairs: Box<[Pair]>,
    /// A hash function with a random key, so that tokens which collide cannot be made on purpose.
    hasher: RandomState,
}

/// The slots that a token may lie in.
#[derive(Default)]
struct Pair {
    slots: [ArcSwapOption<VerifiedClaims>; 2],
    /// Whether the second slot is the one where a token was found last. A hint: what it says decides only which token
    /// is replaced.
    second_is_newer: AtomicBool,
}

impl SeenTokens {
    /// A cache with this many slots, rounded up to an even number, at least two.
    pub(super) fn of(tokens: usize) -> Self {
        let pairs = (0..tokens.div_ceil(2).max(1)).map(|_| Pair::default()).collect();
        Self { pairs, hasher: RandomState::new() }
    }

    /// The cached claims of exactly this text.
    pub(super) fn recall(&self, token: &str) -> Option<Arc<VerifiedClaims>> {
        let pair = self.pair(token)?;
        pair.slots.iter().enumerate().find_map(|(index, slot)| {
            let found = slot.load().as_ref().filter(|verified| verified.is(token)).map(Arc::clone)?;
            pair.note_use(index == 1);
            Some(found)
        })
    }

    /// Caches the claims of a verified token.
    pub(super) fn remember(&self, token: &str, verified: &Arc<VerifiedClaims>) {
        let Some(pair) = self.pair(token) else { return };
        let [first, second] = &pair.slots;
        let holds =
            |slot: &ArcSwapOption<VerifiedClaims>| slot.load().as_ref().is_some_and(|old| old.is(token));
        // Of threads that verified the same token at once, the later ones find it here already.
        if holds(first) || holds(second) {
            return;
        }
        let into_second = !pair.second_is_newer.load(Ordering::Relaxed);
        let slot = if into_second { second } else { first };
        slot.store(Some(Arc::clone(verified)));
        pair.note_use(into_second);
    }

    #[allow(clippy::cast_possible_truncation, reason = "the low bits of a hash are as good as any")]
    fn pair(&self, token: &str) -> Option<&Pair> {
        let (signed, _footer) = token.rsplit_once('.')?;
        let digits = signed.as_bytes().get(signed.len().checked_sub(DIGITS)?..)?;
        self.pairs.get(self.hasher.hash_one(digits) as usize % self.pairs.len())
    }
}

impl Pair {
    /// Notes which slot was used, without a write if that is noted already: readers then share the cache line.
    fn note_use(&self, second: bool) {
        if self.second_is_newer.load(Ordering::Relaxed) != second {
            self.second_is_newer.store(second, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for SeenTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeenTokens({} slots)", 2 * self.pairs.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::claims::AccessClaims;
    use crate::model::counters::{Era, Generation, Stamp};
    use crate::model::ids::{DeviceId, UserId};
    use crate::model::timestamp::Timestamp;

    fn token(name: char) -> String {
        format!("v4.public.{}.footer", name.to_string().repeat(64))
    }

    fn remember(cache: &SeenTokens, token: &str) {
        let now = Timestamp::from_unix(0);
        let claims = AccessClaims {
            issuer: String::new(),
            subject: UserId::from_bytes([1; 16]),
            audience: String::new(),
            issued: now,
            expires: now,
            device: DeviceId::from_bytes([2; 16]),
            stamp: Stamp { era: Era::default(), generation: Generation::new(1) },
            authenticated: now,
        };
        cache.remember(token, &Arc::new(VerifiedClaims::new(token, claims)));
    }

    #[test]
    fn two_tokens_of_one_pair_of_slots_do_not_evict_each_other() {
        let cache = SeenTokens::of(1);
        let [first, second] = ['a', 'b'].map(token);
        remember(&cache, &first);
        remember(&cache, &second);
        for _ in 0..3 {
            assert!(cache.recall(&first).is_some_and(|found| found.is(&first)));
            assert!(cache.recall(&second).is_some_and(|found| found.is(&second)));
        }
    }

    #[test]
    fn a_new_token_replaces_the_one_that_was_not_found_last() {
        let cache = SeenTokens::of(2);
        let [first, second, third, fourth] = ['a', 'b', 'c', 'd'].map(token);
        remember(&cache, &first);
        remember(&cache, &second);
        assert!(cache.recall(&first).is_some());
        remember(&cache, &third);
        assert!(cache.recall(&second).is_none(), "it was not found last");
        assert!(cache.recall(&third).is_some());
        assert!(cache.recall(&first).is_some());
        remember(&cache, &fourth);
        assert!(cache.recall(&third).is_none() && cache.recall(&first).is_some());
    }

    #[test]
    fn a_token_that_is_remembered_twice_takes_one_slot() {
        let cache = SeenTokens::of(1);
        let [first, second] = ['a', 'b'].map(token);
        for text in [&first, &second, &second] {
            remember(&cache, text);
        }
        assert!(cache.recall(&first).is_some() && cache.recall(&second).is_some());
    }

    #[test]
    fn a_token_is_found_by_its_full_text_only() {
        let cache = SeenTokens::of(1);
        let text = token('a');
        remember(&cache, &text);
        assert!(cache.recall(&text.replace("footer", "Footer")).is_none());
        assert!(cache.recall("v4.public.short.footer").is_none());
    }
}
