//! The location of a store, as the command line names it.

use std::fmt;
use std::path::PathBuf;

use crate::settings::{Settings, StoreUrl};

/// The location of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreLocation {
    /// An embedded store in this folder.
    Folder(PathBuf),
    /// A shared store in this database.
    Shared(StoreUrl),
}

impl StoreLocation {
    /// The location of the store that the settings name.
    pub fn of(settings: &Settings) -> Self {
        match &settings.store {
            Some(url) => Self::Shared(url.clone()),
            None => Self::Folder(settings.data.clone()),
        }
    }

    /// Parses a folder or the URL of a database. The error does not repeat the text, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match StoreUrl::parse(text) {
            Some(url) => Ok(Self::Shared(url)),
            None if text.contains("://") => Err("write a folder, or postgres://user:password@host/database"),
            None if text.is_empty() => Err("write a folder, or the URL of a database"),
            None => Ok(Self::Folder(PathBuf::from(text))),
        }
    }
}

impl fmt::Display for StoreLocation {
    /// Formats the location with an absolute path, or a URL without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => {
                write!(f, "{}", std::path::absolute(path).as_ref().unwrap_or(path).display())
            }
            Self::Shared(url) => f.write_str(&url.shown()),
        }
    }
}
