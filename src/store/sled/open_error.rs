//! The reasons why a data folder was not opened.

use std::io;
use std::path::{Path, PathBuf};

use crate::data_folder::FolderError;
use crate::store::StoreError;

/// The reason why a data folder was not opened. Each message says what to do next.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the messages name")]
pub enum OpenError {
    /// The folder holds no store.
    #[error("there is no store in {path:?}: run `rescind serve` first, or name the right folder with --data")]
    Missing { path: PathBuf },
    /// The folder itself cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The folder holds other files and no marker; nothing was changed.
    #[error("{path:?} holds {stranger:?} but no FORMAT file, so it is not a store: choose an empty folder")]
    NotAStore { path: PathBuf, stranger: String },
    /// The folder has the format of another version of Rescind.
    #[error(
        "the store in {path:?} has format {found}, this rescind reads {known}: use the version that wrote it"
    )]
    OtherFormat { path: PathBuf, found: String, known: u32 },
    /// The folder holds a record that a newer version of Rescind wrote. Nothing is damaged.
    #[error("the store in {path:?} was written by a newer rescind: use that version ({reason})")]
    Newer { path: PathBuf, reason: String },
    /// The store was moved to another location.
    #[error(
        "the store in {path:?} was moved to {to}: the data left here is outdated. Use the store there (--store for a database, --data for a folder), or copy it back to an empty folder with `rescind store copy`"
    )]
    Moved { path: PathBuf, to: String },
    /// The folder holds an unfinished copy.
    #[error(
        "{path:?} holds an unfinished copy of a store: run the same `rescind store copy` or `rescind store recover` again. Remove the folder only if the store that was copied still starts"
    )]
    Unfinished { path: PathBuf },
    /// The target of a copy holds a store already.
    #[error("{path:?} holds a store already, and a copy replaces none: name an empty or a new folder")]
    NotEmpty { path: PathBuf },
    /// The folder holds a damaged store.
    #[error(
        "the store in {path:?} is damaged: {reason}. Move the folder away, put a backup in its place, and do not open it again: opening clears what follows the damage"
    )]
    Damaged { path: PathBuf, reason: String },
    /// The engine needs its newest snapshot, which is damaged or gone. Nothing was opened or changed.
    #[error(
        "the store in {path:?} cannot be opened: {reason}. The data file `db` and everything else is as it was, and is kept so: without that file, opening would clear parts of `db`. Put the file back from a backup made since the last start; else run `rescind store recover --to NEW_FOLDER`, which tries a copy without that file and keeps it only if no record is missing; else move the folder away and put a backup of the whole folder in its place"
    )]
    Snapshot { path: PathBuf, reason: String },
    /// A copy without the snapshot does not hold everything.
    #[error(
        "the store in {path:?} cannot be recovered without its snapshot: {reason}. That was seen on a copy, which is removed; the store is as it was. Move its folder away and put a backup of the whole folder in its place"
    )]
    NotRecovered { path: PathBuf, reason: String },
    /// The store has its snapshot and needs no recovery.
    #[error("the store in {path:?} has its snapshot: there is nothing to recover, start it as it is")]
    NothingLost { path: PathBuf },
}

impl OpenError {
    /// A failed operation on the folder at `path` or on a file in it.
    pub(super) fn io(path: &Path, reason: io::Error) -> Self {
        FolderError::io(path, reason).into()
    }

    pub(super) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.into() }
    }
}

/// Translates the error of a record that every store has.
pub(super) fn unreadable_record(path: &Path, error: StoreError) -> OpenError {
    match error {
        StoreError::Newer(reason) => OpenError::Newer { path: path.to_owned(), reason },
        other => OpenError::damaged(path, other.to_string()),
    }
}

/// Translates the error of sled's start.
pub(super) fn refusal(path: &Path, refused: sled::Error) -> OpenError {
    match refused {
        // sled's own lock, held by a process that does not know ours.
        sled::Error::Io(e) if e.to_string().starts_with("could not acquire lock") => {
            FolderError::InUse { path: path.to_owned(), pid: None }.into()
        }
        sled::Error::Io(e)
            if matches!(e.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) =>
        {
            OpenError::damaged(path, e.to_string())
        }
        sled::Error::Io(e) => OpenError::io(path, e),
        other => OpenError::damaged(path, other.to_string()),
    }
}
