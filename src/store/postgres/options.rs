//! How a shared store is run, and who is told what it does.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::group_queue::GroupObserver;
use super::shared_reads::CheckObserver;
use crate::store::StoreError;

/// What was asked of the database, and what its connections were doing.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    /// `read` or `step`.
    pub what: &'static str,
    /// How long it took, the wait for a connection included.
    pub took: Duration,
    /// How many statements wrote something.
    pub writes: usize,
    /// Connections that are open.
    pub connections: usize,
    /// Requests that wait for one.
    pub waiting: usize,
}

/// How a store is run.
pub struct Options {
    /// How many connections at most, at least two: one of them listens to the other nodes.
    pub connections: usize,
    /// How long a read may take before it is an error.
    pub read_budget: Duration,
    /// How long a step may take before its outcome is unknown.
    pub step_budget: Duration,
    /// A file with the certificate of the authority that vouches for the database, beside those of this machine.
    pub authority: Option<PathBuf>,
    /// Is told of every read and step.
    pub observer: Box<dyn Fn(Observed) + Send + Sync>,
    /// Is told of every group of reads or steps that one statement or one transaction does.
    pub group_observer: GroupObserver,
    /// How many standings of devices are cached at most; with zero every check reads the records.
    pub cached_standings: usize,
    /// How old the proof may be, for each answer about a token, that the database is the primary: with zero it is begun
    /// after the check arrived. Without one nothing is proven.
    pub proof_of_primacy: Option<Duration>,
    /// Is told of every group of checks.
    pub check_observer: CheckObserver,
    /// Is asked before every read and step whether the clock here is right; none is begun if it is not.
    pub clock: Box<dyn Fn() -> Result<(), StoreError> + Send + Sync>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 16,
            read_budget: Duration::from_millis(250),
            step_budget: Duration::from_secs(5),
            authority: None,
            observer: Box::new(|_| ()),
            group_observer: Arc::new(|_| ()),
            cached_standings: 50_000,
            proof_of_primacy: None,
            check_observer: Arc::new(|_| ()),
            clock: Box::new(|| Ok(())),
        }
    }
}
