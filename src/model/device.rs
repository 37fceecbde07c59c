//! A device: one sign-in of one user on one app or browser, that is a session.

use std::net::IpAddr;
use std::time::Duration;

use super::authentication_method::AuthenticationMethod;
use super::claims::LEEWAY;
use super::counters::Stamp;
use super::ids::{DeviceId, UserId};
use super::refresh_state::RefreshState;
use super::timestamp::Timestamp;

/// The longest time that a device may last, whatever the settings say.
pub const LONGEST_DEVICE: Duration = Duration::from_secs(4_000 * 24 * 60 * 60);

/// A device's name: 1 to 100 characters, at least one of them visible, none of them reordering a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceName(String);

/// A device's kind: `mobile`, `desktop`, `browser`, `other`, or one of the app's own; 1 to 32 of `a`–`z`, `0`–`9`,
/// `-`, `_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceKind(String);

/// The reason why a device's name or kind was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceTextError {
    /// The text has no visible character.
    TooShort,
    /// The text is longer than allowed.
    TooLong,
    /// The text has a character that is not allowed.
    InvalidCharacters,
}

impl DeviceName {
    /// The longest name, in characters.
    pub const LONGEST: usize = 100;

    /// Parses a name. Operating systems send names of any length with directional marks, and a sign-in must not fail
    /// over that: the text is cleaned and cut to [`LONGEST`](Self::LONGEST). Only a name without a visible character
    /// is an error.
    #[cfg(feature = "server")]
    pub fn parse(text: &str) -> Result<Self, DeviceTextError> {
        super::visible::cleaned(text, Self::LONGEST).map(Self).ok_or(DeviceTextError::TooShort)
    }

    /// The name in a stored record, unchanged: it was parsed when it was given.
    #[cfg(feature = "server")]
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The name of a device for which the client gave none.
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

    /// Parses the kind of a device.
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

    /// The kind in a stored record, unchanged: it was parsed when it was given.
    #[cfg(feature = "server")]
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
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

/// A device as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The device's id, claim `sid`, the token ID.
    pub id: DeviceId,
    /// The user the device belongs to.
    pub user: UserId,
    /// The counters the device was opened or re-stamped under: it is live only while both are current.
    pub stamp: Stamp,
    /// The device's displayed name.
    pub name: DeviceName,
    /// The kind of the device.
    pub kind: DeviceKind,
    /// When the device signed in.
    pub created: Timestamp,
    /// When the user last gave a password on the device, claim `auth_time`.
    pub authenticated: Timestamp,
    /// When the device expires unless it refreshes before.
    pub idle_end: Timestamp,
    /// When the device expires even if it refreshes.
    pub absolute_end: Timestamp,
    /// The state of the device's refresh tokens.
    pub refresh: RefreshState,
    /// The time and cause of its end, if the device was ended.
    pub ended: Option<Ended>,
    /// How the user proved who they are, as the system said that opened the device for the user: claim `amr`. At most
    /// [`AuthenticationMethod::MOST`]; empty if nobody said so.
    pub amr: Vec<AuthenticationMethod>,
    /// Whether a refresh brings a new refresh token.
    pub rotates: bool,
}

impl Device {
    /// When the device expires without a further refresh: the earlier of both ends.
    pub fn end(&self) -> Timestamp {
        self.idle_end.min(self.absolute_end)
    }

    /// Moves a device that signed in after `latest` back to that time: it signed in under a clock that was ahead, and lasts
    /// as long as it would have under a right one. A difference of up to [`LEEWAY`] is no fault of a clock.
    pub fn correct(&mut self, latest: Timestamp) {
        let ahead = latest.until(self.created);
        if ahead > LEEWAY {
            self.created = latest;
            self.authenticated = (self.authenticated - ahead).min(latest);
            self.absolute_end = self.absolute_end - ahead;
            self.idle_end = self.end();
        }
    }

    /// Moves the idle end to `idle` after `now`, never past the absolute end.
    pub fn stay(&mut self, now: Timestamp, idle: Duration) {
        self.idle_end = (now + idle).min(self.absolute_end);
    }
}

/// The end of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When the device ended.
    pub at: Timestamp,
    /// Why the device ended.
    pub cause: Cause,
    /// The reason an administrator gave, or the address a reused refresh token came from.
    pub note: Option<String>,
}

/// The cause of the end of a device, or of the bump of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The user signed the device out.
    SignedOut,
    /// The user signed out everywhere, or everywhere else.
    SignedOutEverywhere,
    /// The user changed the password.
    PasswordChanged,
    /// A refresh token of the device was reused.
    RefreshReused,
    /// The device was evicted by a newer sign-in, because the user had as many devices as allowed.
    Evicted,
    /// The device expired without a refresh.
    Expired,
    /// An administrator ended the device.
    Administrator,
    /// The account was disabled.
    Disabled,
}

impl Cause {
    /// The stable name of the cause in logs, lists and metrics.
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

/// The time and origin of a device's last use: a record of its own, so that writing it conflicts with no other write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastSeen {
    /// When the device was last used.
    pub at: Timestamp,
    /// The address of the last use, if known.
    pub address: Option<IpAddr>,
    /// The user agent of the last use, cut to 256 characters.
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
