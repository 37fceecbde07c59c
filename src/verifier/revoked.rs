//! What ended lately: a copy of the log's kept entries, arranged for looking up.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use papaya::HashMap;

use crate::model::claims::{AccessClaims, LEEWAY, LONGEST_ACCESS, Presented};
use crate::model::counters::Era;
use crate::model::ids::{DeviceId, UserId};
use crate::model::revocation::Revocation;
use crate::model::timestamp::Timestamp;
use crate::model::verdict::{Bumped, Verdict, judge_followed};

/// How much longer than any access token an entry is remembered: for clocks that disagree.
const SPARE: std::time::Duration = std::time::Duration::from_secs(4 * 60);

/// Ended users, devices and eras. Read from any thread without a lock; written by one.
pub(super) struct Revoked {
    era: AtomicU64,
    users: HashMap<UserId, (Bumped, Timestamp)>,
    devices: HashMap<DeviceId, Timestamp>,
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

    /// Remembers what ended at `at`. Hearing it again changes nothing.
    pub(super) fn note(&self, revocation: &Revocation, at: Timestamp) {
        match revocation {
            Revocation::Device { device, .. } => {
                self.devices.pin().insert(*device, at);
            }
            Revocation::Generation { user, generation, kept } => {
                let users = self.users.pin();
                if users.get(user).is_none_or(|(known, _)| known.generation <= *generation) {
                    users.insert(*user, (Bumped { generation: *generation, kept: *kept }, at));
                }
            }
            Revocation::Era(era) => self.begin_era(*era),
            // The keys are somebody else's to hold.
            Revocation::Keys { .. } => {}
        }
    }

    /// Forgets what ended so long before `now`, the issuer's time, that no token it could end is left.
    pub(super) fn forget(&self, now: Timestamp) {
        let last_use = now - (LONGEST_ACCESS + LEEWAY + SPARE);
        self.users.pin().retain(|_, (_, at)| *at > last_use);
        self.devices.pin().retain(|_, at| *at > last_use);
    }
}

impl fmt::Debug for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revoked({} in era {})", self.len(), self.era().value())
    }
}
