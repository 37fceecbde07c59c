//! Clients that are slow, speak another protocol, or vanish: each is disconnected, and the service goes on.

use std::io::{Read, Write};

use crate::place::Place;
use crate::server::Server;
use crate::session::Session;

fn impatient(place: &Place) -> Server {
    place.serve_with(&["--set", "request_timeout=1s"])
}

/// Sends these bytes and nothing more, asserts that the server ends the connection, and returns what it sent.
#[track_caller]
fn cut_after(server: &Server, said: &[u8]) -> String {
    let mut caller = server.client.connect().unwrap();
    caller.write_all(said).unwrap();
    let mut heard = Vec::new();
    // A reset ends the connection, too; a timeout does not.
    if let Err(error) = caller.read_to_end(&mut heard) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
    String::from_utf8(heard).unwrap()
}

#[test]
fn slow_headers_are_cut() {
    let place = Place::new();
    let server = impatient(&place);
    assert_eq!(cut_after(&server, b"GET /livez HTTP/1.1\r\nHost:"), "");
    assert_eq!(server.client.get("/livez", "").status, 200);
}

#[test]
fn a_slow_body_is_cut() {
    let place = Place::new();
    let server = impatient(&place);
    let head = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    let said = cut_after(&server, head);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 503 ") && said.contains("\"timeout\""), "{said}");
    assert_eq!(server.client.get("/livez", "").status, 200);
}

#[test]
fn http_2_is_not_spoken() {
    let place = Place::new();
    let server = place.serve();
    assert_eq!(cut_after(&server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"), "");
    assert_eq!(server.client.get("/livez", "").status, 200);
}

#[test]
fn a_connection_reset_mid_request_harms_nobody() {
    let place = Place::new();
    let server = place.serve();
    let phone = Session::register(&server.client, "ada", "Phone");
    for _ in 0..20 {
        let mut caller = server.client.connect().unwrap();
        caller.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nPOST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Le").unwrap();
        // An answer that was not read makes the close a reset.
        assert_eq!(caller.peek(&mut [0]).unwrap(), 1);
    }
    phone.assert_alive(&server.client);
}
