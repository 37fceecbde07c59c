//! The error of opening the service.

use std::path::PathBuf;

use crate::data_folder::FolderError;
use crate::issuer::fault::IssuerFault;
use crate::store::StoreError;
use crate::world::reference::ClocksApart;

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
    /// A proof of primacy is required of the embedded store, which has one node.
    #[error(
        "`proof_of_primacy` is for a shared store with a synchronous standby: set proof_of_primacy = \"off\", or `store` to the URL of the database"
    )]
    NoPrimary,
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
    /// The store is known to have been rolled back.
    #[error(
        "the store was rolled back: it was restored from a copy, or it lost acknowledged writes. No check is answered until you stop every rescind process that uses it and run `rescind store restored`"
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
