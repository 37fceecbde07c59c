//! A damaged store is refused with the reason and the next step; no store is made in its place.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::place::{Place, RESCIND, SERVE, run};
use crate::session::Session;

/// A working directory with a store that holds records, and no server.
pub(crate) fn with_store() -> Place {
    let place = Place::new();
    let server = place.serve();
    Session::register(&server.client, "ada", "Phone");
    for _ in 0..20 {
        Session::login(&server.client, "ada", "Laptop");
    }
    // Killed, because a server that stops writes a snapshot, which reports such damage differently.
    server.kill();
    place
}

/// The files in a data folder, except those that a refused start may leave or set aside.
fn files(folder: &Path) -> Vec<String> {
    let names = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with("snap")).collect();
    names.sort();
    names
}

type Damage = fn(&Path);

const NEXT_STEP: &str = "put a backup in its place";

#[test]
fn a_damaged_store_is_refused_again_and_again() {
    let damages: [(&str, Damage); 6] = [
        ("its data file `db` is missing", |data| fs::remove_file(data.join("db")).unwrap()),
        ("its data file `db` is missing or empty", |data| fs::write(data.join("db"), "").unwrap()),
        ("was acknowledged", |data| {
            let file = fs::File::options().write(true).open(data.join("db")).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        }),
        ("was acknowledged", |data| overwrite(data, 2)),
        ("is damaged", |data| overwrite(data, 0)),
        ("its `head` file", |data| fs::remove_file(data.join("head")).unwrap()),
    ];
    for (reason, damage) in damages {
        let place = with_store();
        damage(&place.data());
        let before = files(&place.data());
        for _ in 0..2 {
            place.refused(&[]).assert_failed(&["./rescind-data", "is damaged", reason, NEXT_STEP]);
            place.run("user list").assert_failed(&[reason, NEXT_STEP]);
        }
        // The files are unchanged, except for a note that the store may be damaged.
        let mut after = files(&place.data());
        after.retain(|name| name != "doubt");
        assert_eq!(after, before, "{reason}");
    }
}

/// Overwrites the data file from this quarter on: 2 is its middle, 0 its start.
fn overwrite(data: &Path, part: usize) {
    let mut bytes = fs::read(data.join("db")).unwrap();
    let from = bytes.len() * part / 4;
    bytes[from..].fill(0xA5);
    fs::write(data.join("db"), bytes).unwrap();
}

#[test]
fn a_flipped_bit_in_the_snapshot_costs_nothing_but_that_file() {
    let place = with_store();
    place.serve().kill();
    let of = |name: &str| {
        let names = place.data().read_dir().unwrap().map(|entry| entry.unwrap().path());
        names.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(name)).max().unwrap()
    };
    let (snapshot, db) = (of("snap."), of("db"));
    let (whole, data) = (fs::read(&snapshot).unwrap(), fs::read(&db).unwrap());
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    fs::write(&snapshot, damaged).unwrap();
    let name = snapshot.file_name().unwrap().to_str().unwrap().to_owned();
    for _ in 0..2 {
        let told = [
            &*name,
            "is damaged",
            "`db` and everything else is as it was",
            "Put the file back",
            "rescind store recover",
        ];
        place.refused(&[]).assert_failed(&told);
        place.run("user list").assert_failed(&told);
        assert!(fs::read(&db).unwrap() == data, "the data file was changed");
    }
    fs::write(&snapshot, whole).unwrap();
    assert!(place.run("user list").out.contains("ada"));
}

#[test]
fn a_store_that_lost_its_snapshot_is_recovered_in_another_folder() {
    let place = with_store();
    place.serve().kill();
    place.run("store recover --to ./other").assert_failed(&["there is nothing to recover"]);
    for entry in place.data().read_dir().unwrap().map(|entry| entry.unwrap().path()) {
        if entry.file_name().unwrap().to_str().unwrap().starts_with("snap.") {
            fs::remove_file(entry).unwrap();
        }
    }
    place.refused(&[]).assert_failed(&["is gone", "rescind store recover --to"]);
    let told = place.run("store recover --to ./recovered");
    assert!(told.out.contains("recovered all") && told.out.contains("rescind-data.key"), "{told:?}");
    place.refused(&[]).assert_failed(&["was moved to", "recovered"]);
    let there = "--data ./recovered --set master_key_file=./rescind-data.key";
    assert!(place.run(&format!("{there} user list")).out.contains("ada"));
    let server = place.serve_with(&["--data", "./recovered", "--set", "master_key_file=./rescind-data.key"]);
    Session::login(&server.client, "ada", "Phone");
}

#[test]
fn a_master_key_file_that_is_no_file_is_refused_at_once() {
    let place = with_store();
    fs::rename(place.master_key(), place.path("kept")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, place.master_key(), rustix::fs::Mode::from(0o600)).unwrap();
    place.refused(&[]).assert_failed(&["./rescind-data.key", "it is a pipe, not a file"]);
    place.run("user list").assert_failed(&["it is a pipe, not a file"]);
    assert!(place.run("doctor").out.contains("it is a pipe, not a file"));
    place.refused(&["--set", "master_key_file=/dev/zero"]).assert_failed(&["it is a device, not a file"]);
    fs::remove_file(place.master_key()).unwrap();
    symlink("kept", place.master_key()).unwrap();
    drop(place.serve());
}

#[test]
fn a_folder_of_something_else_is_refused_and_left_as_it_is() {
    let place = with_store();
    fs::remove_file(place.data().join("FORMAT")).unwrap();
    let before = files(&place.data());
    place.refused(&[]).assert_failed(&["no FORMAT file, so it is not a store: choose an empty folder"]);
    assert_eq!(files(&place.data()), before);
}

#[test]
fn without_its_master_key_a_store_is_refused() {
    let place = with_store();
    fs::rename(place.master_key(), place.path("kept")).unwrap();
    let step = "restore it, or name it with master_key_file";
    place.refused(&[]).assert_failed(&["the master key file ./rescind-data.key", "it is missing", step]);
    assert!(!place.master_key().exists(), "another key was made");
    let other = Place::new();
    other.serve().stop();
    fs::copy(other.master_key(), place.master_key()).unwrap();
    let step = "is the master key file the one this store was initialized with?";
    place.refused(&[]).assert_failed(&["the signing keys do not open", step]);
    fs::write(place.master_key(), "garbage\n").unwrap();
    place.refused(&[]).assert_failed(&["does not hold a PASERK `k4.local.…` line", "restore it"]);
    drop(place.serve_with(&["--set", "master_key_file=kept"]));
}

#[test]
fn a_folder_that_others_may_enter_is_refused() {
    let place = with_store();
    fs::set_permissions(place.data(), Permissions::from_mode(0o755)).unwrap();
    place.refused(&[]).assert_failed(&["other users may enter", "run `chmod 700 \"./rescind-data\"`"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let place = Place::new();
    // Not even root makes a folder here.
    let nowhere = ["--data", "/proc/rescind", "--set", "master_key_file=key"];
    place.refused(&nowhere).assert_failed(&[
        "/proc/rescind",
        "cannot be used: No such file",
        "name another place",
    ]);

    let place = with_store();
    fs::set_permissions(place.data(), Permissions::from_mode(0o500)).unwrap();
    let command = if rustix::process::getuid().is_root() {
        // Root without capabilities may not write to its own folder.
        let powerless = ["--bounding-set=-all", "--inh-caps=-all", RESCIND];
        place.program("setpriv", &[&powerless[..], &SERVE].concat())
    } else {
        place.program(RESCIND, &SERVE)
    };
    let refused = run(command, "");
    fs::set_permissions(place.data(), Permissions::from_mode(0o700)).unwrap();
    refused.assert_failed(&["rescind-data", "ermission denied", "help: "]);
    drop(place.serve());
}

#[test]
fn a_data_folder_that_is_a_file_is_refused() {
    let place = Place::new();
    fs::write(place.data(), "precious").unwrap();
    place.refused(&[]).assert_failed(&["./rescind-data", "cannot be used"]);
    assert_eq!(fs::read_to_string(place.data()).unwrap(), "precious");
}

#[test]
fn a_data_folder_may_be_a_link() {
    let place = Place::new();
    fs::create_dir(place.path("disk")).unwrap();
    symlink(place.path("disk"), place.data()).unwrap();
    place.serve().stop();
    assert!(place.path("disk/db").exists());
}
