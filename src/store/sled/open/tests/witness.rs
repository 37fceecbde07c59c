//! Tests of the witness of the last commit, the file `head`.

use super::snapshot::forget_snapshots;
use super::*;

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
