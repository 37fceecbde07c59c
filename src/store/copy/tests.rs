use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;

use super::*;
use crate::model::counters::Position;
use crate::model::device::{Cause, DeviceKind, DeviceName, LastSeen};
use crate::model::external_id::ExternalId;
use crate::model::ids::{DeviceId, StoreId, UserId};
use crate::model::key::{KeyRecord, KeyState, Kid, Purpose};
use crate::model::network::Network;
use crate::model::password::PasswordHash;
use crate::model::service_key::{Scope, ServiceKeyRecord};
use crate::model::timestamp::Timestamp;
use crate::model::username::Username;
use crate::store::queries::devices::{ListDevices, ListEndedDevices, Listed};
use crate::store::queries::keys::{KeySet, ListServiceKeys, ReadKeySet};
use crate::store::queries::log::ReadLog;
use crate::store::queries::service::{ReadCounters, ReadStoreIdentity, ReadTotals};
use crate::store::queries::standing::ReadStanding;
use crate::store::queries::users::{FindUserByExternalId, FindUserByName};
use crate::store::sled::{OpenError, OpenMode, Options, Sled, SledArchive};
use crate::store::steps::end_device::EndDevice;
use crate::store::steps::initialize::Initialize;
use crate::store::steps::open_device::OpenDevice;
use crate::store::steps::register::Register;
use crate::store::steps::service_keys::AddServiceKey;
use crate::store::steps::session::NewDevice;
use crate::store::{Counters, Standing, Store, StoreTime, Totals};
use crate::world::World;

const START: Timestamp = Timestamp::from_unix(1_800_000_000);
const CACHE: u64 = 8 << 20;

fn open(path: &Path, mode: OpenMode) -> Result<Store, OpenError> {
    let options = Options { cache_bytes: CACHE, reserve_bytes: 0, ..Options::default() };
    Ok(Store::new(Arc::new(Sled::open(path, options, mode)?)))
}

/// A store in `here` with a user on two devices, one of them ended.
async fn filled(here: &Path) -> (StoreId, UserId, DeviceId) {
    let world = World::manual(START, 7).0;
    let store = open(here, OpenMode::Create).unwrap();
    let (issuer, audience) = ("https://id.example".to_owned(), "https://api.example".to_owned());
    let identity = StoreIdentity { store: world.store_id(), issuer, audience, at: START, names: Vec::new() };
    let id = identity.store;
    let key = KeyRecord {
        kid: Kid::parse(&format!("k4.pid.{}", "A".repeat(44))).unwrap(),
        purpose: Purpose::Access,
        state: KeyState::Active,
        created: START,
        sealed: "sealed".to_owned(),
    };
    store.run(Initialize { identity, keys: vec![key] }).await.unwrap();
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
    let (phone, laptop) = (device(), device());
    let (live, ended, user) = (phone.id, laptop.id, world.user_id());
    let username = Username::parse("Ada").unwrap();
    let password = PasswordHash::from_stored("$argon2id$v=19$m=1$salt$hash").unwrap();
    let external_id = ExternalId::parse("42").ok();
    let register = Register {
        id: user,
        username,
        external_id,
        password: Some(password),
        device: Some(phone),
        now: START,
    };
    store.run(register).await.unwrap();
    store.run(OpenDevice { user, verified: None, device: laptop, most: 9, now: START }).await.unwrap();
    let cause = Cause::SignedOut;
    store
        .run(EndDevice { user, device: ended, caller: None, named_by: None, cause, note: None, now: START })
        .await
        .unwrap();
    let (name, scopes) = ("shop".to_owned(), vec![Scope::Admin]);
    let key = ServiceKeyRecord { id: world.service_key_id(), name, scopes, digest: [1; 32], created: START };
    store.run(AddServiceKey { key }).await.unwrap();
    (id, user, live)
}

/// What tokens are judged by, and everything beside it.
#[derive(Debug, PartialEq)]
struct Sight {
    identity: Option<StoreIdentity>,
    counters: Counters,
    totals: Totals,
    standing: Standing,
    listed: (Vec<Listed>, Vec<Listed>),
    keys: KeySet,
    service_keys: Vec<ServiceKeyRecord>,
    log: usize,
    named: Option<UserId>,
    of_another_system: Option<UserId>,
}

async fn sight(store: &Store, user: UserId, device: DeviceId) -> Sight {
    Sight {
        identity: store.read(ReadStoreIdentity).await.unwrap(),
        counters: store.read(ReadCounters).await.unwrap(),
        totals: store.read(ReadTotals).await.unwrap(),
        standing: store.read(ReadStanding { user, device }).await.unwrap(),
        listed: (
            store.read(ListDevices { user, after: None, limit: 9 }).await.unwrap(),
            store.read(ListEndedDevices { user, after: None, limit: 9 }).await.unwrap(),
        ),
        keys: store.read(ReadKeySet).await.unwrap(),
        service_keys: store.read(ListServiceKeys).await.unwrap(),
        log: store.read(ReadLog { after: Position::default(), limit: 9 }).await.unwrap().len(),
        named: store.read(FindUserByName { name: "ada".to_owned() }).await.unwrap().map(|user| user.id),
        of_another_system: {
            let external_id = ExternalId::parse("42").unwrap();
            store.read(FindUserByExternalId { external_id }).await.unwrap().map(|user| user.id)
        },
    }
}

/// A target that stops after so many calls, and alters users on their way.
struct Faulty {
    inner: SledArchive,
    calls: usize,
    alters: bool,
}

impl Faulty {
    fn call(&mut self) -> Result<(), StoreError> {
        self.calls =
            self.calls.checked_sub(1).ok_or_else(|| StoreError::Unavailable("stopped".to_owned()))?;
        Ok(())
    }
}

#[async_trait]
impl Archive for Faulty {
    async fn seek(&mut self, kind: RecordKind) -> Result<(), StoreError> {
        self.inner.seek(kind).await
    }

    async fn page(&mut self) -> Result<Vec<Record>, StoreError> {
        self.inner.page().await
    }
}

#[async_trait]
impl ArchiveTarget for Faulty {
    fn resumed(&self) -> bool {
        self.inner.resumed()
    }

    async fn put(&mut self, mut page: Vec<Record>) -> Result<(), StoreError> {
        self.call()?;
        for record in &mut page {
            if let (Record::User(user), true) = (record, self.alters) {
                user.created = user.created + Duration::from_secs(1);
            }
        }
        self.inner.put(page).await
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        self.call()?;
        self.inner.commit().await
    }

    async fn initialize(&mut self, identity: StoreIdentity) -> Result<(), StoreError> {
        self.call()?;
        self.inner.initialize(identity).await
    }
}

struct Scene {
    folder: TempDir,
    store: StoreId,
    user: UserId,
    device: DeviceId,
    before: Sight,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("here");
        let (store, user, device) = filled(&here).await;
        let before = sight(&open(&here, OpenMode::Existing).unwrap(), user, device).await;
        Self { folder, store, user, device, before }
    }

    fn open(&self, place: &str) -> Result<Store, OpenError> {
        open(&self.folder.path().join(place), OpenMode::Existing)
    }

    async fn copy(&self, calls: usize, alters: bool) -> Result<Copied, CopyError> {
        let (here, there) = (self.folder.path().join("here"), self.folder.path().join("there"));
        let to = there.display().to_string();
        let mut source = SledArchive::leaving(&here, CACHE, &to).unwrap();
        let inner = SledArchive::arriving(&there, CACHE, 0, self.store).unwrap();
        copy(&mut source, &mut Faulty { inner, calls, alters }, &to, &mut |_| ()).await
    }

    async fn assert_there(&self) {
        let there = self.open("there").unwrap();
        assert_eq!(sight(&there, self.user, self.device).await, self.before);
        assert_eq!(there.time().await, Ok(StoreTime::Recorded(Some(START))));
    }
}

#[tokio::test]
async fn all_of_a_store_is_there_and_the_source_says_where_it_went() {
    let scene = Scene::new().await;
    let copied = scene.copy(usize::MAX, false).await.unwrap();
    let count = |name| copied.counts().find(|(kind, _)| *kind == name).unwrap().1;
    assert_eq!([count("users"), count("devices"), count("ended_devices"), count("log")], [1, 1, 1, 1]);
    let kinds: Vec<_> = copied.counts().map(|(kind, _)| kind).collect();
    let records = ["counters", "totals", "keys", "service_keys", "users"];
    let of_devices = ["devices", "ended_devices", "last_seen", "expiry_checks", "log"];
    assert_eq!(kinds, [records, of_devices].concat());
    scene.assert_there().await;
    let moved = scene.open("here").unwrap_err();
    assert!(matches!(&moved, OpenError::Moved { to, .. } if to.ends_with("/there")), "{moved}");
}

#[tokio::test]
async fn what_was_altered_on_its_way_is_found_and_nothing_has_happened() {
    let scene = Scene::new().await;
    let differs = scene.copy(usize::MAX, true).await.unwrap_err();
    assert!(matches!(differs, CopyError::Differs { kind: RecordKind::User, .. }), "{differs}");
    assert!(matches!(scene.open("there"), Err(OpenError::Unfinished { .. })));
    assert_eq!(sight(&scene.open("here").unwrap(), scene.user, scene.device).await, scene.before);
    scene.copy(usize::MAX, false).await.unwrap();
    scene.assert_there().await;
}

#[tokio::test]
async fn stopped_anywhere_it_starts_over_and_at_no_moment_there_are_two_stores() {
    let mut calls = 0;
    loop {
        let scene = Scene::new().await;
        let ended = scene.copy(calls, false).await.is_ok();
        let stores = [scene.open("here").is_ok(), scene.open("there").is_ok()];
        assert_ne!(stores, [true, true], "after {calls} calls");
        assert_eq!(stores[1], ended);
        if ended {
            break;
        }
        scene.copy(usize::MAX, false).await.unwrap();
        scene.assert_there().await;
        assert!(matches!(scene.open("here"), Err(OpenError::Moved { .. })));
        calls += 1;
    }
    assert!(calls > 10, "{calls}");
}

#[tokio::test]
async fn a_folder_that_holds_something_is_no_target() {
    let scene = Scene::new().await;
    let arrive = |place: &str, store| {
        SledArchive::arriving(&scene.folder.path().join(place), CACHE, 0, store).map(drop)
    };
    assert!(matches!(arrive("here", scene.store), Err(OpenError::NotEmpty { .. })));
    arrive("there", scene.store).unwrap();
    let other = StoreId::from_bytes([9; 16]);
    assert!(matches!(arrive("there", other), Err(OpenError::Unfinished { .. })));
    let strange = scene.folder.path().join("strange");
    std::fs::create_dir(&strange).unwrap();
    std::fs::write(strange.join("letter"), "").unwrap();
    assert!(matches!(arrive("strange", scene.store), Err(OpenError::NotAStore { .. })));
}

#[tokio::test]
async fn what_was_left_is_not_copied_over_what_became_of_it() {
    let scene = Scene::new().await;
    scene.copy(usize::MAX, false).await.unwrap();
    std::fs::remove_dir_all(scene.folder.path().join("there")).unwrap();
    assert!(matches!(scene.copy(usize::MAX, false).await, Err(CopyError::Gone)));
    let elsewhere = SledArchive::leaving(&scene.folder.path().join("here"), CACHE, "elsewhere");
    assert!(matches!(elsewhere, Err(OpenError::Moved { .. })));
}
