//! The claims of a verified token.

use std::fmt;
use std::sync::Arc;

use crate::model::claims::AccessClaims;
use crate::model::counters::{Era, Generation};
use crate::model::ids::{DeviceId, UserId};
use crate::model::timestamp::Timestamp;

/// The claims of an access token that acts for its user. Cheap to clone.
#[derive(Clone)]
pub struct Claims(Arc<VerifiedClaims>);

/// A token whose signature was good, with its claims.
pub(super) struct VerifiedClaims {
    token: Box<str>,
    claims: AccessClaims,
}

impl VerifiedClaims {
    pub(super) fn new(token: &str, claims: AccessClaims) -> Self {
        Self { token: token.into(), claims }
    }

    pub(super) fn is(&self, token: &str) -> bool {
        *self.token == *token
    }

    pub(super) fn claims(&self) -> &AccessClaims {
        &self.claims
    }
}

impl Claims {
    pub(super) fn of(verified: Arc<VerifiedClaims>) -> Self {
        Self(verified)
    }

    /// `sub`: the user the token acts for.
    pub fn user(&self) -> UserId {
        self.0.claims.subject
    }

    /// `sid`: the device the token belongs to, one sign-in of the user.
    pub fn device(&self) -> DeviceId {
        self.0.claims.device
    }

    /// `gen`: the user's generation the token was minted under.
    pub fn generation(&self) -> Generation {
        self.0.claims.stamp.generation
    }

    /// `era`: the service's era the token was minted under.
    pub fn era(&self) -> Era {
        self.0.claims.stamp.era
    }

    /// `iss`: the issuer of the token.
    pub fn issuer(&self) -> &str {
        &self.0.claims.issuer
    }

    /// `aud`: the audience that accepts the token.
    pub fn audience(&self) -> &str {
        &self.0.claims.audience
    }

    /// `iat`: when the token was minted.
    pub fn issued(&self) -> Timestamp {
        self.0.claims.issued
    }

    /// `exp`: when the token expires.
    pub fn expires(&self) -> Timestamp {
        self.0.claims.expires
    }

    /// `auth_time`: when the user last gave a password on the device.
    pub fn authenticated(&self) -> Timestamp {
        self.0.claims.authenticated
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the token itself.
        self.0.claims.fmt(f)
    }
}
