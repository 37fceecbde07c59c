//! Tests of who may enter a data folder and read its files.

use super::*;

#[test]
fn a_new_folder_is_closed_to_others() {
    let (_parent, path) = fresh();
    let _store = create(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn an_empty_folder_is_adopted_and_closed_to_others() {
    let (_parent, path) = fresh();
    fs::create_dir_all(path.join("lost+found")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let _store = create(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_store_that_others_may_enter_is_refused() {
    let (_parent, path) = filled();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
    let refused = create(&path).unwrap_err();
    assert!(matches!(refused, OpenError::Folder(FolderError::TooOpen { mode: 0o750, .. })), "{refused:?}");
    assert!(refused.to_string().contains("chmod 700"), "{refused}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    assert_whole(&existing(&path).unwrap());
}

#[test]
fn a_user_without_rights_gets_the_reason() {
    let (parent, path) = filled();
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut stranger = other_process("say", &path);
        match stranger.uid(65534).gid(65534).spawn() {
            Ok(mut stranger) => {
                let said = hear(&mut stranger, "outcome: ");
                stranger.wait().unwrap();
                assert!(said.contains("cannot be used: Permission denied"), "{said}");
            }
            Err(e) => eprintln!("SKIPPED: this test cannot become another user: {e}"),
        }
    } else {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        assert!(matches!(existing(&path), Err(OpenError::Folder(FolderError::NotWritable { .. }))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    }
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
