//! Background work: writing last-seen records, sweeping expired records, setting gauges.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::hashing::Hashing;
use super::last_seen::LastSeenNotes;
use super::use_cases::Components;
use crate::issuer::rollback::RollbackDetector;
use crate::metrics::Metrics;
use crate::store::log_age::LogAge;
use crate::store::priority::Priority;
use crate::store::queries::service::{ReadCounters, ReadTotals};
use crate::store::steps::sweep::Sweep;
use crate::store::{Store, StoreError, StoreTime};
use crate::world::reference::ReferenceClock;

/// The interval of writing last-seen records and setting gauges.
const SOON: Duration = Duration::from_secs(1);

/// The interval of the sweep; half of the longest time that a count of devices may lag behind.
const SWEEP: Duration = Duration::from_secs(30);

/// The most records that one step of the sweep handles.
const BATCH: usize = 200;

/// The outcome of a repeated task. Only changes are logged, not every failure.
#[derive(Debug, Default)]
struct StoreHealth {
    failing: bool,
}

impl StoreHealth {
    fn note(&mut self, task: &'static str, outcome: Result<(), StoreError>) {
        let failed_before = std::mem::replace(&mut self.failing, outcome.is_err());
        match outcome {
            Err(error) if !failed_before => tracing::warn!(task, %error, "housekeeping fails"),
            Ok(()) if failed_before => tracing::warn!(task, "housekeeping works again"),
            _ => {}
        }
    }
}

/// The background work of one node.
#[derive(Debug)]
pub struct Housekeeping {
    store: Store,
    clock: Arc<ReferenceClock>,
    log_age: Mutex<LogAge>,
    rollback: Arc<RollbackDetector>,
    last_seen: Arc<LastSeenNotes>,
    hashing: Arc<Hashing>,
    metrics: Arc<Metrics>,
}

impl Housekeeping {
    /// The work on `components`, of which nothing is done yet.
    pub fn new(components: &Components) -> Self {
        let Components { store, clock, rollback, last_seen, hashing, metrics, .. } = components;
        Self {
            store: store.clone(),
            clock: Arc::clone(clock),
            log_age: Mutex::default(),
            rollback: Arc::clone(rollback),
            last_seen: Arc::clone(last_seen),
            hashing: Arc::clone(hashing),
            metrics: Arc::clone(metrics),
        }
    }

    /// Runs housekeeping until dropped. What fails is tried again at the next interval.
    pub async fn run(self: Arc<Self>) -> Infallible {
        let (mut writing, mut sweeping) = (StoreHealth::default(), StoreHealth::default());
        let (mut looking, mut clock_wrong) = (StoreHealth::default(), false);
        let (mut soon, mut sweep) = (interval(SOON), interval(SWEEP));
        soon.set_missed_tick_behavior(MissedTickBehavior::Delay);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = soon.tick() => {
                    match self.last_seen.write().await {
                        // Nothing was tried, so nothing is known.
                        Ok(0) => {}
                        written => writing.note("writing last-seen notes", written.map(drop)),
                    }
                    self.look_at_clock(&mut clock_wrong);
                    looking.note("looking for a rollback", self.rollback.look().await);
                    self.set_gauges().await;
                }
                _ = sweep.tick() => {
                    sweeping.note("the sweep", self.sweep().await);
                    self.look_at_clock(&mut clock_wrong);
                    self.set_gauges().await;
                }
            }
        }
    }

    /// Reads the database's clock, if there is one, and fails if this node's clock is too far from it.
    async fn ask_the_time(&self) -> Result<(), StoreError> {
        let asked = self.clock.world().uptime();
        if let StoreTime::Database(now) = self.store.time().await? {
            self.clock.hear_of_database(now, asked);
        }
        self.clock.check().map_err(|apart| StoreError::WrongClock(apart.to_string()))
    }

    /// Reads the wall clock to detect that it was set, and logs when it becomes wrong or right; `wrong` is the
    /// previous result.
    pub fn look_at_clock(&self, wrong: &mut bool) {
        self.clock.look();
        self.metrics.clock_ahead.set(self.clock.ahead());
        let checked = self.clock.check();
        let wrong_before = std::mem::replace(wrong, checked.is_err());
        match checked {
            Err(apart) if !wrong_before => {
                tracing::error!(
                    event = "clock_wrong",
                    seconds = apart.seconds,
                    "nothing is answered until the clock is right: {apart}"
                );
            }
            Ok(()) if wrong_before => tracing::warn!(event = "clock_right", "the clock is right again"),
            _ => {}
        }
    }

    /// Sweeps in small steps that let other steps in between, until nothing is left to do. Sweeping deletes for good,
    /// so records expire by confirmed time, and log entries by the monotonic clock of this process.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        self.ask_the_time().await?;
        let head = self.store.read(ReadCounters).await?.head;
        let outlived = {
            let uptime = self.clock.world().uptime();
            let mut age = self.log_age.lock().unwrap_or_else(PoisonError::into_inner);
            age.see(head, uptime);
            age.outlived(uptime)
        };
        loop {
            let request = Sweep { now: self.clock.confirmed(), outlived, limit: BATCH };
            let swept = self.store.run(request).await?;
            if swept.expired + swept.forgotten + swept.entries > 0 {
                tracing::debug!(?swept, "swept");
            }
            if !swept.more {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    async fn set_gauges(&self) {
        let load = self.hashing.load();
        self.metrics.hashes_waiting.set(i64::try_from(load.waiting).unwrap_or(i64::MAX));
        self.metrics.hashes_running.set(i64::try_from(load.running).unwrap_or(i64::MAX));
        let refused = &self.metrics.hashes_refused;
        refused.inc_by(load.refused.saturating_sub(refused.get()));
        if let Ok(stopped) = self.store.stopped() {
            for priority in Priority::ALL {
                let refused = stopped.is_some_and(|stopped| priority <= stopped);
                self.metrics.step_stopped(priority.as_str(), refused);
            }
        }
        if let Ok(totals) = self.store.read(ReadTotals).await {
            self.metrics.live_devices.set(i64::try_from(totals.live_devices).unwrap_or(i64::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_when_it_begins_and_when_it_ends() {
        let lines = crate::log::capture();
        let mut health = StoreHealth::default();
        for works in [true, false, false, false, true, true, false] {
            let outcome = if works { Ok(()) } else { Err(StoreError::Unavailable("full".into())) };
            health.note("the sweep", outcome);
        }
        let told: Vec<_> = lines().iter().map(|line| line["message"].clone()).collect();
        assert_eq!(told, ["housekeeping fails", "housekeeping works again", "housekeeping fails"]);
    }
}
