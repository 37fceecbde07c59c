//! `rescind doctor` where Patroni runs the database: its settings are asked for, and whoever else answers there is ignored.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use serde_json::{Value, json};

use super::Cluster;
use super::cluster::free_port;
use super::nodes::Nodes;

/// What `GET /patroni` of Patroni 4.0.11 answers on a primary with a standby.
const STATUS: &str = r#"{"state": "running", "postmaster_start_time": "2026-11-20 09:12:44.871312+00:00", "role": "primary", "server_version": 150014, "xlog": {"location": 83886400}, "timeline": 2, "replication": [{"usename": "replicator", "application_name": "db-2", "client_addr": "10.0.0.2", "state": "streaming", "sync_state": "sync", "sync_priority": 1}], "dcs_last_seen": 1795608000, "database_system_identifier": "7574712345678901234", "patroni": {"version": "4.0.11", "scope": "rescind", "name": "db-1"}}"#;

/// A server at the port of Patroni; it ends with the test's process.
struct Answering {
    port: u16,
    /// The heads of the requests.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Answering {
    /// `answer` writes the whole answer to a request for a path.
    fn start(answer: impl Fn(&mut TcpStream, &str) -> std::io::Result<()> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heads = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
                let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { continue };
                // Whoever asked may be gone.
                let _ = answer(&mut stream, path);
                heads.lock().unwrap().push(head.join("\n"));
            }
        });
        Self { port, asked }
    }

    /// Answers as Patroni 4.0 does, without a length.
    fn patroni(config: Value) -> Self {
        Self::start(move |stream, path| {
            let body = if path == "/patroni" { STATUS.to_owned() } else { config.to_string() };
            let head = "HTTP/1.0 200 OK\r\nServer: BaseHTTP/0.6 Python/3.11.2\r\nContent-Type: application/json\r\n\r\n";
            write!(stream, "{head}{body}")
        })
    }
}

/// The settings that `deploy/patroni/` makes, as far as they matter.
fn good() -> Value {
    json!({
        "ttl": 20, "loop_wait": 2, "retry_timeout": 5, "maximum_lag_on_failover": 1_073_741_824, "failsafe_mode": true,
        "primary_start_timeout": 10, "primary_stop_timeout": 10, "synchronous_node_count": 1,
        "synchronous_mode": true, "synchronous_mode_strict": true,
        "postgresql": { "use_pg_rewind": true, "use_slots": true, "parameters": { "fsync": "on" } }
    })
}

/// The findings about Patroni, as `grade: what -> help`, of a doctor that asks at this port.
fn findings(nodes: &Nodes, port: u16) -> Vec<String> {
    let port = port.to_string();
    let words = [
        "--json",
        "--set",
        "listen=127.0.0.1:0",
        "--set",
        "metrics_listen=127.0.0.1:0",
        "--patroni-port",
        &port,
    ];
    let ran = nodes.command(0, &[&["doctor"], &words[..]].concat());
    let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    let text = |diagnosis: &Value, field: &str| diagnosis[field].as_str().unwrap_or_default().to_owned();
    let line =
        |one: &Value| format!("{}: {} -> {}", text(one, "grade"), text(one, "what"), text(one, "help"));
    let diagnoses = told["diagnoses"].as_array().unwrap().iter();
    diagnoses.filter(|diagnosis| diagnosis["about"] == "patroni").map(line).collect()
}

#[test]
fn the_doctor_says_which_setting_of_patroni_loses_what_was_acknowledged() {
    let Some(cluster) = Cluster::fresh() else { return };
    let nodes = Nodes::start(&cluster.url(), 1);
    let told = |change: fn(&mut Value)| {
        let mut config = good();
        change(&mut config);
        let patroni = Answering::patroni(config);
        let found = findings(&nodes, patroni.port);
        let asked = patroni.asked.lock().unwrap().join("\n");
        assert!(asked.contains("GET /patroni") && asked.contains("GET /config"), "{asked}");
        assert!(!asked.to_ascii_lowercase().contains("authorization"), "{asked}");
        found
    };
    let found = told(|_| {});
    assert!(matches!(found.as_slice(), [one] if one.starts_with("good: ")), "{found:?}");
    for (change, parts) in [
        (
            (|config| config["synchronous_mode"] = json!(false)) as fn(&mut Value),
            ["synchronous_mode is off", "1073741824 bytes", "--set synchronous_mode=true"],
        ),
        (
            |config| config["synchronous_mode_strict"] = json!(false),
            ["synchronous_mode_strict is off", "one machine only", "--set synchronous_mode_strict=true"],
        ),
    ] {
        let found = told(change);
        let [one] = found.as_slice() else { panic!("{found:?}") };
        assert!(one.starts_with("warning: 127.0.0.1:"), "{one}");
        for part in parts {
            assert!(one.contains(part), "{part} is missing in {one}");
        }
    }
}

#[test]
fn the_doctor_ignores_whoever_is_not_patroni() {
    let Some(cluster) = Cluster::fresh() else { return };
    let nodes = Nodes::start(&cluster.url(), 1);
    assert_eq!(findings(&nodes, free_port()), [""; 0], "nobody is there");

    let ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    let mut off = good();
    off["synchronous_mode"] = json!(false);
    // What Patroni would be warned of, so that whatever is believed is seen.
    let elsewhere = Answering::patroni(off);
    for body in
        ["", "\u{0}\u{1}garbage", "[]", "{\"patroni\": 4}", "{\"ttl\": 30, \"synchronous_mode\": false}"]
    {
        let other = Answering::start(move |stream, _| write!(stream, "{ok}{body}"));
        assert_eq!(findings(&nodes, other.port), [""; 0], "{body:?}");
    }
    let no_http = Answering::start(|stream, _| stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n"));
    assert_eq!(findings(&nodes, no_http.port), [""; 0], "no HTTP");
    let port = elsewhere.port;
    let moved = Answering::start(move |stream, path| {
        write!(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{port}{path}\r\nContent-Length: 0\r\n\r\n"
        )
    });
    assert_eq!(findings(&nodes, moved.port), [""; 0], "a redirect");
    assert!(elsewhere.asked.lock().unwrap().is_empty(), "no redirect is followed");

    let start = STATUS.trim_end_matches('}').to_owned() + ", \"x\": \"";
    let beginning = start.clone();
    let endless = Answering::start(move |stream, _| {
        write!(stream, "{ok}{beginning}")?;
        loop {
            stream.write_all(&[b' '; 4096])?;
        }
    });
    assert_eq!(findings(&nodes, endless.port), [""; 0], "an answer without an end");
    let slow = Answering::start(move |stream, _| {
        write!(stream, "{ok}{start}")?;
        // Nothing comes any more, and the connection stays open.
        let (_open, never) = mpsc::channel::<()>();
        never.recv().map_err(std::io::Error::other)
    });
    assert_eq!(findings(&nodes, slow.port), [""; 0], "an answer that stops");
}
