//! Continues a session that began in another system, or ends it, by the token which that system gave out for it.
//!
//! Such a token is exchanged for one device, whose id is made from the token's own. So the device's record shows that the
//! token was used, on every node and after any crash; it is kept until the token has expired. To the device the token is its
//! refresh token of sequence 0: presented again, it is judged as such by the replay rule, and after the device's end it is
//! refused.

use super::Step;
use super::end_device::{DeviceEnded, EndDevice};
use super::open_device::{OpenDevice, Opened};
use super::rotate_refresh::{Refreshed, RotateRefresh};
use super::session::NewDevice;
use crate::model::claims::RefreshClaims;
use crate::model::counters::Era;
use crate::model::device::Ended;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::model::verdict::Reason;
use crate::store::StoreError;
use crate::store::former_account;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::steps::caller::Refusal;
use crate::store::working_set::WorkingSet;

/// Continues a session of another system on the device that its token is exchanged for.
#[derive(Clone, Debug)]
pub struct ContinueSession {
    /// Opens the device, if it does not exist yet.
    pub open: OpenDevice,
    /// Refreshes the device, if it exists. The claims are those of its first refresh token, under any counters.
    pub refresh: RotateRefresh,
}

/// What became of continuing a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Continued {
    /// The token was not used before: whether the device was opened.
    Opened(Opened),
    /// The token was used before: what became of refreshing its device.
    Refreshed(Refreshed),
}

impl Step for ContinueSession {
    type Outcome = Continued;

    /// The device, with the lock on its user: of two nodes that are shown the same token, one finds what the other has
    /// written.
    fn working_set(&self) -> WorkingSet {
        WorkingSet::Device(self.open.user, self.open.device.id)
    }

    fn priority(&self) -> Priority {
        Priority::Adding
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<Continued, StoreError> {
        let Some(user) = records.user(self.open.user)? else { return Ok(Continued::Opened(Opened::NoUser)) };
        let era = records.counters()?.era;
        let (stamp, device) = (user.stamp(era), self.open.device.id);
        let was_used =
            records.device(user.id, stamp, device)?.is_some() || records.ended(user.id, device)?.is_some();
        if was_used {
            changes.priority = self.refresh.priority();
            let claims = RefreshClaims { stamp, ..self.refresh.claims.clone() };
            let refresh = RotateRefresh { claims, ..self.refresh.clone() };
            return refresh.decide(records, changes).map(Continued::Refreshed);
        }
        if let Some(reason) = ended_before(records, &user, era)? {
            return Ok(Continued::Refreshed(Refreshed::Refused(Refusal::Ended(reason))));
        }
        self.open.decide(records, changes).map(Continued::Opened)
    }
}

/// Why the sessions of another system that are not continued here yet have ended: since the account was brought here, all
/// of the user's sessions were ended, or everyone's; or another account gave up the same external id before, or was deleted. Those
/// of before are not told from those of after.
pub fn ended_before(records: &dyn Records, user: &User, era: Era) -> Result<Option<Reason>, StoreError> {
    let deleted = match &user.external_id {
        Some(external_id) => former_account::has_ended(records, external_id)?,
        None => false,
    };
    Ok(ended_since(user, era).or(deleted.then_some(Reason::SignedOutEverywhere)))
}

fn ended_since(user: &User, era: Era) -> Option<Reason> {
    let made = u64::try_from(brought_here(user).unix()).unwrap_or(0);
    // By the account's own era too: an account may have been made by a clock that was ahead.
    if era.value() > made || user.live.era < era || user.left.iter().any(|left| left.stamp.era < era) {
        Some(Reason::Reset)
    } else {
        user.bumped.as_ref().map(|_| Reason::SignedOutEverywhere)
    }
}

/// When the account was brought here. That is in its id; `created` is earlier in an account that was imported with the
/// time of its creation in the other system.
fn brought_here(user: &User) -> Timestamp {
    user.id.made().unwrap_or(user.created)
}

/// Ends a session of another system, whether or not it was continued here.
#[derive(Clone, Debug)]
pub struct EndSession {
    /// Ends the device that the session's token was exchanged for, if it was.
    pub end: EndDevice,
    /// The device that is recorded as ended, if the token was not exchanged: so that it never will be.
    pub device: NewDevice,
}

impl Step for EndSession {
    type Outcome = DeviceEnded;

    fn working_set(&self) -> WorkingSet {
        self.end.working_set()
    }

    fn priority(&self) -> Priority {
        self.end.priority()
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<DeviceEnded, StoreError> {
        let outcome = self.end.decide(records, changes)?;
        if outcome != DeviceEnded::NoDevice {
            return Ok(outcome);
        }
        let Some(mut user) = records.user(self.end.user)? else { return Ok(DeviceEnded::AlreadyEnded) };
        let era = records.counters()?.era;
        if ended_before(records, &user, era)?.is_some() {
            return Ok(DeviceEnded::AlreadyEnded);
        }
        let EndDevice { now, cause, note, .. } = self.end.clone();
        self.device.record_as_ended(changes, era, &mut user, Ended { at: now, cause, note });
        changes.user(&user);
        Ok(DeviceEnded::Ended)
    }
}
