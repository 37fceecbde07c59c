//! What each step decides: a pure function from what is stored to what is to be written, the same for every engine.
//!
//! A step that acts for a signed-in caller takes what the caller presented and judges it again here, inside the
//! step, by the one decision: whatever happened since the request was authenticated wins.

use std::time::Duration;

use super::records::{Change, Changes, Look, Records};
use super::{Clock, Standing, StoreError};
use crate::model::claims::Presented;
use crate::model::counters::Era;
use crate::model::device::{Cause, Device, Ended};
use crate::model::ids::{DeviceId, UserId};
use crate::model::revocation::Revocation;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::model::verdict::{Reason, Verdict};

pub mod account;
pub mod device;
pub mod keys;
pub mod password;
pub mod rollback;
pub mod session;
pub mod sign_out;
pub mod sweep;

/// How long the record of an ended device is kept.
pub const ENDED_KEPT: Duration = Duration::from_secs(28 * 24 * 60 * 60);

/// How many records of past devices of one user are kept, about: each sign-in beyond it drops two of the oldest.
///
/// Ending devices is not bounded by it, nor does it cost more for many: those that one sign-out everywhere left behind
/// go with the sign-ins that follow.
pub const PAST_KEPT: u64 = 200;

/// How many records of past devices give way to a sign-in: more than the one it may leave.
const GIVING_WAY: usize = 2;

/// How long an entry of the log is kept: longer than any access token lives.
pub const LOG_KEPT: Duration = Duration::from_secs(65 * 60);

/// What a step writes, and what it answers.
pub type Step<T> = Result<(Changes, T), StoreError>;

/// The caller does not act for its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It no longer does.
    Ended(Reason),
    /// The store rolled back: refuse, alarm, end nothing.
    Ahead,
}

/// Reads what the decision on a token of `device` needs.
pub fn standing(records: &dyn Records, user: UserId, device: DeviceId) -> Result<Standing, StoreError> {
    let clock = records.clock()?;
    loop {
        let Some(found) = records.user(user)? else {
            return Ok(Standing { clock, user: None, device: None });
        };
        let stamp = found.stamp(clock.era);
        if let Some(live) = records.device(user, stamp, device)? {
            return Ok(Standing { clock, user: Some(found), device: Some(live) });
        }
        let ended = records.ended(user, device)?;
        // Outside a step the device may have moved between the two reads: then its user has changed too.
        if ended.is_some() || records.user(user)?.is_some_and(|again| again.generation == found.generation) {
            return Ok(Standing { clock, user: Some(found), device: ended });
        }
    }
}

/// The caller, judged again.
fn caller(
    records: &dyn Records,
    presented: &Presented,
    now: Timestamp,
) -> Result<Result<(Clock, User, Device), Refusal>, StoreError> {
    let standing = standing(records, presented.user, presented.device)?;
    Ok(match (standing.judge(presented, now), standing.user, standing.device) {
        (Verdict::Live, Some(user), Some(device)) => Ok((standing.clock, user, device)),
        (Verdict::Ended(reason), ..) => Err(Refusal::Ended(reason)),
        _ => Err(Refusal::Ahead),
    })
}

/// Ends one device of `user` that stands under its current stamp. The caller writes the user.
fn end(changes: &mut Changes, era: Era, user: &mut User, mut device: Device, ended: Ended) {
    let (at, cause) = (ended.at, ended.cause);
    user.set_live_devices(era, user.live_devices(era).saturating_sub(1));
    changes.counted.live_devices -= 1;
    device.ended = Some(ended);
    changes.push(Change::DropDevice(device.user, device.stamp, device.id));
    // The note of when it would have run out. That of a device that refreshed since stands elsewhere, and finds nothing.
    changes.push(Change::DropLook(Look::at(&device, device.end())));
    // From no earlier than it was made: whoever presents its tokens is to find a record of it.
    changes.push(Change::Look(Look::at(&device, at.max(device.created) + ENDED_KEPT)));
    if cause != Cause::Expired {
        changes.log(at, Revocation::Device { user: device.user, device: device.id });
    }
    changes.push(Change::Ended(Box::new(device)));
}

/// Drops the records of the user's oldest past devices while more than [`PAST_KEPT`] are kept, a few at a time: so that
/// signing in and out over and over fills no disk. The caller writes the user.
fn make_past_give_way(
    records: &dyn Records,
    changes: &mut Changes,
    era: Era,
    user: &mut User,
) -> Result<(), StoreError> {
    if user.kept.count.saturating_sub(user.live_devices(era)) <= PAST_KEPT {
        return Ok(());
    }
    let mut oldest = records.oldest_past_devices(user.id, user.stamp(era), GIVING_WAY)?;
    oldest.sort_by_key(|device| device.id);
    for device in oldest.into_iter().take(GIVING_WAY) {
        if let Some(ended) = &device.ended {
            changes.push(Change::DropEnded(user.id, device.id));
            changes.push(Change::DropLook(Look::at(&device, ended.at.max(device.created) + ENDED_KEPT)));
        } else {
            changes.push(Change::DropDevice(user.id, device.stamp, device.id));
            let gone_at = sweep::left_behind_at(user, era, &device) + ENDED_KEPT;
            changes.push(Change::DropLook(Look::at(&device, gone_at)));
        }
        changes.push(Change::DropLook(Look::at(&device, device.end())));
        changes.push(Change::DropLastSeen(user.id, device.id));
        user.kept.count = user.kept.count.saturating_sub(1);
        user.kept.given_way = user.kept.given_way.max(Some(device.id));
    }
    Ok(())
}

/// Bumps the user's generation: every device of it ends, at the same cost for one as for ten thousand. Returns how
/// many there were. The caller writes the user, and the device `kept` with [`restamp`].
fn bump(
    changes: &mut Changes,
    era: Era,
    user: &mut User,
    kept: Option<&Device>,
    at: Timestamp,
    cause: Cause,
    note: Option<String>,
) -> u64 {
    let live = user.live_devices(era);
    user.set_live_devices(era, live);
    user.bump(at, cause, note, live <= u64::from(kept.is_some()));
    changes.counted.live_devices -= i64::try_from(live).unwrap_or(i64::MAX);
    let kept = kept.map(|device| device.id);
    // Of no use where no device goes on: every earlier token is then of a device that ended.
    let password_changed = kept.is_some() && cause == Cause::PasswordChanged;
    let generation = user.generation;
    changes.log(at, Revocation::Generation { user: user.id, generation, kept, password_changed });
    live
}

/// Puts `device` under the user's new stamp; the only one that a bump left alive. The caller writes the user.
fn restamp(changes: &mut Changes, era: Era, user: &mut User, device: &mut Device) {
    changes.push(Change::DropDevice(device.user, device.stamp, device.id));
    device.stamp = user.stamp(era);
    user.set_live_devices(era, 1);
    changes.counted.live_devices += 1;
    changes.device(device);
    changes.push(Change::Look(Look::at(device, device.end())));
}
