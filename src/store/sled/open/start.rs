//! Starting sled in a checked folder.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::integrity_pending;
use crate::data_folder::FolderError;
use crate::store::sled::SEGMENT;
use crate::store::sled::folder::Folder;
use crate::store::sled::open_error::{OpenError, refusal};

/// The longest time that threads of a closed engine may still hold its file.
const ENGINE_ENDS: Duration = Duration::from_secs(5);

/// The interval in milliseconds at which sled's garbage collector runs; without it nothing is collected. A run frees
/// at most one segment, so this and [`SEGMENT`] limit how much can be written in a second before garbage accumulates.
const TURN: u64 = 200;

/// Starts sled, and makes the snapshot it leaves durable for the next start.
pub(super) fn start(folder: &Folder, cache_bytes: u64) -> Result<sled::Db, OpenError> {
    let fail = |e| OpenError::io(folder.path(), e);
    wait_for_engine(folder)?;
    folder.check_snapshot()?;
    integrity_pending::examine(folder).map_err(fail)?;
    let config = sled::Config::new()
        .path(folder.path())
        .cache_capacity(cache_bytes)
        .mode(sled::Mode::HighThroughput)
        .segment_size(SEGMENT)
        .flush_every_ms(Some(TURN));
    let db = catch_unwind(AssertUnwindSafe(|| config.open()))
        .map_err(|_| OpenError::damaged(folder.path(), "sled panicked while opening it"))?
        .map_err(|e| refusal(folder.path(), e))?;
    folder.keep_snapshot().map_err(fail)?;
    folder.close_to_others().map_err(fail)?;
    Ok(db)
}

/// Waits until no thread holds the data file. The folder's lock excludes other processes; but if one process closes
/// and reopens a store, threads of the old engine may hold the file a moment longer than its handles.
fn wait_for_engine(folder: &Folder) -> Result<(), OpenError> {
    let file = match File::open(folder.data_path()) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(OpenError::io(folder.path(), e)),
    };
    let (freed, wait) = channel();
    let waiter = std::thread::Builder::new().spawn(move || {
        // The lock is released before the waiter is notified.
        let _late = freed.send(file.lock().and_then(|()| file.unlock()));
    });
    waiter.map_err(|e| OpenError::io(folder.path(), e))?;
    match wait.recv_timeout(ENGINE_ENDS) {
        Ok(locked) => locked.map_err(|e| OpenError::io(folder.path(), e)),
        Err(_) => Err(FolderError::InUse { path: folder.path().to_owned(), pid: None }.into()),
    }
}
