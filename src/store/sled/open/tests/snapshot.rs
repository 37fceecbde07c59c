//! Tests that nothing is opened or changed without the snapshot that sled needs.

use super::*;

pub(super) fn snapshots(path: &Path) -> Vec<PathBuf> {
    let named = |e: &PathBuf| e.file_name().unwrap().as_encoded_bytes().starts_with(b"snap.");
    fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).filter(named).collect()
}

/// Removes the snapshots, as if the store had never been started again.
pub(super) fn forget_snapshots(path: &Path) {
    for snapshot in snapshots(path) {
        fs::remove_file(snapshot).unwrap();
    }
    fs::remove_file(path.join("snapshot-needed")).unwrap();
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
