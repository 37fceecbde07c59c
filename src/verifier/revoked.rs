//! Recent revocations: a copy of the log's kept entries, indexed by user and device.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use papaya::HashMap;

use crate::model::claims::{AccessClaims, LEEWAY, LONGEST_ACCESS, Presented};
use crate::model::counters::{Era, Generation};
use crate::model::ids::{DeviceId, UserId};
use crate::model::revocation::{BumpExtent, Revocation};
use crate::model::timestamp::Timestamp;
use crate::model::verdict::{Bumped, Verdict, judge_followed};

/// How long revocations are kept after their receipt, in seconds: longer than any access token lives, with a margin
/// for clocks that disagree.
const KEPT: u64 = LONGEST_ACCESS.as_secs() + LEEWAY.as_secs() + 4 * 60;

/// Ended users, devices and eras. Read by any thread without a lock, written by one.
///
/// Each has the second of its receipt by the suspend-counting clock. The time at which it was written does not count:
/// it comes from a wall clock, and a wrong one must not drop an entry.
pub(super) struct RevokedTable {
    era: AtomicU64,
    users: HashMap<UserId, HeardBump>,
    devices: HashMap<DeviceId, u32>,
}

/// A [`Bumped`] and when it was received. There may be millions: a 32-bit count of seconds makes room for the floor.
#[derive(Clone, Copy)]
struct HeardBump {
    generation: Generation,
    floor: Generation,
    extent: BumpExtent,
    heard: u32,
}

impl RevokedTable {
    /// A set without revocations except of eras before `era`.
    pub(super) fn since(era: Era) -> Self {
        Self { era: AtomicU64::new(era.value()), users: HashMap::new(), devices: HashMap::new() }
    }

    /// Decides whether an authentic token acts for its user, by the revocations known here.
    pub(super) fn judge(&self, claims: &AccessClaims, now: Timestamp) -> Verdict {
        let bumped = self.users.pin().get(&claims.subject).map(HeardBump::known);
        let ended = self.devices.pin().contains_key(&claims.device);
        judge_followed(&Presented::from(claims), self.era(), bumped, ended, now)
    }

    pub(super) fn era(&self) -> Era {
        Era::new(self.era.load(Ordering::Acquire))
    }

    /// The number of ended users and devices.
    pub(super) fn len(&self) -> usize {
        self.users.len() + self.devices.len()
    }

    /// Ends every token of an era before `era`.
    pub(super) fn begin_era(&self, era: Era) {
        self.era.fetch_max(era.value(), Ordering::Release);
    }

    /// Adds a revocation received at `now`. A repetition only renews the time of receipt.
    pub(super) fn note(&self, revocation: &Revocation, now: Duration) {
        let heard = seconds(now);
        match revocation {
            Revocation::Device { device, .. } => {
                self.devices.pin().insert(*device, heard);
            }
            Revocation::Generation { user, generation, extent } => {
                let users = self.users.pin();
                let known = users.get(user).map(HeardBump::known);
                let bumped = Bumped::heard(known, *generation, *extent);
                if bumped.generation == *generation {
                    users.insert(*user, HeardBump::of(bumped, heard));
                }
            }
            Revocation::Era(era) => self.begin_era(*era),
            // The keys are somebody else's to hold.
            Revocation::Keys { .. } => {}
        }
    }

    /// Removes revocations that are so old that every token they ended has expired.
    pub(super) fn forget(&self, now: Duration) {
        let is_of_use = |heard: u32| u64::from(heard) + KEPT > now.as_secs();
        self.users.pin().retain(|_, bump| is_of_use(bump.heard));
        self.devices.pin().retain(|_, heard| is_of_use(*heard));
    }
}

impl HeardBump {
    fn of(bumped: Bumped, heard: u32) -> Self {
        let Bumped { generation, extent, floor } = bumped;
        Self { generation, floor, extent, heard }
    }

    fn known(&self) -> Bumped {
        Bumped { generation: self.generation, extent: self.extent, floor: self.floor }
    }
}

/// The uptime in whole seconds, which fits for a century.
fn seconds(now: Duration) -> u32 {
    u32::try_from(now.as_secs()).unwrap_or(u32::MAX)
}

impl fmt::Debug for RevokedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RevokedTable({} in era {})", self.len(), self.era().value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documentation of `max_entries` promises about 100 bytes each.
    #[test]
    fn a_bump_takes_no_more_than_its_counters_its_device_and_a_moment() {
        assert_eq!(size_of::<HeardBump>(), 40);
    }
}
