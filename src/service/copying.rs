//! Taking a store from one place to another, as the settings say.

use std::fmt;
use std::path::PathBuf;

use super::stores::{arriving, leaving};
use super::{OpenError, master_key};
use crate::model::counters::KeysVersion;
use crate::model::key::KeyRecord;
use crate::model::timestamp::Timestamp;
use crate::settings::{Settings, StoreUrl};
use crate::store::archive::{Kind, Source};
pub use crate::store::copy::{Copied, Progress};
use crate::store::copy::{CopyError, copy};
use crate::store::records::Change;
use crate::store::{Founding, StoreError};
use crate::token::keyring::Keyring;

/// Where a store is, or is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// An embedded one, in this folder.
    Folder(PathBuf),
    /// A shared one, in this database.
    Shared(StoreUrl),
}

impl At {
    /// The store that the settings name.
    pub fn of(settings: &Settings) -> Self {
        match &settings.store {
            Some(url) => Self::Shared(url.clone()),
            None => Self::Folder(settings.data.clone()),
        }
    }

    /// Reads a folder or the URL of a database. What is refused is not repeated, it may hold a password.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match StoreUrl::parse(text) {
            Some(url) => Ok(Self::Shared(url)),
            None if text.contains("://") => Err("write a folder, or postgres://user:password@host/database"),
            None if text.is_empty() => Err("write a folder, or the URL of a database"),
            None => Ok(Self::Folder(PathBuf::from(text))),
        }
    }
}

impl fmt::Display for At {
    /// The same from every working directory, and without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => {
                write!(f, "{}", std::path::absolute(path).as_ref().unwrap_or(path).display())
            }
            Self::Shared(url) => f.write_str(&url.shown()),
        }
    }
}

/// Why a store was not copied.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// One of the two places cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It stopped half way.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// Both are one.
    #[error("the store is there already: name where it is with --from, and where it is to be with --to")]
    Same,
}

/// A store that was copied.
#[derive(Debug)]
pub struct Done {
    /// What of it.
    pub copied: Copied,
    /// The file of the master key it needs, there as here.
    pub master_key: PathBuf,
    /// Whether that file was there to be tried.
    pub tried: bool,
}

/// Copies the store at `from` to `to` and leaves it.
pub async fn take(
    settings: &Settings,
    from: &At,
    to: &At,
    now: Timestamp,
    told: &mut (dyn FnMut(Progress) + Send),
) -> Result<Done, Refused> {
    let shown = to.to_string();
    if from.to_string() == shown {
        return Err(Refused::Same);
    }
    let mut source = leaving(settings, from, &shown).await?;
    let founding = source.founding().await.map_err(OpenError::Store)?;
    let (master_key, tried) = keys_open(settings, from, source.as_mut(), &founding, now).await?;
    let mut target = arriving(settings, to, founding.store).await?;
    let copied = copy(source.as_mut(), target.as_mut(), &shown, told).await?;
    Ok(Done { copied, master_key, tried })
}

/// Whether the store's keys open, before they are taken anywhere: where the file of the master key is, and whether it
/// was there to be tried.
async fn keys_open(
    settings: &Settings,
    from: &At,
    source: &mut dyn Source,
    founding: &Founding,
    now: Timestamp,
) -> Result<(PathBuf, bool), OpenError> {
    let mut here = settings.clone();
    if let At::Folder(path) = from {
        (here.data, here.store) = (path.clone(), None);
    }
    let path = here.master_key_path();
    if here.master_key_file.is_none() && !path.exists() {
        return Ok((path, false));
    }
    let master = master_key::read(&here)?;
    let keys = keys(source).await?;
    Keyring::open(KeysVersion::default(), &keys, &master, &founding.issuer, &founding.audience, now)
        .map_err(|error| OpenError::Keys(error.into()))?;
    Ok((path, true))
}

async fn keys(source: &mut dyn Source) -> Result<Vec<KeyRecord>, StoreError> {
    source.turn_to(Kind::Keys).await?;
    let mut keys = Vec::new();
    loop {
        let page = source.page().await?;
        if page.is_empty() {
            return Ok(keys);
        }
        keys.extend(page.into_iter().filter_map(|record| match record {
            Change::Key(key) => Some(key),
            _ => None,
        }));
    }
}
