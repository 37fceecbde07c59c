//! Token claims as typed values. Encoding and decoding them is the task of `token`.

use std::time::Duration;

use super::counters::{Sequence, Stamp};
use super::ids::{DeviceId, UserId};
use super::timestamp::Timestamp;

/// The claims of an access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessClaims {
    /// `iss`: the issuer that minted the token.
    pub issuer: String,
    /// `sub`: the user the token acts for.
    pub subject: UserId,
    /// `aud`: the audience that accepts the token.
    pub audience: String,
    /// `iat`: when the token was minted.
    pub issued: Timestamp,
    /// `exp`: when the token expires.
    pub expires: Timestamp,
    /// `sid`: the device the token belongs to.
    pub device: DeviceId,
    /// `era` and `gen`: the counters the token was minted under.
    pub stamp: Stamp,
    /// `auth_time`: when a password was last given on the device.
    pub authenticated: Timestamp,
}

/// The longest lifetime of an access token under any settings. Records of ended devices are kept longer than this, so
/// that no token outlives the record of its end.
pub const LONGEST_ACCESS: Duration = Duration::from_secs(60 * 60);

/// The most that an access token's `iat` may be ahead of the checker's clock.
pub const LEEWAY: Duration = Duration::from_secs(60);

impl AccessClaims {
    /// Whether the token was minted after `now`, with [`LEEWAY`]. If so, a clock is wrong and the token's times cannot
    /// be trusted.
    pub fn is_from_the_future(&self, now: Timestamp) -> bool {
        self.issued > now + LEEWAY
    }

    /// Whether the token's lifetime is at most [`LONGEST_ACCESS`].
    pub fn is_short_lived(&self) -> bool {
        self.expires <= self.issued + LONGEST_ACCESS
    }
}

/// The claims of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshClaims {
    /// `sub`: the user of the device.
    pub subject: UserId,
    /// `sid`: the device the token refreshes.
    pub device: DeviceId,
    /// `era` and `gen`: the counters the token was minted under; `gen` only selects the reason of a refusal.
    pub stamp: Stamp,
    /// `seq`: the token's sequence among the refresh tokens of the device.
    pub sequence: Sequence,
    /// `exp`: the idle end of the device.
    pub expires: Timestamp,
}

/// The claims of a token that the decision needs. A step carries them into the store, where they are judged again
/// within the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The user the token acts for, `sub`.
    pub user: UserId,
    /// The device the token belongs to, `sid`.
    pub device: DeviceId,
    /// The counters the token was minted under, `era` and `gen`.
    pub stamp: Stamp,
    /// When the token expires, `exp`.
    pub expires: Timestamp,
}

impl From<&AccessClaims> for Presented {
    fn from(claims: &AccessClaims) -> Self {
        Self { user: claims.subject, device: claims.device, stamp: claims.stamp, expires: claims.expires }
    }
}

impl From<&RefreshClaims> for Presented {
    fn from(claims: &RefreshClaims) -> Self {
        Self { user: claims.subject, device: claims.device, stamp: claims.stamp, expires: claims.expires }
    }
}
