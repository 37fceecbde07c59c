//! Recovery of a store whose snapshot is lost or damaged: on a copy, and only with proof.
//!
//! Without a snapshot sled reads its log from the beginning, and takes the first segment that a start has cleared for
//! the end: what comes after it is lost to sled, which then clears it. Measured with a store that grew, killed and
//! started again 40 times, each time read once without its snapshot: while its log was one segment all records were
//! found (11 of 11), and with two segments they were found 3 times of 29; otherwise sled did not even find the first
//! record. So whether the log is sufficient depends on which segments have become free, which cannot be known
//! beforehand.
//!
//! Therefore recovery runs on a copy, where sled may clear what it likes. The copy counts as recovered only if it does
//! not end before the last commit in `head`, and the checksum of all its records equals that of its last commit. Any
//! other copy is removed.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::{OpenError, SledOpened, go_on, integrity_pending};
use crate::store::sled::folder::{Folder, FolderStage};
use crate::store::sled::open::OpenMode;

/// The result of a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The number of recovered records.
    pub records: u64,
    /// The number of the last commit.
    pub commit: u64,
}

/// Recovers the store in the folder `from`, which has lost its snapshot, in the new folder `to`, and marks `from` as
/// moved.
///
/// # Errors
///
/// See [`OpenError`]; after an error `from` is unchanged, and the copy in `to` is removed.
pub fn recover(from: &Path, to: &Path, cache_bytes: u64) -> Result<Recovered, OpenError> {
    let source = without_snapshot(from)?;
    let (target, stage) = Folder::enter(to, OpenMode::Create)?;
    if stage != FolderStage::Initializing {
        return Err(OpenError::NotEmpty { path: to.to_owned() });
    }
    match read_copy(&source, target, cache_bytes) {
        Ok(opened) => {
            let shown = std::path::absolute(to).as_deref().unwrap_or(to).display().to_string();
            source.mark(&FolderStage::Moved(shown))?;
            Ok(Recovered { records: opened.last.sum.records(), commit: opened.last.number })
        }
        Err(error) => {
            clear(to).map_err(|e| OpenError::io(to, e))?;
            Err(match error {
                OpenError::Damaged { reason, .. } => {
                    OpenError::NotRecovered { path: from.to_owned(), reason }
                }
                other => other,
            })
        }
    }
}

/// Locks the folder of an initialized store that cannot be opened for lack of its snapshot.
fn without_snapshot(path: &Path) -> Result<Folder, OpenError> {
    let (folder, stage) = Folder::enter(path, OpenMode::Existing)?;
    let path = path.to_owned();
    match stage {
        FolderStage::Initialized => {}
        FolderStage::Initializing => return Err(OpenError::Missing { path }),
        FolderStage::Copying(_) => return Err(OpenError::Unfinished { path }),
        FolderStage::Moved(to) => return Err(OpenError::Moved { path, to }),
    }
    match folder.check_snapshot() {
        Ok(()) => Err(OpenError::NothingLost { path }),
        Err(OpenError::Snapshot { .. }) => Ok(folder),
        Err(other) => Err(other),
    }
}

/// Copies everything except the snapshot, and opens the copy with a pending integrity check.
fn read_copy(source: &Folder, target: Folder, cache_bytes: u64) -> Result<SledOpened, OpenError> {
    let path = target.path().to_owned();
    let fail = |e| OpenError::io(&path, e);
    copy(&source.data_path(), &target.data_path()).map_err(fail)?;
    copy(&source.head_path(), &target.head_path()).map_err(fail)?;
    copy(&source.conf_path(), &target.conf_path()).map_err(fail)?;
    integrity_pending::note(&target, "it was read without its snapshot").map_err(fail)?;
    let opened = go_on(target, cache_bytes)?;
    opened.data_file().and_then(|data| data.sync_all()).map_err(fail)?;
    opened.mark(&FolderStage::Initialized)?;
    Ok(opened)
}

/// Copies a file durably if it exists; a missing one is reported when the copy is opened.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::copy(from, to) {
        Ok(_) => File::open(to)?.sync_all(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// Removes the copy from a folder that was empty before, and the folder if nothing else is in it.
fn clear(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true if entry.file_name() == "lost+found" => {}
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    // It may be a mounted disk.
    let _kept = fs::remove_dir(folder);
    Ok(())
}
