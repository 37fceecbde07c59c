//! A cache of verified signatures.
//!
//! A signature stays good as long as its key is trusted, so it is verified once. Only the signature's result is
//! cached: whether the token still acts for its user is decided for every request. A cache belongs to one set of keys
//! and is dropped with it.

use std::fmt;
use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::model::claims::AccessClaims;

/// The most verified tokens in the cache: about 1 KiB each.
const CAPACITY: usize = 16_384;

/// Verified tokens by their full text.
pub(super) struct VerifiedTokens(Cache<Box<str>, Arc<AccessClaims>>);

impl VerifiedTokens {
    pub(super) fn empty() -> Self {
        Self(Cache::new(CAPACITY))
    }

    pub(super) fn recall(&self, token: &str) -> Option<Arc<AccessClaims>> {
        self.0.get(token)
    }

    pub(super) fn remember(&self, token: &str, claims: &Arc<AccessClaims>) {
        self.0.insert(token.into(), Arc::clone(claims));
    }
}

impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifiedTokens({} tokens)", self.0.len())
    }
}
