//! The operator's socket in the data folder.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use tokio::net::UnixListener;

use crate::settings::LONGEST_SOCKET_PATH;

/// Why the socket could not be bound.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The path is longer than the kernel allows.
    #[error(
        "the socket's path has {length} bytes and may have {LONGEST_SOCKET_PATH}: choose a shorter data folder than {path:?}"
    )]
    TooLong {
        /// The path of the socket.
        path: PathBuf,
        /// The length of the path in bytes.
        length: usize,
    },
    /// A file that is no socket has the path. It is not removed, since it may be somebody's data.
    #[error("{0:?} is in the way and is not a socket: move it away")]
    InTheWay(PathBuf),
    /// The system refused to bind the socket.
    #[error("cannot listen on {path:?}: {source}")]
    Io {
        /// The path of the socket.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Listens at `path`, accessible to the owner of the process only.
///
/// A socket left by an earlier run is replaced, so the caller must hold the lock of the folder it lies in. The folder
/// must be closed to others (0700), since the mode is only set after the socket is bound.
pub fn bind_socket(path: &Path) -> Result<UnixListener, SocketError> {
    let length = path.as_os_str().as_bytes().len();
    if length > LONGEST_SOCKET_PATH {
        return Err(SocketError::TooLong { path: path.to_owned(), length });
    }
    let io = |source| SocketError::Io { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => fs::remove_file(path).map_err(io)?,
        Ok(_) => return Err(SocketError::InTheWay(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(io(error)),
    }
    let listener = UnixListener::bind(path).map_err(io)?;
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(io)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_left_over_socket_is_replaced_and_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        drop(bind_socket(&path).unwrap());
        assert!(path.exists(), "a socket's file outlives its listener");
        let _listening = bind_socket(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        tokio::net::UnixStream::connect(&path).await.unwrap();
    }

    #[tokio::test]
    async fn a_file_in_the_way_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(bind_socket(&path), Err(SocketError::InTheWay(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[tokio::test]
    async fn a_path_that_does_not_fit_is_refused_with_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let path_of = |length: usize| {
            let frame = folder.path().as_os_str().len() + "/".len();
            folder.path().join("s".repeat(length - frame))
        };
        assert!(bind_socket(&path_of(107)).is_ok());
        let Err(error) = bind_socket(&path_of(108)) else { panic!("bound") };
        assert!(error.to_string().contains("108 bytes and may have 107"), "{error}");
    }
}
