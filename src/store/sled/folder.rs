//! The data folder around the engine.
//!
//! sled creates whatever it does not find, so by itself it takes a lost file for a new, empty store. The folder
//! therefore has a marker, `FORMAT`, written before sled starts and completed once the store is initialized: without
//! it the folder is not a store, and with it no file may be missing.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::open_error::OpenError;
use super::snapshot;
use crate::data_folder::{self, FolderLock, LOCK};
use crate::model::ids::StoreId;

/// The version of the folder's layout and of its records. A store of another format is refused.
pub(super) const FORMAT: u32 = 2;

const MARKER: &str = "FORMAT";
const MARKER_DRAFT: &str = "FORMAT.new";
/// The file that exists since the first start that left a snapshot.
const SNAPSHOT_NOTE: &str = "snapshot-needed";
const SNAPSHOT_NOTE_TEXT: &[u8] =
    b"`db` cannot be read without the newest of the files named snap.*: keep them together.\n";

/// Files that a folder may hold before a store is initialized in it: traces of an earlier attempt, and `lost+found`.
const INNOCENT: [&str; 3] = [MARKER_DRAFT, LOCK, "lost+found"];

/// Whether a store may be initialized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Initialize a store if the folder is missing or empty (`rescind serve`).
    Create,
    /// Open an existing store only (every other command).
    Existing,
}

/// The stage of a data folder in its life, as recorded in `FORMAT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FolderStage {
    /// Initialization has begun: nothing was ever acknowledged from this folder.
    Initializing,
    /// The store is initialized: its data must exist.
    Initialized,
    /// The folder holds an unfinished copy of this store: nothing was ever acknowledged from it.
    Copying(StoreId),
    /// The store was moved to the location shown here; the data in this folder is outdated.
    Moved(String),
}

impl FolderStage {
    /// The stage of a folder whose store was moved to the location shown as `to`, as it is read back from `FORMAT`.
    pub(super) fn moved(to: &str) -> Self {
        Self::Moved(to.replace(char::is_control, "?"))
    }
}

/// The data folder, locked by this process until dropped. The lock is a file beside sled's, which sled locks late,
/// after unfinished snapshots are removed, and without saying which process holds it.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: FolderLock,
}

impl Folder {
    /// Opens the folder, creating it if `mode` allows, and locks it against other processes.
    pub(super) fn enter(path: &Path, mode: OpenMode) -> Result<(Self, FolderStage), OpenError> {
        let found = data_folder::find(path)?;
        let marked = found.is_some() && path.join(MARKER).try_exists().map_err(|e| OpenError::io(path, e))?;
        match (found, mode) {
            (_, OpenMode::Existing) if !marked => return Err(OpenError::Missing { path: path.to_owned() }),
            (None, _) => data_folder::create(path)?,
            (Some(_), _) if !marked => adopt(path)?,
            (Some(found), _) => data_folder::check_closed(path, &found)?,
        }
        let folder = Self { path: path.to_owned(), _lock: FolderLock::take(path)? };
        // Only now: between the look and the lock another process may have initialized it.
        if let Some(stage) = folder.stage()? {
            return Ok((folder, stage));
        }
        folder.mark(&FolderStage::Initializing)?;
        Ok((folder, FolderStage::Initializing))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the engine's data file.
    pub(super) fn data_path(&self) -> PathBuf {
        self.path.join("db")
    }

    /// The path of the engine's own settings, which sled never syncs.
    pub(super) fn conf_path(&self) -> PathBuf {
        self.path.join("conf")
    }

    /// The path of the `head` file, the witness of the last commit.
    pub(super) fn head_path(&self) -> PathBuf {
        self.path.join("head")
    }

    /// Removes unfinished snapshots: a process killed during its start leaves one, and sled takes it for a damaged
    /// one. Safe because the folder is locked: no process is writing it.
    pub(super) fn sweep(&self) -> io::Result<()> {
        for snapshot in self.snapshots()? {
            if snapshot.extension().is_some_and(|e| e == "generating") {
                fs::remove_file(snapshot)?;
            }
        }
        Ok(())
    }

    /// Removes what an interrupted initialization or copy left: killed at the wrong moment, sled leaves a `conf` it
    /// cannot read. Nothing was ever acknowledged from a folder that is still being initialized or copied to.
    pub(super) fn start_over(&self) -> io::Result<()> {
        let mut leftovers = self.snapshots()?;
        leftovers.extend([self.data_path(), self.conf_path(), self.head_path(), self.snapshot_note()]);
        for leftover in leftovers {
            match fs::remove_file(leftover) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    /// Checks that sled has the snapshot it needs.
    ///
    /// Its log alone holds everything only until the first start that found a log: from then on each start clears what
    /// the snapshot marks as free, and without the snapshot sled takes the gaps for the end of the log and clears the
    /// rest.
    pub(super) fn check_snapshot(&self) -> Result<(), OpenError> {
        let fail = |e| OpenError::io(&self.path, e);
        let refused = |reason: String| Err(OpenError::Snapshot { path: self.path.clone(), reason });
        let Some(newest) = self.snapshots().map_err(fail)?.into_iter().max() else {
            return if self.snapshot_note().try_exists().map_err(fail)? {
                refused("its snapshot, the file named `snap.` and a number, is gone".to_owned())
            } else {
                Ok(())
            };
        };
        if snapshot::is_whole(&newest).map_err(fail)? {
            return Ok(());
        }
        let name = newest.file_name().unwrap_or_default().to_string_lossy();
        refused(format!("its snapshot, the file `{name}`, is damaged"))
    }

    /// Makes the name of the snapshot that a start has left durable, before anything that needs it is acknowledged.
    /// sled syncs the file, not the folder. From then on [`Folder::check_snapshot`] requires a snapshot.
    pub(super) fn keep_snapshot(&self) -> io::Result<()> {
        let note = self.snapshot_note();
        if !note.try_exists()? && !self.snapshots()?.is_empty() {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&note)?;
            file.write_all(SNAPSHOT_NOTE_TEXT)?;
            file.sync_all()?;
        }
        File::open(&self.path)?.sync_all()
    }

    fn snapshot_note(&self) -> PathBuf {
        self.path.join(SNAPSHOT_NOTE)
    }

    /// Removes the access of other users to every file. sled creates its files with the mode that the process's umask
    /// allows.
    pub(super) fn close_to_others(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let seen = entry.metadata()?;
            if seen.is_file() && seen.mode() & 0o177 != 0 {
                fs::set_permissions(entry.path(), Permissions::from_mode(0o600))?;
            }
        }
        Ok(())
    }

    /// The position in the log from which sled will replay it: the end of what its newest snapshot covers, which is in
    /// the snapshot's name.
    pub(super) fn replayed_from(&self) -> io::Result<u64> {
        let newest = self.snapshots()?.into_iter().max();
        let position = newest.as_ref().and_then(|newest| newest.extension()?.to_str());
        Ok(position.and_then(|position| u64::from_str_radix(position, 16).ok()).unwrap_or(0))
    }

    /// Records the stage durably: the draft, its rename, and the folder's own name are synced.
    pub(super) fn mark(&self, stage: &FolderStage) -> Result<(), OpenError> {
        let write = || {
            let draft = self.path.join(MARKER_DRAFT);
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            file.write_all(marker(stage).as_bytes())?;
            file.sync_all()?;
            fs::rename(&draft, self.path.join(MARKER))?;
            File::open(&self.path)?.sync_all()?;
            match self.path.canonicalize()?.parent() {
                Some(parent) => File::open(parent)?.sync_all(),
                None => Ok(()),
            }
        };
        write().map_err(|e| OpenError::io(&self.path, e))
    }

    fn stage(&self) -> Result<Option<FolderStage>, OpenError> {
        let text = match fs::read_to_string(self.path.join(MARKER)) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => String::new(),
            Err(e) => return Err(OpenError::io(&self.path, e)),
        };
        if let Some(stage) = parse(&text) {
            return Ok(Some(stage));
        }
        let words: Vec<_> = text.split_whitespace().collect();
        match words.as_slice() {
            ["rescind", found, ..] if found.parse().is_ok_and(|n: u32| n != FORMAT) => {
                let (path, found) = (self.path.clone(), (*found).to_owned());
                Err(OpenError::OtherFormat { path, found, known: FORMAT })
            }
            _ => Err(OpenError::damaged(&self.path, "its FORMAT file is not readable")),
        }
    }

    fn snapshots(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(b"snap.") {
                found.push(entry.path());
            }
        }
        Ok(found)
    }
}

fn marker(stage: &FolderStage) -> String {
    match stage {
        FolderStage::Initializing => format!("rescind {FORMAT} founding\n"),
        FolderStage::Initialized => format!("rescind {FORMAT}\n"),
        FolderStage::Copying(store) => format!("rescind {FORMAT} copying {store}\n"),
        FolderStage::Moved(to) => format!("rescind {FORMAT} moved {to}\n"),
    }
}

/// Parses exactly what [`marker`] writes.
fn parse(text: &str) -> Option<FolderStage> {
    let line = text.strip_prefix(&format!("rescind {FORMAT}"))?.strip_suffix('\n')?;
    match line.strip_prefix(' ').map_or((line, ""), |words| words.split_once(' ').unwrap_or((words, ""))) {
        _ if line.is_empty() => Some(FolderStage::Initialized),
        ("founding", "") => Some(FolderStage::Initializing),
        ("copying", store) => StoreId::parse(store).map(FolderStage::Copying),
        ("moved", to) if !to.is_empty() => Some(FolderStage::Moved(to.to_owned())),
        _ => None,
    }
}

/// Takes an empty folder for a new store, and closes it to other users: a mounted volume is often open to all.
fn adopt(path: &Path) -> Result<(), OpenError> {
    let fail = |e| OpenError::io(path, e);
    for entry in fs::read_dir(path).map_err(fail)? {
        let name = entry.map_err(fail)?.file_name();
        let innocent = INNOCENT.iter().any(|innocent| name == *innocent);
        // With a marker by now, another process is initializing a store here: the lock will say so.
        if !innocent && !path.join(MARKER).exists() {
            let stranger = name.to_string_lossy().into_owned();
            return Err(OpenError::NotAStore { path: path.to_owned(), stranger });
        }
    }
    fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(fail)
}
