//! The way in: from a path to an engine that is known to be whole.
//!
//! Opening refuses rather than repairs. The one thing it tries by itself is to do without sled's snapshots, because
//! those only shorten the start: the log alone holds everything. No file with data in it is ever deleted.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::committer::Disk;
use super::folder::{FORMAT, Folder, Stage};
use super::head::{Head, LastCommit, Seen};
use super::layout::{COMMIT_KEY, FORMAT_KEY};

/// How long threads of an engine that has been closed may still hold its file.
const ENGINE_ENDS: Duration = Duration::from_secs(5);

/// Whether a store may be founded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Found one if the folder is missing or empty (`rescind serve`).
    Create,
    /// Only what is there (every other command).
    Existing,
}

/// Why a data folder was not opened. Each message says what to do next.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the messages name")]
pub enum OpenError {
    /// Nothing was ever founded there.
    #[error("there is no store in {path:?}: run `rescind serve` first, or name the right folder with --data")]
    Missing { path: PathBuf },
    /// Another process holds it.
    #[error("the data folder {path:?} is in use by {}: end it first", holder(*.pid))]
    InUse { path: PathBuf, pid: Option<u32> },
    /// The file system says no.
    #[error("the data folder {path:?} cannot be used: {reason}; let the user who runs rescind own it")]
    NotWritable { path: PathBuf, reason: io::Error },
    /// The file system has no room to open, let alone to write.
    #[error("no space is left for the data folder {path:?}: make room and start again")]
    DiskFull { path: PathBuf },
    /// Others on this machine could read it.
    #[error("other users may enter the data folder {path:?} (mode {mode:03o}): run `chmod 700 {path:?}`")]
    TooOpen { path: PathBuf, mode: u32 },
    /// It holds other things; nothing was touched.
    #[error("{path:?} holds {stranger:?} but no FORMAT file, so it is not a store: choose an empty folder")]
    NotAStore { path: PathBuf, stranger: String },
    /// Another version of Rescind wrote it.
    #[error(
        "the store in {path:?} has format {found}, this rescind reads {FORMAT}: use the version that wrote it"
    )]
    OtherFormat { path: PathBuf, found: String },
    /// It was a store.
    #[error(
        "the store in {path:?} is damaged: {reason}. Move the folder away, put a backup in its place, and do not open it again: opening clears what follows the damage"
    )]
    Damaged { path: PathBuf, reason: String },
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

    pub(super) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.into() }
    }
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
    match stage {
        Stage::Founding => folder.start_over().map_err(|e| OpenError::io(path, e))?,
        Stage::Founded => expect_data(&folder)?,
    }
    folder.sweep().map_err(|e| OpenError::io(path, e))?;
    let db = start(&folder, cache_bytes)?;
    let mut opened = Opened { db, folder, last: LastCommit::NONE, witnessed: Seen::default() };
    match stage {
        Stage::Founding => opened.found()?,
        Stage::Founded => opened.check()?,
    }
    Ok(opened)
}

/// sled would make an empty data file where there is none.
fn expect_data(folder: &Folder) -> Result<(), OpenError> {
    let length = match fs::metadata(folder.data_path()) {
        Ok(seen) => seen.len(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
        Err(e) => return Err(OpenError::io(folder.path(), e)),
    };
    if length > 0 {
        Ok(())
    } else {
        Err(OpenError::damaged(folder.path(), "its data file `db` is missing or empty"))
    }
}

impl Opened {
    fn found(&self) -> Result<(), OpenError> {
        let write = || -> Result<(), sled::Error> {
            self.tree().insert(FORMAT_KEY, &FORMAT.to_be_bytes())?;
            self.tree().insert(COMMIT_KEY, &LastCommit::NONE.to_bytes())?;
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
        let witnessed = Head::read(&self.folder.head_path()).map_err(|e| OpenError::io(self.path(), e))?;
        let witnessed = witnessed.ok_or_else(|| {
            damaged("its `head` file, the witness of the last commit, is missing or unreadable")
        })?;
        if last.number < witnessed.commit {
            let gap = format!("it ends at commit {}, but {} was acknowledged", last.number, witnessed.commit);
            return Err(damaged(&gap));
        }
        (self.last, self.witnessed) = (last, witnessed);
        Ok(())
    }

    fn read(&self, key: &[u8]) -> Result<Option<sled::IVec>, OpenError> {
        catch_unwind(AssertUnwindSafe(|| self.tree().get(key)))
            .map_err(|_| OpenError::damaged(self.path(), "sled panicked while reading"))?
            .map_err(|e| refusal(self.path(), e))
    }
}

/// Starts sled; if what is there looks damaged, once more without the snapshots.
fn start(folder: &Folder, cache_bytes: u64) -> Result<sled::Db, OpenError> {
    let first = match attempt(folder, cache_bytes) {
        Err(refused @ OpenError::Damaged { .. }) => refused,
        settled => return settled,
    };
    let aside = folder.set_snapshots_aside().map_err(|e| OpenError::io(folder.path(), e))?;
    let Some(aside) = aside else { return Err(first) };
    tracing::warn!(error = %first, aside = %aside.display(), "starting again from the log, without the snapshots");
    match attempt(folder, cache_bytes) {
        // By the first attempt, which panicked and left its threads behind.
        Err(OpenError::InUse { .. }) => Err(first),
        settled => settled,
    }
}

fn attempt(folder: &Folder, cache_bytes: u64) -> Result<sled::Db, OpenError> {
    wait_for_engine(folder)?;
    let config = sled::Config::new()
        .path(folder.path())
        .cache_capacity(cache_bytes)
        .mode(sled::Mode::HighThroughput)
        // `None` would also end the garbage collection.
        .flush_every_ms(Some(500));
    catch_unwind(AssertUnwindSafe(|| config.open()))
        .map_err(|_| OpenError::damaged(folder.path(), "sled panicked while opening it"))?
        .map_err(|e| refusal(folder.path(), e))
}

/// Waits until nothing holds the data file. Our own lock says that no other rescind does; but when a store is closed
/// and opened again by one process, threads of the old engine may hold it a moment longer than its handles.
fn wait_for_engine(folder: &Folder) -> Result<(), OpenError> {
    let file = match File::open(folder.data_path()) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(OpenError::io(folder.path(), e)),
    };
    let (freed, wait) = channel();
    let waiter = std::thread::Builder::new().spawn(move || {
        // The lock is let go before the word is given.
        let _late = freed.send(file.lock().and_then(|()| file.unlock()));
    });
    waiter.map_err(|e| OpenError::io(folder.path(), e))?;
    match wait.recv_timeout(ENGINE_ENDS) {
        Ok(locked) => locked.map_err(|e| OpenError::io(folder.path(), e)),
        Err(_) => Err(OpenError::InUse { path: folder.path().to_owned(), pid: None }),
    }
}

fn refusal(path: &Path, refused: sled::Error) -> OpenError {
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

#[cfg(test)]
mod tests;
