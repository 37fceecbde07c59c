use std::fs;
use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::model::claims::RefreshClaims;
use crate::model::counters::{KeysVersion, Position, Sequence};
use crate::model::device::{DeviceKind, DeviceName, LastSeen};
use crate::model::external_id::ExternalId;
use crate::model::ids::DeviceId;
use crate::model::key::{KeyRecord, KeyState, Kid, Purpose};
use crate::model::network::Network;
use crate::model::password::PasswordHash;
use crate::model::replay::ReplayPolicy;
use crate::model::service_key::{Scope, ServiceKeyRecord};
use crate::model::user::User;
use crate::model::username::Username;
use crate::store::format::RecordKind;
use crate::store::queries::devices::{FindLastSeen, ListEndedDevices};
use crate::store::queries::keys::{ListServiceKeys, ReadKeySet};
use crate::store::queries::log::ReadLog;
use crate::store::queries::service::{ReadCounters, ReadStoreIdentity};
use crate::store::queries::standing::ReadStanding;
use crate::store::queries::users::{FindUser, FindUserByName, ListUsers};
use crate::store::sled::layout::{self, Table};
use crate::store::steps::end_device::{DeviceEnded, EndDevice};
use crate::store::steps::end_everyone::EndEveryone;
use crate::store::steps::initialize::Initialize;
use crate::store::steps::register::{Register, Registered};
use crate::store::steps::rotate_refresh::{Refreshed, RotateRefresh};
use crate::store::steps::service_keys::AddServiceKey;
use crate::store::steps::session::NewDevice;
use crate::store::steps::sweep::Sweep;
use crate::store::{Store, StoreIdentity};
use crate::world::World;

mod acknowledged;
mod unreadable;

const START: Timestamp = Timestamp::from_unix(1_800_000_000);

/// A store, and the engine under it.
#[derive(Debug)]
struct OpenedSled {
    store: Store,
    engine: Arc<Sled>,
}

impl Deref for OpenedSled {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

fn open(path: &Path, mode: OpenMode) -> Result<OpenedSled, OpenError> {
    let hooks = Hooks { fatal: Box::new(|reason| eprintln!("fatal: {reason}")), ..Hooks::default() };
    let engine =
        Arc::new(Sled::open(path, Options { cache_bytes: 8 << 20, hooks, ..Options::default() }, mode)?);
    Ok(OpenedSled { store: Store::new(engine.clone()), engine })
}

fn fresh() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    (parent, path)
}

fn tree(store: &OpenedSled) -> &sled::Tree {
    store.engine.opened.tree()
}

fn world() -> World {
    World::manual(START, 7).0
}

async fn initialize(store: &Store, world: &World) {
    let (issuer, audience) = ("https://id.example".to_owned(), "https://api.example".to_owned());
    let identity = StoreIdentity { store: world.store_id(), issuer, audience, at: START, names: Vec::new() };
    let key = KeyRecord {
        kid: Kid::parse(&format!("k4.pid.{}", "A".repeat(44))).unwrap(),
        purpose: Purpose::Access,
        state: KeyState::Active,
        created: START,
        sealed: "sealed".to_owned(),
    };
    store.run(Initialize { identity, keys: vec![key] }).await.unwrap();
}

fn service_key(world: &World, name: &str) -> ServiceKeyRecord {
    let (name, scopes) = (name.to_owned(), vec![Scope::Admin]);
    ServiceKeyRecord { id: world.service_key_id(), name, scopes, digest: [1; 32], created: START }
}

fn external_id() -> ExternalId {
    ExternalId::parse("42").unwrap()
}

/// An initialized store with a user on two devices, one of them ended, and a service key.
async fn filled() -> (TempDir, PathBuf, OpenedSled, User, [DeviceId; 2]) {
    let (parent, path) = fresh();
    let (store, world) = (open(&path, OpenMode::Create).unwrap(), world());
    initialize(&store, &world).await;
    let device = || NewDevice {
        id: world.device_id(),
        name: DeviceName::parse("Ada’s phone").unwrap(),
        kind: DeviceKind::parse("mobile").unwrap(),
        network: Network::of("192.0.2.7".parse().unwrap()),
        seen: LastSeen { at: START, address: "192.0.2.7".parse().ok(), user_agent: None },
        idle: Duration::from_secs(3600),
        lifetime: Duration::from_secs(7200),
        amr: Vec::new(),
        rotates: true,
    };
    let (username, password) =
        (Username::parse("Ada").unwrap(), PasswordHash::from_stored("$argon2id$v=19$m=1$salt$hash").unwrap());
    let (phone, laptop) = (device(), device());
    let devices = [phone.id, laptop.id];
    let now = START + Duration::from_secs(9);
    let (external_id, password) = (Some(external_id()), Some(password));
    let register =
        Register { id: world.user_id(), username, external_id, password, device: Some(phone), now };
    let user = match store.run(register).await.unwrap() {
        Registered::Session(session) => session.user,
        other => panic!("{other:?}"),
    };
    let open = crate::store::steps::open_device::OpenDevice {
        user: user.id,
        verified: None,
        device: laptop,
        most: 9,
        now,
    };
    store.run(open).await.unwrap();
    let cause = crate::model::device::Cause::SignedOut;
    let end =
        EndDevice { user: user.id, device: devices[1], caller: None, named_by: None, cause, note: None, now };
    assert_eq!(store.run(end).await.unwrap(), DeviceEnded::Ended);
    store.run(AddServiceKey { key: service_key(&world, "shop") }).await.unwrap();
    (parent, path, store, user, devices)
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_reopen() {
    let (_parent, path, store, user, [phone, laptop]) = filled().await;
    let before = store.read(ReadStanding { user: user.id, device: phone }).await.unwrap();
    drop(store);
    let store = open(&path, OpenMode::Existing).unwrap();
    assert_eq!(store.read(ReadStanding { user: user.id, device: phone }).await.unwrap(), before);
    assert_eq!(store.read(FindUserByName { name: "ada".to_owned() }).await.unwrap().unwrap().id, user.id);
    assert_eq!(store.read(ListUsers { after: None, limit: 9 }).await.unwrap().len(), 1);
    let ended = store.read(ListEndedDevices { user: user.id, after: None, limit: 9 }).await.unwrap();
    assert_eq!(ended[0].device.id, laptop);
    assert_eq!(store.read(ReadKeySet).await.unwrap().version, KeysVersion::new(1));
    assert_eq!(store.read(ListServiceKeys).await.unwrap().len(), 1);
    assert_eq!(store.read(ReadLog { after: Position::default(), limit: 9 }).await.unwrap().len(), 1);
    assert_eq!(store.engine.newest_record(), Some(START + Duration::from_secs(9)));
}

#[tokio::test]
async fn a_device_has_one_note_to_look_at_it_live_or_ended() {
    let (_parent, _path, store, _, _) = filled().await;
    assert_eq!(tree(&store).scan_prefix(Table::Of(RecordKind::ExpiryCheck).prefix()).count(), 2);
}

#[tokio::test]
async fn a_store_is_made_by_its_founding() {
    let (_parent, path) = fresh();
    for _killed_before_it_was_founded in 0..2 {
        let store = open(&path, OpenMode::Create).unwrap();
        assert_eq!(
            (store.read(ReadStoreIdentity).await.unwrap(), store.engine.newest_record()),
            (None, None)
        );
        drop(store);
        assert!(matches!(open(&path, OpenMode::Existing), Err(OpenError::Missing { .. })));
    }
    let store = open(&path, OpenMode::Create).unwrap();
    let early = store.run(AddServiceKey { key: service_key(&world(), "early") }).await;
    assert!(matches!(early, Err(StoreError::Corrupt(_))), "{early:?}");
    assert_eq!(store.read(ListServiceKeys).await.unwrap(), []);
    initialize(&store, &world()).await;
    drop(store);
    assert!(open(&path, OpenMode::Existing).unwrap().read(ReadStoreIdentity).await.unwrap().is_some());
}

#[tokio::test]
async fn the_index_of_names_is_written_with_a_new_user_only() {
    let (_parent, _path, store, user, [phone, _]) = filled().await;
    tree(&store).remove(layout::name("ada")).unwrap();
    let cause = crate::model::device::Cause::SignedOut;
    let end = EndDevice {
        user: user.id,
        device: phone,
        caller: None,
        named_by: None,
        cause,
        note: None,
        now: START,
    };
    assert_eq!(store.run(end).await.unwrap(), DeviceEnded::Ended);
    assert_eq!(tree(&store).get(layout::name("ada")).unwrap(), None);
}

#[tokio::test]
async fn a_step_whose_record_is_too_long_writes_nothing() {
    let (_parent, _path, store, ..) = filled().await;
    let refused = store.run(AddServiceKey { key: service_key(&world(), &"x".repeat(5000)) }).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(store.read(ListServiceKeys).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_closed_store_answers_reads_and_takes_no_steps() {
    let (_parent, _path, store, user, _) = filled().await;
    store.engine.close();
    assert!(store.read(FindUser { id: user.id }).await.unwrap().is_some());
    assert!(matches!(store.run(EndEveryone { now: START }).await, Err(StoreError::Unavailable(_))));
}

/// With a network of each family and a window that was noted by its end: record version 1.
const DEVICE_1: &[u8] = b"\x01\x0dAda\xe2\x80\x99s phone\x06mobile\xc0\xad\xc2\xb4\x0d\xe0\xba\xc8\xb4\x0d\x80\xfc\x8a\xb7\x0d\x80\x80\xb9\xc3\x0d\x08\x03\x01\xf8\xc8\xce\xb4\x0d\x01\xc0\x00\x02\x01 \x01\x0d\xb8\x00\x00\x00\x01\x01\x02\xe0\xab\xcd\xb4\x0d\x80\xc8\xce\xb4\x0d\x00";

#[tokio::test]
async fn a_device_that_an_earlier_release_wrote_goes_on() {
    let (_parent, path, store, user, [phone, _]) = filled().await;
    let stamp = user.stamp(store.read(ReadCounters).await.unwrap().era);
    let key = layout::device(user.id, stamp, phone);
    tree(&store).insert(key, DEVICE_1).unwrap();
    let rotation = |sequence| RotateRefresh {
        claims: RefreshClaims {
            subject: user.id,
            device: phone,
            stamp,
            sequence: Sequence::new(sequence),
            expires: START + Duration::from_secs(3600),
        },
        keys: None,
        network: Network::of("192.0.2.7".parse().unwrap()),
        origin: None,
        policy: ReplayPolicy::default(),
        idle: Duration::from_secs(3600),
        now: START + Duration::from_secs(10),
        latest: START + Duration::from_secs(10),
        steady: START + Duration::from_secs(10),
    };
    let rotated = store.run(rotation(8)).await.unwrap();
    assert!(matches!(rotated, Refreshed::Rotated(_)), "{rotated:?}");
    drop(store);
    let store = open(&path, OpenMode::Existing).unwrap();
    let repeated = store.run(rotation(8)).await.unwrap();
    let Refreshed::Repeated(session) = repeated else { panic!("{repeated:?}") };
    assert_eq!(session.device.refresh.current, Sequence::new(9));
    assert_eq!(session.device.refresh.recoveries.len(), 2, "what was counted counts");
}
