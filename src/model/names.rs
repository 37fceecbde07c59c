//! Who tokens say issued them, and for whom.

use serde::{Deserialize, Serialize};

use super::claims::AccessClaims;

/// What tokens say of who issued them and for whom. Both count together: the issuer of one pair with the audience of another
/// is no pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Claim `iss`.
    pub issuer: String,
    /// Claim `aud`.
    pub audience: String,
}

impl Names {
    /// Whether these are the names in `claims`.
    pub fn are_of(&self, claims: &AccessClaims) -> bool {
        self.issuer == claims.issuer && self.audience == claims.audience
    }
}
