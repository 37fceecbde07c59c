//! A token of ours that the store cannot have minted proves that the store went back in time: it was put back from a
//! copy, or lost what it had acknowledged. That is written down, so that no node goes on saying yes.
//!
//! Only an authentic token proves anything, and no honest one may. So nothing is concluded from a user who is not there
//! (who may have been deleted), from a device whose record may have been swept or have given way to newer ones, or from a
//! token of another era.

use std::time::Duration;

use super::Step;
use crate::model::claims::{LEEWAY, Presented};
use crate::model::counters::Sequence;
use crate::model::timestamp::Timestamp;
use crate::store::format::Record;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records};
use crate::store::retention::ENDED_KEPT;
use crate::store::working_set::WorkingSet;
use crate::store::{Standing, StoreError};

/// A device made within this time must have a record: the record of one that ended is kept [`ENDED_KEPT`] from its end.
/// The day between the two is for clocks.
pub const KNOWN_FOR: Duration = Duration::from_secs(ENDED_KEPT.as_secs() - 24 * 60 * 60);

/// Reports an authentic token that the store seems not to have minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportRollback {
    /// What the token says.
    pub presented: Presented,
    /// Which of its device's refresh tokens it is, if it is one.
    pub sequence: Option<Sequence>,
    /// The present time, by a clock that is not in doubt; none where it is.
    pub now: Option<Timestamp>,
}

/// What became of the report of a rollback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollbackReported {
    /// The store was rolled back, and it is written down that it was.
    Proven,
    /// The token proves nothing.
    Refuted,
    /// The token proves nothing, and its device has a record: a read that found none was of another state.
    OnRecord,
}

impl Step for ReportRollback {
    type Outcome = RollbackReported;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Device(self.presented.user, self.presented.device)
    }

    fn priority(&self) -> Priority {
        Priority::Ending
    }

    fn decide(&self, records: &dyn Records, changes: &mut Changes) -> Result<RollbackReported, StoreError> {
        if !self.is_proof(records)? {
            let standing = Standing::read(records, self.presented.user, self.presented.device)?;
            let on_record = standing.device.is_some();
            return Ok(if on_record { RollbackReported::OnRecord } else { RollbackReported::Refuted });
        }
        if !records.rolled_back()? {
            changes.put(Record::RolledBack);
        }
        Ok(RollbackReported::Proven)
    }
}

impl ReportRollback {
    fn is_proof(&self, records: &dyn Records) -> Result<bool, StoreError> {
        let presented = &self.presented;
        let standing = Standing::read(records, presented.user, presented.device)?;
        let (own, era) = (presented.stamp, standing.counters.era);
        // What was minted in an era that is over may be from before a restore that was told.
        if own.era != era {
            return Ok(own.era > era);
        }
        let Some(user) = standing.user else { return Ok(false) };
        if own.generation != user.generation {
            return Ok(own.generation > user.generation);
        }
        Ok(match standing.device {
            Some(device) => self.sequence.is_some_and(|sequence| sequence > device.refresh.current),
            // Up to this one records gave way to newer ones before their time.
            None if user.kept.given_way.is_some_and(|newest| presented.device <= newest) => false,
            None => self.must_have_a_record(),
        })
    }

    /// Whether the token's device is so young that the store must have a record of it, if it ever had one.
    pub fn must_have_a_record(&self) -> bool {
        let (Some(now), Some(made)) = (self.now, self.presented.device.made()) else { return false };
        made <= now + LEEWAY && now < made + KNOWN_FOR
    }
}
