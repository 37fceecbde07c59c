//! The service-wide counters, and how much there is.

use crate::model::counters::{Era, KeysVersion, Position};
use crate::model::revocation::Revocation;

/// The service-wide counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// The era.
    pub era: Era,
    /// The version of the key set.
    pub keys: KeysVersion,
    /// The position of the newest entry of the log.
    pub head: Position,
}

impl Counters {
    /// The counters once `revocation` is the newest entry of the log.
    #[must_use]
    pub fn with(self, revocation: &Revocation) -> Self {
        let head = self.head.next();
        match revocation {
            Revocation::Era(era) => Self { era: *era, head, ..self },
            Revocation::Keys { version, .. } => Self { keys: *version, head, ..self },
            Revocation::Device { .. } | Revocation::Generation { .. } => Self { head, ..self },
        }
    }
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Accounts.
    pub users: u64,
    /// Live devices of all users; one that merely ran out counts until it is swept.
    pub live_devices: u64,
}

/// A difference of [`Totals`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Accounts.
    pub users: i64,
    /// Live devices. An era that ends takes all of them first.
    pub live_devices: i64,
}

impl Totals {
    /// The totals with `counted` on top; a new era leaves no device alive.
    #[must_use]
    pub fn with(self, counted: Counted, new_era: bool) -> Self {
        let live = if new_era { 0 } else { self.live_devices };
        Self {
            users: self.users.saturating_add_signed(counted.users),
            live_devices: live.saturating_add_signed(counted.live_devices),
        }
    }
}
