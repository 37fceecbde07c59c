//! SIGTERM and SIGINT: running requests are finished, hanging ones are not waited for, and the next start works.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;

use crate::client::Answer;
use crate::place::Place;
use crate::session::{Session, credentials};

#[test]
fn a_request_under_way_is_finished_and_the_next_start_works() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::new();
        let mut server = place.serve();
        let phone = Session::register(&server.client, "ada", "Phone");
        assert!(place.data().join("admin.sock").exists());

        let body = credentials("ada", "Laptop").to_string();
        let mut caller = server.client.connect().unwrap();
        let head = format!(
            "POST /api/v1/auth/login/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            body.len()
        );
        caller.write_all(head.as_bytes()).unwrap();
        // The server asks for the body, so the request has begun.
        assert_eq!(Answer::read(&mut caller).unwrap().status, 100);
        server.signal(signal);
        server.stderr.wait_for_line("stopping");
        caller.write_all(body.as_bytes()).unwrap();
        let laptop = Session::of(&Answer::read(&mut caller).unwrap().ok());

        let ended = server.end();
        assert_eq!((ended.status.code(), ended.status.signal()), (Some(0), None), "{ended:?}");
        assert!(!place.data().join("admin.sock").exists());
        let server = place.serve();
        phone.assert_alive(&server.client);
        laptop.assert_alive(&server.client);
    }
}

#[test]
fn a_caller_that_hangs_does_not_hold_up_the_end() {
    let place = Place::new();
    let server = place.serve_with(&["--set", "shutdown_grace=1s", "--set", "request_timeout=120s"]);
    let mut caller = server.client.connect().unwrap();
    caller
        .write_all(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        .unwrap();
    assert_eq!(Answer::read(&mut caller).unwrap().status, 100);
    server.stop();
    let left = caller.read(&mut [0; 64]);
    assert!(matches!(left, Ok(0) | Err(_)), "{left:?}");
}

#[test]
fn a_hangup_is_logged_and_ends_nothing() {
    let place = Place::new();
    let server = place.serve();
    server.signal(Signal::HUP);
    server.stderr.wait_for_line("SIGHUP changes nothing");
    assert_eq!(server.client.get("/livez", "").status, 200);
    assert_eq!(server.stop().status.code(), Some(0));
}
