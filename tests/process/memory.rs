//! The memory of a running server, searched for secrets; and what a crashed process leaves behind.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;

use base64::Engine as _;
use rustix::process::Signal;
use serde_json::json;

use crate::client::Answer;
use crate::place::{Place, RESCIND, SERVE};
use crate::server::Server;
use crate::session::Session;
use crate::skipped::skipped;

/// The writable memory of a server; `None` where this machine does not allow reading it.
fn memory(server: &Server) -> Option<Vec<Vec<u8>>> {
    let maps = fs::read_to_string(format!("/proc/{}/maps", server.pid())).ok()?;
    let memory = File::open(format!("/proc/{}/mem", server.pid())).ok()?;
    let mut pieces = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, rest) = line.split_once('-').unwrap();
        let (to, _) = rest.split_once(' ').unwrap();
        let [from, to] = [from, to].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        let mut piece = vec![0; usize::try_from(to - from).unwrap()];
        // A mapping without memory behind it cannot be read.
        if memory.read_exact_at(&mut piece, from).is_ok() {
            pieces.push(piece);
        }
    }
    (!pieces.is_empty()).then_some(pieces)
}

fn times(pieces: &[Vec<u8>], needle: &[u8]) -> usize {
    let count = |piece: &Vec<u8>| memchr::memmem::find_iter(piece, needle).count();
    pieces.iter().map(count).sum()
}

#[test]
fn neither_passwords_nor_the_master_key_stay_in_memory() {
    let place = Place::new();
    let server = place.serve();
    let client = &server.client;
    let [first, second, wrong] = ["unheard-of zebra 4711", "another okapi 0815", "never the right tapir 42"];
    let account = |password| json!({ "username": "ada", "password": password });
    client.secrets.note(first);
    let phone = Session::of(&client.post("/api/v1/auth/register", "", &account(first)).ok());
    client.post("/api/v1/auth/login", "", &account(wrong));
    let change = json!({ "current_password": first, "new_password": second });
    client.post("/api/v1/auth/password", &phone.access, &change).ok();
    client.post("/api/v1/auth/login", "", &account(second)).ok();
    place.run_with("user add bob --password-stdin", &format!("{second} of bob\n")).ok();
    // A connection that stays open keeps its buffers.
    let body = account(second).to_string();
    let mut kept = client.connect().unwrap();
    let head = format!(
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    kept.write_all(format!("{head}{body}").as_bytes()).unwrap();
    Answer::read(&mut kept).unwrap().ok();
    client.form("/oauth/introspect", "", "token=nothing");
    place.run("key rotate").ok();

    let Some(memory) = memory(&server) else {
        skipped(
            "this machine does not show the memory of another process, so nothing shows what stays in it",
        );
        return;
    };
    assert!(times(&memory, b"ada") > 0, "the memory that was searched is that of the server");
    for password in [first, second, wrong] {
        assert_eq!(times(&memory, password.as_bytes()), 0, "{password} is still in memory");
    }
    let line = fs::read_to_string(place.master_key()).unwrap();
    let text = line.trim().strip_prefix("k4.local.").unwrap();
    let key = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap();
    assert_eq!(times(&memory, &key), 0, "the raw master key is in memory");
    assert_eq!(times(&memory, text.as_bytes()), 0, "the text of the master key is in memory");
    drop(kept);
}

#[test]
fn a_process_that_dies_leaves_no_image_of_its_memory() {
    let place = Place::new();
    // The process has to disable core dumps even where the limit allows them.
    let command = place.program("prlimit", &[&["--core=unlimited", RESCIND][..], &SERVE].concat());
    let mut server = place.start(command);
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    server.signal(Signal::ABORT);
    let ended = server.end();
    assert_eq!(ended.status.signal(), Some(Signal::ABORT.as_raw()));
    assert!(!ended.status.core_dumped());
}

#[test]
fn other_users_read_no_file_of_the_store() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    // A umask that leaves files open to others.
    let serve = format!("umask 000; exec {RESCIND} {}", SERVE.join(" "));
    let open = || place.program("sh", &["-c", &serve]);
    place.start(open()).stop();
    let server = place.start(open());
    for entry in fs::read_dir(place.data()).unwrap().map(Result::unwrap) {
        let metadata = entry.metadata().unwrap();
        let mode = metadata.permissions().mode() & 0o777;
        assert!(metadata.is_dir() || mode == 0o600, "{:?} has mode {mode:03o}", entry.path());
        assert!(!metadata.is_dir() || mode == 0o700, "{:?} has mode {mode:03o}", entry.path());
    }
    drop(server);
}
