//! The metrics that Prometheus reads.
//!
//! Labels have few values: fixed ones, and the names of service keys. An operation is an operationId, never a path. The
//! handle for an operation's status is looked up once, when the status is first sent; every later request adds to it
//! without a lock.
//!
//! Modules: `labels` (what the values are told apart by), `buckets` (of histograms), `feed` and `database` (the metrics of
//! the feed and of the shared store).

use std::{
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use buckets::{FSYNC, GROUP, LATENCY};
pub use database::DatabaseMetrics;
pub use feed::FeedMetrics;
pub(crate) use labels::STATUSES;
use labels::{
    ALARMS, ClassLabel, FAILURES, KindLabel, OperationLabels, REFRESHES, RequestLabels, ResultLabel,
    SIGN_INS, SIGN_OUTS, StepLabel,
};

mod buckets;
mod database;
mod feed;
mod labels;

static LOG_LINES: OnceLock<[fn() -> u64; 2]> = OnceLock::new();

/// Sets the functions that return how many lines the log of this process has dropped, and how many it has lost of those
/// that are never dropped.
pub fn count_log_lines(dropped: fn() -> u64, lost: fn() -> u64) {
    let _first = LOG_LINES.set([dropped, lost]);
}

/// Every metric of the service.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    latency: Family<OperationLabels, Histogram, fn() -> Histogram>,
    sign_ins: Family<ResultLabel, Counter>,
    refreshes: Family<ClassLabel, Counter>,
    sign_outs: Family<KindLabel, Counter>,
    alarms: Family<KindLabel, Counter>,
    commit_batch: Histogram,
    fsync: Histogram,
    /// The metrics of the shared store.
    pub database: DatabaseMetrics,
    /// The metrics of the feed.
    pub feed: FeedMetrics,
    /// The number of password hashes that wait for a core.
    pub hashes_waiting: Gauge,
    /// The number of password hashes being computed.
    pub hashes_running: Gauge,
    /// The number of password hashes refused because the wait was too long.
    pub hashes_refused: Counter,
    /// The number of live devices, as last counted.
    pub live_devices: Gauge,
    /// 1 while the store is known to be rolled back, else 0.
    pub rolled_back: Gauge,
    /// The lines that the log has dropped and lost. Locked while a scrape adds the new ones, so that two scrapes at once
    /// do not add the same lines.
    log_lines: Mutex<[Counter; 2]>,
    /// The seconds by which the wall clock is ahead of the database's, or of the monotonic clock since the start.
    pub clock_ahead: Gauge,
    steps_stopped: Family<StepLabel, Gauge>,
}

/// The metric handles of one operation.
#[derive(Debug)]
pub struct OperationMetrics {
    operation: String,
    method: String,
    requests: Family<RequestLabels, Counter>,
    by_status: [OnceLock<Counter>; STATUSES.len()],
    latency: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry with every metric at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("rescind");
        let [lines_dropped, lines_lost]: [Counter; 2] = Default::default();
        let metrics = Self {
            requests: Family::default(),
            latency: Family::new_with_constructor(|| Histogram::new(LATENCY)),
            sign_ins: Family::default(),
            refreshes: Family::default(),
            sign_outs: Family::default(),
            alarms: Family::default(),
            commit_batch: Histogram::new(GROUP),
            fsync: Histogram::new(FSYNC),
            database: DatabaseMetrics::default(),
            feed: FeedMetrics::default(),
            hashes_waiting: Gauge::default(),
            hashes_running: Gauge::default(),
            hashes_refused: Counter::default(),
            live_devices: Gauge::default(),
            rolled_back: Gauge::default(),
            log_lines: Mutex::new([lines_dropped.clone(), lines_lost.clone()]),
            clock_ahead: Gauge::default(),
            steps_stopped: Family::default(),
            registry: Registry::default(),
        };
        registry.register("http_requests", "Requests answered", metrics.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time from a request's head to its answer's head",
            Unit::Seconds,
            metrics.latency.clone(),
        );
        registry.register("sign_ins", "Sign-ins by result", metrics.sign_ins.clone());
        registry.register("refreshes", "Refreshes by replay class", metrics.refreshes.clone());
        registry.register("sign_outs", "Sign-outs by kind", metrics.sign_outs.clone());
        registry.register("store_alarms", "Contradictions found in the store", metrics.alarms.clone());
        registry.register(
            "commit_batch_size",
            "Acknowledgements made durable together",
            metrics.commit_batch.clone(),
        );
        registry.register_with_unit("fsync", "Time of one fsync", Unit::Seconds, metrics.fsync.clone());
        metrics.database.register(&mut registry);
        registry.register("hashes_waiting", "Password hashes waiting", metrics.hashes_waiting.clone());
        registry.register("hashes_running", "Password hashes being computed", metrics.hashes_running.clone());
        registry.register(
            "hashes_refused",
            "Password hashes refused after a wait",
            metrics.hashes_refused.clone(),
        );
        registry.register("live_devices", "Devices signed in, as last counted", metrics.live_devices.clone());
        registry.register(
            "store_rolled_back",
            "1 while the store is known to have gone back in time, and no check is answered",
            metrics.rolled_back.clone(),
        );
        registry.register_with_unit(
            "clock_ahead",
            "How far the wall clock is ahead of the database's, or of where it would be had nobody set it",
            Unit::Seconds,
            metrics.clock_ahead.clone(),
        );
        registry.register(
            "steps_stopped",
            "Whether steps of this kind are refused (1) for want of free disk space, as last looked",
            metrics.steps_stopped.clone(),
        );
        registry.register(
            "log_lines_dropped",
            "Lines of the log that nobody read fast enough",
            lines_dropped,
        );
        registry.register(
            "log_lines_lost",
            "Warnings and security events that are in no log, because nobody read it",
            lines_lost,
        );
        metrics.feed.register(&mut registry);
        metrics.begin_at_zero();
        Self { registry, ..metrics }
    }

    /// Registers every counter that is known before anything happens: a counter that appears with its first event
    /// hides that event from an alert on its rate.
    fn begin_at_zero(&self) {
        for result in SIGN_INS {
            self.sign_ins.get_or_create(&ResultLabel { result }).inc_by(0);
        }
        for class in REFRESHES {
            self.refreshes.get_or_create(&ClassLabel { class }).inc_by(0);
        }
        for kind in SIGN_OUTS {
            self.sign_outs.get_or_create(&KindLabel { kind }).inc_by(0);
        }
        for kind in ALARMS {
            self.alarms.get_or_create(&KindLabel { kind }).inc_by(0);
        }
    }

    /// The metric handles of one operation, made once for its route.
    pub fn operation(&self, operation: &str, method: &str) -> OperationMetrics {
        let labels = OperationLabels { operation: operation.to_owned(), method: method.to_owned() };
        for status in FAILURES {
            let (operation, method) = (labels.operation.clone(), labels.method.clone());
            self.requests.get_or_create(&RequestLabels { operation, method, status }).inc_by(0);
        }
        OperationMetrics {
            requests: self.requests.clone(),
            by_status: Default::default(),
            latency: self.latency.get_or_create_owned(&labels),
            operation: labels.operation,
            method: labels.method,
        }
    }

    /// Counts an attempt to sign in: `ok`, or the code it was refused with.
    pub fn sign_in(&self, result: &'static str) {
        self.sign_ins.get_or_create(&ResultLabel { result }).inc();
    }

    /// Counts a refresh: `rotated`, `renewed`, `repeated`, `recovered`, `exchanged`, `reused`, `ended`, `ahead`.
    pub fn refresh(&self, class: &'static str) {
        self.refreshes.get_or_create(&ClassLabel { class }).inc();
    }

    /// Counts a sign-out: by `logout`, `logout_all`, `logout_others`, `device`, `password`, `refresh_reused`, …
    pub fn sign_out(&self, kind: &'static str) {
        self.sign_outs.get_or_create(&KindLabel { kind }).inc();
    }

    /// Counts an alarm of the store: `rolled_back` when it contradicts a token that the service signed.
    pub fn store_alarm(&self, kind: &'static str) {
        self.alarms.get_or_create(&KindLabel { kind }).inc();
    }

    /// Records whether steps of this priority are refused for want of free disk space.
    pub fn step_stopped(&self, step: &'static str, stopped: bool) {
        self.steps_stopped.get_or_create(&StepLabel { step }).set(i64::from(stopped));
    }

    /// Records the acknowledgements that one sync made durable, and its duration.
    pub fn committed(&self, acknowledged: usize, fsync: Duration) {
        self.commit_batch.observe(f64::from(u32::try_from(acknowledged).unwrap_or(u32::MAX)));
        self.fsync.observe(fsync.as_secs_f64());
    }

    /// Encodes every metric in Prometheus' text format.
    pub fn encode(&self) -> String {
        if let Some(counts) = LOG_LINES.get() {
            self.add_log_lines(*counts);
        }
        let mut encoded = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut encoded, &self.registry);
        encoded
    }

    fn add_log_lines(&self, counts: [fn() -> u64; 2]) {
        let lines = self.log_lines.lock().unwrap_or_else(PoisonError::into_inner);
        for (counter, count) in lines.iter().zip(counts) {
            counter.inc_by(count().saturating_sub(counter.get()));
        }
    }
}

impl OperationMetrics {
    /// Counts the answer of one request and its duration.
    pub fn answered(&self, status: u16, duration: Duration) {
        let known = STATUSES.iter().zip(&self.by_status).find(|(known, _)| **known == status);
        match known {
            Some((_, counter)) => counter.get_or_init(|| self.counter(status)).inc(),
            None => self.counter(status).inc(),
        };
        self.latency.observe(duration.as_secs_f64());
    }

    fn counter(&self, status: u16) -> Counter {
        let (operation, method) = (self.operation.clone(), self.method.clone());
        self.requests.get_or_create_owned(&RequestLabels { operation, method, status })
    }
}

#[cfg(test)]
mod tests;
