//! **The one decision**: does a token act for its user?
//!
//! Bearer authentication, refresh, introspection, every step that acts for a signed-in caller and every follower call
//! [`judge`]; no other code decides whether a token acts for its user. On the issuer both counters of a token must
//! equal the stored ones; a greater one in an authentic token means that the store lost acknowledged writes, and the
//! request is refused as temporarily unavailable. For a follower a greater one means that the revocation is still on its
//! way.

use super::claims::Presented;
use super::counters::{Era, Generation, Stamp};
use super::device::Device;
use super::revocation::BumpExtent;
use super::timestamp::Timestamp;

/// The known state of the user a token names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserState {
    /// The user's current generation.
    pub generation: Generation,
    /// Whether the account is disabled.
    pub disabled: bool,
}

/// The known state of the device a token names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceState {
    /// The era and generation the device is live under.
    pub stamp: Stamp,
    /// The lowest generation whose access tokens are not older than a password change made on the device.
    pub floor: Generation,
    /// Whether the device was ended.
    pub ended: bool,
    /// When the device expires.
    pub end: Timestamp,
}

impl From<&Device> for DeviceState {
    fn from(device: &Device) -> Self {
        let floor = device.refresh.floor_generation;
        Self { stamp: device.stamp, floor, ended: device.ended.is_some(), end: device.end() }
    }
}

#[cfg(feature = "server")]
impl From<&super::user::User> for UserState {
    fn from(user: &super::user::User) -> Self {
        Self { generation: user.generation, disabled: user.disabled.is_some() }
    }
}

/// The result of the decision about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The token acts for its user.
    Live,
    /// The token no longer acts for its user.
    Ended(Reason),
    /// The token has a counter greater than the stored one: the store was rolled back. The request is refused, an
    /// alarm raised, nothing ended.
    Ahead,
}

/// The reason why a token no longer acts for its user. [`judge`] reports the first that applies, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Every token of the service was ended by a new era.
    Reset,
    /// The account is disabled.
    UserDisabled,
    /// The user signed out everywhere, or was deleted.
    SignedOutEverywhere,
    /// The user signed out everywhere else from this device: a refresh gives a valid access token.
    Superseded,
    /// The user changed the password on this device after the token was minted: only the tokens in the answer to that
    /// change are valid.
    PasswordChanged,
    /// The device was signed out.
    SignedOut,
    /// The token or its device expired.
    Expired,
}

/// Decides whether a token with the claims `presented` acts for its user at `now`.
///
/// `user` is `None` if the user does not exist (any more): deletion is the last bump of the user's generation.
/// `device` is `None` if the device has no record under any stamp.
pub fn judge(
    presented: &Presented,
    era: Era,
    user: Option<UserState>,
    device: Option<DeviceState>,
    now: Timestamp,
) -> Verdict {
    if presented.stamp.era > era {
        return Verdict::Ahead;
    }
    if presented.stamp.era < era {
        return Verdict::Ended(Reason::Reset);
    }
    let Some(user) = user else {
        return Verdict::Ended(Reason::SignedOutEverywhere);
    };
    if presented.stamp.generation > user.generation {
        return Verdict::Ahead;
    }
    if user.disabled {
        return Verdict::Ended(Reason::UserDisabled);
    }
    let current = Stamp { era, generation: user.generation };
    let device = device.filter(|device| device.stamp == current);
    if presented.stamp.generation < user.generation {
        return Verdict::Ended(match device {
            None => Reason::SignedOutEverywhere,
            Some(device) if presented.stamp.generation < device.floor => Reason::PasswordChanged,
            Some(_) => Reason::Superseded,
        });
    }
    match device {
        None => Verdict::Ended(Reason::SignedOut),
        Some(device) if device.ended => Verdict::Ended(Reason::SignedOut),
        Some(device) if presented.expires <= now || device.end <= now => Verdict::Ended(Reason::Expired),
        Some(_) => Verdict::Live,
    }
}

/// Decides whether a refresh token's device is live. The token's own generation only selects the reason, since the
/// token stays valid after a sign-out everywhere else; what counts is that the device's generation equals the user's.
/// The token's own `exp` is ignored: the newest token expires with its device, and an older one must be detected as
/// reused.
pub fn judge_refresh(
    presented: &Presented,
    era: Era,
    user: Option<UserState>,
    device: Option<DeviceState>,
    now: Timestamp,
) -> Verdict {
    let mut presented = *presented;
    presented.expires = Timestamp::from_unix(i64::MAX);
    if let (Some(user), Some(device)) = (user, device)
        && device.stamp.generation == user.generation
    {
        presented.stamp.generation = presented.stamp.generation.max(user.generation);
    }
    judge(&presented, era, user, device, now)
}

/// What a follower knows of the last bump of a user's generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bumped {
    /// The generation that began with the bump.
    pub generation: Generation,
    /// What the bump ended.
    pub extent: BumpExtent,
    /// The generation that began with the last password change on a kept device; zero if none is known. A device that
    /// is kept now and has tokens of an earlier generation is that device: every other one ended with the change, or
    /// signed in after it.
    pub floor: Generation,
}

impl Bumped {
    /// The knowledge after a bump was received, in log order or repeatedly.
    pub fn heard(known: Option<Self>, generation: Generation, extent: BumpExtent) -> Self {
        let before = known.map_or(Generation::default(), |known| known.floor);
        match known {
            Some(known) if known.generation > generation => known,
            _ => {
                let is_floor = matches!(extent, BumpExtent::PasswordChanged { .. });
                Self { generation, extent, floor: if is_floor { generation } else { before } }
            }
        }
    }
}

/// Decides for a follower, which knows only recent revocations: `bumped`, if the user's generation changed, and
/// whether the device `ended`. Everything else is taken from the token, because the issuer signed it: that the user
/// and the device existed, and that counters may be ahead of what the follower has received. So a token of the
/// generation that began with the disabling of an account, or of a later one, proves that the account was enabled since.
pub fn judge_followed(
    presented: &Presented,
    era: Era,
    bumped: Option<Bumped>,
    ended: bool,
    now: Timestamp,
) -> Verdict {
    let own = presented.stamp;
    let current = Stamp {
        era: era.max(own.era),
        generation: bumped.map_or(own.generation, |bumped| bumped.generation.max(own.generation)),
    };
    let is_earlier = own.generation < current.generation;
    let extent = bumped.map(|bumped| bumped.extent);
    let goes_on =
        !is_earlier || extent.and_then(BumpExtent::kept).is_some_and(|kept| kept == presented.device);
    let disabled = is_earlier && extent == Some(BumpExtent::Disabled);
    let user = UserState { generation: current.generation, disabled };
    let floor = bumped.map_or(Generation::default(), |bumped| bumped.floor);
    let device = DeviceState { stamp: current, floor, ended, end: presented.expires };
    judge(presented, current.era, Some(user), goes_on.then_some(device), now)
}

#[cfg(test)]
mod tests;
