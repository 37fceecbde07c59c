use super::*;
use crate::model::timestamp::Timestamp;

fn settings(folder: &Path) -> Settings {
    Settings::with(&[("data", folder.join("data").to_str().unwrap())]).unwrap()
}

fn world() -> World {
    World::manual(Timestamp::from_unix(1_800_000_000), 7).0
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_new_key_is_found_again_and_leaves_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let made = read_or_make(&settings, &world()).unwrap();
    let found = read(&settings).unwrap();
    assert_eq!(*made.paserk(), *found.paserk());
    assert_eq!(names(folder.path()), ["data.key"]);
}

#[test]
fn a_start_that_was_killed_while_it_wrote_the_key_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data.key.new"), "k4.lo").unwrap();
    read_or_make(&settings(folder.path()), &world()).unwrap();
    assert_eq!(names(folder.path()), ["data.key"]);
}

#[test]
fn a_key_that_is_there_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.key");
    fs::write(&path, "the only copy").unwrap();
    let error = write_key(&path, &MasterKey::draw(&world()).unwrap()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(&path).unwrap(), "the only copy");
    assert_eq!(names(folder.path()), ["data.key"]);
}

#[test]
fn a_key_that_others_may_open_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    read_or_make(&settings, &world()).unwrap();
    let path = settings.master_key_path();
    for (mode, refused) in
        [(0o644, true), (0o640, false), (0o620, true), (0o602, true), (0o600, false), (0o400, false)]
    {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let said = read(&settings).err().map(|error| error.to_string());
        assert_eq!(said.is_some(), refused, "{mode:o}");
        let step = format!("run `chmod 600 \"{}\"`", path.display());
        assert!(said.is_none_or(|said| said.contains(&step)), "{mode:o}");
    }
}

#[test]
fn a_shared_store_never_makes_a_key_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("master.key");
    let changes = [("store", "postgres://db/rescind"), ("master_key_file", key.to_str().unwrap())];
    let settings = Settings::with(&changes).unwrap();
    let Err(refused) = read_or_make(&settings, &world()) else { panic!("made") };
    assert!(refused.to_string().contains("rescind key master FILE"), "{refused}");
    assert_eq!(names(folder.path()), [""; 0]);
    let made = make(&key, &world()).unwrap();
    assert_eq!(*read_or_make(&settings, &world()).unwrap().paserk(), *made.paserk());
    assert!(make(&key, &world()).is_err_and(|refused| refused.to_string().contains("never replaced")));
}
