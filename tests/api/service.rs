//! The service under test: real parts, with a clock and randomness of the test's own.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use poem::Response;
use poem::endpoint::BoxEndpoint;
use rescind::auth::housekeeping::Housekeeping;
use rescind::auth::last_seen::LastSeenNotes;
use rescind::auth::use_cases::Components;
use rescind::feed::Feed;
use rescind::http::app::{self, EdgeConfig};
use rescind::http::serve::edge_config;
use rescind::issuer::rollback::RollbackDetector;
use rescind::issuer::signing_keys::SigningKeys;
use rescind::metrics::Metrics;
use rescind::model::claims::{AccessClaims, RefreshClaims};
use rescind::model::timestamp::Timestamp;
use rescind::settings::Settings;
use rescind::store::Store;
use rescind::store::queries::keys::ReadKeySet;
use rescind::token::keyring::Keyring;
use rescind::token::sealing::MasterKey;
use rescind::world::{Manual, World};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::store::{self, FailingStore};

/// The time at which tests start, 2026-11-22T10:00:00Z.
pub const START: Timestamp = Timestamp::from_unix(1_795_341_600);

pub const ISSUER: &str = "https://sessions.example";

/// The service with both of its apps, the public one and the operator's.
pub struct Service {
    pub public: BoxEndpoint<'static, Response>,
    pub operator: BoxEndpoint<'static, Response>,
    pub housekeeping: Arc<Housekeeping>,
    pub last_seen: Arc<LastSeenNotes>,
    pub keys: Arc<SigningKeys>,
    pub rollback: Arc<RollbackDetector>,
    metrics: Arc<Metrics>,
    pub feed: Arc<Feed>,
    pub clock: Arc<Manual>,
    pub store: Arc<FailingStore>,
    pub settings: Settings,
    world: World,
    folder: Arc<TempDir>,
    publishing: JoinHandle<Infallible>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.publishing.abort();
    }
}

impl Service {
    /// A new service with default settings except for cheap hashing, high limits on guessing and a trusted proxy on
    /// loopback.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// A new service with some settings changed.
    pub async fn with(changes: &[(&str, &str)]) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let (world, clock) = World::manual(START, 7);
        let store = Arc::new(FailingStore::over(store::open(folder.path()).await));
        let mut all = vec![
            ("issuer", ISSUER),
            ("trusted_proxies", "127.0.0.0/8"),
            ("sign_in_attempts_per_account", "1000"),
            ("sign_in_attempts_per_address", "1000"),
            ("hashes_at_once", "4"),
            ("hash_wait", "30s"),
        ];
        all.extend(changes);
        let mut settings = Settings::with(&all).unwrap();
        settings.data = folder.path().join("data");
        // Far below what the settings allow: tests hash a thousand passwords.
        (settings.argon2_memory_kib, settings.argon2_iterations) = (64, 1);
        Self::open(store, settings, world, clock, folder, |_| {}).await
    }

    /// A second process over the same store, with changed settings.
    pub async fn again(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.settings.clone();
        change(&mut settings);
        let (world, clock) = (self.world.clone(), Arc::clone(&self.clock));
        Self::open(Arc::clone(&self.store), settings, world, clock, Arc::clone(&self.folder), |_| {}).await
    }

    /// A second process over the same store whose deadline is so short that a stalled store is noticed at once.
    pub async fn impatient(&self) -> Self {
        let (world, clock) = (self.world.clone(), Arc::clone(&self.clock));
        let hasty = |edge_config: &mut EdgeConfig| edge_config.deadline = Duration::from_millis(20);
        let (store, folder) = (Arc::clone(&self.store), Arc::clone(&self.folder));
        Self::open(store, self.settings.clone(), world, clock, folder, hasty).await
    }

    async fn open(
        store: Arc<FailingStore>,
        settings: Settings,
        world: World,
        clock: Arc<Manual>,
        folder: Arc<TempDir>,
        change: impl FnOnce(&mut EdgeConfig),
    ) -> Self {
        let metrics = Arc::new(Metrics::new());
        let opened = rescind::service::Service::over(
            Store::clone(&store),
            &settings,
            world.clone(),
            metrics,
            "http://127.0.0.1:8080",
        );
        let opened = opened.await.unwrap();
        let mut edge_config = edge_config(&settings, &world);
        change(&mut edge_config);
        let (public, operator) = (app::public(&opened, &edge_config), app::operator(&opened, &edge_config));
        let rescind::service::Service { housekeeping, components, feed, .. } = opened;
        let Components { last_seen, keys, rollback, metrics, .. } = components;
        let publishing = tokio::spawn(Arc::clone(&feed).run());
        Self {
            public,
            operator,
            housekeeping,
            last_seen,
            keys,
            rollback,
            metrics,
            feed,
            clock,
            store,
            settings,
            world,
            folder,
            publishing,
        }
    }

    /// The time of the service's clock.
    pub fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// Runs housekeeping once: reads the clock and sweeps.
    pub async fn look_and_sweep(&self) {
        self.housekeeping.look_at_clock(&mut false);
        self.housekeeping.sweep().await.unwrap();
    }

    /// Stops publishing the log, which reads the store by itself.
    pub fn stop_publishing(&self) {
        self.publishing.abort();
    }

    /// Advances the clock.
    pub fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// The metrics in Prometheus' text format.
    pub fn figures(&self) -> String {
        self.metrics.encode()
    }

    /// The service's own signing keys, to mint tokens that no client could get.
    pub async fn mint(&self) -> Mint {
        self.mint_as(ISSUER, "rescind").await
    }

    /// The master key that seals the service's keys.
    pub fn master_key(&self) -> MasterKey {
        let line = std::fs::read_to_string(self.settings.master_key_path()).unwrap();
        MasterKey::parse(&line).unwrap()
    }

    /// The service's own signing keys under another issuer or audience.
    pub async fn mint_as(&self, issuer: &str, audience: &str) -> Mint {
        let set = self.store.read(ReadKeySet).await.unwrap();
        let master = self.master_key();
        let keyring =
            Keyring::open(set.version, &set.keys, &master, issuer, audience, self.world.now()).unwrap();
        Mint(keyring)
    }
}

/// The service's own signing keys in the hands of a test.
pub struct Mint(Keyring);

impl Mint {
    /// Mints an access token with the claims of `token`, changed.
    pub fn access(&self, token: &str, change: impl FnOnce(&mut AccessClaims)) -> String {
        let mut claims = (**self.0.trusted().verify(token).unwrap()).clone();
        change(&mut claims);
        self.0.mint_access(&claims).unwrap()
    }

    /// Mints a refresh token with the claims of `token`, changed.
    pub fn refresh(&self, token: &str, change: impl FnOnce(&mut RefreshClaims)) -> String {
        let mut claims = self.0.open_refresh(token).unwrap();
        change(&mut claims);
        self.0.mint_refresh(&claims).unwrap()
    }
}
