//! The folder of a node with a shared store; it holds the administration socket.

use std::path::Path;

use super::error::OpenError;
use crate::data_folder::{self, FolderLock};

/// The locked folder of this node. Dropping it releases the lock.
#[derive(Debug)]
pub(super) struct NodeFolder(#[expect(dead_code, reason = "the lock ends with it")] FolderLock);

impl NodeFolder {
    /// Locks the folder at `path` for this process; creates it if missing.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        match data_folder::find(path)? {
            None => data_folder::create(path)?,
            Some(found) => data_folder::check_closed(path, &found)?,
        }
        if path.join("FORMAT").exists() {
            return Err(OpenError::EmbeddedStore { path: path.to_owned() });
        }
        Ok(Self(FolderLock::take(path)?))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

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
