//! The store under the service: the only place that chooses the engine, and a wrapper of the engine that fails on purpose.

use std::fmt::Write as _;
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rescind::model::timestamp::Timestamp;
use rescind::store::engine::Engine;
use rescind::store::erased::{ErasedQuery, ErasedStep};
use rescind::store::memory::Memory;
use rescind::store::priority::Priority;
use rescind::store::queries::devices::{ListDevices, ListEndedDevices};
use rescind::store::queries::service::{ReadCounters, ReadTotals};
use rescind::store::queries::users::{ListUsers, ListedUser};
use rescind::store::{Store, StoreError, StoreTime};
use tokio::sync::{oneshot, watch};

use crate::database::Database;

/// Opens the engine that the tests run on: memory, or the one that `RESCIND_TEST_STORE` names. An embedded store is
/// in the service's folder, a shared one in a database that is dropped with the second value.
pub async fn open(folder: &Path) -> (Arc<dyn Engine>, Option<Database>) {
    match std::env::var("RESCIND_TEST_STORE").as_deref() {
        #[cfg(feature = "sled")]
        Ok("sled") => {
            use rescind::store::sled::{OpenMode, Options, Sled};
            let engine = Sled::open(&folder.join("data"), Options::default(), OpenMode::Create);
            (Arc::new(engine.unwrap()), None)
        }
        Ok("postgres") => {
            use rescind::store::postgres::{OpenMode, Options, Postgres};
            let database = Database::fresh().await.expect("a server, since this store was asked for");
            // A machine that is busy with other tests is slow, not broken.
            let budget = Duration::from_secs(60);
            let options =
                Options { connections: 4, read_budget: budget, step_budget: budget, ..Options::default() };
            let engine = Postgres::connect(database.url(), options, OpenMode::Create).await;
            (Arc::new(engine.unwrap()), Some(database))
        }
        Ok("memory") | Err(_) => (Arc::new(Memory::default()), None),
        Ok(other) => panic!("there is no {other} store to test"),
    }
}

/// How the engine behaves.
#[derive(Clone, Debug, Default)]
pub enum Mood {
    /// Every call is answered.
    #[default]
    Well,
    /// Every call fails.
    Failing(StoreError),
    /// Steps fail, queries are answered.
    ReadOnly(StoreError),
    /// No call is ever answered.
    Stalled,
}

/// An engine that fails or stalls when a test says so.
struct FailingEngine {
    inner: Arc<dyn Engine>,
    mood: Mutex<Mood>,
    recorded: Mutex<Option<Timestamp>>,
    reads: AtomicUsize,
    durability_held: watch::Sender<bool>,
    next_answer_held: Mutex<Option<HeldAnswer>>,
    next_outcome_held: Mutex<Option<HeldAnswer>>,
}

/// The signals of an answer or outcome that is held back: that there is one, and that it may be given.
struct HeldAnswer {
    there: oneshot::Sender<()>,
    released: oneshot::Receiver<()>,
}

impl HeldAnswer {
    /// Holds the next answer of `slot` back. The receiver hears when there is one; the sender releases it.
    fn next_in(slot: &Mutex<Option<Self>>) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let ((there, is_there), (release, released)) = (oneshot::channel(), oneshot::channel());
        *slot.lock().unwrap() = Some(Self { there, released });
        (is_there, release)
    }

    async fn hold(self) {
        self.there.send(()).unwrap();
        self.released.await.unwrap();
    }
}

impl FailingEngine {
    async fn judge(&self, writes: bool) -> Result<(), StoreError> {
        let mood = self.mood.lock().unwrap().clone();
        match mood {
            Mood::Failing(error) => Err(error),
            Mood::ReadOnly(error) if writes => Err(error),
            Mood::Well | Mood::ReadOnly(_) => Ok(()),
            Mood::Stalled => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Engine for FailingEngine {
    async fn read(&self, query: &dyn ErasedQuery) -> Result<(), StoreError> {
        self.judge(false).await?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        let held = self.next_answer_held.lock().unwrap().take();
        let answer = self.inner.read(query).await;
        if let Some(held) = held {
            held.hold().await;
        }
        answer
    }

    async fn read_durable(&self, query: Arc<dyn ErasedQuery>) -> Result<(), StoreError> {
        self.judge(false).await?;
        self.durability_held.subscribe().wait_for(|held| !held).await.map(drop).unwrap();
        self.inner.read_durable(query).await
    }

    async fn commit(&self, step: Arc<dyn ErasedStep>) -> Result<(), StoreError> {
        self.judge(true).await?;
        let held = self.next_outcome_held.lock().unwrap().take();
        let outcome = self.inner.commit(step).await;
        if let Some(held) = held {
            held.hold().await;
        }
        outcome
    }

    /// The time on record alone: a database's own clock would not be the test's.
    async fn time(&self) -> Result<StoreTime, StoreError> {
        self.judge(false).await?;
        Ok(StoreTime::Recorded(*self.recorded.lock().unwrap()))
    }

    fn working(&self) -> Result<(), StoreError> {
        self.inner.working()
    }

    fn stopped(&self) -> Result<Option<Priority>, StoreError> {
        self.inner.stopped()
    }

    fn written(&self) -> watch::Receiver<()> {
        self.inner.written()
    }
}

/// A store that fails or stalls when a test says so.
pub struct FailingStore {
    store: Store,
    engine: Arc<FailingEngine>,
    /// The same records, by way of an engine that does not fail.
    sound: Store,
    _database: Option<Database>,
}

impl Deref for FailingStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl FailingStore {
    pub fn over((inner, database): (Arc<dyn Engine>, Option<Database>)) -> Self {
        let sound = Store::new(Arc::clone(&inner));
        let (mood, recorded) = (Mutex::default(), Mutex::default());
        let durability_held = watch::Sender::default();
        let (next_answer_held, next_outcome_held) = (Mutex::default(), Mutex::default());
        let reads = AtomicUsize::default();
        let engine = FailingEngine {
            inner,
            mood,
            recorded,
            reads,
            durability_held,
            next_answer_held,
            next_outcome_held,
        };
        let engine = Arc::new(engine);
        Self { store: Store::new(engine.clone()), engine, sound, _database: database }
    }

    pub fn feel(&self, mood: Mood) {
        *self.engine.mood.lock().unwrap() = mood;
    }

    /// Makes `newest` the newest time on record for every process that opens the store from now on.
    pub fn has_on_record(&self, newest: Timestamp) {
        *self.engine.recorded.lock().unwrap() = Some(newest);
    }

    /// The number of devices that count as live.
    pub async fn live_devices(&self) -> u64 {
        self.sound.read(ReadTotals).await.unwrap().live_devices
    }

    /// The number of reads that steps did not do, so far.
    pub fn reads(&self) -> usize {
        self.engine.reads.load(Ordering::Relaxed)
    }

    /// Makes every call fail.
    pub fn fail(&self) {
        self.feel(Mood::Failing(StoreError::Unavailable("unplugged /dev/secret".to_owned())));
    }

    /// Holds back durable reads, those of the log among them, as if later writes were not durable yet.
    pub fn hold_log(&self) {
        self.engine.durability_held.send_replace(true);
    }

    /// Releases durable reads.
    pub fn release_log(&self) {
        self.engine.durability_held.send_replace(false);
    }

    /// Holds back the answer of the next read that need not be durable. The receiver hears when the answer was read; the
    /// sender releases it.
    pub fn hold_next_answer(&self) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        HeldAnswer::next_in(&self.engine.next_answer_held)
    }

    /// Holds back the outcome of the next step. The receiver hears when the step was taken; the sender releases it.
    pub fn hold_next_outcome(&self) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        HeldAnswer::next_in(&self.engine.next_outcome_held)
    }

    /// The readable contents of users and devices, to assert that nothing was changed.
    pub async fn contents(&self) -> String {
        let store = &self.sound;
        let (counters, totals) =
            (store.read(ReadCounters).await.unwrap(), store.read(ReadTotals).await.unwrap());
        let mut all = format!("{counters:?}\n{totals:?}\n");
        for ListedUser { user, .. } in store.read(ListUsers { after: None, limit: 1000 }).await.unwrap() {
            let of = user.id;
            let live = store.read(ListDevices { user: of, after: None, limit: 1000 }).await.unwrap();
            let ended = store.read(ListEndedDevices { user: of, after: None, limit: 1000 }).await.unwrap();
            writeln!(all, "{user:?}\n{live:?}\n{ended:?}").unwrap();
        }
        all
    }
}
