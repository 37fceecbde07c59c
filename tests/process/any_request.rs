//! The answers that any request can get, provoked on raw sockets: the document lists all of them.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;

use crate::client::Answer;
use crate::place::Place;
use crate::server::Server;

/// Sends these bytes on a new connection, and returns the answer and the connection.
fn said(server: &Server, bytes: &str) -> (Answer, TcpStream) {
    let mut caller = server.client.connect().unwrap();
    // The server may close the connection before everything is sent.
    let _cut = caller.write_all(bytes.as_bytes());
    (Answer::read(&mut caller).unwrap(), caller)
}

/// The answers to any request that the served document lists, as `414 too_large`.
fn listed(server: &Server) -> BTreeSet<String> {
    let document = server.client.get("/openapi.json", "").ok();
    let shared = "#/components/responses/AnyRequest";
    for operations in document["paths"].as_object().unwrap().values() {
        for operation in operations.as_object().unwrap().values() {
            assert_eq!(operation["responses"]["default"]["$ref"], shared, "{}", operation["operationId"]);
        }
    }
    let text = document.pointer(shared.trim_start_matches('#')).unwrap()["description"].as_str().unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("* "));
    lines.map(|line| line.split_once(": ").unwrap().0.replace('`', "")).collect()
}

#[test]
fn what_any_request_can_be_answered_with_is_what_the_document_lists() {
    let place = Place::new();
    let shared = ["--set", "trusted_proxies=127.0.0.1/32", "--set", "connections_per_address=1"];
    let server = place.serve_with(&shared);
    let request = |line: &str, headers: &str| format!("{line} HTTP/1.1\r\n{headers}\r\n");
    let long = "y".repeat(200_000);
    let mut answered = BTreeSet::new();
    for bytes in [
        "how do you do\r\n\r\n".to_owned(),
        request("GET /livez", ""),
        request("GET /nowhere", "Host: x\r\n"),
        request("PUT /livez", "Host: x\r\n"),
        request(&format!("GET /livez?{long}"), "Host: x\r\n"),
        request("GET /livez", &format!("Host: x\r\nCookie: {long}\r\n")),
        request("GET /livez", "Host: x\r\nTransfer-Encoding: gzip\r\n"),
    ] {
        answered.insert(said(&server, &bytes).0.problem());
    }
    let client = "Host: x\r\nX-Forwarded-For: 198.51.100.1\r\n";
    let body = "Content-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n";
    let unfinished = request("POST /api/v1/auth/login", &format!("{client}{body}"));
    let (asked, _unfinished) = said(&server, &unfinished);
    assert_eq!(asked.status, 100, "it waits for the body");
    answered.insert(said(&server, &request("GET /livez", client)).0.problem());

    let mut listed = listed(&server);
    // No request is known that provokes it.
    assert!(listed.remove("500 internal"));
    assert_eq!(answered, listed);
}
