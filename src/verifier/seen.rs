//! The tokens whose signatures were checked before.
//!
//! Only the signature's verdict is remembered; whether the token still acts for its user is decided anew each time.
//! The memory belongs to one set of keys and goes with it.
//!
//! A table with one place for each token: a newer one takes the place of an older. So a look is one hash, one
//! load and one comparison, without a lock and without bookkeeping, and memory is bounded by the number of places.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::claims::Verified;

/// So much of a token decides its place: a part of the signature, in which no two tokens are alike.
const DIGITS: usize = 32;

/// Verified tokens, found by their full text.
pub(super) struct Seen {
    places: Box<[ArcSwapOption<Verified>]>,
    /// Keyed by chance, so that nobody can make tokens that meet in one place.
    hasher: RandomState,
}

impl Seen {
    /// A memory of as many tokens; of at least one.
    pub(super) fn of(tokens: usize) -> Self {
        let places = (0..tokens.max(1)).map(|_| ArcSwapOption::empty()).collect();
        Self { places, hasher: RandomState::new() }
    }

    /// What was remembered of this very text.
    pub(super) fn recall(&self, token: &str) -> Option<Arc<Verified>> {
        let place = self.place(token)?.load();
        place.as_ref().filter(|verified| verified.is(token)).map(Arc::clone)
    }

    pub(super) fn remember(&self, token: &str, verified: &Arc<Verified>) {
        if let Some(place) = self.place(token) {
            place.store(Some(Arc::clone(verified)));
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "the low bits of a hash are as good as any")]
    fn place(&self, token: &str) -> Option<&ArcSwapOption<Verified>> {
        let (signed, _footer) = token.rsplit_once('.')?;
        let digits = signed.as_bytes().get(signed.len().checked_sub(DIGITS)?..)?;
        self.places.get(self.hasher.hash_one(digits) as usize % self.places.len())
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seen({} places)", self.places.len())
    }
}
