//! The keys tokens are verified with, and the memory of what they vouched for.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;

use super::claims::Verified;
use super::seen::Seen;
use crate::model::counters::KeysVersion;
use crate::model::key::Kid;
use crate::token::public_keys::PublicKeys;

/// One version of the key set. It never changes: another version is another set.
#[derive(Debug)]
pub(super) struct Keys {
    /// Which version; zero before the issuer published one.
    pub(super) version: KeysVersion,
    pub(super) public: PublicKeys,
    /// Shared with the next set unless that lacks a key of this one.
    seen: Arc<Seen>,
}

/// What `/.well-known/paserk` says. Other fields are for other readers.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PublishedKeys {
    pub(super) issuer: String,
    pub(super) version: u64,
    pub(super) keys: Vec<PublishedKey>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct PublishedKey {
    pub(super) kid: String,
    pub(super) state: String,
    pub(super) public: String,
}

/// The keys as they come and go.
#[derive(Debug)]
pub(super) struct KeyHolder {
    places: usize,
    /// Never trusted again, however stale an answer some cache gives.
    distrusted: HashSet<Kid>,
}

impl Keys {
    /// The claims of an authentic token.
    pub(super) fn verify(&self, token: &str, issuer: &str, audience: &str) -> Option<Arc<Verified>> {
        if let Some(verified) = self.seen.recall(token) {
            return Some(verified);
        }
        let claims = self.public.access(token, issuer, audience).ok()?;
        let verified = Arc::new(Verified::new(token, claims));
        self.seen.remember(token, &verified);
        Some(verified)
    }
}

impl KeyHolder {
    /// Room for as many verified tokens.
    pub(super) fn new(places: usize) -> Self {
        Self { places, distrusted: HashSet::new() }
    }

    /// No keys: nothing is authentic.
    pub(super) fn none(&self) -> Keys {
        self.set(KeysVersion::default(), PublicKeys::none())
    }

    /// The keys as published, less those once distrusted. A key that is unlike its id is none.
    pub(super) fn publish(&mut self, current: &Keys, published: &PublishedKeys) -> Keys {
        let mut public = PublicKeys::none();
        for key in &published.keys {
            let Some(kid) = Kid::parse(&key.kid) else { continue };
            match key.state.as_str() {
                "next" | "active" | "retired" if !self.distrusted.contains(&kid) => {
                    if let Some(named) = public.add(&key.public).filter(|named| *named != kid) {
                        public.remove(&named);
                    }
                }
                "distrusted" => {
                    self.distrusted.insert(kid);
                }
                _ => {}
            }
        }
        let version = KeysVersion::new(published.version);
        if current.public.is_within(&public) {
            Keys { version, public, seen: Arc::clone(&current.seen) }
        } else {
            self.set(version, public)
        }
    }

    /// The same keys without one, and with nothing that any of them vouched for.
    pub(super) fn distrust(&mut self, current: &Keys, kid: &Kid) -> Keys {
        self.distrusted.insert(kid.clone());
        let mut public = current.public.clone();
        public.remove(kid);
        self.set(current.version, public)
    }

    /// The same keys, of no version until they are published again.
    pub(super) fn unconfirmed(&self, current: &Keys) -> Keys {
        self.set(KeysVersion::default(), current.public.clone())
    }

    fn set(&self, version: KeysVersion, public: PublicKeys) -> Keys {
        Keys { version, public, seen: Arc::new(Seen::of(self.places)) }
    }
}
