//! What an operation works on, as far as that is known before it runs.

use crate::model::external_id::ExternalId;
use crate::model::ids::{DeviceId, UserId};
use crate::model::timestamp::Timestamp;

/// The records that a step or a query is known to work on before it runs.
///
/// An engine whose steps run concurrently locks the working set of a step, so that nobody changes it until the step has
/// ended, and reads the working set of a step or a query in one round trip. An engine whose steps run one after the
/// other may ignore it. A step or a query may read more than its working set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkingSet {
    /// Nothing that is known beforehand.
    Unknown,
    /// A username's key and the user of that name. For queries only.
    Username(String),
    /// A user to add: a username's key and an external id, and the users who have them. Not locked: two registrations of one
    /// name meet at the unique index, and the second one runs again.
    NewUser(String, Option<ExternalId>),
    /// A user. A lock on a user covers all devices of the user.
    User(UserId),
    /// A user and one device of the user.
    Device(UserId, DeviceId),
    /// A page of a user's live devices: those after a device, at most so many. For queries only.
    Devices(UserId, Option<DeviceId>, usize),
    /// Devices whose last-seen records are written. These decide nothing, so nothing is locked.
    LastSeen(Vec<(UserId, DeviceId)>),
    /// The service-wide counters.
    Counters,
    /// The devices whose expiry check is due at a time: at most so many.
    Due(Timestamp, usize),
}
