//! What this node knows of the time besides its wall clock, which anybody may set: the time it has itself seen pass,
//! the newest moment its store had on record, and the database's clock.
//!
//! Four questions, four answers:
//!
//! * may this node answer at all? [`ReferenceClock::check`]: not while its clock is more than [`TOLERATED`] from the
//!   database's;
//! * how much time has passed since this was written? [`ReferenceClock::steady`] goes on at its own pace when the
//!   wall clock jumps, so a window is neither shut early nor opened again;
//! * has this run out for good? [`ReferenceClock::confirmed`] is never ahead of anything known;
//! * until when must this be kept? [`ReferenceClock::latest`] is never behind anything known.
//!
//! Nothing of it is written down. A clock that is ahead of all that was on record (after a machine was off, or after
//! a jump) is believed once it has run without a jump for [`STEADY_FOR`].

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::World;
use crate::model::timestamp::Timestamp;

/// So far two honest clocks may be apart.
pub const TOLERATED: Duration = Duration::from_secs(60);

/// How long a clock has to run without a jump to be believed without a witness.
pub const STEADY_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// From one look to the next a clock that is being slewed moves less than this, and one that is set moves more; in
/// milliseconds.
const JUMP: i64 = 1_000;

/// No database has said anything.
const UNKNOWN: i64 = i64::MIN;

/// The wall clock is more than [`TOLERATED`] from the database's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the clock here is {} s {} the database's: set it (chrony or ntpd keep it right)",
    .seconds.unsigned_abs(),
    if *.seconds > 0 { "ahead of" } else { "behind" }
)]
pub struct ClocksApart {
    /// How far the clock here is ahead of the database's, in seconds.
    pub seconds: i64,
}

/// The witnesses of the time. Each is kept as what has to be added to the uptime, in milliseconds.
#[derive(Debug)]
pub struct ReferenceClock {
    world: World,
    /// The wall clock as it was at the start, and as it has been slewed since.
    steady: AtomicI64,
    /// The newest moment that was on record at the start.
    recorded: AtomicI64,
    database: AtomicI64,
    /// The wall clock was behind the store's records at the start and has not been set since.
    behind: AtomicBool,
    last: Mutex<LastReading>,
}

/// The wall clock when it was last looked at.
#[derive(Clone, Copy, Debug)]
struct LastReading {
    offset: i64,
    without_jump_since: Duration,
}

impl ReferenceClock {
    /// Believes the wall clock as it is now, until a witness is heard.
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

    /// The world whose wall clock this is about.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The store had `newest` on record when it was opened. Returns how far the wall clock is behind it, if that is more
    /// than [`TOLERATED`].
    pub fn hear_of_record(&self, newest: Timestamp) -> Option<Duration> {
        let newest = newest.unix().saturating_mul(1000);
        self.recorded.store(newest.saturating_sub(self.uptime()), Ordering::SeqCst);
        let late = u64::try_from(newest.saturating_sub(self.world.unix_millis())).unwrap_or(0);
        let late = Duration::from_millis(late);
        self.behind.store(late > TOLERATED, Ordering::SeqCst);
        (late > TOLERATED).then_some(late)
    }

    /// The database's clock said `unix_millis`; the question was asked `asked` after the machine started.
    pub fn hear_of_database(&self, unix_millis: i64, asked: Duration) {
        // Half way between question and answer.
        let heard = millis(asked).midpoint(self.uptime());
        let offset = unix_millis.saturating_sub(heard);
        if self.database.swap(offset, Ordering::SeqCst) == UNKNOWN {
            self.steady.store(offset, Ordering::SeqCst);
            self.recorded.store(offset, Ordering::SeqCst);
        }
    }

    /// Whether the wall clock is within [`TOLERATED`] of the database's, if there is one.
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

    /// How far the wall clock is ahead of the database's, or where there is none, of where it would be had nobody set
    /// it; in seconds.
    pub fn ahead(&self) -> i64 {
        let witness = match self.database.load(Ordering::Relaxed) {
            UNKNOWN => self.steady.load(Ordering::Relaxed),
            database => database,
        };
        self.wall_offset().saturating_sub(witness) / 1000
    }

    /// The time by a clock that nobody sets: where it starts may be wrong, how far it goes is not.
    pub fn steady(&self) -> Timestamp {
        self.at(self.steady.load(Ordering::Relaxed))
    }

    /// A time that has come by every witness there is.
    pub fn confirmed(&self) -> Timestamp {
        let known = self.witnesses().into_iter().fold(self.wall_offset(), i64::min);
        self.at(known)
    }

    /// The latest time that any witness knows of.
    pub fn latest(&self) -> Timestamp {
        let known = self.witnesses().into_iter().fold(self.wall_offset(), i64::max);
        self.at(known)
    }

    /// Looks at the wall clock, to see whether it jumps. To be called about once a second.
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
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::world::Manual;

    const HOUR: Duration = Duration::from_secs(60 * 60);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    const START: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn started() -> (ReferenceClock, World, Arc<Manual>) {
        let (world, manual) = World::manual(START, 1);
        (ReferenceClock::start(world.clone()), world, manual)
    }

    /// Lets time pass as housekeeping sees it.
    fn pass(clock: &ReferenceClock, manual: &Manual, time: Duration) {
        manual.advance(time);
        clock.look();
    }

    #[test]
    fn a_jump_ahead_confirms_nothing_and_moves_no_window() {
        let (clock, world, manual) = started();
        pass(&clock, &manual, HOUR);
        manual.set(world.now() + DAY * 40);
        clock.look();
        pass(&clock, &manual, HOUR);
        assert_eq!(clock.steady(), START + HOUR * 2);
        assert_eq!(clock.confirmed(), START + HOUR * 2);
        assert_eq!(clock.latest(), START + HOUR * 2 + DAY * 40);
        assert_eq!(clock.ahead(), 40 * 24 * 60 * 60);
        manual.set(START + HOUR * 2);
        clock.look();
        assert_eq!((clock.steady(), clock.confirmed()), (START + HOUR * 2, START + HOUR * 2));
    }

    #[test]
    fn a_step_back_moves_no_window_and_confirms_no_more_than_the_wall_clock() {
        let (clock, _, manual) = started();
        manual.set(START - HOUR);
        clock.look();
        assert_eq!((clock.steady(), clock.confirmed(), clock.latest()), (START, START - HOUR, START));
    }

    #[test]
    fn what_is_ahead_of_the_records_is_believed_after_a_day_without_a_jump() {
        let (clock, _, manual) = started();
        assert_eq!(clock.hear_of_record(START - DAY * 40), None);
        assert_eq!(clock.steady(), START, "a machine that was off is answered for by its clock");
        for _ in 0..23 {
            pass(&clock, &manual, HOUR);
        }
        assert_eq!(clock.confirmed(), START - DAY * 40 + HOUR * 23);
        pass(&clock, &manual, HOUR);
        assert_eq!(clock.confirmed(), START + DAY);
    }

    #[test]
    fn a_jump_begins_the_day_anew() {
        let (clock, world, manual) = started();
        clock.hear_of_record(START - DAY * 40);
        pass(&clock, &manual, HOUR * 20);
        manual.set(world.now() + HOUR);
        clock.look();
        pass(&clock, &manual, HOUR * 23);
        assert_eq!(clock.confirmed(), START - DAY * 40 + HOUR * 43);
    }

    #[test]
    fn a_clock_that_is_slewed_takes_the_steady_one_along() {
        let (clock, world, manual) = started();
        for _ in 0..120 {
            pass(&clock, &manual, Duration::from_secs(30));
            manual.set(world.now() + Duration::from_secs(1));
            clock.look();
        }
        assert_eq!(clock.steady(), world.now());
    }

    #[test]
    fn a_clock_behind_the_records_is_told_and_believed_once_it_is_set() {
        let (clock, _, manual) = started();
        assert_eq!(clock.hear_of_record(START + TOLERATED), None);
        let late = TOLERATED + Duration::from_secs(1);
        assert_eq!(clock.hear_of_record(START + late), Some(late));
        assert_eq!(clock.latest(), START + late);
        manual.set(START + DAY * 90);
        clock.look();
        assert_eq!(clock.steady(), START + DAY * 90);
        assert_eq!(clock.confirmed(), START + late, "it ends nothing for all that");
    }

    #[test]
    fn a_clock_more_than_a_minute_from_the_databases_is_refused_until_it_is_set() {
        let (clock, world, manual) = started();
        let database = |seconds: i64| (START.unix() + seconds) * 1000;
        clock.hear_of_database(database(60), world.uptime());
        assert_eq!((clock.check(), clock.steady()), (Ok(()), START + TOLERATED), "all nodes count alike");
        clock.hear_of_database(database(61), world.uptime());
        assert_eq!(clock.check(), Err(ClocksApart { seconds: -61 }));
        manual.set(START + Duration::from_secs(130));
        assert_eq!(
            clock.check().unwrap_err().to_string().split(':').next(),
            Some("the clock here is 69 s ahead of the database's")
        );
        manual.set(START + Duration::from_secs(70));
        assert_eq!(clock.check(), Ok(()));
        assert_eq!(clock.confirmed(), START + TOLERATED);
    }

    #[test]
    fn a_jump_of_the_database_and_the_node_together_confirms_nothing() {
        let (clock, world, manual) = started();
        clock.hear_of_database(START.unix() * 1000, world.uptime());
        manual.set(START + DAY * 40);
        clock.hear_of_database((START + DAY * 40).unix() * 1000, world.uptime());
        clock.look();
        assert_eq!((clock.check(), clock.confirmed()), (Ok(()), START));
    }
}
