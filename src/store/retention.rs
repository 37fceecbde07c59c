//! How long records are kept after they have ended, and how many.

use std::time::Duration;

/// How long the record of an ended device is kept.
pub const ENDED_KEPT: Duration = Duration::from_secs(28 * 24 * 60 * 60);

/// How many records of past devices of one user are kept, about: each sign-in beyond it drops two of the oldest.
///
/// Ending devices is not bounded by it, nor does it cost more for many: those that one sign-out everywhere left behind
/// go with the sign-ins that follow.
pub const PAST_KEPT: u64 = 200;

/// How long an entry of the log is kept: longer than any access token lives.
pub const LOG_KEPT: Duration = Duration::from_secs(65 * 60);
