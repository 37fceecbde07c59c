//! The names in tokens: issuer and audience.

use super::claims::AccessClaims;

/// The issuer and the audience that a token carries. They are compared as a pair: the issuer of one pair with the
/// audience of another does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The issuer, claim `iss`.
    pub issuer: String,
    /// The audience, claim `aud`.
    pub audience: String,
}

impl Names {
    /// Whether `claims` carry these names.
    pub fn are_of(&self, claims: &AccessClaims) -> bool {
        self.issuer == claims.issuer && self.audience == claims.audience
    }
}
