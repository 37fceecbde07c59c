//! The system calls of a server, recorded by `strace`.

use std::collections::HashMap;
use std::process::{Command, Stdio};

use crate::place::{Place, RESCIND, SERVE};
use crate::server::Server;
use crate::skipped::skipped;

const OUTPUT: &str = "trace";
const READS: [&str; 4] = ["read", "readv", "recvfrom", "recvmsg"];
const WRITES: [&str; 4] = ["write", "writev", "sendto", "sendmsg"];
const SYNCS: [&str; 2] = ["fsync", "fdatasync"];

/// Whether `strace` is installed. Without it its tests report themselves as skipped, which is a failure on a build
/// server.
pub(crate) fn is_here() -> bool {
    let found =
        Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    if !found {
        skipped("strace is missing, so nothing shows that answers wait for the disk");
    }
    found
}

/// Starts a server under `strace`, which is the server's child and not its parent: signals and the exit status are
/// the server's own.
pub(crate) fn serve(place: &Place, options: &[&str]) -> Server {
    let strace = ["-D", "-f", "-y", "-s", "256", "-o", OUTPUT];
    place.start(place.program("strace", &[&strace, options, &[RESCIND], &SERVE].concat()))
}

/// The option for `strace` that selects the calls which [`Trace`] reads.
pub(crate) fn watched() -> String {
    format!("trace={}", [&READS[..], &WRITES, &SYNCS].concat().join(","))
}

/// One system call: the lines of the trace at which it began and returned.
#[derive(Debug)]
struct Call {
    name: String,
    text: String,
    began: usize,
    returned: usize,
}

/// Every call, in the order of their returns.
pub(crate) struct Trace(Vec<Call>);

impl Trace {
    pub(crate) fn of(place: &Place) -> Self {
        Self::parse(&std::fs::read_to_string(place.path(OUTPUT)).unwrap())
    }

    fn parse(text: &str) -> Self {
        let mut unfinished: HashMap<&str, (usize, String)> = HashMap::new();
        let mut calls = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let Some((thread, event)) = line.split_once(' ') else { continue };
            let event = event.trim_start();
            if let Some(start) = event.strip_suffix(" <unfinished ...>") {
                unfinished.insert(thread, (at, start.to_owned()));
            } else if let Some((_, rest)) =
                event.strip_prefix("<... ").and_then(|event| event.split_once(" resumed>"))
            {
                let Some((began, start)) = unfinished.remove(thread) else { continue };
                calls.extend(Call::parse(format!("{start}{rest}"), began, at));
            } else {
                calls.extend(Call::parse(event.to_owned(), at, at));
            }
        }
        Self(calls)
    }

    /// Asserts that the data file was synced, from begin to end, after the request with this id was read and before
    /// the first byte of its answer was written.
    #[track_caller]
    pub(crate) fn assert_synced_before_the_answer(&self, request_id: &str) {
        let carries = |call: &&Call| READS.contains(&&*call.name) && call.text.contains(request_id);
        let request = self.0.iter().find(carries).unwrap_or_else(|| panic!("{request_id} was not read"));
        let answers = |call: &&Call| {
            WRITES.contains(&&*call.name) && call.file() == request.file() && call.began > request.returned
        };
        let answer = self.0.iter().filter(answers).min_by_key(|call| call.began);
        let answer = answer.unwrap_or_else(|| panic!("{request_id} was not answered"));
        assert!(answer.text.contains("HTTP/1.1 200"), "{answer:?}");
        let between = |call: &&Call| request.returned < call.began && call.returned < answer.began;
        let synced = |call: &Call| {
            SYNCS.contains(&&*call.name) && call.file().ends_with("/db") && call.text.ends_with("= 0")
        };
        let all: Vec<_> = self.0.iter().filter(between).collect();
        assert!(all.iter().any(|call| synced(call)), "{request_id} was answered without a sync: {all:?}");
    }

    /// Asserts that the data's folder was synced after sled's snapshot got its name there and before the data file
    /// was first synced for an acknowledgement.
    #[track_caller]
    pub(crate) fn assert_the_snapshots_name_is_kept(&self) {
        let named = |call: &&Call| {
            call.name.starts_with("rename") && call.text.contains(".generating") && call.text.ends_with("= 0")
        };
        let named = self.0.iter().find(named).expect("sled wrote no snapshot");
        let committed = |call: &&Call| call.name == "fdatasync" && call.file().ends_with("/db");
        let committed = self.0.iter().find(committed).expect("nothing was committed");
        let kept = |call: &&Call| {
            SYNCS.contains(&&*call.name)
                && call.file().ends_with("/rescind-data")
                && named.returned < call.began
                && call.returned < committed.began
        };
        assert!(self.0.iter().any(|call| kept(&call)), "the name is lost with the power: {:?}", self.0);
    }
}

impl Call {
    fn parse(text: String, began: usize, returned: usize) -> Option<Self> {
        let name = text.split_once('(')?.0.to_owned();
        Some(Self { name, text, began, returned })
    }

    /// The file of the first argument, as `-y` writes it: `7<data/db>`.
    fn file(&self) -> &str {
        let open = self.text.split_once('<').map_or("", |(_, rest)| rest);
        open.split_once('>').map_or("", |(file, _)| file)
    }
}

#[test]
#[should_panic(expected = "answered without a sync")]
fn a_sync_that_returns_after_the_answer_does_not_count() {
    let trace = "1 recvfrom(9<socket:[1]>, \"POST / trial\", 8192) = 12\n\
                 2 fdatasync(7</data/db> <unfinished ...>\n\
                 1 sendto(9<socket:[1]>, \"HTTP/1.1 200 OK\", 15) = 15\n\
                 2 <... fdatasync resumed>) = 0\n";
    Trace::parse(trace).assert_synced_before_the_answer("trial");
}
