//! The cache of tokens whose signature was verified, for the service and for verifiers.
//!
//! A signature stays good as long as its key is trusted, so it is verified once. Only the signature's result is cached;
//! whether the token still acts for its user is decided for every check. A cache belongs to one set of keys and is dropped
//! with it.
//!
//! A set-associative table: a token may lie in any slot of one set, and a new token replaces one of its set that was not
//! found lately. So a lookup is one hash, one look at the marks of the set and one comparison of the text, without a lock,
//! and memory is bounded by the number of slots. With one slot for each token, two tokens of the same slot evicted each
//! other at every check: of a few hundred tokens in use there are always such two. With eight slots in a set, most tokens
//! keep their slot even if half of all slots are in use.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arc_swap::ArcSwapOption;

use crate::model::claims::AccessClaims;

/// The number of characters that select a set of slots: the end of the signature, in which no two tokens agree.
const DIGITS: usize = 32;

/// The most slots of a set: one for each bit of [`Slots::used`].
const WAYS: usize = 8;

/// A token whose signature was good, with its claims, to which it dereferences.
pub struct VerifiedClaims {
    token: Box<str>,
    claims: AccessClaims,
}

/// Verified tokens by their full text.
pub struct SeenTokens {
    sets: Box<[Slots]>,
    /// The number of slots used in every set; fewer than [`WAYS`] only in a table that is smaller than one full set.
    ways: usize,
    /// A hash function with a random key, so that tokens which collide cannot be made on purpose.
    hasher: RandomState,
}

/// The slots that a token may lie in.
#[derive(Default)]
struct Slots {
    /// A part of the hash of the token in each slot. A hint that spares loading other tokens: the text decides.
    marks: [AtomicU8; WAYS],
    /// The slots in which a token was found lately, one bit each. A hint: it decides only which token is replaced.
    used: AtomicU8,
    tokens: [ArcSwapOption<VerifiedClaims>; WAYS],
}

impl VerifiedClaims {
    /// Keeps the claims of `token`, whose signature was verified.
    pub fn new(token: &str, claims: AccessClaims) -> Self {
        Self { token: token.into(), claims }
    }

    /// Whether these are the claims of exactly this text.
    pub fn is(&self, token: &str) -> bool {
        *self.token == *token
    }
}

impl Deref for VerifiedClaims {
    type Target = AccessClaims;

    fn deref(&self) -> &AccessClaims {
        &self.claims
    }
}

impl fmt::Debug for VerifiedClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the token itself.
        self.claims.fmt(f)
    }
}

impl SeenTokens {
    /// A cache with at least this many slots and at least two, and at most seven more.
    pub fn of(tokens: usize) -> Self {
        let ways = tokens.clamp(2, WAYS);
        let sets = (0..tokens.div_ceil(ways).max(1)).map(|_| Slots::default()).collect();
        Self { sets, ways, hasher: RandomState::new() }
    }

    /// The cached claims of exactly this text.
    pub fn recall(&self, token: &str) -> Option<Arc<VerifiedClaims>> {
        let (slots, mark) = self.slots(token)?;
        let (index, found) = slots.find(token, mark)?;
        slots.note_use(index, self.ways);
        Some(found)
    }

    /// Caches the claims of a verified token.
    pub fn remember(&self, verified: &Arc<VerifiedClaims>) {
        let Some((slots, mark)) = self.slots(&verified.token) else { return };
        // Of threads that verified the same token at once, the later ones find it here already.
        if slots.find(&verified.token, mark).is_none() {
            slots.replace(verified, mark, self.ways);
        }
    }

    /// The slots that a token may lie in, and its mark; `None` if the text is not long enough for a token.
    #[allow(clippy::cast_possible_truncation, reason = "any bits of a hash are as good as others")]
    fn slots(&self, token: &str) -> Option<(&Slots, u8)> {
        let (signed, _footer) = token.rsplit_once('.')?;
        let digits = signed.as_bytes().get(signed.len().checked_sub(DIGITS)?..)?;
        let hash = self.hasher.hash_one(digits);
        // The low bits select the set, the high ones are the mark.
        Some((self.sets.get(hash as usize % self.sets.len())?, (hash >> 56) as u8))
    }
}

impl Slots {
    /// The claims of exactly this text and the number of their slot.
    fn find(&self, token: &str, mark: u8) -> Option<(usize, Arc<VerifiedClaims>)> {
        let marked = self.marks.iter().map(|own| own.load(Ordering::Relaxed) == mark);
        (0..).zip(&self.tokens).zip(marked).filter(|(_, marked)| *marked).find_map(|((index, slot), _)| {
            let held = slot.load();
            let found = held.as_ref().filter(|verified| verified.is(token))?;
            Some((index, Arc::clone(found)))
        })
    }

    /// Puts a token into the first of `ways` slots in which none was found lately.
    fn replace(&self, verified: &Arc<VerifiedClaims>, mark: u8, ways: usize) {
        let free = self.used.load(Ordering::Relaxed).trailing_ones() as usize;
        let index = if free < ways { free } else { 0 };
        if let (Some(slot), Some(own)) = (self.tokens.get(index), self.marks.get(index)) {
            // A thread that reads between the two does not find the token, or compares it with another text.
            slot.store(Some(Arc::clone(verified)));
            own.store(mark, Ordering::Relaxed);
        }
        self.note_use(index, ways);
    }

    /// Notes that a slot was used, without a write if that is noted already: readers then share the cache line. Once all
    /// `ways` slots are noted, only the last one stays noted.
    fn note_use(&self, index: usize, ways: usize) {
        let (bit, all) = (1 << index, u8::MAX >> (WAYS - ways));
        let used = self.used.load(Ordering::Relaxed);
        if used & bit == 0 {
            let now = if used | bit == all { bit } else { used | bit };
            self.used.store(now, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for SeenTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeenTokens({} slots)", self.ways * self.sets.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        cache.remember(&Arc::new(VerifiedClaims::new(token, claims)));
    }

    #[test]
    fn two_tokens_of_one_set_of_slots_do_not_evict_each_other() {
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
    fn a_full_set_holds_eight_tokens_and_replaces_one_that_was_not_found_lately() {
        let cache = SeenTokens::of(8);
        let tokens: Vec<String> = ('a'..='h').map(token).collect();
        for text in &tokens {
            remember(&cache, text);
        }
        for text in &tokens {
            assert!(cache.recall(text).is_some_and(|found| found.is(text)));
        }
        // All were found, so that only the last one counts as found lately; now the first is too.
        assert!(cache.recall(&tokens[0]).is_some());
        remember(&cache, &token('i'));
        let kept: Vec<bool> = tokens.iter().map(|text| cache.recall(text).is_some()).collect();
        assert_eq!(kept, [true, false, true, true, true, true, true, true]);
        assert!(cache.recall(&token('i')).is_some());
    }

    #[test]
    fn half_of_the_slots_full_of_tokens_keep_nearly_all_of_them() {
        let cache = SeenTokens::of(16_384);
        let tokens: Vec<String> = (0..8_192).map(|n| format!("v4.public.{n:064}.footer")).collect();
        for _ in 0..4 {
            tokens.iter().filter(|text| cache.recall(text).is_none()).for_each(|text| remember(&cache, text));
        }
        let kept = tokens.iter().filter(|text| cache.recall(text).is_some()).count();
        assert!(kept > 8_000, "{kept}");
    }

    #[test]
    fn a_cache_has_as_many_slots_as_asked_for_and_few_more() {
        for (asked, has) in
            [(0, 2), (1, 2), (2, 2), (7, 7), (8, 8), (9, 16), (1_000, 1_000), (16_384, 16_384)]
        {
            assert_eq!(format!("{:?}", SeenTokens::of(asked)), format!("SeenTokens({has} slots)"), "{asked}");
        }
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
