//! sled is started, and watched while it is.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::error::refusal;
use super::{OpenError, doubt};
use crate::store::sled::SEGMENT;
use crate::store::sled::folder::Folder;

/// How long threads of an engine that has been closed may still hold its file.
const ENGINE_ENDS: Duration = Duration::from_secs(5);

/// Every so many milliseconds sled's garbage collector takes a turn; without turns there would be no collection.
/// In a turn it frees at most one segment, so this and [`SEGMENT`] say how much can be written in a second before
/// garbage gathers.
const TURN: u64 = 200;

/// Starts sled; if what is there looks damaged, once more without the snapshots.
pub(super) fn start(folder: &Folder, cache_bytes: u64) -> Result<sled::Db, OpenError> {
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
    doubt::look(folder).map_err(|e| OpenError::io(folder.path(), e))?;
    let config = sled::Config::new()
        .path(folder.path())
        .cache_capacity(cache_bytes)
        .mode(sled::Mode::HighThroughput)
        .segment_size(SEGMENT)
        .flush_every_ms(Some(TURN));
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
