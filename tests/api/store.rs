//! The store under the service: the only place that chooses the engine, and a wrapper that fails on purpose.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rescind::model::claims::Presented;
use rescind::model::counters::{Era, Position};
use rescind::model::device::{DeviceName, LastSeen};
use rescind::model::ids::{DeviceId, ServiceKeyId, UserId};
use rescind::model::names::Names;
use rescind::model::revocation::Entry;
use rescind::model::service_key::ServiceKey;
use rescind::model::timestamp::Timestamp;
use rescind::model::user::User;
use rescind::store::memory::MemoryStore;
use rescind::store::priority::Priority;
use rescind::store::steps::{account, device, keys, password, rollback, session, sign_out, sweep};
use rescind::store::{
    Clock, EndedPlace, Founding, KeySet, Listed, ListedUser, SharedStore, Standing, Store, StoreError,
    StoreTime, Totals,
};
use tokio::sync::watch;

use crate::database::Database;

/// Opens the engine that the tests run on: memory, or the one that `RESCIND_TEST_STORE` names. An embedded store is
/// in the service's folder, a shared one in a database that is dropped with the second value.
pub async fn open(folder: &Path) -> (SharedStore, Option<Database>) {
    match std::env::var("RESCIND_TEST_STORE").as_deref() {
        #[cfg(feature = "sled")]
        Ok("sled") => {
            use rescind::store::sled::{OpenMode, Options, SledStore};
            let store = SledStore::open(&folder.join("data"), Options::default(), OpenMode::Create);
            (Arc::new(store.unwrap()), None)
        }
        Ok("postgres") => {
            use rescind::store::postgres::{OpenMode, Options, PostgresStore};
            let database = Database::fresh().await.expect("a server, since this store was asked for");
            // A machine that is busy with other tests is slow, not broken.
            let budget = Duration::from_secs(60);
            let options =
                Options { connections: 4, read_budget: budget, step_budget: budget, ..Options::default() };
            let store = PostgresStore::connect(database.url(), options, OpenMode::Create).await;
            (Arc::new(store.unwrap()), Some(database))
        }
        Ok("memory") | Err(_) => (Arc::new(MemoryStore::empty()), None),
        Ok(other) => panic!("there is no {other} store to test"),
    }
}

/// How the store behaves.
#[derive(Clone, Debug, Default)]
pub enum Mood {
    /// Every call is answered.
    #[default]
    Well,
    /// Every call fails.
    Failing(StoreError),
    /// Steps fail, reads are answered.
    ReadOnly(StoreError),
    /// No call is ever answered.
    Stalled,
}

/// A store that fails or stalls when a test says so.
pub struct FailingStore {
    inner: SharedStore,
    mood: Mutex<Mood>,
    recorded: Mutex<Option<Timestamp>>,
    log_held: watch::Sender<bool>,
    _database: Option<Database>,
}

impl FailingStore {
    pub fn over((inner, database): (SharedStore, Option<Database>)) -> Self {
        Self {
            inner,
            mood: Mutex::default(),
            recorded: Mutex::default(),
            log_held: watch::Sender::default(),
            _database: database,
        }
    }

    pub fn feel(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Makes `newest` the newest time on record for every process that opens the store from now on.
    pub fn has_on_record(&self, newest: Timestamp) {
        *self.recorded.lock().unwrap() = Some(newest);
    }

    /// The number of devices that count as live.
    pub async fn live_devices(&self) -> u64 {
        self.inner.totals().await.unwrap().live_devices
    }

    /// Makes every call fail.
    pub fn fail(&self) {
        self.feel(Mood::Failing(StoreError::Unavailable("unplugged /dev/secret".to_owned())));
    }

    /// Holds back reads of the log, as if later writes were not durable yet.
    pub fn hold_log(&self) {
        self.log_held.send_replace(true);
    }

    /// Releases reads of the log.
    pub fn release_log(&self) {
        self.log_held.send_replace(false);
    }

    async fn judge(&self, writes: bool) -> Result<(), StoreError> {
        let mood = self.mood.lock().unwrap().clone();
        match mood {
            Mood::Failing(error) => Err(error),
            Mood::ReadOnly(error) if writes => Err(error),
            Mood::Well | Mood::ReadOnly(_) => Ok(()),
            Mood::Stalled => std::future::pending().await,
        }
    }

    /// The readable contents of users and devices, to assert that nothing was changed.
    pub async fn contents(&self) -> String {
        let store = &self.inner;
        let (clock, totals) = (store.clock().await.unwrap(), store.totals().await.unwrap());
        let mut all = format!("{clock:?}\n{totals:?}\n");
        for ListedUser { user, .. } in store.users(None, 1000).await.unwrap() {
            let live = store.devices(user.id, None, 1000).await.unwrap();
            let ended = store.ended_devices(user.id, None, 1000).await.unwrap();
            writeln!(all, "{user:?}\n{live:?}\n{ended:?}").unwrap();
        }
        all
    }
}

macro_rules! forward {
    ($($kind:ident $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Store for FailingStore {
            /// The time on record alone: a database's own clock would not be the test's.
            async fn time(&self) -> Result<StoreTime, StoreError> {
                self.judge(false).await?;
                Ok(StoreTime::Recorded(*self.recorded.lock().unwrap()))
            }

            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                self.judge(forward!(@$kind)).await?;
                forward!(@held $kind self);
                self.inner.$name($($argument),*).await
            })*
        }
    };
    (@read) => { false };
    (@log) => { false };
    (@step) => { true };
    (@held log $store:ident) => {
        $store.log_held.subscribe().wait_for(|held| !held).await.map(drop).unwrap();
    };
    (@held $kind:ident $store:ident) => {};
}

forward! {
    read founding() -> Option<Founding>;
    read stopped() -> Option<Priority>;
    read clock() -> Clock;
    read totals() -> Totals;
    read standing(user: UserId, device: DeviceId) -> Standing;
    read user(id: UserId) -> Option<User>;
    read user_named(key: &str) -> Option<User>;
    read users(after: Option<&str>, limit: usize) -> Vec<ListedUser>;
    read devices(user: UserId, after: Option<DeviceId>, limit: usize) -> Vec<Listed>;
    read ended_devices(user: UserId, after: Option<EndedPlace>, limit: usize) -> Vec<Listed>;
    read last_seen(user: UserId, device: DeviceId) -> Option<LastSeen>;
    read keys() -> KeySet;
    read service_key(id: ServiceKeyId) -> Option<ServiceKey>;
    read service_keys() -> Vec<ServiceKey>;
    log log(after: Position, limit: usize) -> Vec<Entry>;
    read log_grew(past: Position) -> ();
    step found(request: keys::Found) -> keys::Founded;
    step restored(request: keys::Restore) -> keys::Restored;
    step use_names(names: Names, now: Timestamp) -> ();
    step register(request: account::Register) -> account::Registered;
    step open_device(request: session::OpenDevice) -> session::Opened;
    step rotate_refresh(request: session::RotateRefresh) -> session::Refreshed;
    step end_device(request: sign_out::EndDevice) -> sign_out::DeviceEnded;
    step end_devices(request: sign_out::EndDevices) -> sign_out::DevicesEnded;
    step end_everyone(now: Timestamp) -> Era;
    step set_password(request: password::SetPassword) -> password::PasswordSet;
    step rehash_password(request: password::Rehash) -> bool;
    step set_disabled(request: account::SetDisabled) -> account::DisabledSet;
    step delete_user(request: account::DeleteUser) -> account::UserDeleted;
    step rename_device(caller: Presented, device: DeviceId, name: DeviceName, now: Timestamp) -> device::Renamed;
    step note_seen(seen: Vec<(UserId, DeviceId, LastSeen)>) -> ();
    step save_keys(request: keys::SaveKeys) -> keys::KeysSaved;
    step add_service_key(key: ServiceKey) -> ();
    step remove_service_key(id: ServiceKeyId) -> bool;
    step sweep(request: sweep::Sweep) -> sweep::Swept;
    read rolled_back() -> bool;
    step report_rollback(request: rollback::ReportRollback) -> rollback::RollbackReported;
}
