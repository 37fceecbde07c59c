//! Sessions begin and go on: a device is opened, its refresh tokens rotate.

use std::time::Duration;

use super::{Refusal, Step, end, make_past_give_way};
use crate::model::claims::RefreshClaims;
use crate::model::counters::Era;
use crate::model::device::{Cause, Device, DeviceKind, DeviceName, Ended, LastSeen};
use crate::model::ids::{DeviceId, UserId};
use crate::model::network::Network;
use crate::model::password::PasswordHash;
use crate::model::refresh_state::RefreshState;
use crate::model::replay::{Replay, ReplayPolicy};
use crate::model::revocation::Revocation;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::model::verdict::{Reason, Verdict};
use crate::store::StoreError;
use crate::store::priority::Priority;
use crate::store::records::{Change, Changes, Look, Records};

/// At most so many devices give way in one sign-in, should the allowed number have been lowered a lot.
const MOST_EVICTED: u64 = 64;

/// A device to be opened.
#[derive(Clone, Debug)]
pub struct NewDevice {
    /// Its id.
    pub id: DeviceId,
    /// Its name.
    pub name: DeviceName,
    /// Its kind.
    pub kind: DeviceKind,
    /// Where its user signs in.
    pub network: Network,
    /// The same as lists show it.
    pub seen: LastSeen,
    /// How long it lasts without a refresh.
    pub idle: Duration,
    /// How long it lasts in any case.
    pub lifetime: Duration,
}

/// Everything tokens are minted from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The user.
    pub user: User,
    /// The device.
    pub device: Device,
    /// The era.
    pub era: Era,
}

/// Signs a user in on a new device.
#[derive(Clone, Debug)]
pub struct OpenDevice {
    /// Who.
    pub user: UserId,
    /// The hash the password was checked against; none when another system vouches for the user.
    pub verified: Option<PasswordHash>,
    /// The device.
    pub device: NewDevice,
    /// How many live devices a user may have; beyond it the least recently seen gives way.
    pub most: u64,
    /// Now.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Signed in.
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

/// See [`OpenDevice`].
pub fn open_device(records: &dyn Records, request: &OpenDevice) -> Step<Opened> {
    let refused = |outcome| Ok((Changes::none(), outcome));
    let Some(mut user) = records.user(request.user)? else {
        return refused(Opened::NoUser);
    };
    if user.disabled.is_some() {
        return refused(Opened::Disabled);
    }
    if request.verified.as_ref().is_some_and(|verified| *verified != user.password) {
        return refused(Opened::PasswordChanged);
    }
    let era = records.clock()?.era;
    let mut changes = Changes::none();
    let evicted = make_room(records, &mut changes, era, &mut user, request.most, request.now)?;
    make_past_give_way(records, &mut changes, era, &mut user)?;
    let device = add(&mut changes, era, &mut user, &request.device, request.now);
    changes.user(&user);
    let session = Box::new(Session { user, device, era });
    Ok((changes, Opened::Opened { session, evicted }))
}

/// Adds a device under the user's stamp. The caller writes the user.
pub(super) fn add(
    changes: &mut Changes,
    era: Era,
    user: &mut User,
    new: &NewDevice,
    now: Timestamp,
) -> Device {
    let absolute_end = now + new.lifetime;
    let device = Device {
        id: new.id,
        user: user.id,
        stamp: user.stamp(era),
        name: new.name.clone(),
        kind: new.kind.clone(),
        created: now,
        authenticated: now,
        idle_end: (now + new.idle).min(absolute_end),
        absolute_end,
        refresh: RefreshState::opened(new.network),
        ended: None,
    };
    user.set_live_devices(era, user.live_devices(era) + 1);
    changes.counted.live_devices += 1;
    user.kept.count += 1;
    changes.device(&device);
    // The password was hashed in between: the device is seen when it comes to be.
    changes.push(Change::LastSeen(user.id, device.id, LastSeen { at: now, ..new.seen.clone() }));
    changes.push(Change::Look(Look::at(&device, device.end())));
    device
}

/// Ends the least recently seen devices until one more fits; those that ran out go first.
fn make_room(
    records: &dyn Records,
    changes: &mut Changes,
    era: Era,
    user: &mut User,
    most: u64,
    now: Timestamp,
) -> Result<Vec<DeviceId>, StoreError> {
    let over = (user.live_devices(era) + 1).saturating_sub(most.max(1)).min(MOST_EVICTED);
    if over == 0 {
        return Ok(Vec::new());
    }
    let mut candidates = Vec::new();
    for device in records.devices(user.id, user.stamp(era), None, usize::MAX)? {
        let seen = records.last_seen(user.id, device.id)?.map_or(device.created, |seen| seen.at);
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

/// Decides on a refresh token and advances its device.
#[derive(Clone, Debug)]
pub struct RotateRefresh {
    /// What the token says.
    pub claims: RefreshClaims,
    /// From where it is presented.
    pub network: Network,
    /// From which address and with which user agent, for the record of a reuse.
    pub origin: Option<String>,
    /// The rule.
    pub policy: ReplayPolicy,
    /// How long the device then lasts without another refresh.
    pub idle: Duration,
    /// Now.
    pub now: Timestamp,
    /// Now by a clock that nobody sets while the process runs: what the windows of the rule are measured by.
    pub steady: Timestamp,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// The device advanced.
    Rotated(Box<Session>),
    /// A lost answer or a parallel request: the newest token again.
    Repeated(Box<Session>),
    /// The same successor, counted against the device.
    Recovered(Box<Session>),
    /// The token was used before: its device is ended now.
    Reused {
        /// The device, as it was.
        device: Box<Device>,
        /// From where its owner was last heard of.
        last_seen: Option<LastSeen>,
    },
    /// The device is not live, for this reason; or the store rolled back.
    Refused(Refusal),
}

/// See [`RotateRefresh`].
pub fn rotate_refresh(records: &dyn Records, request: &RotateRefresh) -> Step<Refreshed> {
    let now = request.now;
    let presented = (&request.claims).into();
    let standing = super::standing(records, request.claims.subject, request.claims.device)?;
    let refused = |refusal| Ok((Changes::none(), Refreshed::Refused(refusal)));
    let (era, mut user, mut device) =
        match (standing.judge_refresh(&presented, now), standing.user, standing.device) {
            (Verdict::Live, Some(user), Some(device)) => (standing.clock.era, user, device),
            (Verdict::Ended(reason), ..) => return refused(Refusal::Ended(reason)),
            _ => return refused(Refusal::Ahead),
        };
    let mut changes = Changes::of(Priority::Refreshing);
    let session = |user, device| Box::new(Session { user, device, era });
    match device.refresh.classify(request.claims.sequence, request.network, &request.policy, request.steady) {
        Replay::Ahead => refused(Refusal::Ahead),
        Replay::BelowFloor => refused(Refusal::Ended(Reason::PasswordChanged)),
        Replay::Rotate => {
            device.refresh.rotate(request.network, request.steady);
            let looked_at = device.end();
            device.stay(now, request.idle);
            if device.end() < looked_at {
                changes.push(Change::Look(Look::at(&device, device.end())));
            }
            changes.device(&device);
            Ok((changes, Refreshed::Rotated(session(user, device))))
        }
        Replay::Repeat => Ok((changes, Refreshed::Repeated(session(user, device)))),
        Replay::Recover => {
            device.refresh.recover(request.steady);
            changes.device(&device);
            Ok((changes, Refreshed::Recovered(session(user, device))))
        }
        Replay::Reuse => {
            changes.priority = Priority::Ending;
            let last_seen = records.last_seen(user.id, device.id)?;
            let ended = Ended { at: now, cause: Cause::RefreshReused, note: request.origin.clone() };
            end(&mut changes, era, &mut user, device.clone(), ended);
            changes.user(&user);
            Ok((changes, Refreshed::Reused { device: Box::new(device), last_seen }))
        }
    }
}
