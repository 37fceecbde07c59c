//! A device: one sign-in of one user on one app or browser. A session.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::counters::Stamp;
use super::ids::{DeviceId, UserId};
use super::refresh_state::RefreshState;
use super::timestamp::Timestamp;

/// What people call the device: 1 to 100 characters, of which at least one can be seen and none rearranges a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceName(String);

/// What sort of device it is: `mobile`, `desktop`, `browser`, `other`, or a word of the app's own; 1 to 32 of
/// `a`–`z`, `0`–`9`, `-`, `_`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceKind(String);

/// Why a name or a kind was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceTextError {
    /// Nothing in it can be seen.
    TooShort,
    /// Longer than allowed.
    TooLong,
    /// A character that is not allowed.
    InvalidCharacters,
}

impl DeviceName {
    /// The longest name, in characters.
    pub const LONGEST: usize = 100;

    /// Reads a name. Systems send these, with marks of direction and as long as they like, and a sign-in does not fail over
    /// that: it is cleaned, and cut to [`LONGEST`](Self::LONGEST). Only a name of which nothing can be seen is none.
    #[cfg(feature = "server")]
    pub fn parse(text: &str) -> Result<Self, DeviceTextError> {
        super::visible::cleaned(text, Self::LONGEST).map(Self).ok_or(DeviceTextError::TooShort)
    }

    /// The name of a device that nobody named.
    pub fn unknown() -> Self {
        Self("Unknown device".to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl DeviceKind {
    /// The longest kind, in characters.
    pub const LONGEST: usize = 32;

    /// Reads a kind.
    pub fn parse(text: &str) -> Result<Self, DeviceTextError> {
        if text.is_empty() {
            return Err(DeviceTextError::TooShort);
        }
        if text.len() > Self::LONGEST {
            return Err(DeviceTextError::TooLong);
        }
        if !text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_')) {
            return Err(DeviceTextError::InvalidCharacters);
        }
        Ok(Self(text.to_owned()))
    }

    /// The kind of a device of which nothing is known.
    pub fn other() -> Self {
        Self("other".to_owned())
    }

    /// The kind as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A device as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The token ID, claim `sid`.
    pub id: DeviceId,
    /// Whose it is.
    pub user: UserId,
    /// What it stands under: live only while both counters are still these.
    pub stamp: Stamp,
    /// Its name.
    pub name: DeviceName,
    /// Its kind.
    pub kind: DeviceKind,
    /// When it signed in.
    pub created: Timestamp,
    /// When its user last gave a password on it, claim `auth_time`.
    pub authenticated: Timestamp,
    /// When it runs out unless it refreshes before.
    pub idle_end: Timestamp,
    /// When it runs out in any case.
    pub absolute_end: Timestamp,
    /// Where its refresh tokens stand.
    pub refresh: RefreshState,
    /// When and why it was ended.
    pub ended: Option<Ended>,
}

impl Device {
    /// When it runs out if nothing more happens.
    pub fn end(&self) -> Timestamp {
        self.idle_end.min(self.absolute_end)
    }

    /// Moves the idle end to `idle` after `now`, never past the absolute end.
    pub fn stay(&mut self, now: Timestamp, idle: Duration) {
        self.idle_end = (now + idle).min(self.absolute_end);
    }
}

/// The end of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
    /// What an administrator gave as the reason, or the address a stolen token came from.
    pub note: Option<String>,
}

/// Why a device ended, or a generation was bumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// Its user signed it out.
    SignedOut,
    /// Its user signed out everywhere, or everywhere else.
    SignedOutEverywhere,
    /// Its user changed the password.
    PasswordChanged,
    /// A refresh token of it was used again.
    RefreshReused,
    /// It gave way to a newer one: the user had as many as allowed.
    Evicted,
    /// It ran out.
    Expired,
    /// An administrator ended it.
    Administrator,
    /// The account was disabled.
    Disabled,
}

impl Cause {
    /// The stable word for logs, lists and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::SignedOutEverywhere => "signed_out_everywhere",
            Self::PasswordChanged => "password_changed",
            Self::RefreshReused => "refresh_reused",
            Self::Evicted => "evicted",
            Self::Expired => "expired",
            Self::Administrator => "administrator",
            Self::Disabled => "disabled",
        }
    }
}

/// When and from where a device was last heard of; a record of its own, so that writing it races with nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSeen {
    /// When.
    pub at: Timestamp,
    /// From which address, if one is known.
    pub address: Option<IpAddr>,
    /// With which user agent, at most 256 characters of it.
    pub user_agent: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "server")]
    #[test]
    fn a_name_is_cleaned_and_cut_and_can_be_seen() {
        assert_eq!(DeviceName::parse("  Ada’s phone 📱 ").unwrap().as_str(), "Ada’s phone 📱");
        assert_eq!(DeviceName::parse("\u{200e}Ada\u{202e}\0").unwrap().as_str(), "Ada");
        assert_eq!(DeviceName::parse(&"é".repeat(101)).unwrap().as_str(), "é".repeat(100));
        assert_eq!(DeviceName::parse(" \t\u{200b}"), Err(DeviceTextError::TooShort));
    }

    #[test]
    fn a_kind_is_one_plain_word() {
        assert_eq!(DeviceKind::parse("smart-tv_2").unwrap().as_str(), "smart-tv_2");
        assert_eq!(DeviceKind::parse(""), Err(DeviceTextError::TooShort));
        assert_eq!(DeviceKind::parse(&"a".repeat(33)), Err(DeviceTextError::TooLong));
        assert_eq!(DeviceKind::parse("Mobile"), Err(DeviceTextError::InvalidCharacters));
    }
}
