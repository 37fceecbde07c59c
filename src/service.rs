//! The service put together: settings, store, keys and use cases.
//!
//! Rooms: [`stores`] alone knows which store there is; [`copying`] takes it elsewhere; `place` is the folder of a node whose store is elsewhere;
//! [`master_key`] is the file whose key seals the signing keys.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::error::AuthError;
use crate::auth::hashing::{HashParameters, Hashing};
use crate::auth::limits::{Allowance, Allowances, Limits};
use crate::auth::signing_keys::{SigningKeys, first_keys};
use crate::auth::{Auth, Policy};
use crate::feed::{self, Feed};
use crate::metrics::Metrics;
use crate::model::replay::ReplayPolicy;
use crate::settings::Settings;
use crate::store::steps::keys::{Found, Founded};
use crate::store::{Founding, Names, SharedStore, StoreError, StoreTime};
use crate::token::sealing::MasterKey;
use crate::world::World;
use crate::world::reference::{ClocksApart, ReferenceClock};
use place::Place;

pub mod copying;
pub mod master_key;
mod place;
pub mod stores;

/// The audience of a store that was founded without one.
const AUDIENCE: &str = "rescind";

/// The longest wait for followers to confirm a sign-out.
const LONGEST_FENCE: Duration = Duration::from_secs(8);

/// Whether a store may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// When there is none, it is made: the way of `serve`.
    Found,
    /// There has to be one.
    Existing,
}

/// Why the service could not be put together: what is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store cannot be opened.
    #[cfg(feature = "sled")]
    #[error(transparent)]
    Sled(#[from] crate::store::sled::open::OpenError),
    /// The database cannot be opened.
    #[cfg(feature = "postgres")]
    #[error(transparent)]
    Postgres(#[from] crate::store::postgres::OpenError),
    /// This build has no store of the kind that is set.
    #[error("this build has no {0} store: {1}")]
    NoSuchStore(&'static str, &'static str),
    /// The folder of a node cannot be used.
    #[error("the data folder {}: {why}", .path.display())]
    Place {
        /// The folder.
        path: PathBuf,
        /// What is wrong and what to do.
        why: String,
    },
    /// The store opened, but does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file of the master key cannot be used.
    #[error("the master key file {}: {why}", .path.display())]
    MasterKey {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        why: String,
    },
    /// The keys in the store do not open.
    #[error("the signing keys do not open: {0}; is the master key file the one this store was founded with?")]
    Keys(AuthError),
    /// The store is known to have gone back in time.
    #[error(
        "the store was rolled back: a token of ours is ahead of it, so no check is answered. Run `rescind store restored`"
    )]
    RolledBack,
    /// A node with a wrong clock ends and drops what is not over.
    #[error(transparent)]
    ClocksApart(#[from] ClocksApart),
    /// A store would be founded under an address that nobody can reach.
    #[error(
        "the first start chooses the issuer that is written into every token, and {0} is no address that anybody can reach: say where clients reach the service with public_url, as in `--set public_url=https://auth.example.com` (or http://ADDRESS:PORT within a network of your own)"
    )]
    NoIssuer(String),
    /// The settings contradict themselves.
    #[error("{0}")]
    Settings(String),
}

impl OpenError {
    /// Whether there is no store yet, and the first start would make one.
    pub fn is_missing(&self) -> bool {
        match self {
            #[cfg(feature = "sled")]
            Self::Sled(error) => matches!(error, crate::store::sled::open::OpenError::Missing { .. }),
            #[cfg(feature = "postgres")]
            Self::Postgres(error) => matches!(error, crate::store::postgres::OpenError::Missing),
            _ => false,
        }
    }

    /// Whether another process holds the store.
    pub fn is_in_use(&self) -> bool {
        #[cfg(feature = "sled")]
        if let Self::Sled(error) = self {
            return matches!(error, crate::store::sled::open::OpenError::InUse { .. });
        }
        false
    }
}

/// The service, and whether its store was made just now.
pub struct Service {
    /// The use cases.
    pub auth: Arc<Auth>,
    /// What followers are told.
    pub feed: Arc<Feed>,
    /// Whether this is the store's first start.
    pub founded_now: bool,
    /// Held as long as the service serves.
    _place: Option<Place>,
}

impl Service {
    /// Opens the store that the settings name and puts the service together. `issuer` is what a store founded now
    /// writes into its tokens when the settings name nothing.
    pub async fn open(
        settings: &Settings,
        world: World,
        mode: Mode,
        issuer: &str,
    ) -> Result<Self, OpenError> {
        let metrics = Arc::new(Metrics::new());
        let place = stores::place(settings, mode)?;
        let serving = mode == Mode::Found;
        let clock = Arc::new(ReferenceClock::start(world));
        let store = stores::open(settings, mode, &metrics, &clock).await?;
        let service = Self::assemble(store, settings, clock, metrics, issuer, serving).await?;
        Ok(Self { _place: place, ..service })
    }

    /// Puts the service together over a store that is open, to serve.
    pub async fn over(
        store: SharedStore,
        settings: &Settings,
        world: World,
        metrics: Arc<Metrics>,
        issuer: &str,
    ) -> Result<Self, OpenError> {
        let clock = Arc::new(ReferenceClock::start(world));
        Self::assemble(store, settings, clock, metrics, issuer, true).await
    }

    async fn assemble(
        store: SharedStore,
        settings: &Settings,
        clock: Arc<ReferenceClock>,
        metrics: Arc<Metrics>,
        issuer: &str,
        serving: bool,
    ) -> Result<Self, OpenError> {
        compare_clocks(&store, &clock).await?;
        let world = clock.world().clone();
        // Before anything is founded: settings that contradict themselves make no store.
        let hashing = Hashing::new(hash_parameters(settings), settings.hashes_at_once, settings.hash_wait)
            .map_err(|error| OpenError::Settings(error.to_string()))?;
        let (founding, founded_now, master) = if let Some(founding) = store.founding().await? {
            (founding, false, master_key::read(settings)?)
        } else {
            let master = master_key::read_or_make(settings, &world)?;
            let (founding, now) = found(&store, settings, &world, &master, issuer).await?;
            (founding, now, master)
        };
        let present = founding.present();
        let names = Names {
            issuer: settings.issuer.clone().unwrap_or(founding.issuer),
            audience: settings.audience.clone().unwrap_or(founding.audience),
        };
        // A command mints no token for anybody: what its settings say is not noted.
        if serving && present != names {
            store.use_names(names.clone(), world.now()).await?;
        }
        let keys =
            SigningKeys::open(&store, master, names, clock.confirmed()).await.map_err(OpenError::Keys)?;
        let limits = Limits::new(allowances(settings), settings.hash_wait);
        let auth = Auth::new(store, clock, policy(settings), keys, hashing, limits, metrics);
        let auth = Arc::new(auth);
        auth.look_for_rollback().await?;
        let feed = Feed::open(Arc::clone(&auth), world, founding.store, streams(settings)).await?;
        Ok(Self { auth, feed: Arc::new(feed), founded_now, _place: None })
    }
}

/// Hears what the store knows of the time. A clock that is far from the database's is refused; one that is behind an
/// embedded store's records is only told, since it may be the records that are ahead.
pub(crate) async fn compare_clocks(store: &SharedStore, clock: &ReferenceClock) -> Result<(), OpenError> {
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

async fn found(
    store: &SharedStore,
    settings: &Settings,
    world: &World,
    master: &MasterKey,
    issuer: &str,
) -> Result<(Founding, bool), OpenError> {
    let now = world.now();
    let named = settings.issuer.is_some() || settings.public_url.is_some();
    if !named && settings.listen.ip().to_canonical().is_unspecified() {
        return Err(OpenError::NoIssuer(issuer.to_owned()));
    }
    let founding = Founding {
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
    Ok(match store.found(Found { founding, keys }).await? {
        Founded::Now(founding) => (founding, true),
        Founded::Before(founding) => (founding, false),
    })
}

fn policy(settings: &Settings) -> Policy {
    Policy {
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

fn streams(settings: &Settings) -> feed::followers::Limits {
    feed::followers::Limits {
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
        let store =
            stores::open(&settings, Mode::Found, &metrics, &Arc::new(ReferenceClock::start(world.clone())))
                .await
                .unwrap();
        let master = master_key::read_or_make(&settings, &world).unwrap();
        found(&store, &settings, &world, &master, "https://id.example").await.unwrap();
        drop(store);
        let text = metrics.encode();
        assert!(
            text.contains("rescind_commit_batch_size_sum 1.0\n"),
            "one step writes several records: {text}"
        );
    }
}
