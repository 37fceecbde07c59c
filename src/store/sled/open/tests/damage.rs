//! Tests that damaged stores are refused.

use std::os::unix::fs::FileExt as _;

use super::snapshot::forget_snapshots;
use super::*;

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
