//! An acknowledged step is durable: it is on the disk before the client has the answer, and a failing disk
//! acknowledges nothing.

use serde_json::json;

use crate::client::{Client, Payload};
use crate::place::Place;
use crate::session::{Session, credentials};
use crate::trace::{self, Trace};

/// The number of tries: a sync of sled's own may fall into one answer by chance, but not into all of them.
const TIMES: usize = 5;

/// The exit status after a failed disk, `EX_IOERR`.
const EXIT_AFTER_DISK: i32 = 74;

#[test]
fn the_disk_is_synced_between_a_request_and_its_answer() {
    if !trace::is_here() {
        return;
    }
    let place = Place::new();
    let server = trace::serve(&place, &["-e", &trace::watched()]);
    let client = &server.client;
    Session::register(client, "ada", "Phone");
    let mut marks = Vec::new();
    for time in 0..TIMES {
        let mut marked = |operation: &str| {
            marks.push(format!("trial-{operation}-{time}"));
            client.marked(marks.last().unwrap())
        };
        let phone = Session::login(&marked("login"), "ada", "Phone").refreshed(&marked("refresh"));
        let laptop = Session::login(client, "ada", "Laptop");
        let logout = json!({ "refresh": phone.refresh });
        marked("logout").post("/api/v1/auth/logout/", &phone.access, &logout).ok();
        marked("logout-all").post("/api/v1/auth/logout-all/", &laptop.access, &json!({})).ok();
    }
    server.stop();
    let trace = Trace::of(&place);
    for mark in &marks {
        trace.assert_synced_before_the_answer(mark);
    }
}

#[test]
fn the_snapshot_of_a_start_outlives_a_power_cut_before_anything_is_acknowledged() {
    if !trace::is_here() {
        return;
    }
    let place = Place::new();
    let server = place.serve();
    Session::register(&server.client, "ada", "Phone");
    server.kill();
    let calls = "trace=rename,renameat,renameat2,fsync,fdatasync";
    let server = trace::serve(&place, &["-e", calls]);
    Session::login(&server.client, "ada", "Phone");
    server.stop();
    Trace::of(&place).assert_the_snapshots_name_is_kept();
}

/// Signs in until no answer comes any more, and returns the acknowledged sessions.
fn sign_in_until_silence(client: &Client) -> Vec<Session> {
    let mut acknowledged = vec![Session::register(client, "ada", "Phone")];
    while acknowledged.len() < 50 {
        let login =
            client.send("POST", "/api/v1/auth/login", "", Payload::Json(&credentials("ada", "Laptop")));
        match login {
            Ok(answer) if answer.status == 200 => acknowledged.push(Session::of(&answer.json())),
            _ => return acknowledged,
        }
    }
    panic!("the disk fails, and sign-ins are still answered");
}

#[test]
fn a_failed_sync_answers_nobody_ends_the_process_and_loses_nothing() {
    if !trace::is_here() {
        return;
    }
    let place = Place::new();
    let fail = "inject=fdatasync:error=EIO:when=8+";
    let mut server = trace::serve(&place, &["-e", "trace=fdatasync", "-e", fail]);
    let acknowledged = sign_in_until_silence(&server.client);
    let ended = server.end();
    assert_eq!(ended.status.code(), Some(EXIT_AFTER_DISK), "{ended:?}");
    let fatal = ended.stderr.lines().find(|line| line.starts_with("rescind: fatal: "));
    assert!(fatal.is_some_and(|line| line.contains("syncing the store to disk failed")), "{ended:?}");

    let server = place.serve();
    assert!(acknowledged.len() > 1, "nothing was acknowledged before the disk failed");
    for session in acknowledged {
        session.assert_alive(&server.client);
    }
}
