//! The log and the figures of a service that was used. That no secret is in them, every test checks.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::client::{Client, Payload};
use crate::place::{Place, RESCIND};
use crate::session::{Session, credentials};

/// Every secret in every place where one may stand, the wrong places too; gives the number of requests.
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

/// An address of this machine that no other test and no other run uses, so that its port is free.
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
