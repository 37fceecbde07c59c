//! Listens for the proxy: HTTP/1.1 with kept connections, on TCP or a Unix socket.

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
use crate::http::listen::{Fault, Limits, Listener, Server, Service};

/// How many connections a guard has at once, where nothing else is said. One proxy may have half of them.
pub const CONNECTIONS: usize = 4_096;

/// How long requests may take that run when the guard is told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A Unix socket. Whoever may enter its folder may ask.
    Unix(PathBuf),
}

impl Listen {
    /// Reads `ADDRESS:PORT` or `unix:/PATH`.
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

/// Something that listens.
#[derive(Debug)]
pub struct Bound {
    listener: Listener,
    place: String,
    /// The file of a Unix socket.
    file: Option<SocketFile>,
}

impl Bound {
    /// Listens. A socket that an earlier run has left behind is replaced.
    pub async fn to(listen: &Listen) -> io::Result<Self> {
        match listen {
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address).await?;
                let place = format!("http://{}", listener.local_addr()?);
                Ok(Self { listener: Listener::Tcp(listener), place, file: None })
            }
            Listen::Unix(path) => {
                if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
                    fs::remove_file(path)?;
                }
                let listener = UnixListener::bind(path)?;
                // The proxy runs as another user; what keeps others out is the folder.
                fs::set_permissions(path, Permissions::from_mode(0o666))?;
                let file = SocketFile { path: path.clone(), inode: Inode::of(path)? };
                Ok(Self { listener: Listener::Unix(listener), place: listen.to_string(), file: Some(file) })
            }
        }
    }

    /// Where, as people write it.
    pub fn place(&self) -> &str {
        &self.place
    }
}

/// Which file it is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inode(u64, u64);

impl Inode {
    fn of(path: &Path) -> io::Result<Self> {
        fs::symlink_metadata(path).map(|found| Self(found.dev(), found.ino()))
    }
}

/// A socket's file, which is removed in the end if it is still this one: a guard that takes its place has its own there.
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

/// Answers until `stop` resolves, then finishes what runs. Beyond `most` connections the next ones wait in the kernel's
/// queue, unless one that has sent no request gives way.
pub async fn serve(bound: Bound, guard: &Arc<Guard>, most: usize, stop: impl Future<Output = ()>) {
    let Bound { listener, file, .. } = bound;
    // A proxy may append the client's own target to the one it asks for.
    let limits = Limits { target: usize::MAX, connections: most, per_address: most, ..Limits::default() };
    Server::new(Arc::clone(guard), limits).run(listener, stop, GRACE).await;
    drop(file);
}

impl Service for Arc<Guard> {
    type Body = Full<Bytes>;

    async fn answer(&self, request: Request<Incoming>, _: Option<SocketAddr>) -> Response<Self::Body> {
        Guard::answer(self, &request).await
    }

    async fn refuse(&self, fault: Fault, _: Option<Parts>, _: Option<SocketAddr>) -> Response<Self::Body> {
        tracing::warn!(
            status = fault.status().as_u16(),
            reason = fault.advice(),
            "a request is not understood"
        );
        answer::not_understood(fault)
    }
}
