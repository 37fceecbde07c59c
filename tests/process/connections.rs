//! Connections of the real binary: their memory, their limits, and the answers to invalid requests.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::client::Answer;
use crate::guarded::Scene;
use crate::place::{Place, RESCIND, SERVE};
use crate::postgres::eventually;
use crate::server::Server;

/// The resident memory of a process, in KiB.
fn resident(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The number of connections that read nothing. Each would cost the length of its answer if that were copied.
const UNREAD: usize = 400;

#[test]
fn answers_that_nobody_reads_take_no_memory_of_their_own() {
    let place = Place::new();
    let server = place.serve();
    for path in ["/docs/swagger-ui-bundle.js", "/openapi.json"] {
        let length = server.client.get(path, "").body.len();
        let before = resident(&server);
        let mut unread = Vec::new();
        for _ in 0..UNREAD {
            let mut reader = server.client.connect().unwrap();
            reader.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
            // The answer has begun, so all of it that is buffered is in memory.
            assert_eq!(reader.peek(&mut [0]).unwrap(), 1);
            unread.push(reader);
        }
        let grown = (resident(&server).saturating_sub(before)) * 1024 / UNREAD;
        eprintln!("{path}: {grown} bytes for each reader of {length} that reads nothing");
        assert!(grown < 64 * 1024, "{path}: {grown} bytes for each");
        assert_eq!(server.client.get("/livez", "").status, 200);
    }
}

/// Sends an invalid request on a new connection, and returns the answer.
#[track_caller]
fn told(server: &Server, said: &str) -> Answer {
    let mut caller = server.client.connect().unwrap();
    // The server may close the connection before everything is sent.
    let _cut = caller.write_all(said.as_bytes());
    let answer = Answer::read(&mut caller).unwrap();
    assert_eq!(answer.header("connection"), Some("close"));
    answer
}

#[test]
fn a_request_that_is_not_in_order_is_answered_like_any_other() {
    let place = Place::new();
    let metrics = ["--set", "metrics_listen=127.0.0.1:0"];
    let server = place.serve_with(&metrics);
    let scene = Scene::new(1);
    let get = |target: &str, headers: &str| format!("GET {target} HTTP/1.1\r\n{headers}\r\n");
    let long = |length: usize| "y".repeat(length);
    for (said, problem) in [
        (get("/livez", ""), "400 invalid_request"),
        (get("/livez", "Host: x\r\nHost: y\r\n"), "400 invalid_request"),
        ("how do you do\r\n\r\n".to_owned(), "400 invalid_request"),
        (get(&format!("/verify/{}", long(200_000)), "Host: x\r\n"), "414 too_large"),
        (get("/livez", &format!("Host: x\r\nCookie: {}\r\n", long(200_000))), "431 too_large"),
        (get("/livez", "Host: x\r\nTransfer-Encoding: gzip, chunked\r\n"), "501 invalid_request"),
        (get("/livez", "Host: x\r\nTransfer-Encoding: gzip\r\n"), "501 invalid_request"),
    ] {
        let (status, _) = problem.split_once(' ').unwrap();
        let answer = told(&server, &said);
        assert_eq!(answer.problem(), problem);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let id = answer.header("x-request-id").unwrap();
        assert_eq!(answer.json()["request_id"], id);
        let line = server.stderr.wait_for_line(id);
        assert!(line.contains(&format!("status={status}")), "{line}");

        let guard = &scene.guards[0];
        let mut caller = guard.client.connect().unwrap();
        let _cut = caller.write_all(said.as_bytes());
        assert_eq!(Answer::read(&mut caller).unwrap().problem(), problem);
    }
    // HTTP/1.0 knows no `Host`.
    let mut caller = server.client.connect().unwrap();
    caller.write_all(b"GET /livez HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(Answer::read(&mut caller).unwrap().status, 200);
}

/// A connection without a request.
fn silent(server: &Server) -> TcpStream {
    let connection = server.client.connect().unwrap();
    connection.set_nonblocking(true).unwrap();
    connection
}

/// A connection on which a request was answered.
fn spoken(server: &Server) -> TcpStream {
    let mut connection = server.client.connect().unwrap();
    connection.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(Answer::read(&mut connection).unwrap().status, 200);
    connection.set_nonblocking(true).unwrap();
    connection
}

fn is_open(mut connection: &TcpStream) -> bool {
    connection.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn a_command_is_answered_where_there_are_no_file_descriptors_left() {
    let place = Place::new();
    let server = place.serve();
    // These connections stay open: each has sent a request.
    let taken: Vec<_> = (0..8).map(|_| spoken(&server)).collect();
    let files = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let open: BTreeSet<u64> =
        files.map(|file| file.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    // Every descriptor below is taken.
    let limit = (0..=u64::from(u16::MAX)).find(|descriptor| !open.contains(descriptor));
    let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap());
    prlimit(pid, Resource::Nofile, Rlimit { current: limit, maximum: limit }).unwrap();
    // These connections wait for a descriptor, and would take any that becomes free.
    let _waiting: Vec<_> = (0..3).map(|_| server.client.connect().unwrap()).collect();
    for _ in 0..3 {
        place.run("user list").ok();
    }
    assert!(taken.iter().all(is_open), "a command waits until they end by themselves");
}

#[test]
fn more_connections_than_files_are_not_promised() {
    let place = Place::new();
    let line = format!("ulimit -n 300 && exec {RESCIND} {}", SERVE.join(" "));
    let server = place.start(place.program("sh", &["-c", &line]));
    let warning = server.stderr.wait_for_line("connections_max=10000");
    assert!(warning.contains("connections=108") && warning.contains("LimitNOFILE=10192"), "{warning}");
    server.stop();
    let server = place.serve_with(&["--set", "connections_max=16"]);
    assert!(!server.stop().stderr.contains("LimitNOFILE"));
}

#[test]
fn a_trusted_proxy_has_more_connections_than_a_client_and_its_clients_have_their_share() {
    let place = Place::new();
    let share = ["--set", "connections_per_address=2"];
    let proxy = ["--set", "trusted_proxies=127.0.0.1/32"];
    let server = place.serve_with(&[share, proxy].concat());
    let proxied: Vec<_> = (0..8).map(|_| spoken(&server)).collect();
    assert!(proxied.iter().all(is_open), "they are the proxy's");
    assert_eq!(server.client.forwarded_for("198.51.100.1").get("/livez", "").status, 200);
    drop((proxied, server.stop()));

    let server = place.serve_with(&share);
    let _own: Vec<_> = (0..2).map(|_| spoken(&server)).collect();
    let mut refused = server.client.connect().unwrap();
    assert_eq!(refused.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset, "not a proxy");
}

#[test]
fn who_says_nothing_keeps_nobody_out_and_one_address_has_its_share() {
    let place = Place::new();
    let share = ["--set", "connections_max=32", "--set", "connections_per_address=6"];
    let server = place.serve_with(&share);
    let silent: Vec<_> = (0..64).map(|_| silent(&server)).collect();
    assert_eq!(server.client.get("/livez", "").status, 200);
    // They may end a moment after the answer: each in a task of its own.
    eventually("no more than its share are open", || silent.iter().filter(|one| is_open(one)).count() <= 6);
    let speaking: Vec<_> = (0..6).map(|_| spoken(&server)).collect();
    eventually("the silent ones give way", || !silent.iter().any(is_open));
    let mut refused = server.client.connect().unwrap();
    assert_eq!(refused.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let warning = server.stderr.wait_for_line("an address has as many connections");
    assert!(warning.contains("address=127.0.0.1") && warning.contains("trusted_proxies"), "{warning}");
    assert!(speaking.iter().all(is_open));
    drop(speaking);
    place.run("user list").ok();
}
