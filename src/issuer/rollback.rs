//! Detection of a rolled-back store: from the first proof on, every check is refused until `rescind store restored`.
//!
//! The store itself holds the mark, so it survives a restart and reaches every node; a node reads it at its start and
//! every second. A proof that could not be written counts for this node until it could.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fault::IssuerFault;
use crate::log::request_id::request_id;
use crate::metrics::Metrics;
use crate::model::claims::Presented;
use crate::model::counters::Sequence;
use crate::model::timestamp::Timestamp;
use crate::model::verdict::Verdict;
use crate::store::queries::service::IsRolledBack;
use crate::store::queries::standing::ReadStanding;
use crate::store::steps::report_rollback::{ReportRollback, RollbackReported};
use crate::store::{Store, StoreError};
use crate::world::reference::{ReferenceClock, TOLERATED};

/// This node's knowledge of a rollback of its store.
pub struct RollbackDetector {
    store: Store,
    clock: Arc<ReferenceClock>,
    metrics: Arc<Metrics>,
    /// Whether the store is marked, or a proof waits to be written.
    known: AtomicBool,
    unwritten: Mutex<Option<ReportRollback>>,
}

impl RollbackDetector {
    /// A detector that knows of no rollback until it has looked.
    pub fn new(store: Store, clock: Arc<ReferenceClock>, metrics: Arc<Metrics>) -> Self {
        Self { store, clock, metrics, known: AtomicBool::default(), unwritten: Mutex::default() }
    }

    /// Returns an error if the store is known to have been rolled back.
    pub fn check(&self) -> Result<(), IssuerFault> {
        if self.known.load(Ordering::Acquire) { Err(IssuerFault::RolledBack) } else { Ok(()) }
    }

    /// Reads the store's mark of a rollback, and first writes it if that failed before.
    pub async fn look(&self) -> Result<(), StoreError> {
        let waiting = *self.unwritten();
        if let Some(report) = waiting {
            self.store.run(report).await?;
            // A proof that came while this one was written waits on.
            self.unwritten().take_if(|waiting| *waiting == report);
        }
        // A rollback that is proven during the read may not be in its answer: only what was known before the read can
        // be over by now.
        let known_before = self.known.load(Ordering::Acquire);
        let marked = self.store.read(IsRolledBack).await?;
        if (marked || known_before) && self.unwritten().is_none() {
            self.note(marked);
        }
        Ok(())
    }

    /// Reports that the authentic token `presented` is ahead of the store, which proves a rollback. Returns the error
    /// for its bearer.
    pub async fn ahead(&self, presented: Presented, sequence: Option<Sequence>) -> IssuerFault {
        match self.prove(presented, sequence).await {
            Ok(RollbackReported::Proven) => IssuerFault::RolledBack,
            // It was, a moment ago: another node answered from somewhere else.
            Ok(_) => two_states(),
            Err(error) => error.into(),
        }
    }

    /// Checks whether the device of the authentic token `presented`, which was refused as that of an ended one, should
    /// have a record but has none, which proves a rollback. A record by which the token is good says that the refusal came
    /// from another state: from a primary that another one has replaced.
    pub async fn unknown_device(
        &self,
        presented: Presented,
        sequence: Option<Sequence>,
    ) -> Result<(), IssuerFault> {
        // Most are of devices that are on record as ended, or whose records were swept long ago: these cost no step.
        let is_young = self.report(presented, sequence).must_have_a_record();
        if !is_young {
            return Ok(());
        }
        let standing = ReadStanding { user: presented.user, device: presented.device };
        let standing = self.store.read(standing).await?;
        if let Some(device) = &standing.device {
            let now = self.clock.world().now();
            let verdict = match sequence {
                None => standing.judge(&presented, now),
                Some(sequence) if sequence == device.refresh.current => {
                    standing.judge_refresh(&presented, now)
                }
                // What an earlier refresh token is given is another decision.
                Some(_) => return Ok(()),
            };
            return if verdict == Verdict::Live { Err(two_states()) } else { Ok(()) };
        }
        match self.prove(presented, sequence).await? {
            RollbackReported::Proven => Err(IssuerFault::RolledBack),
            RollbackReported::OnRecord => Err(two_states()),
            RollbackReported::Refuted => Ok(()),
        }
    }

    async fn prove(
        &self,
        presented: Presented,
        sequence: Option<Sequence>,
    ) -> Result<RollbackReported, StoreError> {
        let report = self.report(presented, sequence);
        match self.store.run(report).await {
            Ok(reported) => {
                if reported == RollbackReported::Proven {
                    self.note(true);
                }
                Ok(reported)
            }
            // It reads, and so it was seen; only the mark waits for room.
            Err(full @ StoreError::Full(_)) => {
                *self.unwritten() = Some(report);
                self.note(true);
                Err(full)
            }
            Err(error) => Err(error),
        }
    }

    fn report(&self, presented: Presented, sequence: Option<Sequence>) -> ReportRollback {
        ReportRollback { presented, sequence, now: self.undoubted_time() }
    }

    /// The current time, if no other source contradicts the wall clock: a wrong one would make old devices look young.
    fn undoubted_time(&self) -> Option<Timestamp> {
        let latest = self.clock.latest();
        let behind = self.clock.world().now().until(latest);
        let jumped = self.clock.ahead().unsigned_abs();
        (behind <= TOLERATED && jumped <= TOLERATED.as_secs()).then_some(latest)
    }

    fn note(&self, is_so: bool) {
        let was_so = self.known.swap(is_so, Ordering::AcqRel);
        self.metrics.rolled_back.set(i64::from(is_so));
        if is_so && !was_so {
            self.metrics.store_alarm("rolled_back");
            tracing::error!(
                event = "store_rolled_back",
                request_id = request_id(),
                "the store was rolled back: it was restored from a copy, or it lost acknowledged writes. No check is answered until you stop every rescind process that uses it and run `rescind store restored`"
            );
        } else if was_so && !is_so {
            tracing::warn!(event = "store_restored", "the store is no longer marked as rolled back");
        }
    }

    fn unwritten(&self) -> MutexGuard<'_, Option<ReportRollback>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn two_states() -> IssuerFault {
    StoreError::Away("it answers from two states".to_owned()).into()
}

impl std::fmt::Debug for RollbackDetector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RollbackDetector").field("known", &self.known).finish_non_exhaustive()
    }
}
