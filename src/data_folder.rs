//! The data folder of a process: made, checked and locked.
//!
//! Nobody but the user of this process may enter it, and one process uses it at a time. An embedded store keeps its
//! files in it; a node with a shared store keeps its administration socket there.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::advice;
use crate::trusted::{self, Distrust};

/// The name of the file in the folder that is locked.
pub(crate) const LOCK: &str = "lock";

/// Why a data folder cannot be used. Each message says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process has locked the folder.
    #[error(
        "the data folder {path:?} is in use by {}: end it first, or give each process a folder of its own with --data",
        holder(*.pid)
    )]
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
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl FolderError {
    /// A failed operation on the folder at `path` or on a file in it.
    pub(crate) fn io(path: &Path, reason: io::Error) -> Self {
        let path = path.to_owned();
        match reason.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::NotWritable { path, reason },
        }
    }

    fn distrusted(folder: &Path, path: &Path, reason: Distrust) -> Self {
        match reason {
            Distrust::Io(reason) => Self::io(folder, reason),
            reason => {
                let (folder, path) = (folder.to_owned(), path.to_owned());
                Self::NotTrusted { folder, path, reason: reason.to_string() }
            }
        }
    }
}

/// Looks for the folder at `path`; `None` if nothing is there. Its mode is not checked.
pub(crate) fn find(path: &Path) -> Result<Option<Metadata>, FolderError> {
    match trusted::folder(path) {
        Ok(seen) => Ok(Some(seen)),
        Err(Distrust::Kind { .. }) => Err(FolderError::io(path, io::ErrorKind::NotADirectory.into())),
        Err(Distrust::Io(e)) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(FolderError::distrusted(path, path, e)),
    }
}

/// Makes the folder at `path`, closed to other users, and those above it.
pub(crate) fn create(path: &Path) -> Result<(), FolderError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| FolderError::io(path, e))
}

/// Refuses the folder at `path` if other users may enter it.
pub(crate) fn check_closed(path: &Path, found: &Metadata) -> Result<(), FolderError> {
    let (mode, others) = (found.mode() & 0o777, found.mode() & 0o077);
    if others == 0 { Ok(()) } else { Err(FolderError::TooOpen { path: path.to_owned(), mode }) }
}

/// The lock of a data folder, held until dropped. The locked file holds the id of the process.
#[derive(Debug)]
pub(crate) struct FolderLock(File);

impl FolderLock {
    /// Locks the folder at `path` against other processes.
    pub(crate) fn take(path: &Path) -> Result<Self, FolderError> {
        let fail = |e| FolderError::io(path, e);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = path.join(LOCK);
        let mut lock =
            trusted::open(&file, &mut options).map_err(|e| FolderError::distrusted(path, &file, e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let pid = lock.read_to_string(&mut holder).ok().and_then(|_| holder.trim().parse().ok());
                return Err(FolderError::InUse { path: path.to_owned(), pid });
            }
            Err(TryLockError::Error(e)) => return Err(fail(e)),
        }
        let pid = format!("{}\n", std::process::id());
        lock.set_len(0).and_then(|()| lock.write_all(pid.as_bytes())).map_err(fail)?;
        Ok(Self(lock))
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // A pid that is no longer true should not stay. And closing the file is not enough: a process that another
        // thread is just starting holds a copy of every descriptor for a moment, and with it the lock.
        let _stale = self.0.set_len(0);
        let _held = self.0.unlock();
    }
}
