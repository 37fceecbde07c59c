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
//!
//! The copy counts as unfinished until the old folder is marked as moved, so at no moment two folders hold a usable store.
//! The same command run again after it was stopped finishes, or starts over.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::{SledOpened, go_on, integrity_pending};
use crate::model::ids::StoreId;
use crate::store::sled::folder::{Folder, FolderStage, OpenMode};
use crate::store::sled::head::Head;
use crate::store::sled::open_error::OpenError;

/// The result of a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The number of recovered records.
    pub records: u64,
    /// The number of the last commit.
    pub commit: u64,
}

/// Recovers the store in the folder `from`, which has lost its snapshot, in the new folder `to`, and marks `from` as
/// moved. Finishes a recovery from `from` to `to` that was stopped.
///
/// # Errors
///
/// See [`OpenError`]. Unless `from` is marked as moved by then, `from` is unchanged after an error, and a copy in `to`
/// that does not hold everything is removed.
pub fn recover(from: &Path, to: &Path, cache_bytes: u64) -> Result<Recovered, OpenError> {
    let copy = ProvenCopy::make(from, to, cache_bytes)?;
    copy.leave_source()?;
    copy.initialize()
}

/// A copy that holds every record of its source. Its folder counts as an unfinished copy before
/// [`ProvenCopy::initialize`].
pub(super) struct ProvenCopy {
    source: Folder,
    opened: SledOpened,
    moved: FolderStage,
}

impl ProvenCopy {
    /// Makes the copy, or opens the one that an earlier run had proven before it marked the source as moved.
    pub(super) fn make(from: &Path, to: &Path, cache_bytes: u64) -> Result<Self, OpenError> {
        let moved =
            FolderStage::moved(&std::path::absolute(to).as_deref().unwrap_or(to).display().to_string());
        let (source, left) = without_snapshot(from, &moved)?;
        let store = Head::read(&source.head_path()).map_err(|e| OpenError::io(from, e))?;
        // A damaged `head` is found when the copy is opened.
        let store = store.and_then(|witnessed| witnessed.store).unwrap_or(StoreId::from_bytes([0; 16]));
        let copying = FolderStage::Copying(store);
        let opened = if left { finish(&source, to, &copying, cache_bytes)? } else { None };
        let opened = match opened {
            Some(opened) => opened,
            None => start_over(&source, to, &copying, left, cache_bytes)?,
        };
        Ok(Self { source, opened, moved })
    }

    /// Marks the source as moved; also if it was marked before, since whether that was durable is not known.
    pub(super) fn leave_source(&self) -> Result<(), OpenError> {
        self.source.mark(&self.moved)
    }

    /// Makes the copy a store.
    pub(super) fn initialize(self) -> Result<Recovered, OpenError> {
        self.opened.mark(&FolderStage::Initialized)?;
        Ok(Recovered { records: self.opened.last.sum.records(), commit: self.opened.last.number })
    }
}

/// Locks the folder of an initialized store that cannot be opened for lack of its snapshot, or that an earlier run has
/// marked as `moved`. Returns whether it was marked.
fn without_snapshot(path: &Path, moved: &FolderStage) -> Result<(Folder, bool), OpenError> {
    let (folder, stage) = Folder::enter(path, OpenMode::Existing)?;
    let path = path.to_owned();
    match stage {
        FolderStage::Initialized => {}
        FolderStage::Initializing => return Err(OpenError::Missing { path }),
        FolderStage::Copying(_) => return Err(OpenError::Unfinished { path }),
        FolderStage::Moved(_) if stage == *moved => return Ok((folder, true)),
        FolderStage::Moved(to) => return Err(OpenError::Moved { path, to }),
    }
    match folder.check_snapshot() {
        Ok(()) => Err(OpenError::NothingLost { path }),
        Err(OpenError::Snapshot { .. }) => Ok((folder, false)),
        Err(other) => Err(other),
    }
}

/// Opens the copy of a source that an earlier run has marked as moved, and proves again that it is complete. `None` if
/// it is not.
///
/// # Errors
///
/// [`OpenError::Moved`] if `to` holds no unfinished copy, and any other if it cannot be entered.
fn finish(
    source: &Folder,
    to: &Path,
    copying: &FolderStage,
    cache_bytes: u64,
) -> Result<Option<SledOpened>, OpenError> {
    let moved = || {
        let shown = std::path::absolute(to).as_deref().unwrap_or(to).display().to_string();
        OpenError::Moved { path: source.path().to_owned(), to: shown }
    };
    let (target, stage) = match Folder::enter(to, OpenMode::Existing) {
        Err(OpenError::Missing { .. }) => return Err(moved()),
        entered => entered?,
    };
    if stage != *copying {
        return Err(moved());
    }
    let witnessed = |folder: &Folder| Head::read(&folder.head_path()).ok().flatten();
    // A copy made by other means has another number of commits, and no identity before it is a store.
    let comparable = witnessed(source).filter(|seen| seen.store.is_some());
    if comparable.is_none() || comparable != witnessed(&target) {
        return Ok(None);
    }
    Ok(prove(target, cache_bytes).ok())
}

/// Copies the source to `to`, which is a new folder or holds an unfinished copy of the same store.
fn start_over(
    source: &Folder,
    to: &Path,
    copying: &FolderStage,
    left: bool,
    cache_bytes: u64,
) -> Result<SledOpened, OpenError> {
    let (target, stage) = Folder::enter(to, OpenMode::Create)?;
    match stage {
        FolderStage::Initializing => {}
        _ if stage == *copying => {}
        FolderStage::Copying(_) => return Err(OpenError::Unfinished { path: to.to_owned() }),
        FolderStage::Initialized | FolderStage::Moved(_) => {
            return Err(OpenError::NotEmpty { path: to.to_owned() });
        }
    }
    match read_copy(source, target, copying, cache_bytes) {
        // The source is marked as moved: only with this unfinished copy can the command be run again.
        Err(error) if left => Err(error),
        Err(error) => {
            clear(to).map_err(|e| OpenError::io(to, e))?;
            Err(match error {
                OpenError::Damaged { reason, .. } => {
                    OpenError::NotRecovered { path: source.path().to_owned(), reason }
                }
                other => other,
            })
        }
        copied => copied,
    }
}

/// Copies everything except the snapshot, and proves that the copy is complete.
fn read_copy(
    source: &Folder,
    target: Folder,
    copying: &FolderStage,
    cache_bytes: u64,
) -> Result<SledOpened, OpenError> {
    let path = target.path().to_owned();
    let fail = |e| OpenError::io(&path, e);
    target.mark(copying)?;
    target.start_over().map_err(fail)?;
    copy(&source.data_path(), &target.data_path()).map_err(fail)?;
    copy(&source.conf_path(), &target.conf_path()).map_err(fail)?;
    copy(&source.head_path(), &target.head_path()).map_err(fail)?;
    prove(target, cache_bytes)
}

/// Opens a copy with a pending integrity check, and makes it durable.
fn prove(target: Folder, cache_bytes: u64) -> Result<SledOpened, OpenError> {
    let path = target.path().to_owned();
    let fail = |e| OpenError::io(&path, e);
    integrity_pending::note(&target, "it was read without its snapshot").map_err(fail)?;
    let opened = go_on(target, cache_bytes)?;
    opened.data_file().and_then(|data| data.sync_all()).map_err(fail)?;
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
