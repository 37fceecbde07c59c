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
        format!(r#"rescind_http_requests_total{{operation="login",method="POST",status="{status}"}} {count}"#)
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
    // What the metrics are told is told elsewhere.
    fn own(path: &std::path::Path) -> bool {
        path.ends_with("metrics.rs") || path.ends_with("metrics/tests.rs")
    }
    fn walk(folder: &std::path::Path, (start, end): (&str, &str), found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, (start, end), found);
            } else if path.extension().is_some_and(|is| is == "rs") && !own(&path) {
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
    metrics.database.asked("read", Duration::from_micros(300), 16, 2);
    metrics.database.grouped("step", 12);
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
        r#"rescind_database_group_size_sum{kind="step"} 12.0"#,
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
