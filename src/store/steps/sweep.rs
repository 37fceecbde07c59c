//! The sweep: devices that ran out are ended, what is kept no longer goes. In small batches, so that it holds
//! nobody up.
//!
//! Every device has a note to check it ([`ExpiryCheck`]) at the time it would run out. A refresh does not move the note:
//! when the time comes and the device lives on, the note is made anew. So the sweep's cost follows what happens, not
//! what is stored.

use std::collections::BTreeSet;

use super::Step;
use super::ending::end;
use crate::model::counters::{Era, Position};
use crate::model::device::{Cause, Ended};
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::store::StoreError;
use crate::store::expiry_check::ExpiryCheck;
use crate::store::format::{Record, RecordKey};
use crate::store::past_devices::{gone_at, left_behind_at};
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::working_set::WorkingSet;

/// Ends devices that ran out and drops what is kept no longer.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// The time, as far as it is confirmed: what runs out by it is ended for good.
    pub now: Timestamp,
    /// The last entry of the log that was seen [`LOG_KEPT`](crate::store::retention::LOG_KEPT) ago. What an entry says of its own time
    /// decides nothing: whoever wrote it may have had a wrong clock.
    pub outlived: Position,
    /// At most so many devices and so many entries.
    pub limit: usize,
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Devices that ran out and were ended.
    pub expired: usize,
    /// Records of ended devices that went.
    pub forgotten: usize,
    /// Entries of the log that went.
    pub entries: usize,
    /// Whether there is more to do at once.
    pub more: bool,
}

impl Step for Sweep {
    type Outcome = Swept;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Due(self.now, self.limit)
    }

    fn priority(&self) -> Priority {
        Priority::Sweeping
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<Swept, StoreError> {
        let Self { now, outlived, limit } = *self;
        let mut swept = Swept::default();
        let era = records.counters()?.era;
        let checks = records.due(now, limit)?;
        swept.more = checks.len() >= limit;
        let mut users: Vec<User> = Vec::new();
        let mut examined = BTreeSet::new();
        // Before any note is made: a new one may be for the same moment as one that is done here.
        for check in &checks {
            changes.remove(RecordKey::ExpiryCheck(*check));
        }
        for check in checks {
            if !examined.insert((check.user, check.stamp, check.device)) {
                continue;
            }
            let user = match users.iter().position(|user| user.id == check.user) {
                Some(at) => Some(users.swap_remove(at)),
                None => records.user(check.user)?,
            };
            let user = examine(records, changes, &mut swept, era, user, check, now)?;
            users.extend(user);
        }
        for user in &users {
            if records.user(user.id)?.as_ref() != Some(user) {
                changes.user(user);
            }
        }
        let oldest = records.log(Position::default(), limit)?;
        let overdue = oldest.iter().take_while(|entry| entry.position <= outlived).count();
        swept.entries = overdue;
        swept.more |= overdue >= limit;
        for entry in oldest.iter().take(overdue) {
            changes.remove(RecordKey::Entry(entry.position));
        }
        Ok(swept)
    }
}

/// Does what a note asks for.
fn examine(
    records: &dyn Records,
    changes: &mut Changes,
    swept: &mut Swept,
    era: Era,
    mut user: Option<User>,
    check: ExpiryCheck,
    now: Timestamp,
) -> Result<Option<User>, StoreError> {
    let Some(device) = records.device(check.user, check.stamp, check.device)? else {
        if let Some(ended) = records.ended(check.user, check.device)?
            && ended.ended.as_ref().is_none_or(|end| gone_at(end.at, &ended) <= now)
        {
            changes.remove(RecordKey::EndedDevice(check.user, check.device));
            changes.remove(RecordKey::LastSeen(check.user, check.device));
            forgotten(swept, &mut user);
        }
        return Ok(user);
    };
    let left_behind = user.as_ref().is_none_or(|user| user.stamp(era) != check.stamp);
    if left_behind {
        // Nothing is kept of a deleted user once the check of a device is due.
        let kept_until = user.as_ref().map(|user| gone_at(left_behind_at(user, era, &device), &device));
        if let Some(at) = kept_until.filter(|at| *at > now) {
            changes.put(Record::ExpiryCheck(ExpiryCheck { at, ..check }));
        } else {
            changes.remove(RecordKey::Device(check.user, check.stamp, check.device));
            changes.remove(RecordKey::LastSeen(check.user, check.device));
            forgotten(swept, &mut user);
        }
        return Ok(user);
    }
    let Some(mut user) = user else { return Ok(None) };
    if now < device.end() {
        changes.put(Record::ExpiryCheck(ExpiryCheck::at(&device, device.end())));
    } else {
        let at = device.end();
        end(changes, era, &mut user, device, Ended { at, cause: Cause::Expired, note: None });
        swept.expired += 1;
    }
    Ok(Some(user))
}

/// Counts a record of a past device that went.
fn forgotten(swept: &mut Swept, user: &mut Option<User>) {
    swept.forgotten += 1;
    if let Some(user) = user {
        user.kept.count = user.kept.count.saturating_sub(1);
    }
}
