//! The cache of tokens whose signature was verified.
//!
//! Only the signature's result is cached; whether the token still acts for its user is decided for every check. The
//! cache belongs to one set of keys and is dropped with it.
//!
//! A direct-mapped table: each token has one slot, and a newer token replaces an older one there. So a lookup is one
//! hash, one load and one comparison, without a lock or bookkeeping, and memory is bounded by the number of slots.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::claims::VerifiedClaims;

/// The number of characters that select a slot: the end of the signature, in which no two tokens agree.
const DIGITS: usize = 32;

/// Verified tokens by their full text.
pub(super) struct SeenTokens {
    places: Box<[ArcSwapOption<VerifiedClaims>]>,
    /// A hash function with a random key, so that tokens which collide cannot be made on purpose.
    hasher: RandomState,
}

impl SeenTokens {
    /// A cache with this many slots, at least one.
    pub(super) fn of(tokens: usize) -> Self {
        let places = (0..tokens.max(1)).map(|_| ArcSwapOption::empty()).collect();
        Self { places, hasher: RandomState::new() }
    }

    /// The cached claims of exactly this text.
    pub(super) fn recall(&self, token: &str) -> Option<Arc<VerifiedClaims>> {
        let place = self.place(token)?.load();
        place.as_ref().filter(|verified| verified.is(token)).map(Arc::clone)
    }

    pub(super) fn remember(&self, token: &str, verified: &Arc<VerifiedClaims>) {
        if let Some(place) = self.place(token) {
            place.store(Some(Arc::clone(verified)));
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "the low bits of a hash are as good as any")]
    fn place(&self, token: &str) -> Option<&ArcSwapOption<VerifiedClaims>> {
        let (signed, _footer) = token.rsplit_once('.')?;
        let digits = signed.as_bytes().get(signed.len().checked_sub(DIGITS)?..)?;
        self.places.get(self.hasher.hash_one(digits) as usize % self.places.len())
    }
}

impl fmt::Debug for SeenTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seen({} places)", self.places.len())
    }
}
