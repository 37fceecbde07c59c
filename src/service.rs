//! Assembly of the service from settings, store, keys and use cases.
//!
//! Modules: [`stores`] selects and opens the engine, which no other module knows; `clocks` compares this node's clock
//! with the store's; [`copying`] copies a store to another engine or location, named by `store_location`; [`restoring`]
//! makes a new store of one that was restored from a copy; `node_folder` is the folder of a node with a shared store;
//! [`master_key`] is the file of the key that seals the signing keys; `former_sessions` reads what tokens of another system are
//! judged by; `policies` are the settings as each part takes them;
//! [`django`] reads and writes users of Django;
//! `error` is the error of opening the service.

use std::sync::Arc;

use crate::auth::hashing::Hashing;
use crate::auth::housekeeping::Housekeeping;
use crate::auth::last_seen::LastSeenNotes;
use crate::auth::limits::RateLimits;
use crate::auth::use_cases::{Components, UseCases};
use crate::feed::Feed;
use crate::issuer::rollback::RollbackDetector;
use crate::issuer::signing_keys::{SigningKeys, first_keys};
use crate::metrics::Metrics;
use crate::model::names::Names;
use crate::model::timestamp::Timestamp;
use crate::settings::Settings;
use crate::store::queries::service::ReadStoreIdentity;
use crate::store::steps::initialize::{Initialize, Initialized};
use crate::store::steps::use_names::UseNames;
use crate::store::{Store, StoreIdentity};
use crate::token::sealing::MasterKey;
use crate::world::World;
use crate::world::reference::ReferenceClock;
use clocks::compare_clocks;
pub use error::OpenError;
use node_folder::NodeFolder;
pub use stores::Mode;

mod clocks;
pub mod copying;
pub mod django;
mod error;
mod former_sessions;
pub mod master_key;
mod node_folder;
mod policies;
pub mod restoring;
mod store_location;
pub mod stores;

/// The default audience of a new store.
const AUDIENCE: &str = "rescind";

/// The assembled service, ready to serve.
pub struct Service {
    /// The use cases.
    pub use_cases: Arc<UseCases>,
    /// The background work.
    pub housekeeping: Arc<Housekeeping>,
    /// The components that the use cases, the background work and the listeners share.
    pub components: Components,
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
        let hashing = Hashing::new(policies::hashes(settings), settings.hashes_at_once, settings.hash_wait)
            .map_err(|error| OpenError::Settings(error.to_string()))?;
        let (identity, initialized_now, master) =
            if let Some(identity) = store.read(ReadStoreIdentity).await? {
                (identity, false, master_key::read(settings)?)
            } else {
                let master = master_key::read_or_make(settings, &world)?;
                let (identity, now) = initialize(&store, settings, &world, &master, issuer).await?;
                (identity, now, master)
            };
        let former_sessions = former_sessions::policy(settings, world.now(), serving)?;
        let names = if serving {
            use_names(&store, settings, &identity, world.now()).await?
        } else {
            // A command may run without the settings of the service, and changes no names.
            identity.present()
        };
        let keys = SigningKeys::open(store.clone(), Arc::clone(&clock), master, names).await;
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
            policies::followers(settings),
        );
        let feed = Arc::new(feed.await?);
        let components = Components {
            last_seen: Arc::new(LastSeenNotes::new(store.clone(), clock.world().clone())),
            hashing: Arc::new(hashing),
            limits: Arc::new(RateLimits::new(policies::allowances(settings), settings.hash_wait)),
            store,
            clock,
            keys,
            rollback,
            metrics,
        };
        let use_cases =
            Arc::new(UseCases::new(components.clone(), policies::sessions(settings), former_sessions));
        let housekeeping = Arc::new(Housekeeping::new(&components));
        Ok(Self { use_cases, housekeeping, components, feed, initialized_now, _node_folder: None })
    }
}

/// The names that tokens are given from now on: those of the settings, and the first ones of the store where the settings
/// name none. Notes them if they are not the present ones.
async fn use_names(
    store: &Store,
    settings: &Settings,
    identity: &StoreIdentity,
    now: Timestamp,
) -> Result<Names, OpenError> {
    let names = Names {
        issuer: settings.issuer.clone().unwrap_or_else(|| identity.issuer.clone()),
        audience: settings.audience.clone().unwrap_or_else(|| identity.audience.clone()),
    };
    if identity.present() != names {
        store.run(UseNames { names: names.clone(), now }).await?;
    }
    Ok(names)
}

async fn initialize(
    store: &Store,
    settings: &Settings,
    world: &World,
    master: &MasterKey,
    issuer: &str,
) -> Result<(StoreIdentity, bool), OpenError> {
    let now = world.now();
    if settings.lacks_reachable_issuer() {
        return Err(OpenError::NoIssuer(issuer.to_owned()));
    }
    let identity = StoreIdentity {
        store: world.store_id(),
        issuer: settings.named_issuer().unwrap_or(issuer).to_owned(),
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

#[cfg(test)]
#[cfg(feature = "sled")]
mod tests {
    use super::*;

    /// Refresh keys are trusted for [`LONGEST_DEVICE`](crate::model::device::LONGEST_DEVICE) after they were retired.
    #[test]
    fn no_device_lasts_longer_than_a_retired_refresh_key_is_trusted() {
        let longest = Settings::with(&[("device_lifetime", "4000d")]).unwrap();
        assert_eq!(longest.device_lifetime, crate::model::device::LONGEST_DEVICE);
        assert!(Settings::with(&[("device_lifetime", "4001d")]).is_err());
    }

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

    #[tokio::test]
    async fn a_command_acts_under_the_present_names_of_the_store_whatever_its_settings_say() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let settings = |more: &[(&str, &str)]| {
            Settings::with(&[&[("data", data.to_str().unwrap())], more].concat()).unwrap()
        };
        let world = World::manual(Timestamp::from_unix(1_800_000_000), 7).0;
        let open = async |settings: Settings, mode| {
            let service =
                Service::open(&settings, world.clone(), mode, "https://first.example").await.unwrap();
            service.components.keys.names().issuer.clone()
        };
        assert_eq!(open(settings(&[]), Mode::Initialize).await, "https://first.example");
        let moved = settings(&[("issuer", "https://moved.example")]);
        assert_eq!(open(moved, Mode::Initialize).await, "https://moved.example");
        for of_the_command in [&[][..], &[("issuer", "https://typing-error.example")]] {
            let acting = open(settings(of_the_command), Mode::Existing).await;
            assert_eq!(acting, "https://moved.example", "{of_the_command:?}");
        }
    }
}
