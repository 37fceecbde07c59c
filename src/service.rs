//! Assembly of the service from settings, store, keys and use cases.
//!
//! Modules: [`stores`] selects and opens the engine, which no other module knows; [`copying`] copies a store to
//! another engine or location; `node_folder` is the folder of a node with a shared store; [`master_key`] is the file
//! of the key that seals the signing keys.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::hashing::{HashParameters, Hashing};
use crate::auth::limits::{Allowance, Allowances, RateLimits};
use crate::auth::{Auth, SessionPolicy};
use crate::data_folder::FolderError;
use crate::feed::{self, Feed};
use crate::issuer::fault::IssuerFault;
use crate::issuer::rollback::RollbackDetector;
use crate::issuer::signing_keys::{SigningKeys, first_keys};
use crate::metrics::Metrics;
use crate::model::names::Names;
use crate::model::replay::ReplayPolicy;
use crate::settings::Settings;
use crate::store::queries::service::ReadStoreIdentity;
use crate::store::steps::initialize::{Initialize, Initialized};
use crate::store::steps::use_names::UseNames;
use crate::store::{Store, StoreError, StoreIdentity, StoreTime};
use crate::token::sealing::MasterKey;
use crate::world::World;
use crate::world::reference::{ClocksApart, ReferenceClock};
use node_folder::NodeFolder;

pub mod copying;
pub mod master_key;
mod node_folder;
pub mod stores;

/// The default audience of a new store.
const AUDIENCE: &str = "rescind";

/// The longest wait for followers to confirm a sign-out.
const LONGEST_FENCE: Duration = Duration::from_secs(8);

/// Whether a missing store is initialized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A missing store is initialized, as by `serve`.
    Initialize,
    /// The store has to exist.
    Existing,
}

/// The reason why the service could not be opened; messages say what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The embedded store cannot be opened.
    #[cfg(feature = "sled")]
    #[error(transparent)]
    Sled(#[from] crate::store::sled::OpenError),
    /// The database cannot be opened.
    #[cfg(feature = "postgres")]
    #[error(transparent)]
    Postgres(#[from] crate::store::postgres::OpenError),
    /// This build lacks the engine that is set: its name, and what to do.
    #[error("this build has no {0} store: {1}")]
    NoSuchStore(&'static str, &'static str),
    /// The folder of a node with a shared store cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The folder of a node with a shared store holds an embedded store.
    #[error(
        "the data folder {path:?} holds an embedded store: name another folder with --data, or leave `store` out; `rescind store copy` takes one store to the other"
    )]
    EmbeddedStore {
        /// The path of the folder.
        path: PathBuf,
    },
    /// The store opened, but does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file of the master key cannot be used.
    #[error("the master key file {}: {why}", .path.display())]
    MasterKey {
        /// The path of the file.
        path: PathBuf,
        /// What is wrong and what to do.
        why: String,
    },
    /// The signing keys in the store do not open under the master key.
    #[error(
        "the signing keys do not open: {0}; is the master key file the one this store was initialized with?"
    )]
    Keys(IssuerFault),
    /// The store was rolled back: an authentic token is ahead of its counters.
    #[error(
        "the store was rolled back: a token of ours is ahead of it, so no check is answered. Run `rescind store restored`"
    )]
    RolledBack,
    /// The clock of this node is too far from the database's: such a node would end sessions too early or too late.
    #[error(transparent)]
    ClocksApart(#[from] ClocksApart),
    /// The store would be initialized with an issuer that no client can reach.
    #[error(
        "the first start chooses the issuer that is written into every token, and {0} is no address that anybody can reach: say where clients reach the service with public_url, as in `--set public_url=https://auth.example.com` (or http://ADDRESS:PORT within a network of your own)"
    )]
    NoIssuer(String),
    /// The settings contradict each other.
    #[error("{0}")]
    Settings(String),
}

impl OpenError {
    /// Whether the store does not exist yet.
    pub fn is_missing(&self) -> bool {
        match self {
            #[cfg(feature = "sled")]
            Self::Sled(error) => matches!(error, crate::store::sled::OpenError::Missing { .. }),
            #[cfg(feature = "postgres")]
            Self::Postgres(error) => matches!(error, crate::store::postgres::OpenError::Missing),
            _ => false,
        }
    }

    /// Whether another process holds the embedded store.
    pub fn is_in_use(&self) -> bool {
        #[cfg(feature = "sled")]
        if let Self::Sled(error) = self {
            use crate::store::sled::OpenError::Folder;
            return matches!(error, Folder(FolderError::InUse { .. }));
        }
        false
    }
}

/// The assembled service, ready to serve.
pub struct Service {
    /// The use cases over the store.
    pub auth: Arc<Auth>,
    /// The store.
    pub store: Store,
    /// The signing keys.
    pub keys: Arc<SigningKeys>,
    /// This node's knowledge of a rollback of the store.
    pub rollback: Arc<RollbackDetector>,
    /// The metrics of the process.
    pub metrics: Arc<Metrics>,
    /// The revocation feed of this node.
    pub feed: Arc<Feed>,
    /// Whether the store was initialized by this start.
    pub initialized_now: bool,
    /// The lock of the node's folder, held while the service runs.
    _node_folder: Option<NodeFolder>,
}

impl Service {
    /// Opens the store that the settings name and assembles the service. `issuer` is the default issuer of a store
    /// that is initialized now.
    pub async fn open(
        settings: &Settings,
        world: World,
        mode: Mode,
        issuer: &str,
    ) -> Result<Self, OpenError> {
        let metrics = Arc::new(Metrics::new());
        let node_folder = stores::node_folder(settings, mode)?;
        let serving = mode == Mode::Initialize;
        let clock = Arc::new(ReferenceClock::start(world));
        let store = stores::open(settings, mode, &metrics, &clock).await?;
        let service = Self::assemble(store, settings, clock, metrics, issuer, serving).await?;
        Ok(Self { _node_folder: node_folder, ..service })
    }

    /// Assembles the service over an open store, to serve.
    pub async fn over(
        store: Store,
        settings: &Settings,
        world: World,
        metrics: Arc<Metrics>,
        issuer: &str,
    ) -> Result<Self, OpenError> {
        let clock = Arc::new(ReferenceClock::start(world));
        Self::assemble(store, settings, clock, metrics, issuer, true).await
    }

    async fn assemble(
        store: Store,
        settings: &Settings,
        clock: Arc<ReferenceClock>,
        metrics: Arc<Metrics>,
        issuer: &str,
        serving: bool,
    ) -> Result<Self, OpenError> {
        compare_clocks(&store, &clock).await?;
        let world = clock.world().clone();
        // Before anything is initialized: settings that contradict themselves make no store.
        let hashing = Hashing::new(hash_parameters(settings), settings.hashes_at_once, settings.hash_wait)
            .map_err(|error| OpenError::Settings(error.to_string()))?;
        let (identity, initialized_now, master) =
            if let Some(identity) = store.read(ReadStoreIdentity).await? {
                (identity, false, master_key::read(settings)?)
            } else {
                let master = master_key::read_or_make(settings, &world)?;
                let (identity, now) = initialize(&store, settings, &world, &master, issuer).await?;
                (identity, now, master)
            };
        let present = identity.present();
        let names = Names {
            issuer: settings.issuer.clone().unwrap_or(identity.issuer),
            audience: settings.audience.clone().unwrap_or(identity.audience),
        };
        // A command mints no token for anybody: what its settings say is not noted.
        if serving && present != names {
            store.run(UseNames { names: names.clone(), now: world.now() }).await?;
        }
        let longest_refresh = settings.device_lifetime;
        let keys = SigningKeys::open(store.clone(), Arc::clone(&clock), master, names, longest_refresh).await;
        let keys = Arc::new(keys.map_err(OpenError::Keys)?);
        let rollback = RollbackDetector::new(store.clone(), Arc::clone(&clock), Arc::clone(&metrics));
        let rollback = Arc::new(rollback);
        rollback.look().await?;
        let feed = Feed::open(
            store.clone(),
            identity.store,
            Arc::clone(&keys),
            Arc::clone(&rollback),
            Arc::clone(&metrics),
            world,
            streams(settings),
        );
        let feed = Arc::new(feed.await?);
        let limits = RateLimits::new(allowances(settings), settings.hash_wait);
        let auth = Arc::new(Auth::new(
            store.clone(),
            clock,
            policy(settings),
            Arc::clone(&keys),
            Arc::clone(&rollback),
            hashing,
            limits,
            Arc::clone(&metrics),
        ));
        Ok(Self { auth, store, keys, rollback, metrics, feed, initialized_now, _node_folder: None })
    }
}

/// Compares this node's clock with what the store knows of the time. A clock too far from the database's is an error;
/// one behind the records of an embedded store is only logged, since the records may be ahead.
pub(crate) async fn compare_clocks(store: &Store, clock: &ReferenceClock) -> Result<(), OpenError> {
    let asked = clock.world().uptime();
    match store.time().await? {
        StoreTime::Database(now) => clock.hear_of_database(now, asked),
        StoreTime::Recorded(Some(newest)) => {
            if let Some(late) = clock.hear_of_record(newest) {
                tracing::warn!(
                    event = "clock_behind_store",
                    seconds = late.as_secs(),
                    newest = %newest.rfc3339(),
                    "the clock is behind the newest record of the store: set it if it is wrong. If it was ahead before and is right now, run `rescind key rotate`, since access tokens of that time become valid when it comes"
                );
            }
        }
        StoreTime::Recorded(None) => {}
    }
    Ok(clock.check()?)
}

async fn initialize(
    store: &Store,
    settings: &Settings,
    world: &World,
    master: &MasterKey,
    issuer: &str,
) -> Result<(StoreIdentity, bool), OpenError> {
    let now = world.now();
    let named = settings.issuer.is_some() || settings.public_url.is_some();
    if !named && settings.listen.ip().to_canonical().is_unspecified() {
        return Err(OpenError::NoIssuer(issuer.to_owned()));
    }
    let identity = StoreIdentity {
        store: world.store_id(),
        issuer: settings
            .issuer
            .clone()
            .or_else(|| settings.public_url.clone())
            .unwrap_or_else(|| issuer.to_owned()),
        audience: settings.audience.clone().unwrap_or_else(|| AUDIENCE.to_owned()),
        at: now,
        names: Vec::new(),
    };
    let keys = first_keys(master, now).map_err(OpenError::Keys)?;
    Ok(match store.run(Initialize { identity, keys }).await? {
        Initialized::Now(identity) => (identity, true),
        Initialized::Before(identity) => (identity, false),
    })
}

fn policy(settings: &Settings) -> SessionPolicy {
    SessionPolicy {
        access_lifetime: settings.access_lifetime,
        device_idle: settings.device_idle,
        device_lifetime: settings.device_lifetime,
        devices_per_user: u64::from(settings.devices_per_user),
        registration: settings.registration_open,
        replay: ReplayPolicy {
            grace: settings.refresh_grace,
            recoveries: settings.refresh_recoveries as usize,
            strict: settings.refresh_strict,
        },
    }
}

fn streams(settings: &Settings) -> feed::followers::FollowerLimits {
    feed::followers::FollowerLimits {
        streams: settings.feed_streams_max,
        streams_per_key: settings.feed_streams_per_key,
        // Whoever waits is to be answered, not told that it took too long.
        wait: LONGEST_FENCE.min(settings.request_timeout * 4 / 5),
    }
}

fn hash_parameters(settings: &Settings) -> HashParameters {
    HashParameters {
        memory_kib: settings.argon2_memory_kib,
        iterations: settings.argon2_iterations,
        parallelism: settings.argon2_parallelism,
    }
}

fn allowances(settings: &Settings) -> Allowances {
    Allowances {
        failures_per_account: per_minute(settings.sign_in_attempts_per_account),
        failures_per_address: per_minute(settings.sign_in_attempts_per_address),
        failures_per_device: per_minute(settings.sign_in_attempts_per_device),
        registrations_per_address: per_hour(settings.registrations_per_address),
        sign_ins_per_account: per_hour(settings.sign_ins_per_account),
        sign_ins_per_address: per_hour(settings.sign_ins_per_address),
        sign_outs_of_others_per_user: per_hour(settings.sign_outs_of_others_per_user),
    }
}

fn per_minute(attempts: u32) -> Allowance {
    per(Duration::from_secs(60), attempts)
}

fn per_hour(attempts: u32) -> Allowance {
    per(Duration::from_secs(60 * 60), attempts)
}

fn per(time: Duration, attempts: u32) -> Allowance {
    Allowance { burst: attempts, every: time / attempts.max(1) }
}

#[cfg(test)]
#[cfg(feature = "sled")]
mod tests {
    use super::*;
    use crate::model::timestamp::Timestamp;

    #[tokio::test]
    async fn a_batch_is_as_large_as_the_acknowledgements_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let world = World::manual(Timestamp::from_unix(1_800_000_000), 7).0;
        let settings = Settings::with(&[("data", folder.path().join("data").to_str().unwrap())]).unwrap();
        let metrics = Arc::new(Metrics::new());
        let store = stores::open(
            &settings,
            Mode::Initialize,
            &metrics,
            &Arc::new(ReferenceClock::start(world.clone())),
        )
        .await
        .unwrap();
        let master = master_key::read_or_make(&settings, &world).unwrap();
        initialize(&store, &settings, &world, &master, "https://id.example").await.unwrap();
        drop(store);
        let text = metrics.encode();
        assert!(
            text.contains("rescind_commit_batch_size_sum 1.0\n"),
            "one step writes several records: {text}"
        );
    }
}
