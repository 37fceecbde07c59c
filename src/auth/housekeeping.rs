//! What goes on beside the requests: notes are written, the sweep runs, gauges are set.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::Auth;

/// How often notes of last sight are written and gauges set.
const SOON: Duration = Duration::from_secs(1);

/// How often the sweep looks for work; half of what a count of devices may lag behind.
const SWEEP: Duration = Duration::from_secs(30);

/// How much one sweeping step may do.
const BATCH: usize = 200;

impl Auth {
    /// Keeps house until dropped. A failure is logged and tried again next time.
    pub async fn keep_house(self: Arc<Self>) {
        let (mut soon, mut sweep) = (interval(SOON), interval(SWEEP));
        soon.set_missed_tick_behavior(MissedTickBehavior::Delay);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = soon.tick() => {
                    if let Err(error) = self.write_last_seen().await {
                        tracing::warn!(%error, "last-seen notes were not written");
                    }
                    self.set_gauges().await;
                }
                _ = sweep.tick() => {
                    if let Err(error) = self.sweep().await {
                        tracing::warn!(%error, "the sweep stopped early");
                    }
                }
            }
        }
    }

    /// Sweeps until there is nothing left to do, in small steps that let others in between.
    pub async fn sweep(&self) -> Result<(), crate::store::StoreError> {
        loop {
            let swept = self.store.sweep(self.world.now(), BATCH).await?;
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
        if let Ok(totals) = self.store.totals().await {
            self.metrics.live_devices.set(i64::try_from(totals.live_devices).unwrap_or(i64::MAX));
        }
    }
}
