//! The service put together: settings, store, keys and use cases. The one place that knows which store there is.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::auth::error::AuthError;
use crate::auth::hashing::{HashParameters, Hashing};
use crate::auth::limits::{Allowance, Limits};
use crate::auth::signing_keys::{SigningKeys, first_keys};
use crate::auth::{Auth, Policy};
use crate::metrics::Metrics;
use crate::model::replay::ReplayPolicy;
use crate::settings::{MASTER_KEY_TOO_OPEN, Settings};
use crate::store::steps::keys::{Found, Founded};
use crate::store::{Founding, SharedStore, StoreError};
use crate::token::sealing::MasterKey;
use crate::world::World;

/// The audience of a store that was founded without one.
const AUDIENCE: &str = "rescind";

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
    /// This build has no store of the kind that is set.
    #[error("this build has no {0} store: leave `store` unset to use the embedded one")]
    NoSuchStore(&'static str),
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
    /// The settings contradict themselves.
    #[error("{0}")]
    Settings(String),
}

/// The service, and whether its store was made just now.
pub struct Service {
    /// The use cases.
    pub auth: Arc<Auth>,
    /// Whether this is the store's first start.
    pub founded_now: bool,
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
        let store = open_store(settings, mode, &metrics)?;
        Self::over(store, settings, world, metrics, issuer).await
    }

    /// Puts the service together over a store that is open.
    pub async fn over(
        store: SharedStore,
        settings: &Settings,
        world: World,
        metrics: Arc<Metrics>,
        issuer: &str,
    ) -> Result<Self, OpenError> {
        // Before anything is founded: settings that contradict themselves make no store.
        let hashing = Hashing::new(hash_parameters(settings), settings.hashes_at_once, settings.hash_wait)
            .map_err(|error| OpenError::Settings(error.to_string()))?;
        let (founding, founded_now, master) = if let Some(founding) = store.founding().await? {
            (founding, false, master_key(settings, None)?)
        } else {
            let master = master_key(settings, Some(&world))?;
            let (founding, now) = found(&store, settings, &world, &master, issuer).await?;
            (founding, now, master)
        };
        let issuer = settings.issuer.clone().unwrap_or(founding.issuer);
        let audience = settings.audience.clone().unwrap_or(founding.audience);
        let keys = SigningKeys::open(&store, master, issuer, audience, world.now())
            .await
            .map_err(OpenError::Keys)?;
        let limits = Limits::new(
            per_minute(settings.sign_in_attempts_per_account),
            per_minute(settings.sign_in_attempts_per_address),
            per(Duration::from_secs(60 * 60), settings.registrations_per_address),
        );
        let auth = Auth::new(store, world, policy(settings), keys, hashing, limits, metrics);
        Ok(Self { auth: Arc::new(auth), founded_now })
    }
}

async fn found(
    store: &SharedStore,
    settings: &Settings,
    world: &World,
    master: &MasterKey,
    issuer: &str,
) -> Result<(Founding, bool), OpenError> {
    let now = world.now();
    let founding = Founding {
        store: world.store_id(),
        issuer: settings
            .issuer
            .clone()
            .or_else(|| settings.public_url.clone())
            .unwrap_or_else(|| issuer.to_owned()),
        audience: settings.audience.clone().unwrap_or_else(|| AUDIENCE.to_owned()),
        at: now,
    };
    let keys = first_keys(master, now).map_err(OpenError::Keys)?;
    Ok(match store.found(Found { founding, keys }).await? {
        Founded::Now(founding) => (founding, true),
        Founded::Before(founding) => (founding, false),
    })
}

/// The master key from its file; a new one is made and written where there is none yet, if `make`.
fn master_key(settings: &Settings, make: Option<&World>) -> Result<MasterKey, OpenError> {
    let path = settings.master_key_path();
    let failed = |why: String| OpenError::MasterKey { path: path.clone(), why };
    match read_key(&path) {
        Ok((_, mode)) if mode & MASTER_KEY_TOO_OPEN != 0 => Err(failed(format!(
            "other users may read or change it (mode {mode:04o}): run `chmod 600 \"{}\"`, and rotate the keys if somebody may have read it",
            path.display()
        ))),
        Ok((line, _)) => MasterKey::parse(&line).ok_or_else(|| {
            failed("it does not hold a PASERK `k4.local.…` line: restore it from where it is kept".to_owned())
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(world) = make else {
                return Err(failed(
                    "it is missing, and without it the store's keys stay sealed: restore it, or name it with master_key_file"
                        .to_owned(),
                ));
            };
            let key = MasterKey::draw(world).ok_or_else(|| failed("no key could be drawn".to_owned()))?;
            write_key(&path, &key).map_err(|error| {
                failed(format!("it cannot be written ({error}): name a place for it with master_key_file"))
            })?;
            Ok(key)
        }
        Err(error) => Err(failed(format!("it cannot be read ({error})"))),
    }
}

/// What the file says, and who may open it.
fn read_key(path: &Path) -> io::Result<(String, u32)> {
    let mut file = fs::File::open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    let mut line = String::new();
    file.read_to_string(&mut line)?;
    Ok((line, mode))
}

/// Writes the key for its owner only, and makes sure that it is on the disk before anything is sealed under it. The
/// name appears when the whole key is there: a crash leaves no empty file that the next start would take for a lost
/// key. A key that is there already is never replaced.
fn write_key(path: &Path, key: &MasterKey) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = Path::new(&draft);
    // What a start that was killed left behind; no store was sealed under it.
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(key.paserk().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    // A link, since a rename would replace.
    let linked = fs::hard_link(draft, path);
    fs::remove_file(draft)?;
    linked?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
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

fn hash_parameters(settings: &Settings) -> HashParameters {
    HashParameters {
        memory_kib: settings.argon2_memory_kib,
        iterations: settings.argon2_iterations,
        parallelism: settings.argon2_parallelism,
    }
}

fn per_minute(attempts: u32) -> Allowance {
    per(Duration::from_secs(60), attempts)
}

fn per(time: Duration, attempts: u32) -> Allowance {
    Allowance { burst: attempts, every: time / attempts.max(1) }
}

/// The newest time that the store has recorded, in Unix seconds, if any; opens it and lets it go again, and founds nothing.
#[cfg(feature = "sled")]
pub fn newest_record(settings: &Settings) -> Result<Option<i64>, OpenError> {
    use crate::model::timestamp::Timestamp;
    use crate::store::sled::{OpenMode, Options, SledStore};
    let options = Options {
        cache_bytes: settings.store_cache,
        reserve_bytes: settings.free_space_reserve,
        ..Options::default()
    };
    Ok(SledStore::open(&settings.data, options, OpenMode::Existing)?.newest_record().map(Timestamp::unix))
}

/// This build has no store whose records could be looked at.
#[cfg(not(feature = "sled"))]
pub fn newest_record(_: &Settings) -> Result<Option<i64>, OpenError> {
    Ok(None)
}

#[cfg(feature = "sled")]
fn open_store(settings: &Settings, mode: Mode, metrics: &Arc<Metrics>) -> Result<SharedStore, OpenError> {
    use crate::store::sled::committer::Hooks;
    use crate::store::sled::open::OpenMode;
    use crate::store::sled::{Options, SledStore};
    if settings.store.is_some() {
        return Err(OpenError::NoSuchStore("PostgreSQL"));
    }
    let mode = match mode {
        Mode::Found => OpenMode::Create,
        Mode::Existing => OpenMode::Existing,
    };
    let metrics = Arc::clone(metrics);
    let observer = Box::new(move |commit: crate::store::sled::committer::Commit| {
        if let Some(sync) = commit.sync {
            metrics.committed(commit.steps, sync);
        }
    });
    let options = Options {
        cache_bytes: settings.store_cache,
        reserve_bytes: settings.free_space_reserve,
        hooks: Hooks { observer, ..Hooks::default() },
        ..Options::default()
    };
    Ok(Arc::new(SledStore::open(&settings.data, options, mode)?))
}

#[cfg(not(feature = "sled"))]
fn open_store(_: &Settings, _: Mode, _: &Arc<Metrics>) -> Result<SharedStore, OpenError> {
    Err(OpenError::NoSuchStore("embedded"))
}

#[cfg(test)]
#[cfg(feature = "sled")]
mod tests;
