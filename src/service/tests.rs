use super::*;
use crate::model::timestamp::Timestamp;

fn settings(folder: &Path) -> Settings {
    Settings::with(&[("data", folder.join("data").to_str().unwrap())]).unwrap()
}

fn world() -> World {
    World::manual(Timestamp::from_unix(1_800_000_000), 7).0
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
