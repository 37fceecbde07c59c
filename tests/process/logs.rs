//! The log and the metrics of a service after use. Every test checks that they hold no secret.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::client::{Client, Payload};
use crate::place::{Place, RESCIND};
use crate::session::{PASSWORD, Session, credentials};

/// Sends every secret everywhere a client may put it, wrong places too; returns the number of requests.
fn traffic(client: &Client) -> usize {
    let phone = Session::register(client, "ada", "Phone");
    let renewed = phone.refreshed(client);
    let key = "rescind_sk_01a203f6-8ee9-7873-8850-32647f183822_PbdZAfawG5IfdHxLFTL24-xlH9E7bm56G9NnvabEV-0";
    client.secrets.note(key);
    let wrong = json!({ "username": "ada", "password": "never the right one" });
    let broken = Payload::Form(r#"{"password": "never the right one""#);
    let answers = [
        client.post("/api/v1/auth/login", "", &wrong),
        client.post(
            "/api/v1/auth/login",
            "",
            &json!({ "username": "ada", "password": ["never the right one"] }),
        ),
        client.post("/api/v1/auth/login", "", &json!({ "never the right one": "ada" })),
        client.send("POST", "/api/v1/auth/login", "", broken).unwrap(),
        client.get(&format!("/api/v1/auth/me?access={}", phone.access), &phone.refresh),
        client.get(&format!("/api/v1/nowhere/{}", phone.access), &phone.access),
        client.get(&format!("/api/v1/devices/{}", phone.refresh), &renewed.access),
        client.get(&format!("/{}", phone.access.repeat(3)), ""),
        client.form("/oauth/introspect", key, &format!("token={}", phone.refresh)),
        client.form("/oauth/revoke", "", &format!("token={}x", phone.refresh)),
        client.get("/api/v1/admin/users", key),
        client.post("/api/v1/auth/logout", &renewed.access, &json!({ "refresh": renewed.refresh })),
    ];
    2 + answers.len()
}

#[test]
fn each_request_is_one_line_of_json_that_names_the_route() {
    let place = Place::new();
    let server = place.serve_with(&["--log-format", "json", "--set", "log_level=trace"]);
    let client = server.client.clone();
    let sent = traffic(&client);
    client.marked("trial-of-the-log").get("/api/v1/devices/01a203f6-8ee9-7873-8850-32647f183822", "");
    let log = server.stop().stderr;
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let requests: Vec<_> = lines.iter().filter(|line| line["message"] == "request").collect();
    assert_eq!(requests.len(), sent + 1);
    for request in &requests {
        for field in ["method", "route", "status", "duration_us", "request_id", "timestamp", "level"] {
            assert!(!request[field].is_null(), "{field} is missing in {request}");
        }
    }
    let ids: BTreeSet<_> = requests.iter().map(|request| request["request_id"].as_str()).collect();
    assert_eq!(ids.len(), requests.len(), "every request has an id of its own");
    let marked = requests.iter().find(|request| request["request_id"] == "trial-of-the-log").unwrap();
    let told = [&marked["method"], &marked["route"], &marked["status"], &marked["code"]];
    assert_eq!(told, [&json!("GET"), &json!("/api/v1/devices/{id}"), &json!(401), &json!("token_missing")]);
}

#[test]
fn a_line_for_people_says_the_same() {
    let place = Place::new();
    let server = place.serve();
    let client = server.client.clone();
    let sent = traffic(&client);
    let log = server.stop().stderr;
    let requests: Vec<_> = log.lines().filter(|line| line.contains(": request method=")).collect();
    assert_eq!(requests.len(), sent, "{log}");
    let first = r#"method="POST" route="/api/v1/auth/register" status=201 duration_us="#;
    assert!(requests[0].contains(first) && requests[0].contains("request_id="), "{log}");
}

/// The lines of security events.
fn events(log: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["event"].is_string()).collect()
}

#[test]
fn every_security_event_says_who_did_it_and_from_where() {
    let place = Place::new();
    let server = place.serve_with(&["--log-format", "json", "--set", "sign_in_attempts_per_account=5"]);
    let client = &server.client;
    let [phone, laptop, tablet] = ["Phone", "Laptop", "Tablet"].map(|name| {
        if name == "Phone" {
            Session::register(client, "ada", name)
        } else {
            Session::login(client, "ada", name)
        }
    });
    let wrong = |name: &str| {
        let guess = json!({ "username": name, "password": "never the right one" });
        client.post("/api/v1/auth/login", "", &guess)
    };
    assert_eq!(wrong("ada").status, 401);
    assert_eq!(wrong("nobody-knows").status, 401);
    client
        .send("DELETE", &format!("/api/v1/devices/{}", laptop.device), &phone.access, Payload::None)
        .unwrap();
    client.post("/api/v1/auth/logout", &tablet.access, &json!({})).ok();
    let change =
        |current: &str| json!({ "current_password": current, "new_password": "a newer horse battery" });
    assert_eq!(client.post("/api/v1/auth/password", &phone.access, &change("not this one")).status, 403);
    let changed = client.post("/api/v1/auth/password", &phone.access, &change(PASSWORD)).ok();
    let access = changed["session"]["access"].as_str().unwrap().to_owned();
    client.post("/api/v1/auth/logout-all", &access, &json!({})).ok();
    for _ in 0..6 {
        wrong("ada");
    }
    let key = place.service_key("admin");
    client.get("/api/v1/revocations", &key);
    client.post("/api/v1/admin/users/ada/logout-all", &key, &json!({})).ok();
    place.run("service-key remove tests").ok();
    place.run("key rotate").ok();
    let log = server.stop().stderr;
    let events = events(&log);
    for (event, user, device) in [
        ("registered", true, true),
        ("signed_in", true, true),
        ("sign_in_failed", true, false),
        ("sign_in_failed", false, false),
        ("sign_in_limited", false, false),
        ("device_signed_out", true, true),
        ("signed_out", true, true),
        ("password_refused", true, true),
        ("password_changed", true, true),
        ("signed_out_everywhere", true, true),
        ("service_key_refused", false, false),
    ] {
        let fits = |line: &&Value| {
            line["event"] == event && line["user"].is_string() == user && line["device"].is_string() == device
        };
        let found = events.iter().find(fits).unwrap_or_else(|| panic!("{event} is missing in {log}"));
        assert_eq!(found["address"], "127.0.0.1", "{found}");
    }
    for (event, by) in [
        ("service_key_added", "operator"),
        ("service_key_removed", "operator"),
        ("keys_rotated", "operator"),
        ("user_signed_out", " at 127.0.0.1"),
    ] {
        let found = events.iter().find(|line| line["event"] == event);
        let found = found.unwrap_or_else(|| panic!("{event} is missing in {log}"));
        assert!(found["by"].as_str().unwrap().ends_with(by), "{found}");
    }
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let requests: Vec<_> = lines.iter().filter(|line| line["message"] == "request").collect();
    // A setting that changed was caused by no request.
    for event in events.iter().filter(|line| line["event"] != "setting_changed") {
        let causes = requests.iter().filter(|line| line["request_id"] == event["request_id"]).count();
        assert_eq!(causes, 1, "an event names the one request that caused it: {event}");
    }
    assert!(!log.contains("nobody-knows"), "what was typed for a name may be a password");

    let again = place.serve_with(&["--log-format", "json", "--set", "refresh_strict=true"]);
    let log = again.stop().stderr;
    let changed: Vec<_> =
        self::events(&log).into_iter().filter(|line| line["event"] == "setting_changed").collect();
    let told = |key: &str| {
        changed.iter().find(|line| line["key"] == key).map(|line| (line["from"].clone(), line["to"].clone()))
    };
    assert_eq!(told("refresh_strict"), Some((json!("(default)"), json!("true"))), "{log}");
    assert_eq!(told("sign_in_attempts_per_account"), Some((json!("5"), json!("1000"))), "{log}");
    assert_eq!(changed.len(), 2, "{changed:?}");
}

#[test]
fn what_is_asked_every_few_seconds_is_told_for_debugging_only() {
    for (level, shown) in [("info", false), ("debug", true)] {
        let place = Place::new();
        let server = place.serve_with(&["--set", &format!("log_level={level}")]);
        let key = place.service_key("feed");
        let ping = json!({ "nonce": "abcdefghijklmnopqrstuv", "applied": 0 });
        server.client.post("/api/v1/revocations/ping", &key, &ping).ok();
        server.client.get("/readyz", "").ok();
        server.client.get("/livez", "").ok();
        let log = server.stop().stderr;
        for route in ["/api/v1/revocations/ping", "/readyz", "/livez"] {
            assert_eq!(log.contains(&format!("route=\"{route}\"")), shown, "{level}: {log}");
        }
    }
}

#[test]
fn a_trace_shows_nothing_that_the_store_writes() {
    let place = Place::new();
    let server = place.serve_with(&["--set", "log_level=trace"]);
    Session::register(&server.client, "ada", "Phone");
    let log = server.stop().stderr;
    assert!(log.contains(": request method="), "{log}");
    assert!(!log.contains("sled::") && !log.contains("$argon2id$") && !log.contains("v4.local."), "{log}");
}

/// An address of this machine that no other test or run uses, so that its port is free.
fn address_of_our_own() -> String {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    format!("{}:9464", Ipv4Addr::new(127, 46, high, low))
}

#[test]
fn the_figures_count_what_happened_under_names_of_our_own() {
    let place = Place::new();
    let metrics = address_of_our_own();
    let line = ["serve", "--listen", "127.0.0.1:0", "--metrics-listen", &metrics];
    let server = place.start(place.program(RESCIND, &line));
    let client = &server.client;
    traffic(client);
    let laptop = Session::login(client, "ada", "Laptop");
    client.post("/api/v1/auth/logout-all", &laptop.access, &json!({})).ok();
    client.post("/api/v1/auth/login", "", &credentials("somebody-else", "Toaster"));

    let figures = Client::new(&metrics, &client.secrets).get("/metrics", "");
    assert_eq!(figures.status, 200);
    assert!(
        figures.header("content-type").is_some_and(|kind| kind.starts_with("application/openmetrics-text"))
    );
    let text = &figures.body;
    client.secrets.assert_absent("/metrics", text);
    let families = [
        "http_requests counter",
        "http_request_duration_seconds histogram",
        "sign_ins counter",
        "refreshes counter",
        "sign_outs counter",
        "hashes_waiting gauge",
        "hashes_running gauge",
        "hashes_refused counter",
        "commit_batch_size histogram",
        "fsync_seconds histogram",
        "live_devices gauge",
    ];
    for family in families {
        assert!(text.contains(&format!("# TYPE rescind_{family}\n")), "{family} is missing in\n{text}");
    }
    for counted in [
        r#"http_requests_total{operation="register",method="POST",status="201"} 1"#,
        r#"sign_ins_total{result="registered"} 1"#,
        r#"sign_ins_total{result="ok"} 1"#,
        r#"sign_ins_total{result="wrong_credentials"} 2"#,
        r#"refreshes_total{class="rotated"} 1"#,
        r#"sign_outs_total{kind="logout_all"} 1"#,
    ] {
        assert!(text.contains(&format!("rescind_{counted}\n")), "{counted} is missing in\n{text}");
    }
    assert!(!text.contains("rescind_fsync_seconds_count 0\n"));
    for chosen in ["ada", "Laptop", "somebody-else", "Toaster", "nowhere", "01a203f6", laptop.device.as_str()]
    {
        assert!(!text.contains(chosen), "{chosen} is in\n{text}");
    }
}
