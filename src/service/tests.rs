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
    let made = master_key(&settings, Some(&world())).unwrap();
    let found = master_key(&settings, None).unwrap();
    assert_eq!(*made.paserk(), *found.paserk());
    assert_eq!(names(folder.path()), ["data.key"]);
}

#[test]
fn a_start_that_was_killed_while_it_wrote_the_key_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data.key.new"), "k4.lo").unwrap();
    master_key(&settings(folder.path()), Some(&world())).unwrap();
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
    master_key(&settings, Some(&world())).unwrap();
    let path = settings.master_key_path();
    for (mode, refused) in
        [(0o644, true), (0o640, false), (0o620, true), (0o602, true), (0o600, false), (0o400, false)]
    {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let said = master_key(&settings, None).err().map(|error| error.to_string());
        assert_eq!(said.is_some(), refused, "{mode:o}");
        let step = format!("run `chmod 600 \"{}\"`", path.display());
        assert!(said.is_none_or(|said| said.contains(&step)), "{mode:o}");
    }
}

#[tokio::test]
async fn a_batch_is_as_large_as_the_acknowledgements_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = Arc::new(Metrics::new());
    let settings = settings(folder.path());
    let store = open_store(&settings, Mode::Found, &metrics).unwrap();
    let master = master_key(&settings, Some(&world())).unwrap();
    found(&store, &settings, &world(), &master, "https://id.example").await.unwrap();
    drop(store);
    let text = metrics.encode();
    assert!(text.contains("rescind_commit_batch_size_sum 1.0\n"), "one step writes several records: {text}");
}
