//! The feed of the real binary: every acknowledged end is sent, whatever happens to the process.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};

use rescind::model::revocation::{Entry, Revocation};
use serde_json::json;

use crate::client::{Answer, Client};
use crate::listener::Listener;
use crate::place::Place;
use crate::session::Session;

/// The devices of entries that end devices.
fn devices(entries: &[Entry]) -> Vec<String> {
    let device = |entry: &Entry| match &entry.revocation {
        Revocation::Device { device, .. } => device.to_string(),
        other => panic!("{other:?}"),
    };
    entries.iter().map(device).collect()
}

fn sign_out(client: &Client, session: &Session) {
    assert_eq!(
        client.post("/api/v1/auth/logout/", "", &json!({"refresh": session.refresh})).ok()["signed_out"],
        1
    );
}

#[test]
fn a_sign_out_is_told_proven_and_confirmed() {
    let place = Place::new();
    let server = place.serve();
    let key = place.service_key("feed");
    let (phone, laptop) =
        (Session::register(&server.client, "ada", "Phone"), Session::login(&server.client, "ada", "Laptop"));
    let mut follower = Listener::open(&server.client, &key, None);
    assert_eq!((follower.news(), follower.ping()), (Some(Vec::new()), 0));
    sign_out(&server.client, &phone);
    assert_eq!(devices(&follower.up_to(1)), [phone.device]);
    assert_eq!(follower.ping(), 1);

    let waiting = std::thread::spawn({
        let client = server.client.clone();
        move || client.post("/api/v1/auth/logout-all?wait=8s", &laptop.access, &json!({})).ok()
    });
    assert!(matches!(follower.up_to(2)[0].revocation, Revocation::Generation { .. }));
    assert_eq!(follower.hear().unwrap().0, "ping");
    follower.ping();
    let answer = waiting.join().unwrap();
    assert_eq!(answer, json!({"signed_out": 1, "generation": 2, "in_force": true}));
}

/// The server notices the closed connection long before a wait for a confirmation would end.
#[test]
fn a_follower_that_closed_its_connection_gives_up_its_place_and_delays_nobody() {
    let place = Place::new();
    let server = place.serve_with(&["--set", "feed_streams_max=1", "--set", "request_timeout=120s"]);
    let key = place.service_key("feed");
    for (at, how) in [Shutdown::Write, Shutdown::Both].into_iter().enumerate() {
        let phone = Session::register(&server.client, &format!("user-{at}"), "Phone");
        let mut gone = Listener::open(&server.client, &key, None);
        gone.news();
        gone.close(how);
        // Longer than any test waits.
        server.client.post("/api/v1/auth/logout-all?wait=90s", &phone.access, &json!({})).ok();
    }
    // The only slot for streams is free again.
    Listener::open(&server.client, &key, None).news();
}

#[test]
fn a_stop_ends_every_stream_at_once() {
    let place = Place::new();
    // Longer than any test waits: a stop that waits for a stream fails.
    let server = place.serve_with(&["--set", "shutdown_grace=120s"]);
    let key = place.service_key("feed");
    let mut follower = Listener::open(&server.client, &key, None);
    let mut other = Listener::open(&server.client, &key, None);
    assert_eq!(follower.news(), Some(Vec::new()));
    server.stop();
    assert_eq!(follower.hear(), None);
    assert_eq!(other.news(), Some(Vec::new()), "what was on its way arrives");
    assert_eq!(other.hear(), None);
}

#[test]
fn a_removed_service_key_is_told_nothing_more() {
    let place = Place::new();
    let server = place.serve();
    let (removed, kept) = (place.service_key("feed"), place.service_key("feed"));
    let mut gone = Listener::open(&server.client, &removed, None);
    let mut stays = Listener::open(&server.client, &kept, None);
    for follower in [&mut gone, &mut stays] {
        assert_eq!(follower.news(), Some(Vec::new()));
    }
    let id = removed.trim_start_matches("rescind_sk_").split('_').next().unwrap();
    place.run(&format!("service-key remove {id} --json")).ok();
    assert_eq!(gone.hear(), None);
    let phone = Session::register(&server.client, "ada", "Phone");
    sign_out(&server.client, &phone);
    assert_eq!(devices(&stays.up_to(1)), [phone.device]);
}

#[test]
fn what_was_acknowledged_before_a_kill_is_told_after_it() {
    let place = Place::new();
    let mut server = place.serve();
    let key = place.service_key("feed");
    let sessions: Vec<_> =
        (0..8).map(|at| Session::register(&server.client, &format!("user-{at}"), "Phone")).collect();
    let mut follower = Listener::open(&server.client, &key, None);
    follower.news();
    let mut told = Vec::new();
    for session in &sessions {
        sign_out(&server.client, session);
        if told.len() % 2 == 1 {
            told.extend(devices(&follower.up_to(told.len() as u64 + 1)));
        }
        let before = server.kill();
        let _taken = TcpListener::bind(&before);
        // Events that had reached the stream may be read; then it ends.
        while let Some(entries) = follower.news() {
            told.extend(devices(&entries));
        }
        server = place.serve();
        follower = Listener::open(&server.client, &key, Some(told.len() as u64));
        let head = follower.ping();
        told.extend(devices(&follower.up_to(head)));
    }
    let expected: Vec<_> = sessions.into_iter().map(|session| session.device).collect();
    assert_eq!(told, expected, "each once, in order");
}

/// A follower that does not read costs a few buffers; its stream ends, and after reconnecting it has missed nothing.
#[test]
fn a_reader_that_stops_is_dropped_and_goes_on_where_it_was() {
    const SIGN_OUTS: u64 = 3_000;
    let place = Place::new();
    let server = place.serve_with(&["--set", "log_level=warn"]);
    let key = place.service_key("feed");
    Session::register(&server.client, "ada", "Phone");
    let mut slow = Listener::open(&server.client, &key, None);
    slow.news();
    sign_out_again_and_again(&server.client, &place.service_key("admin"), SIGN_OUTS);
    let mut told = 0;
    while let Some(entries) = slow.news() {
        told += entries.len() as u64;
    }
    assert!(told < SIGN_OUTS, "it was never dropped");
    let mut again = Listener::open(&server.client, &key, Some(told));
    assert_eq!(again.up_to(SIGN_OUTS).len() as u64, SIGN_OUTS - told);
}

/// Signs one user out everywhere that many times, over one connection.
fn sign_out_again_and_again(client: &Client, key: &str, times: u64) {
    let request = format!(
        "POST /api/v1/admin/users/ada/logout-all HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 0\r\n\r\n"
    );
    let mut connection = client.connect().unwrap();
    for _ in 0..times {
        connection.write_all(request.as_bytes()).unwrap();
        assert_eq!(Answer::read(&mut connection).unwrap().status, 200);
    }
}

/// A stream outlives the request timeout, and comments keep intermediaries from closing it.
#[test]
fn a_silent_stream_is_kept_alive() {
    let place = Place::new();
    let server = place.serve_with(&["--set", "request_timeout=5s"]);
    let key = place.service_key("feed");
    let mut connection = server.client.connect().unwrap();
    let request =
        format!("GET /api/v1/revocations/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n");
    connection.write_all(request.as_bytes()).unwrap();
    let mut heard = String::new();
    while !heard.contains("\n:\n\n") {
        let mut bytes = [0; 1024];
        let count = connection.read(&mut bytes).unwrap();
        assert_ne!(count, 0, "{heard}");
        heard.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
}
