//! Recovery of a store without its snapshot.

use std::os::unix::fs::FileExt as _;

use super::snapshot::{contents, snapshots};
use super::*;
use crate::model::timestamp::Timestamp;
use crate::store::StoreIdentity;
use crate::store::sled::SEGMENT;
use crate::store::sled::folder::Folder;
use crate::store::sled::open::recover::{ProvenCopy, recover};

/// A store that has lost its snapshot, and the folder it may be recovered in.
fn lost() -> (TempDir, PathBuf, PathBuf) {
    let (parent, path) = filled();
    drop(existing(&path).unwrap());
    fs::remove_file(snapshots(&path).pop().unwrap()).unwrap();
    let to = parent.path().join("recovered");
    (parent, path, to)
}

/// As [`lost`], a store that has an identity.
fn lost_with_identity() -> (TempDir, PathBuf, PathBuf) {
    let (parent, path) = fresh();
    let store = create(&path).unwrap();
    let (issuer, audience) = ("https://id.example".to_owned(), "https://api.example".to_owned());
    let id = StoreId::from_bytes([7; 16]);
    let identity =
        StoreIdentity { store: id, issuer, audience, at: Timestamp::from_unix(0), names: Vec::new() };
    commit_with(&store, vec![Record::StoreIdentity(identity)]);
    drop(store);
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
    assert!(matches!(recover(&lost, &lost, CACHE), Err(OpenError::Folder(FolderError::InUse { .. }))));
    assert_whole(&existing(&path).unwrap());
}

/// Whether the folder is marked as an initialized store, which opens once it has its snapshot.
fn usable(path: &Path) -> bool {
    matches!(Folder::enter(path, OpenMode::Existing), Ok((_, FolderStage::Initialized)))
}

#[test]
fn a_recovery_that_cannot_mark_its_source_leaves_one_store_and_is_finished_by_the_next() {
    let (_parent, path, to) = lost();
    // The marker is written to this name first.
    fs::create_dir(path.join("FORMAT.new")).unwrap();
    recover(&path, &to, CACHE).unwrap_err();
    assert_eq!([usable(&path), usable(&to)], [true, false]);
    assert!(matches!(existing(&to), Err(OpenError::Unfinished { .. })));
    fs::remove_dir(path.join("FORMAT.new")).unwrap();
    recover(&path, &to, CACHE).unwrap();
    assert_eq!([usable(&path), usable(&to)], [false, true]);
    assert_whole(&existing(&to).unwrap());
}

#[test]
fn a_recovery_stopped_at_any_point_is_finished_by_the_same_command() {
    for left in [false, true] {
        let (_parent, path, to) = lost();
        let copy = ProvenCopy::make(&path, &to, CACHE).unwrap();
        if left {
            copy.leave_source().unwrap();
        }
        drop(copy);
        assert_eq!([usable(&path), usable(&to)], [!left, false]);
        assert!(matches!(existing(&to), Err(OpenError::Unfinished { .. })));
        let elsewhere = to.with_extension("other");
        if left {
            assert!(matches!(recover(&path, &elsewhere, CACHE), Err(OpenError::Moved { .. })));
            assert!(!elsewhere.exists());
        }
        recover(&path, &to, CACHE).unwrap();
        assert_eq!([usable(&path), usable(&to)], [false, true]);
        assert_whole(&existing(&to).unwrap());
        // Once more it says where the store is.
        assert!(matches!(recover(&path, &to, CACHE), Err(OpenError::Moved { .. })));
        assert_whole(&existing(&to).unwrap());
    }
}

#[test]
fn a_recovery_stopped_while_it_copied_starts_over() {
    let (_parent, path, to) = lost();
    drop(ProvenCopy::make(&path, &to, CACHE).unwrap());
    let data = File::options().write(true).open(to.join("db")).unwrap();
    data.set_len(data.metadata().unwrap().len() / 2).unwrap();
    fs::remove_file(to.join("head")).unwrap();
    recover(&path, &to, CACHE).unwrap();
    assert_whole(&existing(&to).unwrap());
}

/// The source is outdated once it is marked as moved, and may be lost: the copy is all that counts.
#[test]
fn a_proven_copy_is_finished_without_its_source() {
    let (_parent, path, to) = lost_with_identity();
    let copy = ProvenCopy::make(&path, &to, CACHE).unwrap();
    copy.leave_source().unwrap();
    drop(copy);
    fs::write(path.join("db"), b"gone").unwrap();
    recover(&path, &to, CACHE).unwrap();
    assert_whole(&existing(&to).unwrap());
}

/// Nothing may be removed of which the source, marked as moved, cannot be made again.
#[test]
fn a_copy_that_is_incomplete_is_kept_while_its_source_is_marked_as_moved() {
    let (_parent, path, to) = lost();
    let copy = ProvenCopy::make(&path, &to, CACHE).unwrap();
    copy.leave_source().unwrap();
    drop(copy);
    let whole = fs::read(path.join("db")).unwrap();
    fs::write(path.join("db"), b"gone").unwrap();
    recover(&path, &to, CACHE).unwrap_err();
    assert!(matches!(existing(&to), Err(OpenError::Unfinished { .. })));
    fs::write(path.join("db"), whole).unwrap();
    recover(&path, &to, CACHE).unwrap();
    assert_whole(&existing(&to).unwrap());
}
