//! What tokens say, as typed values. How they are written and read is the tokens' business.

use std::time::Duration;

use super::counters::{Sequence, Stamp};
use super::ids::{DeviceId, UserId};
use super::timestamp::Timestamp;

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessClaims {
    /// `iss`: who minted it.
    pub issuer: String,
    /// `sub`: for whom it acts.
    pub subject: UserId,
    /// `aud`: where it counts.
    pub audience: String,
    /// `iat`: when it was minted.
    pub issued: Timestamp,
    /// `exp`: from when on it is dead.
    pub expires: Timestamp,
    /// `sid`: the device it belongs to.
    pub device: DeviceId,
    /// `era` and `gen`: what it was minted under.
    pub stamp: Stamp,
    /// `auth_time`: when a password was last given on the device.
    pub authenticated: Timestamp,
}

/// No access token lives longer, whatever the settings say. What is remembered of an end outlives every token it
/// could meet by this.
pub const LONGEST_ACCESS: Duration = Duration::from_secs(60 * 60);

/// An access token's `iat` may be so far ahead of the clock of whoever checks it.
pub const LEEWAY: Duration = Duration::from_secs(60);

impl AccessClaims {
    /// Whether the token was minted later than now: a clock is wrong, and nothing it says about time is to be believed.
    pub fn is_from_the_future(&self, now: Timestamp) -> bool {
        self.issued > now + LEEWAY
    }

    /// Whether it lives no longer than access tokens may.
    pub fn is_short_lived(&self) -> bool {
        self.expires <= self.issued + LONGEST_ACCESS
    }
}

/// What a refresh token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshClaims {
    /// `sub`: whose device it renews.
    pub subject: UserId,
    /// `sid`: the device.
    pub device: DeviceId,
    /// `era` and `gen`: what it was minted under; `gen` only helps to name a reason.
    pub stamp: Stamp,
    /// `seq`: which of the device's refresh tokens it is.
    pub sequence: Sequence,
    /// `exp`: the device's idle end.
    pub expires: Timestamp,
}

/// The part of a token's claims that the decision needs; steps carry it into the store, where it is judged again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented {
    /// For whom.
    pub user: UserId,
    /// By which device.
    pub device: DeviceId,
    /// Minted under what.
    pub stamp: Stamp,
    /// Until when.
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
