//! The state that `verify` reads: the revocations of one store, and how fresh they are.
//!
//! Readers take no lock while one task writes. The order makes it sound: revocations are written before the proof that
//! covers them, and the proof is read before revocations are looked up.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use super::rejection::Doubt;
use super::revoked::RevokedTable;
use crate::model::counters::{Era, KeysVersion, Position};
use crate::model::ids::StoreId;
use crate::model::timestamp::Timestamp;
use crate::world::World;

/// The largest tolerated difference between this clock and the issuer's, in milliseconds.
const CLOCKS_APART: u64 = 60_000;

/// The offset of the issuer's clock before it is known.
const UNHEARD: i64 = i64::MIN;

/// The state of the copy of one store of the issuer.
#[derive(Debug)]
pub(super) struct ReplicaState {
    /// The store's id; `None` before the issuer has answered at all.
    pub(super) store: Option<StoreId>,
    pub(super) revoked: RevokedTable,
    /// The suspend-counting time in milliseconds before which everything acknowledged is in `revoked`; zero without a
    /// proof.
    as_of: AtomicU64,
    /// The issuer's wall clock minus the suspend-counting one, in milliseconds; `UNHEARD` before it is known.
    issuer_ahead: AtomicI64,
    /// The position of the first entry that found no room; zero if all have.
    left_out: AtomicU64,
    /// The version of the newest known key set.
    keys: AtomicU64,
}

/// Both clocks, read together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// The wall clock, in whole seconds.
    pub(super) wall: Timestamp,
    wall_millis: i64,
    uptime: u64,
}

impl Now {
    pub(super) fn of(world: &World) -> Self {
        let wall_millis = world.unix_millis();
        let wall = Timestamp::from_unix(wall_millis.div_euclid(1000));
        Self { wall, wall_millis, uptime: millis(world.uptime()) }
    }
}

impl ReplicaState {
    /// The state of `store` before its log is applied.
    pub(super) fn of(store: Option<StoreId>, era: Era) -> Self {
        Self {
            store,
            revoked: RevokedTable::since(era),
            as_of: AtomicU64::new(0),
            issuer_ahead: AtomicI64::new(UNHEARD),
            left_out: AtomicU64::new(0),
            keys: AtomicU64::new(0),
        }
    }

    /// Why freshness is not proven now; `None` if it is.
    pub(super) fn doubt(&self, now: Now, max_staleness: Duration) -> Option<Doubt> {
        let as_of = self.as_of.load(Ordering::Acquire);
        if self.left_out.load(Ordering::Acquire) != 0 {
            Some(Doubt::Full)
        } else if as_of == 0 {
            Some(Doubt::Unproven)
        } else if now.uptime.saturating_sub(as_of) > millis(max_staleness) {
            Some(Doubt::Late)
        } else if self.clocks_apart(now).unsigned_abs() > CLOCKS_APART {
            Some(Doubt::Clock)
        } else {
            None
        }
    }

    /// How far this wall clock is ahead of the issuer's, in milliseconds.
    pub(super) fn clocks_apart(&self, now: Now) -> i64 {
        let issuer = self.issuer_ahead.load(Ordering::Acquire).saturating_add_unsigned(now.uptime);
        now.wall_millis.saturating_sub(issuer)
    }

    /// The issuer's time now, if its clock is known.
    pub(super) fn issuer_time(&self, uptime: Duration) -> Option<Timestamp> {
        let ahead = self.issuer_ahead.load(Ordering::Acquire);
        let now = ahead.saturating_add_unsigned(millis(uptime)).div_euclid(1000);
        (ahead != UNHEARD).then_some(Timestamp::from_unix(now))
    }

    /// How long ago the proven time is; `None` without a proof.
    pub(super) fn lag(&self, now: Now) -> Option<Duration> {
        match self.as_of.load(Ordering::Acquire) {
            0 => None,
            as_of => Some(Duration::from_millis(now.uptime.saturating_sub(as_of))),
        }
    }

    /// The proven time by the issuer's clock; `None` without a proof.
    pub(super) fn as_of(&self) -> Option<Timestamp> {
        match self.as_of.load(Ordering::Acquire) {
            0 => None,
            as_of => self.issuer_time(Duration::from_millis(as_of)),
        }
    }

    /// Records that everything acknowledged before `sent`, by the suspend-counting clock, is in `revoked`. An older
    /// proof than the last has no effect.
    pub(super) fn prove(&self, sent: Duration) {
        self.as_of.fetch_max(millis(sent), Ordering::AcqRel);
    }

    /// Records that the issuer's clock was at `time` some time after `sent`.
    pub(super) fn compare_clocks(&self, time: Timestamp, sent: Duration) {
        let sent = i64::try_from(millis(sent)).unwrap_or(i64::MAX);
        self.issuer_ahead.store(time.unix().saturating_mul(1000).saturating_sub(sent), Ordering::Release);
    }

    /// Discards the proof, so that tokens are refused as stale.
    pub(super) fn doubt_everything(&self) {
        self.as_of.store(0, Ordering::Release);
    }

    /// Records that a key set of this version exists.
    pub(super) fn hear_of_keys(&self, version: KeysVersion) {
        self.keys.fetch_max(version.value(), Ordering::AcqRel);
    }

    /// The version of the newest known key set.
    pub(super) fn newest_keys(&self) -> KeysVersion {
        KeysVersion::new(self.keys.load(Ordering::Acquire))
    }

    /// Records that the entry at `position` found no room.
    pub(super) fn leave_out(&self, position: Position) {
        self.left_out.store(position.value(), Ordering::Release);
    }

    /// Records that everything up to `applied` is in `revoked`, or no longer kept.
    pub(super) fn reach(&self, applied: Position) {
        if applied.value() >= self.left_out.load(Ordering::Acquire) {
            self.left_out.store(0, Ordering::Release);
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
