//! Corruption is never absence: an unreadable record fails the step that needs it, and nothing is written.
//!
//! The reference engine is told which kind of record it cannot read, and every step is tried for every kind. Whether
//! an engine detects damage is a clause of that engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use rescind::model::counters::{Position, Stamp};
use rescind::model::device::{Device, LastSeen};
use rescind::model::external_id::ExternalId;
use rescind::model::ids::{DeviceId, ServiceKeyId, UserId};
use rescind::model::key::KeyRecord;
use rescind::model::revocation::Entry;
use rescind::model::service_key::ServiceKeyRecord;
use rescind::model::timestamp::Timestamp;
use rescind::model::user::User;
use rescind::store::engine::Engine;
use rescind::store::erased::{ErasedQuery, ErasedStep};
use rescind::store::expiry_check::ExpiryCheck;
use rescind::store::memory::Memory;
use rescind::store::priority::Priority;
use rescind::store::queries::devices::ListDevices;
use rescind::store::queries::service::ReadCounters;
use rescind::store::queries::standing::ReadStanding;
use rescind::store::records::{Changes, Records};
use rescind::store::steps::delete_user::{DeleteUser, DeleteUserBy};
use rescind::store::steps::note_seen::NoteSeen;
use rescind::store::steps::rehash_password::RehashPassword;
use rescind::store::steps::set_password::{SetPassword, SetPasswordBy};
use rescind::store::working_set::WorkingSet;
use rescind::store::{Counters, Store, StoreError, StoreIdentity, StoreTime, Totals};
use tokio::sync::watch;

use crate::backend::Backend;
use crate::service::{HOME, IDLE, Service, by_first_keys, password};

const NOTHING: u8 = 0;
const COUNTERS: u8 = 1;
const TOTALS: u8 = 2;
const USERS: u8 = 3;
const DEVICES: u8 = 4;

/// The reference engine with one kind of record damaged.
struct Damaged {
    inner: Memory,
    kind: Arc<AtomicU8>,
}

struct Reader<'a>(&'a dyn Records, u8);

impl Reader<'_> {
    fn sound(&self, kind: u8) -> Result<&dyn Records, StoreError> {
        if self.1 == kind { Err(StoreError::Corrupt("it cannot be read".to_owned())) } else { Ok(self.0) }
    }
}

/// A query that reads damaged records.
struct DamagedQuery<'a>(&'a dyn ErasedQuery, u8);

impl ErasedQuery for DamagedQuery<'_> {
    fn working_set(&self) -> WorkingSet {
        self.0.working_set()
    }

    fn run(&self, records: &dyn Records) -> Result<(), StoreError> {
        self.0.run(&Reader(records, self.1))
    }
}

/// A step that reads damaged records.
struct DamagedStep(Arc<dyn ErasedStep>, u8);

impl ErasedStep for DamagedStep {
    fn working_set(&self) -> WorkingSet {
        self.0.working_set()
    }

    fn priority(&self) -> Priority {
        self.0.priority()
    }

    fn decide(&self, records: &dyn Records) -> Result<Changes, StoreError> {
        let reader = Reader(records, self.1);
        let changes = self.0.decide(&reader)?;
        Ok(Changes { records: changes.settled(&reader)?, ..Changes::default() })
    }
}

#[async_trait]
impl Engine for Damaged {
    async fn read(&self, query: &dyn ErasedQuery) -> Result<(), StoreError> {
        self.inner.read(&DamagedQuery(query, self.kind.load(Ordering::SeqCst))).await
    }

    async fn commit(&self, step: Arc<dyn ErasedStep>) -> Result<(), StoreError> {
        self.inner.commit(Arc::new(DamagedStep(step, self.kind.load(Ordering::SeqCst)))).await
    }

    async fn time(&self) -> Result<StoreTime, StoreError> {
        self.inner.time().await
    }

    fn written(&self) -> watch::Receiver<()> {
        self.inner.written()
    }
}

impl Records for Reader<'_> {
    fn identity(&self) -> Result<Option<StoreIdentity>, StoreError> {
        self.0.identity()
    }
    fn counters(&self) -> Result<Counters, StoreError> {
        self.sound(COUNTERS)?.counters()
    }
    fn totals(&self) -> Result<Totals, StoreError> {
        self.sound(TOTALS)?.totals()
    }
    fn rolled_back(&self) -> Result<bool, StoreError> {
        self.0.rolled_back()
    }

    fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.sound(USERS)?.user(id)
    }
    fn user_named(&self, key: &str) -> Result<Option<UserId>, StoreError> {
        self.sound(USERS)?.user_named(key)
    }
    fn user_with_external_id(&self, external_id: &ExternalId) -> Result<Option<UserId>, StoreError> {
        self.sound(USERS)?.user_with_external_id(external_id)
    }
    fn users(&self, after: Option<&str>, limit: usize) -> Result<Vec<User>, StoreError> {
        self.sound(USERS)?.users(after, limit)
    }
    fn device(&self, user: UserId, stamp: Stamp, id: DeviceId) -> Result<Option<Device>, StoreError> {
        self.sound(DEVICES)?.device(user, stamp, id)
    }
    fn ended(&self, user: UserId, id: DeviceId) -> Result<Option<Device>, StoreError> {
        self.sound(DEVICES)?.ended(user, id)
    }
    fn devices(
        &self,
        user: UserId,
        stamp: Stamp,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<Vec<Device>, StoreError> {
        self.sound(DEVICES)?.devices(user, stamp, after, limit)
    }
    fn past_devices(&self, user: UserId, stamp: Stamp, limit: usize) -> Result<Vec<Device>, StoreError> {
        self.sound(DEVICES)?.past_devices(user, stamp, limit)
    }
    fn oldest_past_devices(
        &self,
        user: UserId,
        stamp: Stamp,
        limit: usize,
    ) -> Result<Vec<Device>, StoreError> {
        self.sound(DEVICES)?.oldest_past_devices(user, stamp, limit)
    }
    fn last_seen(&self, user: UserId, id: DeviceId) -> Result<Option<LastSeen>, StoreError> {
        self.sound(DEVICES)?.last_seen(user, id)
    }
    fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.0.keys()
    }
    fn service_key(&self, id: ServiceKeyId) -> Result<Option<ServiceKeyRecord>, StoreError> {
        self.0.service_key(id)
    }
    fn service_keys(&self) -> Result<Vec<ServiceKeyRecord>, StoreError> {
        self.0.service_keys()
    }
    fn log(&self, after: Position, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.0.log(after, limit)
    }
    fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<ExpiryCheck>, StoreError> {
        self.0.due(now, limit)
    }
}

struct DamagedBackend(Store);

#[async_trait]
impl Backend for DamagedBackend {
    fn store(&self) -> Store {
        self.0.clone()
    }

    async fn reopen(&mut self) {}

    fn writes(&self) -> Option<u64> {
        None
    }
}

#[tokio::test]
async fn corruption_is_an_error() {
    let kind = Arc::new(AtomicU8::new(NOTHING));
    let damaged = Damaged { inner: Memory::default(), kind: Arc::clone(&kind) };
    let mut service = Service::found(DamagedBackend(Store::new(Arc::new(damaged)))).await;
    service.most = 2;
    let phone = service.register("ada").await;
    let laptop = service.sign_in(phone.user()).await;
    for damage in [COUNTERS, TOTALS, USERS, DEVICES] {
        kind.store(damage, Ordering::SeqCst);
        let answers = every_step(&service, &phone, &laptop).await;
        kind.store(NOTHING, Ordering::SeqCst);
        for (step, needs, error) in answers {
            let corrupt = matches!(error, Some(StoreError::Corrupt(_)));
            assert_eq!(
                corrupt,
                needs.contains(&damage),
                "{step} with damaged records of kind {damage}: {error:?}"
            );
        }
        assert_eq!(service.log().await, [], "kind {damage}");
        assert_eq!(service.device_ids(phone.user()).await, [phone.device(), laptop.device()]);
    }
}

type Answer = (&'static str, &'static [u8], Option<StoreError>);

/// Runs steps so that none writes anything: each is refused, or needs every kind of record and so fails. Returns which
/// kinds each step needs.
async fn every_step(
    service: &Service,
    phone: &crate::service::Pair,
    laptop: &crate::service::Pair,
) -> Vec<Answer> {
    const ALL: &[u8] = &[COUNTERS, TOTALS, USERS, DEVICES];
    let (store, now, user) = (service.store(), service.now(), phone.user());
    let mut answers: Vec<Answer> = Vec::new();
    let mut add = |step, needs, error| answers.push((step, needs, error));

    let judged = store.read(ReadStanding { user, device: phone.device() }).await.err();
    add("standing", &[COUNTERS, USERS, DEVICES], judged);
    let listed = store.read(ListDevices { user, after: None, limit: 9 }).await.err();
    add("devices", &[COUNTERS, USERS, DEVICES], listed);
    add("counters", &[COUNTERS], store.read(ReadCounters).await.err());
    let taken = service.registration("ada", None);
    add("register", &[USERS], store.run(taken).await.err());
    let wrong = service.opening(user, &password(9));
    add("open_device, refused", &[USERS], store.run(wrong).await.err());
    let mut ahead = service.rotation(&phone.refresh, HOME);
    ahead.claims.sequence = ahead.claims.sequence.next();
    add("rotate_refresh", &[COUNTERS, USERS, DEVICES], store.run(ahead).await.err());
    let unknown = service.ending(user, service.world.device_id(), Some(laptop.access));
    add("end_device", &[COUNTERS, USERS, DEVICES], store.run(unknown).await.err());
    let by = SetPasswordBy::Caller { token: by_first_keys(phone.access), verified: password(9), idle: IDLE };
    let stale = SetPassword { by, password: password(1), now };
    add("set_password", &[COUNTERS, USERS, DEVICES], store.run(stale).await.err());
    let by = DeleteUserBy::Caller { token: by_first_keys(phone.access), verified: password(9) };
    let stale = DeleteUser { by, now, former_until: now };
    add("delete_user", &[COUNTERS, USERS, DEVICES], store.run(stale).await.err());
    let stale = RehashPassword { user, verified: password(9), password: password(1) };
    add("rehash_password", &[USERS], store.run(stale).await.err());
    add("set_disabled", &[USERS], store.run(service.disabling(user, false)).await.err());
    let heard = vec![(user, service.world.device_id(), service.seen(HOME))];
    add("note_seen", &[COUNTERS, USERS, DEVICES], store.run(NoteSeen { seen: heard }).await.err());
    let right = service.opening(user, &password(0));
    add("open_device", ALL, store.run(right).await.err());
    let leaving = service.ending(user, phone.device(), Some(phone.access));
    add("end_device, writing", ALL, store.run(leaving).await.err());
    for keep in [false, true] {
        add("end_devices", ALL, store.run(service.everywhere(phone, keep)).await.err());
    }
    answers
}
