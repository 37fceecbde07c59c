//! The choice of the storage engine: the only module that knows which ones exist.
//!
//! Modules: `embedded` and `shared` (open either one), `mode` (whether a missing one is initialized).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::OpenError;
use super::master_key;
use super::node_folder::NodeFolder;
use super::store_location::StoreLocation;
use crate::metrics::Metrics;
use crate::model::ids::StoreId;
pub use crate::model::timestamp::Timestamp;
use crate::settings::Settings;
use crate::store::Store;
use crate::store::archive::{ArchiveSource, ArchiveTarget};
#[cfg(feature = "postgres")]
use crate::store::postgres::PostgresArchive;
#[cfg(feature = "postgres")]
pub use crate::store::postgres::durability::{ServerReport, ServerSetting, Standby, TableLock};
use crate::store::queries::keys::{KeySet, ReadKeySet};
use crate::store::queries::service::IsRolledBack;
#[cfg(feature = "sled")]
use crate::store::sled::SledArchive;
use crate::token::keyring::Keyring;
use crate::world::World;
use crate::world::reference::ReferenceClock;

#[cfg(feature = "sled")]
mod embedded;
mod mode;
#[cfg(feature = "postgres")]
mod shared;

pub use mode::Mode;
#[cfg(feature = "postgres")]
pub use shared::{database_machines, durability};

#[cfg(not(feature = "postgres"))]
const NO_SHARED: OpenError =
    OpenError::NoSuchStore("PostgreSQL", "leave `store` unset to use the embedded one");
#[cfg(not(feature = "sled"))]
const NO_EMBEDDED: OpenError = OpenError::NoSuchStore("embedded", "set `store` to the URL of a database");

/// Opens the store that the settings name.
#[cfg_attr(
    not(feature = "postgres"),
    allow(clippy::unused_async, unused_variables, reason = "a shared store is opened across the network")
)]
pub(super) async fn open(
    settings: &Settings,
    mode: Mode,
    metrics: &Arc<Metrics>,
    clock: &Arc<ReferenceClock>,
) -> Result<Store, OpenError> {
    match &settings.store {
        #[cfg(feature = "postgres")]
        Some(url) => shared::open(settings, url, mode, metrics, clock).await,
        #[cfg(not(feature = "postgres"))]
        Some(_) => Err(NO_SHARED),
        None if settings.proof_of_primacy.is_some() => Err(OpenError::NoPrimary),
        #[cfg(feature = "sled")]
        None => embedded::open(settings, mode, metrics),
        #[cfg(not(feature = "sled"))]
        None => Err(NO_EMBEDDED),
    }
}

/// Locks the folder of a node that serves from a shared store; an embedded store locks its own.
pub(super) fn node_folder(settings: &Settings, mode: Mode) -> Result<Option<NodeFolder>, OpenError> {
    let wanted = settings.store.is_some() && mode == Mode::Initialize;
    wanted.then(|| NodeFolder::take(&settings.data)).transpose()
}

/// Opens the store at `from` as the source of a copy to the location shown as `to`.
#[cfg_attr(
    not(feature = "postgres"),
    allow(clippy::unused_async, unused_variables, reason = "a shared store is opened across the network")
)]
pub(super) async fn leaving(
    settings: &Settings,
    from: &StoreLocation,
    to: &str,
) -> Result<Box<dyn ArchiveSource>, OpenError> {
    match from {
        #[cfg(feature = "postgres")]
        StoreLocation::Shared(url) => {
            let authority = settings.store_ca_file.as_deref();
            Ok(Box::new(PostgresArchive::leaving(url.reveal(), authority, to).await?))
        }
        #[cfg(not(feature = "postgres"))]
        StoreLocation::Shared(_) => Err(NO_SHARED),
        #[cfg(feature = "sled")]
        StoreLocation::Folder(path) => Ok(Box::new(SledArchive::leaving(path, settings.store_cache, to)?)),
        #[cfg(not(feature = "sled"))]
        StoreLocation::Folder(_) => Err(NO_EMBEDDED),
    }
}

/// Opens the empty location `to` as the target of a copy of `store`.
#[cfg_attr(
    not(feature = "postgres"),
    allow(clippy::unused_async, unused_variables, reason = "a shared store is opened across the network")
)]
pub(super) async fn arriving(
    settings: &Settings,
    to: &StoreLocation,
    store: StoreId,
) -> Result<Box<dyn ArchiveTarget>, OpenError> {
    match to {
        #[cfg(feature = "postgres")]
        StoreLocation::Shared(url) => {
            let authority = settings.store_ca_file.as_deref();
            Ok(Box::new(PostgresArchive::arriving(url.reveal(), authority, store).await?))
        }
        #[cfg(not(feature = "postgres"))]
        StoreLocation::Shared(_) => Err(NO_SHARED),
        #[cfg(feature = "sled")]
        StoreLocation::Folder(path) => {
            let (cache, reserve) = (settings.store_cache, settings.free_space_reserve);
            Ok(Box::new(SledArchive::arriving(path, cache, reserve, store)?))
        }
        #[cfg(not(feature = "sled"))]
        StoreLocation::Folder(_) => Err(NO_EMBEDDED),
    }
}

/// The result of [`recover`].
#[derive(Clone, Debug)]
pub struct RecoveredStore {
    /// The number of records in the store, all of which were recovered.
    pub records: u64,
    /// The number of the store's last commit.
    pub commit: u64,
    /// The file of the master key that the recovered store needs, like the original.
    pub master_key: PathBuf,
}

/// Recovers the embedded store in the folder `from`, which has lost its snapshot, in the new folder `to`.
#[cfg_attr(
    not(feature = "sled"),
    allow(unused_variables, reason = "without an embedded store there is none to recover")
)]
pub fn recover(settings: &Settings, from: &Path, to: &Path) -> Result<RecoveredStore, OpenError> {
    #[cfg(feature = "sled")]
    {
        let crate::store::sled::Recovered { records, commit } =
            crate::store::sled::recover(from, to, settings.store_cache)?;
        let there = Settings { data: from.to_owned(), store: None, ..settings.clone() };
        Ok(RecoveredStore { records, commit, master_key: there.master_key_path() })
    }
    #[cfg(not(feature = "sled"))]
    Err(NO_EMBEDDED)
}

/// Opens the store that the settings name, restored from a copy. Returns also the newest time in any record of it.
#[cfg_attr(
    not(feature = "postgres"),
    allow(clippy::unused_async, unused_variables, reason = "a shared store is asked across the network")
)]
pub(super) async fn open_copy(
    settings: &Settings,
    clock: &Arc<ReferenceClock>,
) -> Result<(Store, Option<Timestamp>), OpenError> {
    match &settings.store {
        #[cfg(feature = "postgres")]
        Some(url) => {
            use crate::store::postgres::{OpenMode, Postgres};
            let options = shared::clocked_options(settings, clock);
            let engine = Postgres::connect(url.reveal(), options, OpenMode::Existing).await?;
            let newest = engine.newest_record().await?;
            Ok((Store::new(Arc::new(engine)), newest))
        }
        #[cfg(not(feature = "postgres"))]
        Some(_) => Err(NO_SHARED),
        #[cfg(feature = "sled")]
        None => {
            let (store, newest) = embedded::with_time(embedded::existing(settings)?);
            Ok((store, newest.map(Timestamp::from_unix)))
        }
        #[cfg(not(feature = "sled"))]
        None => Err(NO_EMBEDDED),
    }
}

/// The result of [`inspect`].
#[derive(Debug)]
pub struct StoreInspection {
    /// The store's time in Unix seconds, if any: that of its database, or of its newest record.
    pub time: Option<i64>,
    /// Whether the signing keys open under the master key; `None` if the master key cannot be read.
    pub keys: Option<Result<(), OpenError>>,
}

/// Opens the store that the settings name, examines it and closes it; initializes nothing.
#[cfg_attr(
    not(any(feature = "sled", feature = "postgres")),
    allow(unreachable_code, clippy::unused_async, reason = "a build without a store opens none")
)]
pub async fn inspect(settings: &Settings) -> Result<StoreInspection, OpenError> {
    let (store, time): (Store, _) = match &settings.store {
        #[cfg(feature = "postgres")]
        Some(url) => {
            let engine = shared::existing(settings, url).await?;
            engine.check_indexes().await?;
            shared::with_time(engine).await?
        }
        #[cfg(not(feature = "postgres"))]
        Some(_) => return Err(NO_SHARED),
        #[cfg(feature = "sled")]
        None => {
            let engine = embedded::existing(settings)?;
            engine.check_indexes()?;
            embedded::with_time(engine)
        }
        #[cfg(not(feature = "sled"))]
        None => return Err(NO_EMBEDDED),
    };
    if store.read(IsRolledBack).await? {
        return Err(OpenError::RolledBack);
    }
    let keys = match master_key::read(settings) {
        Ok(master) => {
            let KeySet { version, keys } = store.read(ReadKeySet).await?;
            let now = World::real().now();
            let opened = Keyring::open(version, &keys, &master, "", "", now);
            Some(opened.map(drop).map_err(|error| OpenError::Keys(error.into())))
        }
        Err(_) => None,
    };
    Ok(StoreInspection { time, keys })
}

/// The protection of the connection to a shared store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protected {
    /// Whether the connection is encrypted.
    pub encrypted: bool,
    /// Whether the connection stays on this machine.
    pub here: bool,
}

/// Probes the connection to the store that the settings name. `None` for an embedded store, or if the database cannot
/// be reached, which is reported when the store is opened.
#[cfg_attr(
    not(feature = "postgres"),
    allow(clippy::unused_async, unused_variables, reason = "a shared store is asked across the network")
)]
pub async fn protected(settings: &Settings) -> Option<Protected> {
    #[cfg(feature = "postgres")]
    {
        use crate::store::postgres::{Encryption, open::probe};
        let url = settings.store.as_ref()?.reveal();
        let (encryption, encrypted) = probe(url, settings.store_ca_file.as_deref()).await.ok()?;
        let here = matches!(encryption, Encryption::IfOffered | Encryption::Disabled { here: true });
        Some(Protected { encrypted, here })
    }
    #[cfg(not(feature = "postgres"))]
    None
}
