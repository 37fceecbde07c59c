//! The reference clock: what this node knows of the time besides its wall clock, which anybody may set. Its sources
//! are the monotonic clock, the newest record of the store at start, and the database's clock.
//!
//! * May this node answer at all? [`ReferenceClock::check`]: not while its clock is more than [`TOLERATED`] from the
//!   database's.
//! * How much time has passed since a record was written? [`ReferenceClock::steady`] ignores jumps of the wall clock,
//!   so that a window neither closes early nor reopens.
//! * Has a record expired for good? [`ReferenceClock::confirmed`] is never ahead of any source.
//! * Until when must a record be kept? [`ReferenceClock::latest`] is never behind any source.
//!
//! Nothing of this is stored. A wall clock ahead of every record at start (after a machine was off, or after a jump)
//! is trusted once it has run for [`STEADY_FOR`] without a jump.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::World;
use crate::model::timestamp::Timestamp;

/// The largest tolerated difference between two clocks.
pub const TOLERATED: Duration = Duration::from_secs(60);

/// How long the wall clock has to run without a jump to be trusted against the other sources.
pub const STEADY_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// The largest change between two readings that counts as slewing, in milliseconds; a greater one is a jump.
const JUMP: i64 = 1_000;

/// The offset of the database's clock before it is known.
const UNKNOWN: i64 = i64::MIN;

/// How far a clock that shows `now` is behind `newest`, the newest record of a store, if more than [`TOLERATED`].
pub fn behind_record(newest: Timestamp, now: Timestamp) -> Option<Duration> {
    Some(now.until(newest)).filter(|late| *late > TOLERATED)
}

/// The wall clock is more than [`TOLERATED`] from the database's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the clock here is {} s {} the database's: set it (chrony or ntpd keep it right)",
    .seconds.unsigned_abs(),
    if *.seconds > 0 { "ahead of" } else { "behind" }
)]
pub struct ClocksApart {
    /// How far this node's clock is ahead of the database's, in seconds; negative if behind.
    pub seconds: i64,
}

/// The sources of time. Each is stored as its offset from the uptime, in milliseconds.
#[derive(Debug)]
pub struct ReferenceClock {
    world: World,
    /// The offset of the wall clock at start, adjusted for slewing since.
    steady: AtomicI64,
    /// The offset of the newest record at start.
    recorded: AtomicI64,
    database: AtomicI64,
    /// Whether the wall clock was behind the store's records at start and has not been set since.
    behind: AtomicBool,
    last: Mutex<LastReading>,
}

/// The last reading of the wall clock.
#[derive(Clone, Copy, Debug)]
struct LastReading {
    offset: i64,
    without_jump_since: Duration,
}

impl ReferenceClock {
    /// Starts with the wall clock as the only source.
    pub fn start(world: World) -> Self {
        let uptime = world.uptime();
        let offset = world.unix_millis().saturating_sub(millis(uptime));
        Self {
            world,
            steady: AtomicI64::new(offset),
            recorded: AtomicI64::new(offset),
            database: AtomicI64::new(UNKNOWN),
            behind: AtomicBool::new(false),
            last: Mutex::new(LastReading { offset, without_jump_since: uptime }),
        }
    }

    /// The world that the clock reads.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Notes that the newest record of the store at its opening was at `newest`. Returns how far the wall clock is
    /// behind it, if more than [`TOLERATED`].
    pub fn hear_of_record(&self, newest: Timestamp) -> Option<Duration> {
        let offset = newest.unix().saturating_mul(1000).saturating_sub(self.uptime());
        self.recorded.store(offset, Ordering::SeqCst);
        let late = behind_record(newest, self.world.now());
        self.behind.store(late.is_some(), Ordering::SeqCst);
        late
    }

    /// Notes that the database's clock was at `unix_millis` when asked at uptime `asked`.
    pub fn hear_of_database(&self, unix_millis: i64, asked: Duration) {
        // Half way between question and answer.
        let heard = millis(asked).midpoint(self.uptime());
        let offset = unix_millis.saturating_sub(heard);
        if self.database.swap(offset, Ordering::SeqCst) == UNKNOWN {
            self.steady.store(offset, Ordering::SeqCst);
            self.recorded.store(offset, Ordering::SeqCst);
        }
    }

    /// Checks that the wall clock is within [`TOLERATED`] of the database's, if known.
    pub fn check(&self) -> Result<(), ClocksApart> {
        let database = self.database.load(Ordering::Relaxed);
        if database == UNKNOWN {
            return Ok(());
        }
        let ahead = self.wall_offset().saturating_sub(database);
        if ahead.unsigned_abs() > TOLERATED.as_secs() * 1000 {
            return Err(ClocksApart { seconds: ahead / 1000 });
        }
        Ok(())
    }

    /// How far the wall clock is ahead of the database's or, without a database, of the steady clock, in seconds.
    pub fn ahead(&self) -> i64 {
        let witness = match self.database.load(Ordering::Relaxed) {
            UNKNOWN => self.steady.load(Ordering::Relaxed),
            database => database,
        };
        self.wall_offset().saturating_sub(witness) / 1000
    }

    /// The steady time: its start may be wrong, but not the time that passes.
    pub fn steady(&self) -> Timestamp {
        self.at(self.steady.load(Ordering::Relaxed))
    }

    /// The earliest time of all sources: certainly reached.
    pub fn confirmed(&self) -> Timestamp {
        let known = self.witnesses().into_iter().fold(self.wall_offset(), i64::min);
        self.at(known)
    }

    /// The latest time of all sources.
    pub fn latest(&self) -> Timestamp {
        let known = self.witnesses().into_iter().fold(self.wall_offset(), i64::max);
        self.at(known)
    }

    /// Reads the wall clock to detect jumps. To be called about once a second.
    pub fn look(&self) {
        let (uptime, offset) = (self.world.uptime(), self.wall_offset());
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if apart(offset, last.offset) > JUMP {
            last.without_jump_since = uptime;
        }
        last.offset = offset;
        let steady = self.steady.load(Ordering::Relaxed);
        let is_believed = uptime.saturating_sub(last.without_jump_since) >= STEADY_FOR;
        // The clock was behind the store's records, and has been set to where they were or later: that it was wrong
        // before is known.
        let is_set = self.behind.load(Ordering::Relaxed) && offset >= self.recorded.load(Ordering::Relaxed);
        if is_set {
            self.behind.store(false, Ordering::SeqCst);
        }
        if is_believed || is_set || apart(offset, steady) <= JUMP {
            self.steady.store(offset, Ordering::Relaxed);
        }
        if is_believed {
            self.recorded.store(offset, Ordering::Relaxed);
        }
    }

    /// A lifetime of `time`, longer by what the wall clock is behind the latest known time: it must not be over when
    /// the clock is set right.
    pub fn lasting(&self, time: Duration) -> Duration {
        time.saturating_add(self.world.now().until(self.latest()))
    }

    /// Whether a lifetime until `end` is over only because the wall clock jumped ahead while this process ran. Nobody
    /// is signed out because of that.
    pub fn has_jumped_past(&self, end: Timestamp) -> bool {
        let jumped = u64::try_from(self.ahead()).unwrap_or(0);
        jumped > TOLERATED.as_secs() && self.steady() < end
    }

    fn witnesses(&self) -> impl IntoIterator<Item = i64> {
        let database = self.database.load(Ordering::Relaxed);
        let known = (database != UNKNOWN).then_some(database);
        [self.steady.load(Ordering::Relaxed), self.recorded.load(Ordering::Relaxed)].into_iter().chain(known)
    }

    fn wall_offset(&self) -> i64 {
        self.world.unix_millis().saturating_sub(self.uptime())
    }

    fn uptime(&self) -> i64 {
        millis(self.world.uptime())
    }

    fn at(&self, offset: i64) -> Timestamp {
        Timestamp::from_unix(self.uptime().saturating_add(offset).div_euclid(1000))
    }
}

fn apart(one: i64, other: i64) -> i64 {
    one.saturating_sub(other).saturating_abs()
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
