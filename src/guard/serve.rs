//! Listens for the proxy: HTTP/1.1 with kept connections, on TCP or a Unix socket.

use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Guard;

/// How long a caller may take for the head of a request, or say nothing at all.
const PATIENCE: Duration = Duration::from_secs(75);

/// The most one request's head may be, in bytes: more than any proxy passes on.
const LARGEST_HEAD: usize = 64 * 1024;

/// How many connections a guard has at once, where nothing else is said.
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
pub enum Bound {
    /// On TCP.
    Tcp(TcpListener),
    /// On a socket, which is removed in the end if it is still this one: a guard that takes its place has its own there.
    Unix(UnixListener, PathBuf, Inode),
}

impl Bound {
    /// Listens. A socket that an earlier run has left behind is replaced.
    pub async fn to(listen: &Listen) -> io::Result<Self> {
        match listen {
            Listen::Tcp(address) => Ok(Self::Tcp(TcpListener::bind(address).await?)),
            Listen::Unix(path) => {
                if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
                    fs::remove_file(path)?;
                }
                let listener = UnixListener::bind(path)?;
                // The proxy runs as another user; what keeps others out is the folder.
                fs::set_permissions(path, Permissions::from_mode(0o666))?;
                let inode = Inode::of(path)?;
                Ok(Self::Unix(listener, path.clone(), inode))
            }
        }
    }

    /// Where, as people write it.
    pub fn place(&self) -> io::Result<String> {
        match self {
            Self::Tcp(listener) => Ok(format!("http://{}", listener.local_addr()?)),
            Self::Unix(_, path, _) => Ok(format!("unix:{}", path.display())),
        }
    }
}

/// Which file it is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inode(u64, u64);

impl Inode {
    fn of(path: &Path) -> io::Result<Self> {
        fs::symlink_metadata(path).map(|found| Self(found.dev(), found.ino()))
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if let Self::Unix(_, path, inode) = self
            && Inode::of(path).is_ok_and(|found| found == *inode)
        {
            let _ = fs::remove_file(path);
        }
    }
}

/// Answers until `stop` resolves, then finishes what runs. Beyond `most` connections the next ones wait in the kernel's
/// queue.
pub async fn serve(bound: &Bound, guard: &Arc<Guard>, most: usize, stop: impl Future<Output = ()>) {
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = accept(bound), if connections.len() < most => accepted,
            Some(_) = connections.join_next() => continue,
            () = &mut stop => break,
        };
        match accepted {
            Ok(Accepted::Tcp(stream)) => {
                connections.spawn(converse(stream, Arc::clone(guard), stopped.clone()));
            }
            Ok(Accepted::Unix(stream)) => {
                connections.spawn(converse(stream, Arc::clone(guard), stopped.clone()));
            }
            Err(error) => {
                // Out of file descriptors: the connection stays in the queue, so trying at once would spin.
                tracing::warn!(%error, "cannot accept connections");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    let _ = stopping.send(true);
    let _ = timeout(GRACE, connections.join_all()).await;
}

enum Accepted {
    Tcp(tokio::net::TcpStream),
    Unix(tokio::net::UnixStream),
}

async fn accept(bound: &Bound) -> io::Result<Accepted> {
    Ok(match bound {
        Bound::Tcp(listener) => {
            let (stream, _) = listener.accept().await?;
            // Answers are small and written at once: waiting to fill a packet only delays them.
            stream.set_nodelay(true)?;
            Accepted::Tcp(stream)
        }
        Bound::Unix(listener, ..) => Accepted::Unix(listener.accept().await?.0),
    })
}

async fn converse<S>(stream: S, guard: Arc<Guard>, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answer = service_fn(|request: Request<Incoming>| {
        let guard = Arc::clone(&guard);
        async move { Ok::<_, Infallible>(guard.answer(&request).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_buf_size(LARGEST_HEAD)
            .serve_connection(TokioIo::new(stream), answer)
    );
    // How a conversation ends is the proxy's affair.
    let _ = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
}

async fn told(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
