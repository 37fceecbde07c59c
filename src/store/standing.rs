//! What a check needs to know of a user and a device.

use super::records::Records;
use super::{Counters, StoreError};
use crate::model::claims::{Presented, RefreshClaims};
use crate::model::counters::Sequence;
use crate::model::device::{Device, LastSeen};
use crate::model::ids::{DeviceId, UserId};
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::model::verdict::{self, DeviceState, UserState, Verdict};

/// What a check needs to know, read together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The service-wide counters.
    pub counters: Counters,
    /// The user, if there is one.
    pub user: Option<User>,
    /// The device under the user's current stamp, else its ended record, if either is kept.
    pub device: Option<Device>,
}

/// The standing of a device, and when and from where it was last heard of.
#[derive(Clone, Debug)]
pub struct SeenStanding {
    /// What the decision on a token needs.
    pub standing: Standing,
    /// When and from where the device was last heard of.
    pub last_seen: Option<LastSeen>,
}

impl AsRef<Self> for Standing {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl AsRef<Standing> for SeenStanding {
    fn as_ref(&self) -> &Standing {
        &self.standing
    }
}

impl SeenStanding {
    /// Reads what the decision on a token of `device` needs, and when and from where the device was last heard of.
    pub(super) fn read(records: &dyn Records, user: UserId, device: DeviceId) -> Result<Self, StoreError> {
        let standing = Standing::read(records, user, device)?;
        let last_seen = records.last_seen(user, device)?;
        Ok(Self { standing, last_seen })
    }
}

impl Standing {
    /// Reads what the decision on a token of `device` needs.
    pub(super) fn read(records: &dyn Records, user: UserId, device: DeviceId) -> Result<Self, StoreError> {
        let counters = records.counters()?;
        loop {
            let Some(found) = records.user(user)? else {
                return Ok(Self { counters, user: None, device: None });
            };
            let stamp = found.stamp(counters.era);
            if let Some(live) = records.device(user, stamp, device)? {
                return Ok(Self { counters, user: Some(found), device: Some(live) });
            }
            let ended = records.ended(user, device)?;
            // Outside a step the device may have moved between the two reads: then its user has changed too.
            if ended.is_some()
                || records.user(user)?.is_some_and(|again| again.generation == found.generation)
            {
                return Ok(Self { counters, user: Some(found), device: ended });
            }
        }
    }

    /// The one decision on `presented`.
    pub fn judge(&self, presented: &Presented, now: Timestamp) -> Verdict {
        let (user, device) = self.states();
        verdict::judge(presented, self.counters.era, user, device, now)
    }

    /// The one decision on a refresh token.
    pub fn judge_refresh(&self, presented: &Presented, now: Timestamp) -> Verdict {
        let (user, device) = self.states();
        verdict::judge_refresh(presented, self.counters.era, user, device, now)
    }

    /// Whether a refresh token still proves that its holder was signed in as this user: whatever has become of its
    /// device, it is not from before the last change of the password.
    pub fn proves_user(&self, claims: &RefreshClaims) -> bool {
        let after_change = |user: &User| claims.stamp.generation >= user.password_since;
        self.user.as_ref().is_some_and(after_change) && !self.is_below_floor(claims.sequence)
    }

    /// Whether a refresh token of this sequence is from before the last change of the password, as far as the device knows.
    pub fn is_below_floor(&self, sequence: Sequence) -> bool {
        self.device.as_ref().is_some_and(|device| device.refresh.is_below_floor(sequence))
    }

    fn states(&self) -> (Option<UserState>, Option<DeviceState>) {
        (self.user.as_ref().map(UserState::from), self.device.as_ref().map(DeviceState::from))
    }
}
