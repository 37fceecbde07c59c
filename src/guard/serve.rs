//! The guard's listener for the proxy: HTTP/1.1 with persistent connections, on TCP or a Unix socket.

use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::{Request, Response};
use tokio::net::{TcpListener, UnixListener};

use super::{Guard, answer};
use crate::http::listen::{BoundListener, ConnectionLimits, HttpService, RequestFault, Server};

/// The default limit of connections at once. One proxy may have half of them.
pub const CONNECTIONS: usize = 4_096;

/// How long running requests may take after the guard is told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// The address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A TCP address and port.
    Tcp(SocketAddr),
    /// The path of a Unix socket. Access is controlled by the permissions of its folder.
    Unix(PathBuf),
}

impl Listen {
    /// Parses `ADDRESS:PORT` or `unix:/PATH`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("unix:") {
            Some(path) => path.starts_with('/').then(|| Self::Unix(path.into())),
            None => text.parse().ok().map(Self::Tcp),
        }
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An open listener on TCP or a Unix socket.
#[derive(Debug)]
pub struct Bound {
    listener: BoundListener,
    /// The address in its displayed form.
    address: String,
    /// The file of a Unix socket, removed when dropped.
    file: Option<SocketFile>,
}

impl Bound {
    /// Opens the listener. The socket of an earlier run is replaced.
    pub async fn to(listen: &Listen) -> io::Result<Self> {
        match listen {
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address).await?;
                let local = listener.local_addr()?;
                Ok(Self {
                    listener: BoundListener::Tcp(listener),
                    address: format!("http://{local}"),
                    file: None,
                })
            }
            Listen::Unix(path) => {
                if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
                    fs::remove_file(path)?;
                }
                let listener = UnixListener::bind(path)?;
                // The proxy runs as another user; what keeps others out is the folder.
                fs::set_permissions(path, Permissions::from_mode(0o666))?;
                let file = SocketFile { path: path.clone(), inode: Inode::of(path)? };
                Ok(Self {
                    listener: BoundListener::Unix(listener),
                    address: listen.to_string(),
                    file: Some(file),
                })
            }
        }
    }

    /// The address in its displayed form: `http://ADDRESS:PORT` or `unix:/PATH`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// The identity of a file: device and inode number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inode(u64, u64);

impl Inode {
    fn of(path: &Path) -> io::Result<Self> {
        fs::symlink_metadata(path).map(|found| Self(found.dev(), found.ino()))
    }
}

/// The file of a Unix socket. Dropping it removes the file if it still is the same: a later guard may have its own
/// there.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: Inode,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if Inode::of(&self.path).is_ok_and(|found| found == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Answers requests until `stop` resolves, then finishes those that run. Above `most` connections, new ones wait in
/// the kernel's queue, unless one that has not sent a request is closed for them.
pub async fn serve(bound: Bound, guard: &Arc<Guard>, most: usize, stop: impl Future<Output = ()>) {
    let Bound { listener, file, .. } = bound;
    Server::new(Arc::clone(guard), limits(most)).run(listener, stop, GRACE).await;
    drop(file);
}

/// The limits of the guard's connections, which are those of a few proxies.
pub(super) fn limits(most: usize) -> ConnectionLimits {
    ConnectionLimits {
        // A proxy may append the client's own target to the one it asks for.
        target: usize::MAX,
        connections: most,
        // What no address exceeds is half of all.
        per_address: most,
        ..ConnectionLimits::default()
    }
}

impl HttpService for Arc<Guard> {
    type Body = Full<Bytes>;

    async fn answer(&self, request: Request<Incoming>, _: Option<SocketAddr>) -> Response<Self::Body> {
        Guard::answer(self, &request).await
    }

    async fn refuse(
        &self,
        fault: RequestFault,
        _: Option<Parts>,
        _: Option<SocketAddr>,
    ) -> Response<Self::Body> {
        fault.note();
        answer::not_understood(fault)
    }
}
