//! Who asks for a step, judged inside the step.

use crate::model::claims::Presented;
use crate::model::counters::KeysVersion;
use crate::model::device::Device;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::model::verdict::{Reason, Verdict};
use crate::store::records::Records;
use crate::store::working_set::WorkingSet;
use crate::store::{Counters, Standing, StoreError};

/// An authentic access token, as a step judges it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerToken {
    /// What the token says.
    pub presented: Presented,
    /// The version of the key set by which the token is authentic.
    pub keys: KeysVersion,
}

impl CallerToken {
    /// The records that judge it.
    pub(super) fn working_set(&self) -> WorkingSet {
        WorkingSet::Device(self.presented.user, self.presented.device)
    }
}

/// What became of a step that a caller may ask for.
pub trait AskedFor {
    /// Why the caller was refused, if the caller was.
    fn refusal(&self) -> Option<Refusal>;
}

/// Why a token does not act for its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The key set has another version: whether the token is authentic has to be found out again.
    OtherKeys,
    /// The token was good and is not any more.
    Ended(Reason),
    /// The store rolled back: refuse, alarm, end nothing.
    Ahead,
}

/// A caller whose token acts for its user: the counters, the user and the device.
pub(super) type Caller = (Counters, User, Device);

/// Judges the token of a caller.
pub(super) fn judge(
    records: &dyn Records,
    token: &CallerToken,
    now: Timestamp,
) -> Result<Result<Caller, Refusal>, StoreError> {
    let CallerToken { presented, keys } = token;
    let standing = Standing::read(records, presented.user, presented.device)?;
    if standing.counters.keys != *keys {
        return Ok(Err(Refusal::OtherKeys));
    }
    let verdict = standing.judge(presented, now);
    Ok(accept(verdict, standing))
}

/// The caller, if the verdict on its token is that it acts for its user.
pub(super) fn accept(verdict: Verdict, standing: Standing) -> Result<Caller, Refusal> {
    match (verdict, standing.user, standing.device) {
        (Verdict::Live, Some(user), Some(device)) => Ok((standing.counters, user, device)),
        (Verdict::Ended(reason), ..) => Err(Refusal::Ended(reason)),
        _ => Err(Refusal::Ahead),
    }
}
