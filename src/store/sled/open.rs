//! The way in: from a path to an engine that is known to be whole.
//!
//! Opening refuses rather than repairs. The one thing it tries by itself is to do without sled's snapshots, because
//! those only shorten the start: the log alone holds everything. No file with data in it is ever deleted.
//!
//! Rooms: `start` (sled itself), `doubt` (whether it has read everything), `error` (what is said instead of opening).

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::committer::Disk;
use super::folder::{FORMAT, Folder, Stage};
use super::head::{Head, LastCommit, Seen};
use super::layout::{COMMIT_KEY, FORMAT_KEY};

mod doubt;
mod error;
mod start;

pub use error::OpenError;
use error::refusal;
use start::start;

/// Whether a store may be founded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Found one if the folder is missing or empty (`rescind serve`).
    Create,
    /// Only what is there (every other command).
    Existing,
}

/// An open store. The folder stays held as long as this lives: keep it until every [`sled::Tree`] handle is gone.
pub struct Opened {
    db: sled::Db,
    folder: Folder,
    last: LastCommit,
    witnessed: Seen,
}

impl fmt::Debug for Opened {
    /// Not sled's, which prints every record.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("path", &self.path()).finish_non_exhaustive()
    }
}

impl Opened {
    /// All records: the first byte of a key is its table; table 0 belongs to this module.
    pub fn tree(&self) -> &sled::Tree {
        &self.db
    }

    /// What the writer needs. `fdatasync` is about the file, so a descriptor of our own will do.
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

    /// What the witness said when the store was opened.
    pub(super) fn witnessed(&self) -> Seen {
        self.witnessed
    }

    /// The data folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Opens the store in `path`, with at most about `cache_bytes` of it in memory.
///
/// # Errors
/// See [`OpenError`]; after an error nothing of ours is left running and nothing with data in it was deleted.
pub fn open(path: &Path, cache_bytes: u64, mode: OpenMode) -> Result<Opened, OpenError> {
    let (folder, stage) = Folder::enter(path, mode)?;
    let witnessed = match stage {
        Stage::Founding => {
            folder.start_over().map_err(|e| OpenError::io(path, e))?;
            Seen::default()
        }
        Stage::Founded => expect_data(&folder)?,
    };
    folder.sweep().map_err(|e| OpenError::io(path, e))?;
    let db = start(&folder, cache_bytes)?;
    let mut opened = Opened { db, folder, last: LastCommit::none(), witnessed };
    match stage {
        Stage::Founding => opened.found()?,
        Stage::Founded => opened.check()?,
    }
    Ok(opened)
}

/// sled would make an empty data file where there is none; and it does not know how long a file was.
fn expect_data(folder: &Folder) -> Result<Seen, OpenError> {
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
        doubt::note(folder, &shorter).map_err(fail)?;
    }
    Ok(witnessed)
}

impl Opened {
    fn found(&self) -> Result<(), OpenError> {
        let write = || -> Result<(), sled::Error> {
            self.tree().insert(FORMAT_KEY, &FORMAT.to_be_bytes())?;
            self.tree().insert(COMMIT_KEY, &LastCommit::none().to_bytes())?;
            self.tree().flush()?;
            self.data_file()?.sync_all()?;
            File::open(self.folder.conf_path())?.sync_all()?;
            Ok(Head::create(&self.folder.head_path())?)
        };
        write().map_err(|e| refusal(self.path(), e))?;
        self.folder.mark(Stage::Founded)
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
        doubt::settle(&self.folder, self.tree(), last.sum)
    }

    fn read(&self, key: &[u8]) -> Result<Option<sled::IVec>, OpenError> {
        catch_unwind(AssertUnwindSafe(|| self.tree().get(key)))
            .map_err(|_| OpenError::damaged(self.path(), "sled panicked while reading"))?
            .map_err(|e| refusal(self.path(), e))
    }
}

#[cfg(test)]
mod tests;
