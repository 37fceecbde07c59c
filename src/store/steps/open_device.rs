//! Signs a user in on a new device.

use super::Step;
use super::ending::end;
use super::session::{NewDevice, Session};
use crate::model::counters::Era;
use crate::model::device::{Cause, Ended};
use crate::model::ids::{DeviceId, UserId};
use crate::model::password::PasswordHash;
use crate::model::revocation::Revocation;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::store::expiry_check::ExpiryCheck;
use crate::store::format::RecordKey;
use crate::store::past_devices::{gone_at, left_behind_at};
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::retention::PAST_KEPT;
use crate::store::working_set::WorkingSet;
use crate::store::{Counters, StoreError};

/// At most so many devices give way in one sign-in, should the allowed number have been lowered a lot.
const MOST_EVICTED: u64 = 64;

/// How many records of past devices give way to a sign-in: more than the one it may leave.
const GIVING_WAY: usize = 2;

/// How many records that never give way may be older than those that do. They sort by the time until which they are needed, so
/// only those that are kept a little longer than that come first.
const PASSED_OVER: usize = 30;

/// Signs a user in on a new device.
#[derive(Clone, Debug)]
pub struct OpenDevice {
    /// The user.
    pub user: UserId,
    /// The hash the password was checked against; none when another system vouches for the user.
    pub verified: Option<PasswordHash>,
    /// The device.
    pub device: NewDevice,
    /// How many live devices a user may have; beyond it the least recently seen gives way.
    pub most: u64,
    /// The present time.
    pub now: Timestamp,
}

/// What became of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The user is signed in.
    Opened {
        /// The session.
        session: Box<Session>,
        /// The devices that gave way.
        evicted: Vec<DeviceId>,
    },
    /// There is no such user.
    NoUser,
    /// The account is disabled.
    Disabled,
    /// The password was changed meanwhile.
    PasswordChanged,
}

impl Step for OpenDevice {
    type Outcome = Opened;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::User(self.user)
    }

    fn priority(&self) -> Priority {
        Priority::Adding
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<Opened, StoreError> {
        let Some(mut user) = records.user(self.user)? else { return Ok(Opened::NoUser) };
        if user.disabled.is_some() {
            return Ok(Opened::Disabled);
        }
        if self.verified.is_some() && self.verified != user.password {
            return Ok(Opened::PasswordChanged);
        }
        let Counters { era, keys, .. } = records.counters()?;
        let evicted = self.make_room(records, changes, era, &mut user)?;
        make_past_give_way(records, changes, era, &mut user)?;
        let device = self.device.open(changes, era, &mut user, self.now);
        changes.user(&user);
        Ok(Opened::Opened { session: Box::new(Session { user, device, era, keys }), evicted })
    }
}

impl OpenDevice {
    /// Ends the least recently seen devices until one more fits; those that ran out go first. Of devices seen at the same
    /// time the oldest goes first.
    fn make_room(
        &self,
        records: &dyn Records,
        changes: &mut Changes,
        era: Era,
        user: &mut User,
    ) -> Result<Vec<DeviceId>, StoreError> {
        let now = self.now;
        let over = (user.live_devices(era) + 1).saturating_sub(self.most.max(1)).min(MOST_EVICTED);
        if over == 0 {
            return Ok(Vec::new());
        }
        let mut candidates = Vec::new();
        for device in records.devices(user.id, user.stamp(era), None, usize::MAX)? {
            let seen = records.last_seen(user.id, device.id)?.map_or(device.created, |seen| seen.at);
            // One of a clock that was ahead counts as seen now, or it would never give way.
            let seen = seen.min(now);
            let ran_out = device.end() <= now;
            candidates.push((!ran_out, seen, device));
        }
        candidates.sort_by_key(|(lives, seen, device)| (*lives, *seen, device.id));
        let mut evicted = Vec::new();
        for (lives, _, device) in candidates.into_iter().take(usize::try_from(over).unwrap_or(usize::MAX)) {
            let cause = if lives { Cause::Evicted } else { Cause::Expired };
            if lives {
                evicted.push(device.id);
            } else {
                // By a clock that may be wrong: its access tokens may live on elsewhere.
                changes.log(now, Revocation::Device { user: device.user, device: device.id });
            }
            end(changes, era, user, device, Ended { at: now, cause, note: None });
        }
        Ok(evicted)
    }
}

/// Drops the records of the user's oldest past devices while more than [`PAST_KEPT`] are kept, a few at a time: so that
/// signing in and out over and over fills no disk. A record that shows that another system's token was used never gives way:
/// the sweep drops it when that token has expired. The caller writes the user.
fn make_past_give_way(
    records: &dyn Records,
    changes: &mut Changes,
    era: Era,
    user: &mut User,
) -> Result<(), StoreError> {
    if user.kept.count.saturating_sub(user.live_devices(era)) <= PAST_KEPT {
        return Ok(());
    }
    let mut oldest = records.oldest_past_devices(user.id, user.stamp(era), GIVING_WAY + PASSED_OVER)?;
    oldest.retain(|device| device.id.kept_until().is_none());
    oldest.sort_by_key(|device| device.id);
    for device in oldest.into_iter().take(GIVING_WAY) {
        let ended = if let Some(ended) = &device.ended {
            changes.remove(RecordKey::EndedDevice(user.id, device.id));
            ended.at
        } else {
            changes.remove(RecordKey::Device(user.id, device.stamp, device.id));
            left_behind_at(user, era, &device)
        };
        changes.remove(RecordKey::ExpiryCheck(ExpiryCheck::at(&device, gone_at(ended, &device))));
        changes.remove(RecordKey::ExpiryCheck(ExpiryCheck::at(&device, device.end())));
        changes.remove(RecordKey::LastSeen(user.id, device.id));
        user.kept.count = user.kept.count.saturating_sub(1);
        user.kept.given_way = user.kept.given_way.max(Some(device.id));
    }
    Ok(())
}
