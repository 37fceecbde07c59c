//! The pending integrity check: whether sled has read everything in its log.
//!
//! The need for a check is recorded in a file `doubt` before sled starts: sled clears damaged parts of its log when it
//! starts, so the next start would find nothing wrong. The file stays until the checksum of all records equals that of
//! the last commit. So a store that has lost records is refused at every start.

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use crate::store::StoreError;
use crate::store::sled::checksum::StoreChecksum;
use crate::store::sled::folder::Folder;
use crate::store::sled::open_error::OpenError;
use crate::store::sled::scrub;
use crate::store::sled::view::SledView;

fn path(folder: &Folder) -> PathBuf {
    folder.path().join("doubt")
}

/// Reads the log that sled is about to read, and records a pending check if it is damaged.
pub(super) fn examine(folder: &Folder) -> io::Result<()> {
    let data = match File::open(folder.data_path()) {
        Ok(data) => data,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    match scrub::find_damage(&data, folder.replayed_from()?)? {
        Some(reason) => note(folder, &reason),
        None => Ok(()),
    }
}

/// Records a pending integrity check durably.
pub(super) fn note(folder: &Folder, reason: &str) -> io::Result<()> {
    tracing::warn!(%reason, "the store may have lost records: all of them will be counted");
    fs::write(path(folder), reason)?;
    File::open(path(folder))?.sync_all()?;
    File::open(folder.path())?.sync_all()
}

/// Runs a pending integrity check: `sum` is the expected checksum of all records.
pub(super) fn settle(folder: &Folder, tree: &sled::Tree, sum: StoreChecksum) -> Result<(), OpenError> {
    let fail = |e| OpenError::io(folder.path(), e);
    let reason = match fs::read(path(folder)) {
        Ok(reason) => String::from_utf8_lossy(&reason).into_owned(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(fail(e)),
    };
    let found = catch_unwind(AssertUnwindSafe(|| StoreChecksum::of(&SledView::applied(tree))))
        .unwrap_or_else(|_| Err(StoreError::Corrupt("sled panicked while reading".to_owned())));
    let loss = match found {
        Ok(found) if found == sum => {
            tracing::info!(records = found.records(), "all records are there");
            fs::remove_file(path(folder)).map_err(fail)?;
            return File::open(folder.path()).and_then(|folder| folder.sync_all()).map_err(fail);
        }
        Ok(found) if found.records() == sum.records() => "records are not what they were".to_owned(),
        Ok(found) => format!("it has {} records, and had {}", found.records(), sum.records()),
        Err(e) => e.to_string(),
    };
    Err(OpenError::damaged(folder.path(), format!("{reason}; {loss}")))
}
