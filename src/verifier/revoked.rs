//! What ended lately: a copy of the log's kept entries, arranged for looking up.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use papaya::HashMap;

use crate::model::claims::{AccessClaims, LEEWAY, LONGEST_ACCESS, Presented};
use crate::model::counters::{Era, Generation};
use crate::model::ids::{DeviceId, UserId};
use crate::model::revocation::Revocation;
use crate::model::timestamp::Timestamp;
use crate::model::verdict::{Bumped, Verdict, judge_followed};

/// How long what ended is remembered after it was heard of, in seconds: longer than any access token lives, and something
/// for clocks that disagree.
const KEPT: u32 = (LONGEST_ACCESS.as_secs() + LEEWAY.as_secs()) as u32 + 4 * 60;

/// Ended users, devices and eras. Read from any thread without a lock; written by one.
///
/// Each with the second, on our suspend-counting clock, at which it was heard of. When it was written is no matter: that
/// says a wall clock, and one that is wrong must not make us forget.
pub(super) struct Revoked {
    era: AtomicU64,
    users: HashMap<UserId, HeardBump>,
    devices: HashMap<DeviceId, u32>,
}

/// A [`Bumped`] and when it was heard of. There may be millions: the short count of seconds is what makes room for the
/// floor.
#[derive(Clone, Copy)]
struct HeardBump {
    generation: Generation,
    floor: Generation,
    kept: Option<DeviceId>,
    heard: u32,
}

impl Revoked {
    /// Nothing has ended but what is older than `era`.
    pub(super) fn since(era: Era) -> Self {
        Self { era: AtomicU64::new(era.value()), users: HashMap::new(), devices: HashMap::new() }
    }

    /// The one decision, with what is known here.
    pub(super) fn judge(&self, claims: &AccessClaims, now: Timestamp) -> Verdict {
        let bumped = self.users.pin().get(&claims.subject).map(HeardBump::known);
        let ended = self.devices.pin().contains_key(&claims.device);
        judge_followed(&Presented::from(claims), self.era(), bumped, ended, now)
    }

    pub(super) fn era(&self) -> Era {
        Era::new(self.era.load(Ordering::Acquire))
    }

    /// How many ended users and devices are held.
    pub(super) fn len(&self) -> usize {
        self.users.len() + self.devices.len()
    }

    /// Every token of an earlier era is dead.
    pub(super) fn begin_era(&self, era: Era) {
        self.era.fetch_max(era.value(), Ordering::Release);
    }

    /// Remembers what has ended, from `now` on. Hearing of it again changes nothing but that.
    pub(super) fn note(&self, revocation: &Revocation, now: Duration) {
        let heard = seconds(now);
        match revocation {
            Revocation::Device { device, .. } => {
                self.devices.pin().insert(*device, heard);
            }
            Revocation::Generation { user, generation, kept, password_changed } => {
                let users = self.users.pin();
                let known = users.get(user).map(HeardBump::known);
                let bumped = Bumped::heard(known, *generation, *kept, *password_changed);
                if bumped.generation == *generation {
                    users.insert(*user, HeardBump::of(bumped, heard));
                }
            }
            Revocation::Era(era) => self.begin_era(*era),
            // The keys are somebody else's to hold.
            Revocation::Keys { .. } => {}
        }
    }

    /// Forgets what was heard of so long ago that no token it could end is left.
    pub(super) fn forget(&self, now: Duration) {
        let is_of_use = |heard: u32| heard.saturating_add(KEPT) > seconds(now);
        self.users.pin().retain(|_, bump| is_of_use(bump.heard));
        self.devices.pin().retain(|_, heard| is_of_use(*heard));
    }
}

impl HeardBump {
    fn of(bumped: Bumped, heard: u32) -> Self {
        let Bumped { generation, kept, floor } = bumped;
        Self { generation, floor, kept, heard }
    }

    fn known(&self) -> Bumped {
        Bumped { generation: self.generation, kept: self.kept, floor: self.floor }
    }
}

/// On a clock that begins with the machine: enough for a century.
fn seconds(now: Duration) -> u32 {
    u32::try_from(now.as_secs()).unwrap_or(u32::MAX)
}

impl fmt::Debug for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revoked({} in era {})", self.len(), self.era().value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `max_entries` is said to cost about 100 bytes each.
    #[test]
    fn a_bump_takes_no_more_than_its_counters_its_device_and_a_moment() {
        assert_eq!(size_of::<HeardBump>(), 40);
    }
}
