//! Who asks for a step, judged again inside the step.

use crate::model::claims::Presented;
use crate::model::device::Device;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::model::verdict::{Reason, Verdict};
use crate::store::records::Records;
use crate::store::{Counters, Standing, StoreError};

/// Why a token does not act for its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The token was good and is not any more.
    Ended(Reason),
    /// The store rolled back: refuse, alarm, end nothing.
    Ahead,
}

/// A caller whose token acts for its user: the counters, the user and the device.
pub(super) type Caller = (Counters, User, Device);

/// Judges the token that a caller presented.
pub(super) fn judge(
    records: &dyn Records,
    presented: &Presented,
    now: Timestamp,
) -> Result<Result<Caller, Refusal>, StoreError> {
    let standing = Standing::read(records, presented.user, presented.device)?;
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
