//! The progress of long commands: shown to a person at a terminal, and to nobody else.

use std::fmt::Write as _;

use crate::place::{Place, RESCIND, Ran};
use crate::terminal::AtTerminal;

/// A folder with the file `users.csv` of a thousand users.
fn place() -> Place {
    let place = Place::new();
    let mut file = String::from("id,username,password\n");
    for number in 0..1000 {
        writeln!(file, "{number},user{number},!").unwrap();
    }
    std::fs::write(place.path("users.csv"), file).unwrap();
    place
}

fn at_terminal(place: &Place, line: &str) -> Ran {
    let ran = AtTerminal::start(place.program(RESCIND, &line.split(' ').collect::<Vec<_>>())).end();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran
}

/// Asserts that a bar or counter with these parts was shown.
#[track_caller]
fn assert_shown(screen: &str, parts: &[&str]) {
    let shown = screen.split('\r').any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(shown, "{parts:?} is missing in {screen:?}");
}

#[test]
fn a_person_at_a_terminal_sees_how_much_is_done_of_how_much() {
    let place = place();
    let server = place.serve();
    let import = at_terminal(&place, "user import django users.csv");
    assert_shown(&import.err, &["checking users: [", "KiB/13.48 KiB", " left"]);
    assert_shown(&import.err, &["importing users: [", "/1,000", " left"]);
    assert_shown(&at_terminal(&place, "user list --all").err, &["users read: 1,000", " so far"]);
    let export = at_terminal(&place, "user export users.jsonl");
    assert_shown(&export.err, &["exporting users: [", "1,000/1,000", " left"]);
    server.stop();
    let copy = at_terminal(&place, "store copy --from rescind-data --to copy");
    assert_shown(&copy.err, &["records copied: ", " so far"]);
    assert_shown(&copy.err, &["records compared: [", "/1,0", " left"]);
}

#[test]
fn a_program_sees_no_progress() {
    let place = place();
    let _server = place.serve();
    let program_reads_stderr = place.run("user import django users.csv");
    assert!(!program_reads_stderr.err.contains("users: ["), "{program_reads_stderr:?}");
    for line in ["user import django users.csv", "user list --all", "user export users.jsonl"]
        .map(|line| format!("{line} --json"))
    {
        assert_eq!(at_terminal(&place, &line).err, "", "{line}");
    }
}
