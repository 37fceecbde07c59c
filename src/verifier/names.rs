//! Whose tokens are accepted: those of the issuer that was expected, under every name it has.

use super::keys::PublishedKeys;
use crate::model::claims::AccessClaims;
use crate::model::names::Names;

/// The pairs of issuer and audience that are accepted; at least the one that was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AcceptedNames(Vec<Names>);

impl AcceptedNames {
    /// The pair that was expected, and no other.
    pub(super) fn only(expected: &Names) -> Self {
        Self(vec![expected.clone()])
    }

    /// The pairs of the issuer that answered `published`. None if that is another issuer than was expected.
    ///
    /// It is the expected one if the expected pair is among those that it publishes: then all of these are accepted. If only
    /// its present issuer is as expected, then the expected pair alone is: an earlier issuer publishes no pairs, and one
    /// whose audience is another mints no token for here.
    pub(super) fn of(expected: &Names, published: &PublishedKeys) -> Option<Self> {
        let mut all = published.names.clone();
        all.extend(published.present());
        if all.contains(expected) {
            Some(Self(all))
        } else {
            (published.issuer == expected.issuer).then(|| Self::only(expected))
        }
    }

    /// Whether a token with these claims is for here.
    pub(super) fn accept(&self, claims: &AccessClaims) -> bool {
        self.0.iter().any(|names| names.are_of(claims))
    }

    /// Whether the pair is one of these.
    pub(super) fn contain(&self, names: &Names) -> bool {
        self.0.contains(names)
    }

    /// Whether the issuer calls itself so, or did.
    pub(super) fn are_of_issuer(&self, issuer: &str) -> bool {
        self.0.iter().any(|names| names.issuer == issuer)
    }

    /// Whether `other` has all of these.
    pub(super) fn are_within(&self, other: &Self) -> bool {
        self.0.iter().all(|names| other.contain(names))
    }
}
