//! Stores that something has happened to.

use std::os::unix::fs::FileExt as _;

use super::*;
use crate::store::StoreError;
use crate::store::sled::view::View;

fn snapshots(path: &Path) -> Vec<PathBuf> {
    let named = |e: &PathBuf| e.file_name().unwrap().as_encoded_bytes().starts_with(b"snap.");
    fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).filter(named).collect()
}

fn assert_damaged(opened: Result<Opened, OpenError>) -> String {
    match opened {
        Err(OpenError::Damaged { reason, .. }) => reason,
        Err(other) => panic!("not refused as damaged: {other}"),
        Ok(_) => panic!("opened, though damaged"),
    }
}

#[test]
fn an_unreadable_marker_is_damage() {
    for text in [b"".as_slice(), b"rescind", b"rescind 1", b"\xff\xfe"] {
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
    store.tree().remove(FOUNDING_KEY).unwrap();
    drop(store);
    assert!(assert_damaged(create(&path)).contains("gone"));
}

#[test]
fn a_founding_record_of_another_format_is_damage() {
    let (_parent, path) = filled();
    let store = existing(&path).unwrap();
    store.tree().insert(FOUNDING_KEY, &[0, 0, 0, 9]).unwrap();
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
    assert!(!path.join("snapshots-set-aside").exists());
}

#[test]
fn a_damaged_snapshot_is_set_aside_and_the_store_is_whole() {
    for damage in [
        |_: &[u8]| Vec::new(),
        |whole: &[u8]| whole[..whole.len() / 2].to_vec(),
        |whole: &[u8]| whole.iter().map(|byte| !byte).collect(),
    ] {
        let (_parent, path) = filled();
        drop(existing(&path).unwrap());
        let damaged = snapshots(&path);
        assert!(!damaged.is_empty());
        for snapshot in &damaged {
            fs::write(snapshot, damage(&fs::read(snapshot).unwrap())).unwrap();
        }
        assert_whole(&existing(&path).unwrap());
        for snapshot in damaged {
            assert!(path.join("snapshots-set-aside").join(snapshot.file_name().unwrap()).exists());
        }
    }
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
            for snapshot in snapshots(&path) {
                fs::remove_file(snapshot).unwrap();
            }
        }
        assert_damaged(create(&path));
    }
}

#[test]
fn what_an_interrupted_founding_left_is_not_in_the_way() {
    let (_parent, path) = filled();
    fs::write(path.join("FORMAT"), "rescind 1 founding\n").unwrap();
    fs::write(path.join("conf"), b"half-written").unwrap();
    fs::write(path.join("db"), b"half-written").unwrap();
    drop(create(&path).unwrap());
    assert!(existing(&path).unwrap().tree().get(KEY).unwrap().is_none());
}

#[test]
fn a_data_file_cut_to_almost_nothing_is_refused() {
    for keep in [4096, 1] {
        let (_parent, path) = filled();
        drop(existing(&path).unwrap());
        File::options().write(true).open(path.join("db")).unwrap().set_len(keep).unwrap();
        assert_damaged(create(&path));
    }
}

/// Up to the first error.
fn read_all(store: &Opened) -> Result<usize, StoreError> {
    View::applied(store.tree()).scan(b"\x02").try_fold(0, |count, record| record.map(|_| count + 1))
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
    let mut scan = View::applied(store.tree()).scan(b"\x02");
    assert!(scan.find(Result::is_err).is_some());
    assert!(scan.next().is_none(), "the same error again");
}
