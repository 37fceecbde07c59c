//! The metrics of the shared store.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::{family::Family, gauge::Gauge, histogram::Histogram};
use prometheus_client::registry::{Registry, Unit};

use super::buckets::{GROUP, LATENCY};
use super::labels::KindLabel;

/// The metrics of the shared store. All stay empty on the embedded store.
#[derive(Debug)]
pub struct DatabaseMetrics {
    duration: Family<KindLabel, Histogram, fn() -> Histogram>,
    group_size: Family<KindLabel, Histogram, fn() -> Histogram>,
    checks: Family<KindLabel, Counter>,
    changes: Counter,
    proof_age: Gauge<f64, AtomicU64>,
    proven_groups: Family<KindLabel, Counter>,
    connections: Gauge,
    waiting: Gauge,
}

impl Default for DatabaseMetrics {
    fn default() -> Self {
        Self {
            duration: Family::new_with_constructor(|| Histogram::new(LATENCY)),
            group_size: Family::new_with_constructor(|| Histogram::new(GROUP)),
            checks: Family::default(),
            changes: Counter::default(),
            proof_age: Gauge::default(),
            proven_groups: Family::default(),
            connections: Gauge::default(),
            waiting: Gauge::default(),
        }
    }
}

impl DatabaseMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "database_duration",
            "Time the shared store took, by read and step, with the wait for a connection",
            Unit::Seconds,
            self.duration.clone(),
        );
        registry.register(
            "database_group_size",
            "Requests that one statement or one transaction did together: reads for checks, and steps",
            self.group_size.clone(),
        );
        registry.register(
            "database_checks",
            "Checks on the shared store, by what they were answered from: cached devices and the head of the log, or records",
            self.checks.clone(),
        );
        registry.register(
            "database_changes",
            "How often the shared store turned out to be another database than before: promoted, restored, started again, or with a shorter log",
            self.changes.clone(),
        );
        registry.register_with_unit(
            "database_proof_age",
            "Age of the last proof that the shared store's database was the primary, when a check last rested on it",
            Unit::Seconds,
            self.proof_age.clone(),
        );
        registry.register(
            "database_proven_groups",
            "Groups of checks that rested on a proof that the shared store's database was the primary, by what proved it: a commit, or the answer of the standbys that they are in recovery",
            self.proven_groups.clone(),
        );
        registry.register(
            "database_connections",
            "Connections to the shared store",
            self.connections.clone(),
        );
        registry.register(
            "database_waiting",
            "Requests that wait for a connection to the shared store",
            self.waiting.clone(),
        );
    }

    /// Records a `read` or a `step` of the shared store, and the state of its pool afterwards.
    pub fn asked(&self, kind: &'static str, took: Duration, connections: usize, waiting: usize) {
        self.duration.get_or_create(&KindLabel { kind }).observe(took.as_secs_f64());
        self.connections.set(i64::try_from(connections).unwrap_or(i64::MAX));
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// Records how many checks of one group were answered from cached devices and how many read records, and whether the
    /// database turned out to be another one.
    pub fn checked(&self, cached: usize, read: usize, another: bool) {
        for (kind, checks) in [("cached", cached), ("read", read)] {
            self.checks.get_or_create(&KindLabel { kind }).inc_by(checks as u64);
        }
        self.changes.inc_by(u64::from(another));
    }

    /// Records the age of the proof that a group of checks rests on, and its kind: `commit` or `recovery`.
    pub fn proven(&self, kind: &'static str, age: Duration) {
        self.proof_age.set(age.as_secs_f64());
        self.proven_groups.get_or_create(&KindLabel { kind }).inc();
    }

    /// Records how many reads or steps of the shared store were done together.
    pub fn grouped(&self, kind: &'static str, requests: usize) {
        let requests = f64::from(u32::try_from(requests).unwrap_or(u32::MAX));
        self.group_size.get_or_create(&KindLabel { kind }).observe(requests);
    }
}
