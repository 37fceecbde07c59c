//! Tests that records which cannot be read are errors, and stop a start where every store has them.

use super::*;
use crate::store::queries::keys::FindServiceKey;
use crate::store::queries::users::FindUserByExternalId;
use crate::store::sled::layout::{COUNTERS, IDENTITY, TOTALS};

fn assert_damaged(opened: Result<OpenedSled, OpenError>, why: &str) {
    match opened {
        Err(OpenError::Damaged { reason, .. }) => assert!(reason.contains(why), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_store_without_the_records_every_store_has_is_refused() {
    for (key, table) in [(IDENTITY, "store identity"), (COUNTERS, "counters"), (TOTALS, "totals")] {
        let (_parent, path, store, ..) = filled().await;
        tree(&store).remove(key).unwrap();
        drop(store);
        assert_damaged(open(&path, OpenMode::Create), table);
        let (_parent, path, store, ..) = filled().await;
        tree(&store).insert(key, b"\x01").unwrap();
        drop(store);
        assert_damaged(open(&path, OpenMode::Create), table);
    }
}

#[tokio::test]
async fn the_witness_of_another_store_is_refused() {
    let (_parent, path, store, ..) = filled().await;
    drop(store);
    let (_other_parent, other_path) = fresh();
    let (other, other_world) = (open(&other_path, OpenMode::Create).unwrap(), World::manual(START, 8).0);
    initialize(&other, &other_world).await;
    drop(other);
    fs::copy(other_path.join("head"), path.join("head")).unwrap();
    assert_damaged(open(&path, OpenMode::Create), "another store");
}

/// The entries of both indexes.
fn entries(user: &User) -> [(Vec<u8>, &'static str); 2] {
    let external_id = user.external_id.as_ref().unwrap();
    let keys = [layout::name(user.username.key()), layout::external_id(external_id)];
    let [name, external_id] = keys;
    [(name, "usernames"), (external_id, "external ids")]
}

#[tokio::test]
async fn an_index_that_does_not_fit_the_users_is_found() {
    let (_parent, _path, store, user, ..) = filled().await;
    store.engine.check_indexes().unwrap();
    for (key, index) in entries(&user) {
        let corrupt = |what: &str| Err(StoreError::Corrupt(format!("{what} in the table of {index}")));
        let entry = tree(&store).remove(&*key).unwrap().unwrap();
        assert_eq!(store.engine.check_indexes(), corrupt("a user without an entry"));
        // The last byte of the entry is the last one of the user's id.
        let mut other = entry.to_vec();
        *other.last_mut().unwrap() ^= 1;
        tree(&store).insert(&*key, other).unwrap();
        assert_eq!(store.engine.check_indexes(), corrupt("an entry of another user"));
        tree(&store).insert(&*key, &entry).unwrap();
        let more = [&*key, b"x"].concat();
        tree(&store).insert(&*more, &entry).unwrap();
        assert_eq!(store.engine.check_indexes(), corrupt("an entry without its user"));
        tree(&store).remove(&*more).unwrap();
        store.engine.check_indexes().unwrap();
    }
    tree(&store).remove(layout::user(user.id)).unwrap();
    let nobodys = Err(StoreError::Corrupt("an entry without its user in the table of usernames".to_owned()));
    assert_eq!(store.engine.check_indexes(), nobodys);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_an_error_that_names_its_table_and_nothing_else() {
    use RecordKind::{Device, EndedDevice, Entry, ExpiryCheck, Key, LastSeen, ServiceKey, User};
    let kinds = [User, Device, EndedDevice, LastSeen, Key, ServiceKey, Entry, ExpiryCheck];
    for table in kinds.map(Table::Of).into_iter().chain([Table::Names, Table::ExternalIds]) {
        let (_parent, _path, store, user, [phone, laptop]) = filled().await;
        if table == Table::Of(ExpiryCheck) {
            tree(&store).insert([table.prefix()[0], 0], b"").unwrap();
        }
        for record in tree(&store).scan_prefix(table.prefix()) {
            let (key, value) = record.unwrap();
            let cut = value.len().saturating_sub(1);
            tree(&store).insert(key, &value[..cut]).unwrap();
        }
        let answer = match table {
            Table::Of(User) => store.read(FindUser { id: user.id }).await.map(drop),
            Table::Names => store.read(FindUserByName { name: "ada".to_owned() }).await.map(drop),
            Table::ExternalIds => {
                let external_id = external_id();
                store.read(FindUserByExternalId { external_id }).await.map(drop)
            }
            Table::Of(Device) => store.read(ReadStanding { user: user.id, device: phone }).await.map(drop),
            Table::Of(EndedDevice) => {
                store.read(ReadStanding { user: user.id, device: laptop }).await.map(drop)
            }
            Table::Of(LastSeen) => store.read(FindLastSeen { user: user.id, device: phone }).await.map(drop),
            Table::Of(Key) => store.read(ReadKeySet).await.map(drop),
            Table::Of(ServiceKey) => store.read(ListServiceKeys).await.map(drop),
            Table::Of(Entry) => store.read(ReadLog { after: Position::default(), limit: 9 }).await.map(drop),
            Table::Of(_) => {
                store.run(Sweep { now: START, outlived: Position::default(), limit: 9 }).await.map(drop)
            }
        };
        match answer {
            Err(StoreError::Corrupt(why)) => assert!(why.ends_with(&format!("table of {table}")), "{why}"),
            other => panic!("{table}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_record_in_the_place_of_another_is_an_error() {
    let (_parent, _path, store, ..) = filled().await;
    let [there, elsewhere] =
        [store.read(ListServiceKeys).await.unwrap()[0].id, World::manual(START, 8).0.service_key_id()];
    let record = tree(&store).get(layout::service_key(there)).unwrap().unwrap();
    tree(&store).insert(layout::service_key(elsewhere), record).unwrap();
    let refused = store.read(FindServiceKey { id: elsewhere }).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
}

#[tokio::test]
async fn a_name_without_its_user_and_a_gap_in_the_log_are_errors() {
    let (_parent, _path, store, user, _) = filled().await;
    tree(&store).remove(layout::user(user.id)).unwrap();
    assert!(matches!(store.read(ListUsers { after: None, limit: 9 }).await, Err(StoreError::Corrupt(_))));
    let mut entry = store.read(ReadLog { after: Position::default(), limit: 9 }).await.unwrap().remove(0);
    entry.position = Position::new(3);
    let bytes = crate::store::sled::codec::encode(Table::Of(RecordKind::Entry), &entry).unwrap();
    tree(&store).insert(layout::entry(entry.position), bytes).unwrap();
    let refused = store.read(ReadLog { after: Position::default(), limit: 9 }).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))));
}

/// Raises the version of a record that every store has to one that nobody knows yet.
fn raise_version(store: &OpenedSled, key: &[u8]) {
    let mut record = tree(store).get(key).unwrap().unwrap().to_vec();
    record[0] = 200;
    tree(store).insert(key, record).unwrap();
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_as_such_and_not_as_damaged() {
    for (key, table) in [(IDENTITY, "store identity"), (COUNTERS, "counters"), (TOTALS, "totals")] {
        let (_parent, path, store, ..) = filled().await;
        raise_version(&store, key);
        drop(store);
        let refused = open(&path, OpenMode::Create).unwrap_err();
        assert!(matches!(refused, OpenError::Newer { .. }), "{refused:?}");
        let told = refused.to_string();
        assert!(told.contains("newer rescind: use that version") && told.contains(table), "{told}");
    }
    let (_parent, _path, store, user, _) = filled().await;
    raise_version(&store, &layout::user(user.id));
    let refused = store.read(FindUser { id: user.id }).await;
    assert_eq!(refused, Err(StoreError::Newer("a record in the table of users".to_owned())));
}
