//! The public keys that tokens are verified with, the names they must carry, and the cache of verified tokens.

use std::collections::HashSet;
use std::sync::Arc;

use super::names::AcceptedNames;
use super::published::PublishedKeys;
use crate::model::counters::KeysVersion;
use crate::model::key::Kid;
use crate::model::names::Names;
use crate::model::timestamp::Timestamp;
use crate::token::NotAuthentic;
use crate::token::public_keys::PublicKeys;
use crate::token::seen::{SeenTokens, VerifiedClaims};

/// One version of the key set, immutable.
#[derive(Debug)]
pub(super) struct ReplicaKeys {
    /// The version of the key set; zero before the issuer published one.
    pub(super) version: KeysVersion,
    pub(super) public: PublicKeys,
    /// The names that accepted tokens may carry.
    pub(super) names: AcceptedNames,
    /// When retired keys end: no token they signed lives longer.
    ends: Vec<(Kid, Timestamp)>,
    distrusted: HashSet<Kid>,
    /// The cache of verified tokens, shared with the next set unless that lacks a key or a name of this one.
    seen: Arc<SeenTokens>,
}

/// The reason why a token was not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unverified {
    /// The token is not signed with a key of the set.
    NotAuthentic,
    /// The token is authentic and was minted at this time by the issuer's clock, but carries names that are not accepted.
    OtherNames(Timestamp),
}

/// The source of key sets, which remembers distrusted keys.
#[derive(Debug)]
pub(super) struct KeyHolder {
    remembered_tokens: usize,
    /// The names that the issuer of the keys must have.
    expected: Names,
    /// The keys that are never trusted again, even if a stale cached answer lists them as good.
    distrusted: HashSet<Kid>,
}

impl ReplicaKeys {
    /// The claims of an authentic token with accepted names, from the cache or by verifying its signature.
    pub(super) fn verify(&self, token: &str) -> Result<Arc<VerifiedClaims>, Unverified> {
        if let Some(verified) = self.seen.recall(token) {
            return Ok(verified);
        }
        let claims = self.public.authentic(token).map_err(|NotAuthentic| Unverified::NotAuthentic)?;
        if !self.names.accept(&claims) {
            return Err(Unverified::OtherNames(claims.issued));
        }
        let verified = Arc::new(VerifiedClaims::new(token, claims));
        self.seen.remember(&verified);
        Ok(verified)
    }

    /// Whether a newer key set may accept the token: it names a key that is neither in this set nor distrusted.
    pub(super) fn may_lack_the_key_of(&self, token: &str) -> bool {
        PublicKeys::named(token)
            .is_some_and(|kid| !self.public.contains(&kid) && !self.distrusted.contains(&kid))
    }
}

impl KeyHolder {
    /// A holder of the keys of the issuer with these names, whose sets cache at most this many verified tokens.
    pub(super) fn new(remembered_tokens: usize, expected: Names) -> Self {
        Self { remembered_tokens, expected, distrusted: HashSet::new() }
    }

    /// A set without keys, for which no token is authentic.
    pub(super) fn none(&self) -> ReplicaKeys {
        let names = AcceptedNames::only(&self.expected);
        self.set(KeysVersion::default(), PublicKeys::none(), names, Vec::new(), self.empty_cache())
    }

    /// The published keys without the distrusted ones; `None` if another issuer published them. A key that does not match its
    /// id is left out.
    pub(super) fn publish(
        &mut self,
        current: &ReplicaKeys,
        published: &PublishedKeys,
    ) -> Option<ReplicaKeys> {
        let names = AcceptedNames::of(&self.expected, published)?;
        let (mut public, mut ends) = (PublicKeys::none(), Vec::new());
        self.distrusted.extend(published.distrusted.iter().filter_map(|kid| Kid::parse(kid)));
        for key in &published.keys {
            let Some(kid) = Kid::parse(&key.kid) else { continue };
            match key.state.as_str() {
                "next" | "active" | "retired" if !self.distrusted.contains(&kid) => {
                    if let Some(named) = public.add(&key.public).filter(|named| *named != kid) {
                        public.remove(&named);
                    }
                    let end = key.not_after.as_deref().and_then(Timestamp::parse);
                    ends.extend(end.map(|end| (kid, end)));
                }
                "distrusted" => {
                    self.distrusted.insert(kid);
                }
                _ => {}
            }
        }
        let keeps_all = current.public.is_within(&public) && current.names.are_within(&names);
        let seen = if keeps_all { Arc::clone(&current.seen) } else { self.empty_cache() };
        Some(self.set(KeysVersion::new(published.version), public, names, ends, seen))
    }

    /// The keys of `current` without the distrusted `kid`, with an empty cache.
    pub(super) fn distrust(&mut self, current: &ReplicaKeys, kid: &Kid) -> ReplicaKeys {
        self.distrusted.insert(kid.clone());
        let mut public = current.public.clone();
        public.remove(kid);
        self.set(current.version, public, current.names.clone(), current.ends.clone(), self.empty_cache())
    }

    /// The keys of `current`, with version zero until they are published again.
    pub(super) fn unconfirmed(&self, current: &ReplicaKeys) -> ReplicaKeys {
        let (public, names, ends) = (current.public.clone(), current.names.clone(), current.ends.clone());
        self.set(KeysVersion::default(), public, names, ends, self.empty_cache())
    }

    /// The keys of `current` without those that have ended at `now`; `None` if none has.
    pub(super) fn at(&self, current: &ReplicaKeys, now: Timestamp) -> Option<ReplicaKeys> {
        let (ended, ends): (Vec<_>, Vec<_>) = current.ends.iter().cloned().partition(|(_, end)| *end <= now);
        if ended.is_empty() {
            return None;
        }
        let mut public = current.public.clone();
        for (kid, _) in ended {
            public.remove(&kid);
        }
        Some(self.set(current.version, public, current.names.clone(), ends, self.empty_cache()))
    }

    fn set(
        &self,
        version: KeysVersion,
        public: PublicKeys,
        names: AcceptedNames,
        ends: Vec<(Kid, Timestamp)>,
        seen: Arc<SeenTokens>,
    ) -> ReplicaKeys {
        ReplicaKeys { version, public, names, ends, distrusted: self.distrusted.clone(), seen }
    }

    fn empty_cache(&self) -> Arc<SeenTokens> {
        Arc::new(SeenTokens::of(self.remembered_tokens))
    }
}
