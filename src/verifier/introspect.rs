//! Introspection of single tokens while freshness cannot be proven (RFC 7662).

use super::claims::Claims;
use super::{Rejection, Verifier, WhenStale};
use crate::model::verdict::Reason;

impl Verifier {
    /// Verifies like [`Verifier::verify`]; but where that says [`Rejection::Stale`] and the verifier is configured
    /// with [`WhenStale::Introspect`], asks the issuer about this one token. That takes as long as a request; if the
    /// issuer does not answer, the token stays rejected as stale.
    ///
    /// The answer of the issuer has no reason (RFC 7662): an inactive token is rejected as `superseded`, so that the
    /// app refreshes and learns the reason from the issuer itself.
    pub async fn verify_or_ask(&self, token: &str) -> Result<Claims, Rejection> {
        let (authentic, rejection) = match self.view.examine(token) {
            Ok(claims) => return Ok(claims),
            Err(rejected) => rejected,
        };
        let asks = self.when_stale == WhenStale::Introspect && matches!(rejection, Rejection::Stale(_));
        // Without the keys it was signed with, nothing here could say what an accepted token says.
        let Some(authentic) = authentic.filter(|_| asks) else { return Err(rejection) };
        match self.link.introspect(token).await {
            Ok(introspected) if introspected.active => Ok(authentic),
            Ok(_) => Err(Rejection::Ended(Reason::Superseded)),
            Err(_) => Err(rejection),
        }
    }
}
