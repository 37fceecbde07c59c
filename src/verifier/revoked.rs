//! What ended lately: a copy of the log's kept entries, arranged for looking up.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use papaya::HashMap;

use crate::model::claims::{AccessClaims, LEEWAY, LONGEST_ACCESS, Presented};
use crate::model::counters::Era;
use crate::model::ids::{DeviceId, UserId};
use crate::model::revocation::Revocation;
use crate::model::timestamp::Timestamp;
use crate::model::verdict::{Bumped, Verdict, judge_followed};

/// How long what ended is remembered after it was heard of, in seconds: longer than any access token lives, and something
/// for clocks that disagree.
const KEPT: u64 = LONGEST_ACCESS.as_secs() + LEEWAY.as_secs() + 4 * 60;

/// Ended users, devices and eras. Read from any thread without a lock; written by one.
///
/// Each with the second, on our suspend-counting clock, at which it was heard of. When it was written is no matter: that
/// says a wall clock, and one that is wrong must not make us forget.
pub(super) struct Revoked {
    era: AtomicU64,
    users: HashMap<UserId, (Bumped, u64)>,
    devices: HashMap<DeviceId, u64>,
}

impl Revoked {
    /// Nothing has ended but what is older than `era`.
    pub(super) fn since(era: Era) -> Self {
        Self { era: AtomicU64::new(era.value()), users: HashMap::new(), devices: HashMap::new() }
    }

    /// The one decision, with what is known here.
    pub(super) fn judge(&self, claims: &AccessClaims, now: Timestamp) -> Verdict {
        let bumped = self.users.pin().get(&claims.subject).map(|(bumped, _)| *bumped);
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
        let heard = now.as_secs();
        match revocation {
            Revocation::Device { device, .. } => {
                self.devices.pin().insert(*device, heard);
            }
            Revocation::Generation { user, generation, kept } => {
                let users = self.users.pin();
                if users.get(user).is_none_or(|(known, _)| known.generation <= *generation) {
                    users.insert(*user, (Bumped { generation: *generation, kept: *kept }, heard));
                }
            }
            Revocation::Era(era) => self.begin_era(*era),
            // The keys are somebody else's to hold.
            Revocation::Keys { .. } => {}
        }
    }

    /// Forgets what was heard of so long ago that no token it could end is left.
    pub(super) fn forget(&self, now: Duration) {
        let is_of_use = |heard: u64| heard + KEPT > now.as_secs();
        self.users.pin().retain(|_, (_, heard)| is_of_use(*heard));
        self.devices.pin().retain(|_, heard| is_of_use(*heard));
    }
}

impl fmt::Debug for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revoked({} in era {})", self.len(), self.era().value())
    }
}
