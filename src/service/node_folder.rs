//! The folder of a node with a shared store; it holds the administration socket.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::OpenError;
use crate::advice;
use crate::trusted::{self, Distrust};

/// The locked folder of this node. Dropping it releases the lock.
#[derive(Debug)]
pub(super) struct NodeFolder(#[expect(dead_code, reason = "the lock ends with it")] File);

impl NodeFolder {
    /// Locks the folder at `path` for this process; creates it if missing.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let failed = |why: String| OpenError::NodeFolder { path: path.to_owned(), why };
        let unusable =
            |error: io::Error| failed(format!("it cannot be used ({error}); {}", advice::for_file(&error)));
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let distrusted = |error: Distrust| failed(error.to_string());
        let mode = trusted::folder(path).map_err(distrusted)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let run = format!("chmod 700 \"{}\"", path.display());
            return Err(failed(format!("other users may enter it (mode {mode:03o}): run `{run}`")));
        }
        if path.join("FORMAT").exists() {
            let why = "it holds an embedded store: name another folder with --data, or leave `store` out; `rescind store copy` takes one store to the other";
            return Err(failed(why.to_owned()));
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let lock = trusted::open(&path.join("lock"), &mut options).map_err(distrusted)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self(lock)),
            Err(fs::TryLockError::WouldBlock) => Err(failed(
                "another rescind uses it: give each node a folder of its own with --data".to_owned(),
            )),
            Err(fs::TryLockError::Error(error)) => Err(unusable(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_closed_and_held_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/node");
        let taken = NodeFolder::take(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(NodeFolder::take(&path).unwrap_err().to_string().contains("folder of its own"));
        drop(taken);
        NodeFolder::take(&path).unwrap();
    }

    #[test]
    fn a_folder_that_is_open_to_others_or_holds_a_store_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("FORMAT"), "1").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(NodeFolder::take(folder.path()).unwrap_err().to_string().contains("embedded store"));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(NodeFolder::take(folder.path()).unwrap_err().to_string().contains("chmod 700"));
    }
}
