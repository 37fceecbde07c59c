//! Tests that damaged stores are refused.

use std::os::unix::fs::FileExt as _;

use super::*;

pub(super) fn snapshots(path: &Path) -> Vec<PathBuf> {
    let named = |e: &PathBuf| e.file_name().unwrap().as_encoded_bytes().starts_with(b"snap.");
    fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).filter(named).collect()
}

/// Removes the snapshots, as if the store had never been started again.
fn forget_snapshots(path: &Path) {
    for snapshot in snapshots(path) {
        fs::remove_file(snapshot).unwrap();
    }
    fs::remove_file(path.join("snapshot-needed")).unwrap();
}

fn assert_damaged(opened: Result<SledOpened, OpenError>) -> String {
    match opened {
        Err(OpenError::Damaged { reason, .. }) => reason,
        Err(other) => panic!("not refused as damaged: {other}"),
        Ok(_) => panic!("opened, though damaged"),
    }
}

#[test]
fn an_unreadable_marker_is_damage() {
    for text in [b"".as_slice(), b"rescind", b"rescind 2", b"\xff\xfe"] {
        let (_parent, path) = filled();
        fs::write(path.join("FORMAT"), text).unwrap();
        assert_damaged(create(&path));
    }
}

#[test]
fn a_founded_store_without_its_data_file_is_not_started_empty() {
    let (_parent, path) = filled();
    fs::remove_file(path.join("db")).unwrap();
    assert_damaged(create(&path));
    assert!(!path.join("db").exists());
    File::create(path.join("db")).unwrap();
    assert_damaged(create(&path));
}

#[test]
fn a_founded_store_that_lost_its_founding_record_is_not_started() {
    let (_parent, path) = filled();
    let store = existing(&path).unwrap();
    store.tree().remove(FORMAT_KEY).unwrap();
    drop(store);
    assert!(assert_damaged(create(&path)).contains("gone"));
}

#[test]
fn a_founding_record_of_another_format_is_damage() {
    let (_parent, path) = filled();
    let store = existing(&path).unwrap();
    store.tree().insert(FORMAT_KEY, &[0, 0, 0, 9]).unwrap();
    drop(store);
    assert!(assert_damaged(create(&path)).contains("contradicts"));
}

#[test]
fn a_half_written_snapshot_is_swept() {
    let (_parent, path) = filled();
    let leftover = path.join("snap.FFFFFFFFFFFFFFFF.generating");
    fs::write(&leftover, b"half").unwrap();
    assert_whole(&existing(&path).unwrap());
    assert!(!leftover.exists());
}

/// The content of each file of a folder.
pub(super) fn contents(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|entry| entry.is_file());
    let mut files: Vec<_> = files.map(|file| (file.clone(), fs::read(&file).unwrap())).collect();
    files.sort();
    // Who holds the folder.
    files.retain(|(file, _)| !file.ends_with("lock"));
    files
}

fn assert_needs_its_snapshot(path: &Path, how: &str) {
    let before = contents(path);
    for _again in 0..2 {
        match create(path) {
            Err(OpenError::Snapshot { reason, .. }) => assert!(reason.contains(how), "{reason}"),
            other => panic!("not refused: {other:?}"),
        }
        assert!(contents(path) == before, "something was changed");
    }
}

type Harm = fn(&[u8]) -> Vec<u8>;

#[test]
fn without_a_whole_snapshot_nothing_is_opened_or_changed() {
    let damages: [Harm; 6] = [
        |_| Vec::new(),
        |whole| whole[..12].to_vec(),
        |whole| whole[..whole.len() / 2].to_vec(),
        |whole| whole.iter().map(|byte| !byte).collect(),
        |whole| flipped(whole, whole.len() / 2),
        |whole| flipped(whole, whole.len() - 8),
    ];
    let (_parent, path) = filled();
    drop(existing(&path).unwrap());
    let snapshot = snapshots(&path).pop().unwrap();
    let whole = fs::read(&snapshot).unwrap();
    for damage in damages {
        fs::write(&snapshot, damage(&whole)).unwrap();
        assert_needs_its_snapshot(&path, "is damaged");
    }
    fs::remove_file(&snapshot).unwrap();
    assert_needs_its_snapshot(&path, "is gone");
    fs::write(&snapshot, whole).unwrap();
    assert_whole(&existing(&path).unwrap());
}

fn flipped(whole: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    bytes[at] ^= 1;
    bytes
}

#[test]
fn a_store_that_was_never_started_again_needs_no_snapshot() {
    let (_parent, path) = filled();
    assert_eq!(snapshots(&path), Vec::<PathBuf>::new());
    assert_whole(&existing(&path).unwrap());
}

#[test]
fn other_users_read_no_file_whatever_the_umask_was() {
    let (_parent, path) = filled();
    let closed = || {
        let seen = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
        seen.filter(fs::Metadata::is_file)
            .all(|file| [0o600, 0o400].contains(&(file.permissions().mode() & 0o777)))
    };
    assert!(closed(), "of a new store");
    for entry in fs::read_dir(&path).unwrap() {
        fs::set_permissions(entry.unwrap().path(), fs::Permissions::from_mode(0o644)).unwrap();
    }
    drop(existing(&path).unwrap());
    assert!(closed(), "of one that was open to others");
}

#[test]
fn a_lock_that_is_a_link_or_a_pipe_is_refused_at_once() {
    let (parent, path) = filled();
    let lock = path.join("lock");
    fs::remove_file(&lock).unwrap();
    fs::write(parent.path().join("precious"), "mine").unwrap();
    std::os::unix::fs::symlink("../precious", &lock).unwrap();
    assert!(existing(&path).is_err());
    assert_eq!(fs::read(parent.path().join("precious")).unwrap(), b"mine");
    fs::remove_file(&lock).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &lock, rustix::fs::Mode::from(0o600)).unwrap();
    assert!(matches!(existing(&path), Err(OpenError::Folder(FolderError::NotTrusted { .. }))));
}

#[test]
fn an_empty_conf_heals() {
    let (_parent, path) = filled();
    fs::write(path.join("conf"), b"").unwrap();
    assert_whole(&existing(&path).unwrap());
}

#[test]
fn a_garbled_data_file_is_refused() {
    for snapshots_too in [false, true] {
        let (_parent, path) = filled();
        drop(existing(&path).unwrap());
        let length = fs::read(path.join("db")).unwrap().len();
        fs::write(path.join("db"), vec![0xA5; length]).unwrap();
        if snapshots_too {
            forget_snapshots(&path);
        }
        assert_damaged(create(&path));
    }
}

#[test]
fn what_an_interrupted_founding_left_is_not_in_the_way() {
    let (_parent, path) = filled();
    fs::write(path.join("FORMAT"), "rescind 2 founding\n").unwrap();
    fs::write(path.join("conf"), b"half-written").unwrap();
    fs::write(path.join("db"), b"half-written").unwrap();
    drop(create(&path).unwrap());
    assert!(existing(&path).unwrap().tree().get(KEY).unwrap().is_none());
}

/// Overwrites the data file at position `at`.
fn garble(path: &Path, at: u64, bytes: &[u8]) {
    File::options().write(true).open(path.join("db")).unwrap().write_all_at(bytes, at).unwrap();
}

fn data_length(path: &Path) -> u64 {
    fs::metadata(path.join("db")).unwrap().len()
}

#[test]
fn a_data_file_cut_short_is_refused() {
    for with_snapshot in [false, true] {
        for cut in [|_| 1, |_| 4096, |whole| whole / 4, |whole| whole / 2, |whole: u64| whole - (512 << 10)] {
            let (_parent, path) = filled();
            // Of what was there at the last commit: a start makes the file longer, with nothing in it.
            let whole = Head::read(&path.join("head")).unwrap().unwrap().length;
            if with_snapshot {
                drop(existing(&path).unwrap());
            }
            File::options().write(true).open(path.join("db")).unwrap().set_len(cut(whole)).unwrap();
            assert_damaged(create(&path));
        }
    }
}

/// Writes garbage at one position after the other. Much of sled's log is padding or superseded, so many positions hold
/// no record any more; what matters is that an effect never goes unnoticed.
fn assert_garbage_is_noticed(path: &Path) -> usize {
    let files =
        || fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).filter(|file| file.is_file());
    let whole: Vec<_> = files().map(|file| (file.clone(), fs::read(file).unwrap())).collect();
    let (mut refused, mut unreadable) = (0, 0);
    for at in (0..data_length(path)).step_by(500 << 10) {
        files().for_each(|file| fs::remove_file(file).unwrap());
        for (file, bytes) in &whole {
            fs::write(file, bytes).unwrap();
        }
        garble(path, at, &[0xA5; 4096]);
        match existing(path) {
            Err(OpenError::Damaged { .. }) => {
                assert_damaged(existing(path));
                refused += 1;
            }
            Err(other) => panic!("at {at}: {other}"),
            Ok(store) => match read_all(&store) {
                Err(StoreError::Corrupt(_)) => unreadable += 1,
                Err(other) => panic!("at {at}: {other}"),
                Ok(read) => {
                    assert_eq!(read, 6000, "at {at}");
                    assert!(!path.join("doubt").exists(), "at {at}: opened in doubt");
                }
            },
        }
    }
    assert!(refused > 0, "the end of the log was never hit");
    unreadable
}

#[test]
fn garbage_in_the_data_is_an_error_and_never_an_absence() {
    let (_parent, path) = filled();
    let unreadable = assert_garbage_is_noticed(&path);
    assert_eq!(unreadable, 0, "without a snapshot sled reads everything");
}

#[test]
fn garbage_in_what_a_snapshot_covers_is_an_error_and_never_an_absence() {
    let (_parent, path) = filled();
    drop(existing(&path).unwrap());
    let unreadable = assert_garbage_is_noticed(&path);
    assert!(unreadable > 0, "with a snapshot sled reads old pages only when asked for");
}

#[test]
fn a_doubt_stays_until_all_records_are_there() {
    let (_parent, path) = filled();
    let (head, doubt, aside) = (path.join("head"), path.join("doubt"), path.join("aside"));
    let witness_length = |length| {
        let seen = Head::read(&head).unwrap().unwrap();
        Head::open(&head).unwrap().note(CommitWitness { length, ..seen }).unwrap();
    };
    // Without the committer, and so without its sum.
    let tamper = |value: Option<&[u8]>| {
        fs::rename(&doubt, &aside).unwrap();
        let store = existing(&path).unwrap();
        match value {
            Some(value) => store.tree().insert(KEY, value).unwrap(),
            None => store.tree().remove(KEY).unwrap(),
        };
        drop(store);
        fs::rename(&aside, &doubt).unwrap();
    };
    witness_length(1 << 40);
    assert_whole(&existing(&path).unwrap());
    assert!(!doubt.exists());
    witness_length(0);
    fs::write(&doubt, "once doubted").unwrap();
    tamper(None);
    for _again in 0..2 {
        assert_eq!(assert_damaged(existing(&path)), "once doubted; it has 6000 records, and had 6001");
    }
    tamper(Some(b"other"));
    assert_eq!(assert_damaged(existing(&path)), "once doubted; records are not what they were");
    tamper(Some(b"value"));
    assert_whole(&existing(&path).unwrap());
    assert!(!doubt.exists());
}

#[test]
fn a_tree_that_is_behind_its_witness_is_refused() {
    let (_parent, path) = filled();
    let older: Vec<_> = ["db", "conf"].map(|name| (name, fs::read(path.join(name)).unwrap())).into();
    commit(&existing(&path).unwrap());
    forget_snapshots(&path);
    for (name, bytes) in older {
        fs::write(path.join(name), bytes).unwrap();
    }
    assert_eq!(assert_damaged(create(&path)), "it ends at commit 20, but 40 was acknowledged");
}

#[test]
fn a_crash_before_the_witness_was_written_is_no_damage() {
    let (_parent, path) = filled();
    let older = fs::read(path.join("head")).unwrap();
    commit(&existing(&path).unwrap());
    fs::write(path.join("head"), older).unwrap();
    let store = existing(&path).unwrap();
    assert_eq!((store.last_commit().number, store.witnessed().commit), (40, 20));
    commit(&store);
    drop(store);
    assert_eq!(existing(&path).unwrap().witnessed().commit, 60);
}

#[test]
fn a_founded_store_without_a_readable_witness_is_refused() {
    let damages: [fn(&Path); 3] = [
        |head| fs::remove_file(head).unwrap(),
        |head| fs::write(head, b"").unwrap(),
        |head| fs::write(head, vec![0xA5; 1024]).unwrap(),
    ];
    for damage in damages {
        let (_parent, path) = filled();
        damage(&path.join("head"));
        assert!(assert_damaged(create(&path)).contains("`head`"));
    }
}

#[test]
fn a_store_that_lost_the_record_of_its_last_commit_is_refused() {
    let (_parent, path) = filled();
    let store = existing(&path).unwrap();
    store.tree().remove(COMMIT_KEY).unwrap();
    drop(store);
    assert!(assert_damaged(create(&path)).contains("last commit"));
}

#[test]
fn a_damaged_page_is_an_error_and_never_an_absence() {
    let (_parent, path) = filled();
    let store = existing(&path).unwrap();
    let length = fs::metadata(path.join("db")).unwrap().len();
    let file = store.data_file().unwrap();
    for at in (0..length).step_by(4096) {
        file.write_all_at(&[0xA5; 4096], at).unwrap();
    }
    let damaged = read_all(&store);
    assert!(matches!(damaged, Err(StoreError::Corrupt(_))), "{damaged:?}");
    let mut scan = SledView::applied(store.tree()).scan(b"\x02");
    assert!(scan.find(Result::is_err).is_some());
    assert!(scan.next().is_none(), "the same error again");
}
