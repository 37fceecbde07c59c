//! Public keys by their id, for verification without any secret.

use std::collections::HashMap;
use std::fmt;

use pasetors::keys::AsymmetricPublicKey;
use pasetors::paserk::{FormatAsPaserk as _, Id};
use pasetors::version4::V4;

use super::footer::{self, Footer};
use super::signing::PublicKey;
use super::{LONGEST, NotAuthentic, access};
use crate::model::claims::AccessClaims;
use crate::model::key::Kid;

/// A set of public keys. Its owner knows their issuer, and removes those that are no longer trusted.
#[derive(Clone, Default)]
pub struct PublicKeys {
    /// The keys by encoded footer, as it stands in a signed text.
    keys: HashMap<String, (Footer, PublicKey)>,
}

impl PublicKeys {
    /// An empty set, for which no text is authentic.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds the key of a PASERK `k4.public.…` line, under the id derived from the key. Returns `None` and adds nothing
    /// if the line is invalid.
    pub fn add(&mut self, paserk: &str) -> Option<Kid> {
        let key = AsymmetricPublicKey::<V4>::try_from(paserk).ok()?;
        let mut kid = String::new();
        Id::from(&key).fmt(&mut kid).ok()?;
        let kid = Kid::new(kid);
        self.insert(&kid, PublicKey::from_bytes(key.as_bytes())?);
        Some(kid)
    }

    /// Removes a key; returns whether it was in the set.
    pub fn remove(&mut self, kid: &Kid) -> bool {
        self.keys.remove(&Footer::of(kid).encoded).is_some()
    }

    /// Whether the set has this key.
    pub fn contains(&self, kid: &Kid) -> bool {
        self.keys.contains_key(&Footer::of(kid).encoded)
    }

    /// The key id that `token` names, whether the key is in a set or not.
    pub fn named(token: &str) -> Option<Kid> {
        footer::kid(footer::part(token).filter(|_| token.len() <= LONGEST)?)
    }

    /// Whether `other` has all of these keys.
    pub fn is_within(&self, other: &Self) -> bool {
        self.keys.keys().all(|footer| other.keys.contains_key(footer))
    }

    /// The claims of an access token signed by one of these keys, with any issuer and audience: the caller has to compare
    /// them. Time and revocation are not checked, and nothing is cached.
    pub(crate) fn authentic(&self, token: &str) -> Result<AccessClaims, NotAuthentic> {
        if token.len() > LONGEST {
            return Err(NotAuthentic);
        }
        let (footer, key) = self.of(token).ok_or(NotAuthentic)?;
        access::verify(token, key, footer)
    }

    /// Adds a key with the known id `kid`.
    pub(super) fn insert(&mut self, kid: &Kid, key: PublicKey) {
        let footer = Footer::of(kid);
        self.keys.insert(footer.encoded.clone(), (footer, key));
    }

    /// The key with exactly the footer of `text`.
    pub(super) fn of(&self, text: &str) -> Option<&(Footer, PublicKey)> {
        self.keys.get(footer::part(text)?)
    }
}

impl fmt::Debug for PublicKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys.values().map(|(footer, _)| &footer.json)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The public key of the specification's test vectors for `v4.public`.
    const LINE: &str = "k4.public.Hrnbu7wEfAP9cGBOAHHwmH4Wsot1ciXBHwBBXQ4gsaI";
    /// The PASERK id of the key: BLAKE2b-264 of `k4.pid.` and the line.
    const KID: &str = "k4.pid.yh4-bJYjOYAG6CWy0zsfPmpKylxS7uAWrxqVmBN2KAiJ";
    /// A line of PASERK's test vectors that is not a point of the curve.
    const NO_KEY: &str = "k4.public.cHFyc3R1dnd4eXp7fH1-f4CBgoOEhYaHiImKi4yNjo8";

    #[test]
    fn a_key_goes_by_the_id_that_follows_from_it() {
        let mut keys = PublicKeys::none();
        assert_eq!(keys.add(LINE), Kid::parse(KID));
        let kid = Kid::parse(KID).unwrap();
        assert!(keys.contains(&kid));
        assert!(keys.remove(&kid) && !keys.remove(&kid) && !keys.contains(&kid));
    }

    #[test]
    fn what_is_no_public_key_adds_nothing() {
        let mut keys = PublicKeys::none();
        let (cut, shorter, local) = (&LINE[1..], &LINE[..LINE.len() - 1], LINE.replace("public", "local"));
        for other in ["", "k4.public.", cut, shorter, &local, NO_KEY] {
            assert_eq!(keys.add(other), None, "{other}");
        }
        assert!(keys.keys.is_empty());
    }
}
