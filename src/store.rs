//! The store: what is kept of users, devices, keys and revocations, and the operations on it.
//!
//! # Path of an operation
//!
//! A handler calls a use case, which makes a step, [`EndDevice`](steps::end_device::EndDevice) for one, and hands it to
//! [`Store::run`]. The store erases the step's type ([`erased`]) and hands it to the engine's
//! [`commit`](engine::Engine::commit). The engine gives the step the stored records ([`records::Records`]) and calls
//! [`decide`](steps::Step::decide): the step judges the caller, says what is to be written
//! ([`records::Changes`]), and keeps its outcome to itself. sled does that on its one writer thread, applies the
//! changes of all steps that wait as one batch, and syncs the disk once for all of them (`sled/committer`); PostgreSQL
//! locks and reads the step's [working set](working_set) in the round trip that begins a transaction, and writes and
//! commits in a second one (`postgres/transaction`); memory applies them to maps. Only when the engine says that the
//! changes are durable does the store take the outcome out of the step and return it. A query ([`queries`]) goes the
//! same way through [`Store::read`] and writes nothing.
//!
//! # Contract
//!
//! Every step is atomic, isolated, and re-checks inside itself whatever the caller's decision read (era, generation, device,
//! password, disabled). An engine must see to it that
//!
//! * **acknowledged is durable**: a step's future resolves only when everything it wrote *and everything it read* is
//!   on stable storage, also when it wrote nothing ("already ended", "same successor", "reused");
//! * **acknowledged is effective**: a read that starts after a step resolved sees it. A check that another node answers as
//!   live may show names and times that are up to ten seconds old. Where a primary can be replaced while nodes still reach it,
//!   that takes proofs of primacy;
//! * **generation and era only grow**, and so does the log, without gaps, in the order of commits;
//! * **a sign-out costs the same for one device as for ten thousand**;
//! * **a failure says so**: what cannot be read is an error, never absence; a step that fails has done nothing, or
//!   its outcome is unknown and it is never acknowledged.
//!
//! A store knows no clock, draws nothing at random and holds no plaintext secret: time, ids and sealed keys come in
//! as arguments.
//!
//! # Modules
//!
//! * [`steps`], [`queries`]: the operations, one type each
//! * [`records`]: what an operation reads and what it writes; [`working_set`]: what is known of that beforehand
//! * [`format`]: how records are stored, in a version of their own, and how that is changed
//! * [`engine`]: what an engine does; [`memory`] is the reference, `sled` the embedded one, `postgres` the shared one
//! * [`archive`]: a store as a whole, record by record; [`copy`] takes it from one engine to another
//! * [`priority`]: what stops first when free space runs out; [`retention`]: how long records are kept;
//!   [`expiry_check`]: when devices and their records are looked at again; [`log_age`]: which entries of the log are old
//!   enough to go

use std::fmt;
use std::sync::Arc;

use crate::model::counters::Position;

pub mod archive;
pub mod copy;
mod counters;
pub mod engine;
pub mod erased;
mod error;
pub mod expiry_check;
#[cfg_attr(
    not(all(feature = "sled", feature = "postgres")),
    allow(dead_code, unused_imports, reason = "each engine uses one of the two encodings")
)]
pub mod format;
mod former_account;
mod identity;
pub mod log_age;
pub mod memory;
mod past_devices;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod priority;
pub mod queries;
pub mod records;
pub mod retention;
#[cfg(feature = "sled")]
pub mod sled;
mod standing;
pub mod steps;
pub mod working_set;

pub use counters::{Counters, Totals};
use engine::Engine;
pub use engine::StoreTime;
use erased::InFlight;
pub use error::StoreError;
pub use identity::StoreIdentity;
use priority::Priority;
use queries::Query;
use queries::service::ReadCounters;
pub use standing::{SeenStanding, Standing};
use steps::Step;

/// A store over an engine. Cheap to clone: all clones are the same store.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// The store in `engine`.
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self { engine }
    }

    /// Takes a step. Resolves once everything that the step wrote and everything that it read is durable.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn run<S: Step>(&self, step: S) -> Result<S::Outcome, StoreError> {
        let step = Arc::new(InFlight::new(step));
        self.engine.commit(step.clone()).await?;
        step.answer()
    }

    /// Answers a query with what is stored at some moment after the call began.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn read<Q: Query>(&self, query: Q) -> Result<Q::Answer, StoreError> {
        let query = InFlight::new(query);
        if Q::DURABLE {
            let query = Arc::new(query);
            self.engine.read_durable(query.clone()).await?;
            query.answer()
        } else {
            self.engine.read(&query).await?;
            query.answer()
        }
    }

    /// Whether the store reads and writes: an error says why not. Writes nothing.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.engine.working()?;
        self.read(ReadCounters).await.map(drop)
    }

    /// Waits until the log has, or soon will have, durable entries after `past`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn log_grew(&self, past: Position) -> Result<(), StoreError> {
        let mut written = self.engine.written();
        while self.read(ReadCounters).await?.head <= past {
            if written.changed().await.is_err() {
                return Err(StoreError::Unavailable("the store is closed".to_owned()));
            }
        }
        Ok(())
    }

    /// The highest priority of which steps are refused now for want of free space, and all below it with it; none when
    /// there is enough, or when that is not for this process to watch.
    ///
    /// # Errors
    /// When the free space is unknown.
    pub fn stopped(&self) -> Result<Option<Priority>, StoreError> {
        self.engine.stopped()
    }

    /// What the store knows of the time, to tell a wrong clock by. Answered whatever the clock here says.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn time(&self) -> Result<StoreTime, StoreError> {
        self.engine.time().await
    }
}
