//! The claims of a verified token.

use std::fmt;
use std::sync::Arc;

use crate::model::counters::{Era, Generation};
use crate::model::ids::{DeviceId, UserId};
use crate::model::timestamp::Timestamp;
use crate::token::seen::VerifiedClaims;

/// The claims of an access token that acts for its user. Cheap to clone.
#[derive(Clone)]
pub struct Claims(Arc<VerifiedClaims>);

impl Claims {
    pub(super) fn of(verified: Arc<VerifiedClaims>) -> Self {
        Self(verified)
    }

    /// `sub`: the user the token acts for.
    pub fn user(&self) -> UserId {
        self.0.subject
    }

    /// `sid`: the device the token belongs to, one sign-in of the user.
    pub fn device(&self) -> DeviceId {
        self.0.device
    }

    /// `gen`: the user's generation the token was minted under.
    pub fn generation(&self) -> Generation {
        self.0.stamp.generation
    }

    /// `era`: the service's era the token was minted under.
    pub fn era(&self) -> Era {
        self.0.stamp.era
    }

    /// `iss`: the issuer of the token.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// `aud`: the audience that accepts the token.
    pub fn audience(&self) -> &str {
        &self.0.audience
    }

    /// `iat`: when the token was minted.
    pub fn issued(&self) -> Timestamp {
        self.0.issued
    }

    /// `exp`: when the token expires.
    pub fn expires(&self) -> Timestamp {
        self.0.expires
    }

    /// `auth_time`: when the user last gave a password on the device.
    pub fn authenticated(&self) -> Timestamp {
        self.0.authenticated
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
