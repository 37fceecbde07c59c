//! The reasons why a data folder was not opened.

use std::io;
use std::path::{Path, PathBuf};

use crate::advice;
use crate::trusted::Distrust;

/// The reason why a data folder was not opened. Each message says what to do next.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the messages name")]
pub enum OpenError {
    /// The folder holds no store.
    #[error("there is no store in {path:?}: run `rescind serve` first, or name the right folder with --data")]
    Missing { path: PathBuf },
    /// Another process has locked the folder.
    #[error("the data folder {path:?} is in use by {}: end it first", holder(*.pid))]
    InUse { path: PathBuf, pid: Option<u32> },
    /// A file system operation failed.
    #[error("the data folder {path:?} cannot be used: {reason}; {}", advice::for_file(.reason))]
    NotWritable { path: PathBuf, reason: io::Error },
    /// The folder or a file in it has the wrong type, owner or permissions.
    #[error("the data folder {folder:?}: {path:?} is not trusted: {reason}")]
    NotTrusted { folder: PathBuf, path: PathBuf, reason: String },
    /// The file system has no space left.
    #[error("no space is left for the data folder {path:?}: make room and start again")]
    DiskFull { path: PathBuf },
    /// Other users of this machine may read the folder.
    #[error("other users may enter the data folder {path:?} (mode {mode:03o}): run `chmod 700 {path:?}`")]
    TooOpen { path: PathBuf, mode: u32 },
    /// The folder holds other files and no marker; nothing was changed.
    #[error("{path:?} holds {stranger:?} but no FORMAT file, so it is not a store: choose an empty folder")]
    NotAStore { path: PathBuf, stranger: String },
    /// The folder has the format of another version of Rescind.
    #[error(
        "the store in {path:?} has format {found}, this rescind reads {known}: use the version that wrote it"
    )]
    OtherFormat { path: PathBuf, found: String, known: u32 },
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

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl OpenError {
    pub(super) fn io(path: &Path, reason: io::Error) -> Self {
        let path = path.to_owned();
        match reason.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::NotWritable { path, reason },
        }
    }

    pub(super) fn distrusted(folder: &Path, path: &Path, reason: Distrust) -> Self {
        match reason {
            Distrust::Io(reason) => Self::io(folder, reason),
            reason => {
                let (folder, path) = (folder.to_owned(), path.to_owned());
                Self::NotTrusted { folder, path, reason: reason.to_string() }
            }
        }
    }

    pub(super) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.into() }
    }
}

/// Translates the error of sled's start.
pub(super) fn refusal(path: &Path, refused: sled::Error) -> OpenError {
    match refused {
        // sled's own lock, held by a process that does not know ours.
        sled::Error::Io(e) if e.to_string().starts_with("could not acquire lock") => {
            OpenError::InUse { path: path.to_owned(), pid: None }
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
