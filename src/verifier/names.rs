//! The names that accepted tokens may carry: every pair that the expected issuer publishes.

use super::published::PublishedKeys;
use crate::model::claims::AccessClaims;
use crate::model::names::Names;

/// The accepted pairs of issuer and audience, at least the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AcceptedNames(Vec<Names>);

impl AcceptedNames {
    /// The expected pair alone.
    pub(super) fn only(expected: &Names) -> Self {
        Self(vec![expected.clone()])
    }

    /// The pairs accepted from the issuer that answered `published`; `None` if that is not the expected issuer.
    ///
    /// If the expected pair is among the published ones, all of these are accepted. If only the current `iss` is as
    /// expected, the expected pair alone is accepted: an earlier issuer publishes no pairs, and one with another audience
    /// mints no token for this one.
    pub(super) fn of(expected: &Names, published: &PublishedKeys) -> Option<Self> {
        let mut all = published.names.clone();
        all.extend(published.present());
        if all.contains(expected) {
            Some(Self(all))
        } else {
            (published.issuer == expected.issuer).then(|| Self::only(expected))
        }
    }

    /// Whether a token with these claims carries an accepted pair.
    pub(super) fn accept(&self, claims: &AccessClaims) -> bool {
        self.0.iter().any(|names| names.are_of(claims))
    }

    /// Whether `names` is an accepted pair.
    pub(super) fn contain(&self, names: &Names) -> bool {
        self.0.contains(names)
    }

    /// Whether any accepted pair has this issuer.
    pub(super) fn are_of_issuer(&self, issuer: &str) -> bool {
        self.0.iter().any(|names| names.issuer == issuer)
    }

    /// Whether `other` contains all of these pairs.
    pub(super) fn are_within(&self, other: &Self) -> bool {
        self.0.iter().all(|names| other.contain(names))
    }
}
