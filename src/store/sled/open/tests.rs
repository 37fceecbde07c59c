use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::*;
use crate::data_folder::FolderError;
use crate::store::StoreError;
use crate::store::format::Record;
use crate::store::sled::committer::{CommitLimits, Committer, Hooks};
use crate::store::sled::records::imported;
use crate::store::sled::reserve::Reserve;
use crate::store::sled::view::SledView;
use crate::store::sled::writes::Writes;

mod access;
mod damage;
mod recover;
mod snapshot;
mod witness;

const CACHE: u64 = 8 << 20;
const KEY: &[u8] = b"\x01key";
const OLDER: &[u8] = &[6; 500];
const NEWEST: &[u8] = &[7; 500];

/// A path that does not exist yet, in a folder that is removed at the end.
fn fresh() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    (parent, path)
}

fn create(path: &Path) -> Result<SledOpened, OpenError> {
    open(path, CACHE, OpenMode::Create)
}

fn existing(path: &Path) -> Result<SledOpened, OpenError> {
    open(path, CACHE, OpenMode::Existing)
}

/// An initialized store with enough records to span several of sled's segments, closed again.
fn filled() -> (TempDir, PathBuf) {
    let (parent, path) = fresh();
    commit(&create(&path).unwrap());
    (parent, path)
}

/// Makes the twenty commits whose records [`assert_whole`] expects.
fn commit(store: &SledOpened) {
    commit_with(store, Vec::new());
}

/// Commits the records in `first`, then makes the twenty commits whose records [`assert_whole`] expects.
fn commit_with(store: &SledOpened, first: Vec<Record>) {
    let hooks = Hooks { fatal: Box::new(|reason| panic!("{reason}")), ..Hooks::default() };
    let committer =
        Committer::start(store, Reserve::new(store.path(), 0).unwrap(), CommitLimits::default(), hooks)
            .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(committer.run(move |view| Ok((imported(&view, first)?, ())))).unwrap();
    for part in 0..20_u32 {
        let mut writes = Writes::none();
        writes.put(KEY, b"value".as_slice());
        // All over the place and every record twice, so that pages are moved and segments used again.
        for n in part * 600..(part + 1) * 600 {
            let key = [b"\x02", (n * 7 % 6000).to_be_bytes().as_slice()].concat();
            writes.put(key, if part < 10 { OLDER } else { NEWEST });
        }
        runtime.block_on(committer.run(|_| Ok((writes, ())))).unwrap();
    }
    committer.close();
}

fn assert_whole(store: &SledOpened) {
    assert_eq!(store.tree().get(KEY).unwrap().unwrap(), b"value");
    assert_eq!(read_all(store).unwrap(), 6000);
}

fn assert_damaged(opened: Result<SledOpened, OpenError>) -> String {
    match opened {
        Err(OpenError::Damaged { reason, .. }) => reason,
        Err(other) => panic!("not refused as damaged: {other}"),
        Ok(_) => panic!("opened, though damaged"),
    }
}

/// The number of records that are present and up to date; or the first error.
fn read_all(store: &SledOpened) -> Result<usize, StoreError> {
    SledView::applied(store.tree())
        .scan(b"\x02")
        .try_fold(0, |count, record| record.map(|(_, value)| count + usize::from(value == NEWEST)))
}

/// A command that starts this test binary as another process, to do one `task` with the folder.
fn other_process(task: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "store::sled::open::tests::as_other_process", "--nocapture", "--ignored"]);
    command.env("RESCIND_TEST_TASK", task).env("RESCIND_TEST_DATA", path);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Waits for a line of the other process that starts with `word`, and returns what follows.
fn hear(child: &mut Child, word: &str) -> String {
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let mut said =
        lines.map(Result::unwrap).filter_map(|l| l.split_once(word).map(|(_, rest)| rest.to_owned()));
    said.next().expect("the other process ended without the expected word")
}

#[test]
#[ignore = "run by other tests, in a process of its own"]
fn as_other_process() {
    let path = PathBuf::from(std::env::var_os("RESCIND_TEST_DATA").unwrap());
    match std::env::var("RESCIND_TEST_TASK").unwrap().as_str() {
        "hold" => {
            let store = create(&path).unwrap();
            println!("holding it");
            std::io::stdin().read_line(&mut String::new()).unwrap();
            drop(store);
        }
        "say" => {
            println!("outcome: {}", existing(&path).map_or_else(|e| e.to_string(), |_| "opened".to_owned()));
        }
        "found" => drop(create(&path).unwrap()),
        other => panic!("no such task: {other}"),
    }
}

#[test]
fn what_was_written_is_there_after_a_reopen() {
    let (_parent, path) = filled();
    assert_whole(&existing(&path).unwrap());
    assert_whole(&create(&path).unwrap());
}

#[test]
fn only_create_founds_a_store() {
    let (_parent, path) = fresh();
    assert!(matches!(existing(&path), Err(OpenError::Missing { .. })));
    assert!(!path.exists());
    fs::create_dir(&path).unwrap();
    assert!(matches!(existing(&path), Err(OpenError::Missing { .. })));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
}

#[test]
fn a_folder_with_other_things_in_it_is_left_alone() {
    for stranger in ["holiday.jpg", "db"] {
        let (_parent, path) = fresh();
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(path.join(stranger), b"mine").unwrap();
        match create(&path) {
            Err(OpenError::NotAStore { stranger: named, .. }) => assert_eq!(named, stranger),
            other => panic!("{other:?}"),
        }
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
    }
}

#[test]
fn a_second_process_is_told_who_holds_the_folder() {
    let (_parent, path) = fresh();
    let mut holder = other_process("hold", &path).spawn().unwrap();
    hear(&mut holder, "holding it");
    for refused in [create(&path), existing(&path)] {
        match refused {
            Err(OpenError::Folder(FolderError::InUse { pid, .. })) => assert_eq!(pid, Some(holder.id())),
            other => panic!("{other:?}"),
        }
    }
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    existing(&path).unwrap();
}

#[test]
fn a_killed_holder_holds_nothing() {
    let (_parent, path) = fresh();
    let mut holder = other_process("hold", &path).spawn().unwrap();
    hear(&mut holder, "holding it");
    holder.kill().unwrap();
    holder.wait().unwrap();
    existing(&path).unwrap();
}

#[test]
fn a_first_start_killed_at_any_point_can_be_done_again() {
    for trace in ["lock", "FORMAT.new", "FORMAT", "conf", "db"] {
        let (_parent, path) = fresh();
        let mut founder = other_process("found", &path).spawn().unwrap();
        while !path.join(trace).exists() && founder.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        founder.kill().unwrap();
        founder.wait().unwrap();
        drop(create(&path).unwrap_or_else(|e| panic!("killed when {trace} appeared: {e}")));
        existing(&path).unwrap();
    }
}

#[test]
fn a_file_in_the_place_of_the_folder_is_refused() {
    let (_parent, path) = fresh();
    fs::write(&path, b"a file").unwrap();
    assert!(matches!(create(&path), Err(OpenError::Folder(FolderError::NotWritable { .. }))));
    assert!(matches!(create(&path.join("below")), Err(OpenError::Folder(FolderError::NotWritable { .. }))));
}

#[test]
fn a_disk_that_fails_is_no_matter_of_owners() {
    let told = OpenError::io(Path::new("/data"), io::Error::from_raw_os_error(5)).to_string();
    assert!(told.contains("the disk or its connection fails") && !told.contains("own it"), "{told}");
}

#[test]
fn a_full_disk_is_called_by_its_name() {
    let full = OpenError::io(Path::new("/data"), io::Error::from_raw_os_error(28));
    assert!(matches!(full, OpenError::Folder(FolderError::DiskFull { .. })));
}

#[test]
fn a_store_of_another_format_is_refused() {
    let (_parent, path) = filled();
    for other in ["1", "3"] {
        fs::write(path.join("FORMAT"), format!("rescind {other}\n")).unwrap();
        match existing(&path) {
            Err(OpenError::OtherFormat { found, .. }) => assert_eq!(found, other),
            other => panic!("{other:?}"),
        }
    }
}
