//! The metrics that Prometheus reads.
//!
//! Labels have few values: fixed ones, and the names of service keys. An operation is an operationId, never a path. The
//! handle for an operation's status is looked up once, when the status is first sent; every later request adds to it
//! without a lock.

use std::{
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

pub use feed::FeedMetrics;

mod feed;

/// Histogram buckets of request durations in seconds: from a cached check to a queued password hash.
const LATENCY: [f64; 13] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
/// Histogram buckets of fsync durations in seconds: from a drive with a write cache to a failing one.
const FSYNC: [f64; 12] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0];
/// Histogram buckets of the number of acknowledgements that one sync makes durable.
const BATCH: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0];
/// The HTTP statuses that the service sends; any other is counted too, by a lookup each time.
pub(crate) const STATUSES: [u16; 19] =
    [200, 201, 204, 304, 400, 401, 403, 404, 405, 409, 410, 413, 414, 415, 429, 431, 500, 501, 503];

/// The HTTP statuses that alerts watch: listed for each operation before the first is sent.
const FAILURES: [u16; 2] = [500, 503];
/// The results of sign-ins: the values of the label.
const SIGN_INS: [&str; 7] =
    ["ok", "wrong_credentials", "rate_limited", "overloaded", "failed", "registered", "vouched"];
/// The classes of refreshes: the values of the label.
const REFRESHES: [&str; 6] = ["rotated", "repeated", "recovered", "reused", "ended", "ahead"];
/// The kinds of sign-outs: the values of the label.
const SIGN_OUTS: [&str; 11] = [
    "logout",
    "logout_all",
    "logout_others",
    "device",
    "password",
    "refresh_reused",
    "evicted",
    "delete_account",
    "administrator",
    "disabled",
    "everyone",
];
/// The kinds of store alarms: the values of the label.
const ALARMS: [&str; 1] = ["rolled_back"];

static LOG_LINES: OnceLock<[fn() -> u64; 2]> = OnceLock::new();

/// Sets the functions that return how many lines the log of this process has dropped, and how many it has lost of those
/// that are never dropped.
pub fn count_log_lines(dropped: fn() -> u64, lost: fn() -> u64) {
    let _first = LOG_LINES.set([dropped, lost]);
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: String,
    method: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: String,
    method: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabel {
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabel {
    step: &'static str,
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
    database: Family<KindLabel, Histogram, fn() -> Histogram>,
    database_connections: Gauge,
    database_waiting: Gauge,
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
            commit_batch: Histogram::new(BATCH),
            fsync: Histogram::new(FSYNC),
            database: Family::new_with_constructor(|| Histogram::new(LATENCY)),
            database_connections: Gauge::default(),
            database_waiting: Gauge::default(),
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
        registry.register_with_unit(
            "database_duration",
            "Time the shared store took, by read and step, with the wait for a connection",
            Unit::Seconds,
            metrics.database.clone(),
        );
        registry.register(
            "database_connections",
            "Connections to the shared store",
            metrics.database_connections.clone(),
        );
        registry.register(
            "database_waiting",
            "Requests waiting for a connection to the shared store",
            metrics.database_waiting.clone(),
        );
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

    /// Counts a refresh: `rotated`, `repeated`, `recovered`, `reused`, `ended`, `ahead`.
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

    /// Records a `read` or a `step` of the shared store, and the state of its pool afterwards.
    pub fn database_asked(&self, kind: &'static str, took: Duration, connections: usize, waiting: usize) {
        self.database.get_or_create(&KindLabel { kind }).observe(took.as_secs_f64());
        self.database_connections.set(i64::try_from(connections).unwrap_or(i64::MAX));
        self.database_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
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
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_request_is_counted_under_its_operation_and_status() {
        let metrics = Metrics::new();
        let login = metrics.operation("login", "POST");
        login.answered(200, Duration::from_millis(20));
        login.answered(401, Duration::from_millis(20));
        login.answered(401, Duration::from_millis(20));
        login.answered(429, Duration::from_micros(20));
        login.answered(418, Duration::from_micros(20));
        let text = metrics.encode();
        let requests = |status: u16, count: u32| {
            format!(
                r#"rescind_http_requests_total{{operation="login",method="POST",status="{status}"}} {count}"#
            )
        };
        for (status, count) in [(200, 1), (401, 2), (429, 1), (418, 1)] {
            assert!(text.contains(&requests(status, count)), "{text}");
        }
        assert!(!text.contains(r#"status="403""#), "what was never sent is not listed: {text}");
        assert!(text.contains(&requests(503, 0)) && text.contains(&requests(500, 0)), "{text}");
        assert!(text.contains(
            r#"rescind_http_request_duration_seconds_bucket{le="0.025",operation="login",method="POST"} 5"#
        ));
    }

    /// The literals between `start` and the next `end` in all source files: at least one at each place.
    fn words(start: &str, end: &str) -> Vec<String> {
        fn walk(folder: &std::path::Path, (start, end): (&str, &str), found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, (start, end), found);
                } else if path.extension().is_some_and(|is| is == "rs") && !path.ends_with("metrics.rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    for rest in text.split(start).skip(1) {
                        let (code, _) = rest.split_once(end).unwrap();
                        let literals = code.split('"').skip(1).step_by(2).map(str::to_owned);
                        let known = found.len();
                        found.extend(literals);
                        assert!(found.len() > known, "no literal after `{start}` in {}", path.display());
                    }
                }
            }
        }
        let mut found = Vec::new();
        walk(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), (start, end), &mut found);
        assert!(!found.is_empty(), "{start} is nowhere");
        found
    }

    #[test]
    fn every_counter_begins_at_zero() {
        let text = Metrics::new().encode();
        let mut missing = Vec::new();
        for (counter, label, words) in [
            ("sign_ins", "result", words("metrics.sign_in(", ");")),
            // The classes are named apart from the call that counts them.
            ("refreshes", "class", words("fn class(", "\n}")),
            ("sign_outs", "kind", words("metrics.sign_out(", ");")),
            ("store_alarms", "kind", words("metrics.store_alarm(", ");")),
            ("feed_dropped", "reason", words("feed.dropped(", ");")),
        ] {
            let lines = words.iter().map(|word| format!("rescind_{counter}_total{{{label}=\"{word}\"}} 0\n"));
            missing.extend(lines.filter(|line| !text.contains(line.as_str())));
        }
        let plain = ["log_lines_dropped", "log_lines_lost", "hashes_refused"];
        let lines = plain.map(|counter| format!("rescind_{counter}_total 0\n"));
        missing.extend(lines.into_iter().filter(|line| !text.contains(line.as_str())));
        assert_eq!(missing, Vec::<String>::new(), "{text}");
    }

    #[test]
    fn scrapes_at_once_count_each_line_of_the_log_once() {
        static DROPPED: AtomicU64 = AtomicU64::new(0);
        let metrics = Metrics::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        DROPPED.fetch_add(1, Ordering::Relaxed);
                        metrics.add_log_lines([|| DROPPED.load(Ordering::Relaxed), || 7]);
                    }
                });
            }
        });
        let text = metrics.encode();
        for line in ["rescind_log_lines_dropped_total 40000\n", "rescind_log_lines_lost_total 7\n"] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn every_figure_is_in_the_text() {
        let metrics = Metrics::new();
        metrics.sign_in("ok");
        metrics.refresh("rotated");
        metrics.sign_out("logout_all");
        metrics.store_alarm("sequence_ahead");
        metrics.committed(64, Duration::from_micros(300));
        metrics.database_asked("read", Duration::from_micros(300), 16, 2);
        metrics.live_devices.set(7);
        metrics.step_stopped("sign_in", true);
        metrics.step_stopped("sign_out", false);
        metrics.hashes_refused.inc();
        let text = metrics.encode();
        for line in [
            r#"rescind_sign_ins_total{result="ok"} 1"#,
            r#"rescind_refreshes_total{class="rotated"} 1"#,
            r#"rescind_sign_outs_total{kind="logout_all"} 1"#,
            r#"rescind_store_alarms_total{kind="sequence_ahead"} 1"#,
            "rescind_commit_batch_size_sum 64.0",
            "rescind_fsync_seconds_count 1",
            r#"rescind_database_duration_seconds_count{kind="read"} 1"#,
            "rescind_database_connections 16",
            "rescind_database_waiting 2",
            "rescind_live_devices 7",
            "rescind_clock_ahead_seconds 0",
            r#"rescind_steps_stopped{step="sign_in"} 1"#,
            r#"rescind_steps_stopped{step="sign_out"} 0"#,
            "rescind_store_rolled_back 0",
            "rescind_hashes_waiting 0",
            "rescind_hashes_running 0",
            "rescind_hashes_refused_total 1",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
