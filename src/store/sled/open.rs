//! Opening the store: from a path to an engine that is known to be complete.
//!
//! Opening refuses rather than repairs. sled is never started without the snapshot that its last start left: it would
//! clear what only the snapshot refers to. No file with data in it is ever deleted.
//!
//! Modules: `start` (starting sled), `integrity_pending` (the check whether sled has read everything), `recover` (a copy of a
//! store that has lost its snapshot).

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::committer::Disk;
use super::folder::{FORMAT, Folder, FolderStage, OpenMode};
use super::head::{CommitWitness, Head, LastCommit};
use super::layout::{COMMIT_KEY, FORMAT_KEY};
use super::open_error::{OpenError, refusal};
use crate::model::ids::StoreId;

mod integrity_pending;
mod recover;
mod start;

pub use recover::{Recovered, recover};
use start::start;

/// An open store. The folder stays locked while this lives: keep it until every [`sled::Tree`] handle is dropped.
pub struct SledOpened {
    db: sled::Db,
    folder: Folder,
    last: LastCommit,
    witnessed: CommitWitness,
}

impl fmt::Debug for SledOpened {
    /// Prints the path only, because sled's `Debug` prints every record.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledOpened").field("path", &self.path()).finish_non_exhaustive()
    }
}

impl SledOpened {
    /// The tree with all records: the first byte of a key is its table; table 0 belongs to this module.
    pub fn tree(&self) -> &sled::Tree {
        &self.db
    }

    /// The parts that the writer needs. `fdatasync` concerns the file, so a second descriptor is sufficient.
    pub(super) fn disk(&self) -> io::Result<Disk> {
        Ok(Disk {
            tree: self.tree().clone(),
            data: self.data_file()?,
            head: Head::open(&self.folder.head_path())?,
            last: self.last,
        })
    }

    fn data_file(&self) -> io::Result<File> {
        File::options().write(true).open(self.folder.data_path())
    }

    /// The last commit when the store was opened.
    pub(super) fn last_commit(&self) -> LastCommit {
        self.last
    }

    /// The commit witness when the store was opened.
    pub(super) fn witnessed(&self) -> CommitWitness {
        self.witnessed
    }

    /// The path of the data folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Opens the store in `path`, with at most about `cache_bytes` of it in memory.
///
/// # Errors
///
/// See [`OpenError`]; after an error no thread of sled is left running and nothing with data in it was deleted.
pub fn open(path: &Path, cache_bytes: u64, mode: OpenMode) -> Result<SledOpened, OpenError> {
    let (folder, stage) = Folder::enter(path, mode)?;
    let path = path.to_owned();
    match stage {
        // It stays what it is: a place for a store, or for a copy of one.
        FolderStage::Initializing if mode == OpenMode::Existing => Err(OpenError::Missing { path }),
        FolderStage::Initializing => {
            let opened = begin(folder, cache_bytes)?;
            opened.mark(&FolderStage::Initialized)?;
            Ok(opened)
        }
        FolderStage::Initialized => go_on(folder, cache_bytes),
        FolderStage::Copying(_) => Err(OpenError::Unfinished { path }),
        FolderStage::Moved(to) => Err(OpenError::Moved { path, to }),
    }
}

/// Opens the store in `path` as the source of a copy to the location shown as `to`. Returns whether it was marked as
/// moved there before.
pub(super) fn open_to_leave(
    path: &Path,
    cache_bytes: u64,
    to: &str,
) -> Result<(SledOpened, bool), OpenError> {
    let (folder, stage) = Folder::enter(path, OpenMode::Existing)?;
    let path = path.to_owned();
    match stage {
        FolderStage::Initializing => Err(OpenError::Missing { path }),
        FolderStage::Initialized => Ok((go_on(folder, cache_bytes)?, false)),
        FolderStage::Copying(_) => Err(OpenError::Unfinished { path }),
        stage if stage == FolderStage::moved(to) => Ok((go_on(folder, cache_bytes)?, true)),
        FolderStage::Moved(to) => Err(OpenError::Moved { path, to }),
    }
}

/// Opens the empty folder at `path` as the target of a copy of `store`. Returns whether it held an unfinished copy,
/// which was removed.
pub(super) fn open_to_arrive(
    path: &Path,
    cache_bytes: u64,
    store: StoreId,
) -> Result<(SledOpened, bool), OpenError> {
    let (folder, stage) = Folder::enter(path, OpenMode::Create)?;
    let path = path.to_owned();
    let resumed = match stage {
        FolderStage::Initializing => false,
        FolderStage::Copying(other) if other == store => true,
        FolderStage::Copying(_) => return Err(OpenError::Unfinished { path }),
        FolderStage::Initialized | FolderStage::Moved(_) => return Err(OpenError::NotEmpty { path }),
    };
    folder.mark(&FolderStage::Copying(store))?;
    Ok((begin(folder, cache_bytes)?, resumed))
}

/// Starts over in a folder from which nothing was ever acknowledged.
fn begin(folder: Folder, cache_bytes: u64) -> Result<SledOpened, OpenError> {
    folder.start_over().map_err(|e| OpenError::io(folder.path(), e))?;
    let opened = SledOpened::start(folder, cache_bytes)?;
    opened.initialize()?;
    Ok(opened)
}

/// Opens an initialized store and checks it.
fn go_on(folder: Folder, cache_bytes: u64) -> Result<SledOpened, OpenError> {
    let witnessed = expect_data(&folder)?;
    let mut opened = SledOpened { witnessed, ..SledOpened::start(folder, cache_bytes)? };
    opened.check()?;
    Ok(opened)
}

/// Checks that the data file exists: sled would create an empty one. Notes a pending integrity check if the file is
/// shorter than at the last commit, which sled does not know.
fn expect_data(folder: &Folder) -> Result<CommitWitness, OpenError> {
    let fail = |e| OpenError::io(folder.path(), e);
    let damaged = |reason| Err(OpenError::damaged(folder.path(), reason));
    let length = match fs::metadata(folder.data_path()) {
        Ok(seen) => seen.len(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
        Err(e) => return Err(fail(e)),
    };
    if length == 0 {
        return damaged("its data file `db` is missing or empty");
    }
    let Some(witnessed) = Head::read(&folder.head_path()).map_err(fail)? else {
        return damaged("its `head` file, the witness of the last commit, is missing or unreadable");
    };
    if length < witnessed.length {
        let shorter = format!("its data file has {length} bytes, and had {}", witnessed.length);
        integrity_pending::note(folder, &shorter).map_err(fail)?;
    }
    Ok(witnessed)
}

impl SledOpened {
    fn start(folder: Folder, cache_bytes: u64) -> Result<Self, OpenError> {
        folder.sweep().map_err(|e| OpenError::io(folder.path(), e))?;
        let db = start(&folder, cache_bytes)?;
        Ok(Self { db, folder, last: LastCommit::none(), witnessed: CommitWitness::default() })
    }

    /// Records the stage of the folder durably.
    pub(super) fn mark(&self, stage: &FolderStage) -> Result<(), OpenError> {
        self.folder.mark(stage)
    }

    fn initialize(&self) -> Result<(), OpenError> {
        let write = || -> Result<(), sled::Error> {
            self.tree().insert(FORMAT_KEY, &FORMAT.to_be_bytes())?;
            self.tree().insert(COMMIT_KEY, &LastCommit::none().to_bytes())?;
            self.tree().flush()?;
            self.data_file()?.sync_all()?;
            File::open(self.folder.conf_path())?.sync_all()?;
            Ok(Head::create(&self.folder.head_path())?)
        };
        write().map_err(|e| refusal(self.path(), e))
    }

    fn check(&mut self) -> Result<(), OpenError> {
        let damaged = |reason: &str| OpenError::damaged(self.path(), reason);
        match self.read(FORMAT_KEY)? {
            Some(format) if format == FORMAT.to_be_bytes() => {}
            Some(_) => return Err(damaged("its first record contradicts its FORMAT file")),
            None => return Err(damaged("its first record is gone")),
        }
        let last = self.read(COMMIT_KEY)?.and_then(|bytes| LastCommit::from_bytes(&bytes));
        let last = last.ok_or_else(|| damaged("the record of its last commit is gone"))?;
        let witnessed = self.witnessed.commit;
        if last.number < witnessed {
            let gap = format!("it ends at commit {}, but {witnessed} was acknowledged", last.number);
            return Err(damaged(&gap));
        }
        self.last = last;
        integrity_pending::settle(&self.folder, self.tree(), last.sum)
    }

    fn read(&self, key: &[u8]) -> Result<Option<sled::IVec>, OpenError> {
        catch_unwind(AssertUnwindSafe(|| self.tree().get(key)))
            .map_err(|_| OpenError::damaged(self.path(), "sled panicked while reading"))?
            .map_err(|e| refusal(self.path(), e))
    }
}

#[cfg(test)]
mod tests;
