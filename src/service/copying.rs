//! Copying a store from one location to another, as the settings say.

use std::path::PathBuf;

use super::error::OpenError;
use super::master_key;
pub use super::store_location::StoreLocation;
use super::stores::{arriving, leaving};
use crate::model::counters::KeysVersion;
use crate::model::key::KeyRecord;
use crate::model::timestamp::Timestamp;
use crate::settings::Settings;
use crate::store::archive::ArchiveSource;
pub use crate::store::copy::{Copied, CopyProgress};
use crate::store::copy::{CopyError, copy};
use crate::store::format::{Record, RecordKind};
use crate::store::{StoreError, StoreIdentity};
use crate::token::keyring::Keyring;

/// The reason why a store was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyRefused {
    /// The source or the target cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Copying failed part way.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// Source and target are the same.
    #[error("the store is there already: name where it is with --from, and where it is to be with --to")]
    Same,
}

/// The result of copying a store.
#[derive(Debug)]
pub struct CopyDone {
    /// The store's identity and the number of records copied.
    pub copied: Copied,
    /// The file of the master key that the copy needs, like the original.
    pub master_key: PathBuf,
    /// Whether that file existed, and the store's keys opened under its key.
    pub tried: bool,
}

/// Copies the store at `from` to `to` and closes both.
pub async fn take(
    settings: &Settings,
    from: &StoreLocation,
    to: &StoreLocation,
    now: Timestamp,
    progress: &mut (dyn FnMut(CopyProgress) + Send),
) -> Result<CopyDone, CopyRefused> {
    let shown = to.to_string();
    if from.to_string() == shown {
        return Err(CopyRefused::Same);
    }
    let mut source = leaving(settings, from, &shown).await?;
    let identity = source.identity().await.map_err(OpenError::Store)?;
    let (master_key, tried) = keys_open(settings, from, source.as_mut(), &identity, now).await?;
    let mut target = arriving(settings, to, identity.store).await?;
    let copied = copy(source.as_mut(), target.as_mut(), &shown, progress).await?;
    Ok(CopyDone { copied, master_key, tried })
}

/// Checks before the copy that the store's keys open. Returns the path of the master key file, and whether it existed
/// to be checked.
async fn keys_open(
    settings: &Settings,
    from: &StoreLocation,
    source: &mut dyn ArchiveSource,
    identity: &StoreIdentity,
    now: Timestamp,
) -> Result<(PathBuf, bool), OpenError> {
    let mut here = settings.clone();
    if let StoreLocation::Folder(path) = from {
        (here.data, here.store) = (path.clone(), None);
    }
    let path = here.master_key_path();
    if here.master_key_file.is_none() && !path.exists() {
        return Ok((path, false));
    }
    let master = master_key::read(&here)?;
    let keys = keys(source).await?;
    Keyring::open(KeysVersion::default(), &keys, &master, &identity.issuer, &identity.audience, now)
        .map_err(|error| OpenError::Keys(error.into()))?;
    Ok((path, true))
}

async fn keys(source: &mut dyn ArchiveSource) -> Result<Vec<KeyRecord>, StoreError> {
    source.seek(RecordKind::Key).await?;
    let mut keys = Vec::new();
    loop {
        let page = source.page().await?;
        if page.is_empty() {
            return Ok(keys);
        }
        keys.extend(page.into_iter().filter_map(|record| match record {
            Record::Key(key) => Some(key),
            _ => None,
        }));
    }
}
