//! What tokens say, as typed values. How they are written and read is the tokens' business.

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
