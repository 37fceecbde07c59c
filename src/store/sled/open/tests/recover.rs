//! Recovery of a store without its snapshot.

use std::os::unix::fs::FileExt as _;

use super::damage::{contents, snapshots};
use super::*;
use crate::store::sled::SEGMENT;
use crate::store::sled::open::recover::recover;

/// A store that has lost its snapshot, and the folder it may be recovered in.
fn lost() -> (TempDir, PathBuf, PathBuf) {
    let (parent, path) = filled();
    drop(existing(&path).unwrap());
    fs::remove_file(snapshots(&path).pop().unwrap()).unwrap();
    let to = parent.path().join("recovered");
    (parent, path, to)
}

#[test]
fn a_store_whose_log_is_whole_is_recovered_with_all_its_records() {
    let (_parent, path, to) = lost();
    assert!(matches!(existing(&path), Err(OpenError::Snapshot { .. })));
    let recovered = recover(&path, &to, CACHE).unwrap();
    let store = existing(&to).unwrap();
    assert_whole(&store);
    assert_eq!(recovered.commit, store.last.number);
    assert_eq!(recovered.records, store.last.sum.records());
    match existing(&path) {
        Err(OpenError::Moved { to: shown, .. }) => assert!(shown.ends_with("recovered"), "{shown}"),
        other => panic!("what was left is opened: {other:?}"),
    }
}

/// Each segment of the log is cleared once, as a start clears what the snapshot says is free. Some hold nothing any more.
#[test]
fn a_store_that_lost_records_with_its_snapshot_is_not_handed_over() {
    let (mut refused, mut at) = (0, 0);
    loop {
        let (_parent, path, to) = lost();
        let data = File::options().write(true).open(path.join("db")).unwrap();
        let length = data.metadata().unwrap().len();
        if at >= length {
            break;
        }
        let cleared = usize::try_from(length - at).unwrap().min(SEGMENT);
        data.write_all_at(&vec![0; cleared], at).unwrap();
        let before = contents(&path);
        match recover(&path, &to, CACHE) {
            Ok(_) => assert_whole(&existing(&to).unwrap()),
            Err(OpenError::NotRecovered { path: told, .. }) => {
                refused += 1;
                assert_eq!(told, path);
                assert!(contents(&path) == before, "the store was changed");
                assert!(!to.exists(), "something is left of what was tried");
            }
            Err(other) => panic!("not judged: {other}"),
        }
        at += SEGMENT as u64;
    }
    assert!(refused > 0);
}

#[test]
fn only_a_store_without_its_snapshot_is_recovered_and_only_in_a_new_folder() {
    let (parent, path) = filled();
    drop(existing(&path).unwrap());
    let to = parent.path().join("recovered");
    assert!(matches!(recover(&path, &to, CACHE), Err(OpenError::NothingLost { .. })));
    assert!(!to.exists());
    let (_parent, lost, _) = lost();
    assert!(matches!(recover(&lost, &path, CACHE), Err(OpenError::NotEmpty { .. })));
    assert!(matches!(recover(&lost, &lost, CACHE), Err(OpenError::InUse { .. })));
    assert_whole(&existing(&path).unwrap());
}
