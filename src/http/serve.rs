//! The process: listeners are opened, served, and closed in order.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use poem::endpoint::BoxEndpoint;
use poem::http::header;
use poem::listener::TcpAcceptor;
use poem::{EndpointExt, Response, Route, Server, get, handler};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::app::{self, Entrance};
use super::client::TrustedProxies;
use super::door::RequestIds;
use super::listen::{Guarded, Limits, SocketError, bind_socket};
use crate::metrics::Metrics;
use crate::service::{Mode, OpenError, Service};
use crate::settings::Settings;
use crate::world::World;

/// Why the service did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is not to be had.
    #[error("cannot listen on {address}: {}", why(.source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The service could not be put together.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The administration socket is not to be had.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The system failed us.
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not listen there".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        _ => error.to_string(),
    }
}

/// What the outside learns when the service listens.
#[derive(Clone, Debug)]
pub struct Listening {
    /// Where.
    pub address: SocketAddr,
    /// Whether the store was made just now.
    pub founded_now: bool,
}

/// Serves until `stop` resolves, then finishes what runs within the settings' grace. `listening` is called once, when
/// connections are accepted.
pub async fn run(
    settings: &Settings,
    world: World,
    listening: impl FnOnce(&Listening),
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    raise_file_limit();
    // The address first: it is part of what a new store is founded as, and a port that is taken makes no store.
    let listen = |source| ServeError::Listen { address: settings.listen, source };
    let listener = TcpListener::bind(settings.listen).await.map_err(listen)?;
    let address = listener.local_addr()?;
    let issuer = format!("http://{address}");
    let service = Service::open(settings, world.clone(), Mode::Found, &issuer).await?;
    let entrance = entrance(settings, &world);
    let limits = limits(settings);
    let public = Guarded::new(TcpAcceptor::from_tokio(listener)?, limits);
    let socket = Guarded::new(bind_socket(&settings.admin_socket())?, limits);
    let (stopping, stopped) = watch::channel(false);
    let mut listeners = JoinSet::new();
    let grace = settings.shutdown_grace;
    listeners.spawn(serve(public, app::public(&service, &entrance), grace, stopped.clone()));
    listeners.spawn(serve(socket, app::operator(&service, &entrance), grace, stopped.clone()));
    serve_metrics(settings, service.auth.metrics(), stopped).await;
    let mut workers = JoinSet::new();
    workers.spawn(Arc::clone(&service.auth).keep_house());
    workers.spawn(Arc::clone(&service.feed).run());
    listening(&Listening { address, founded_now: service.founded_now });
    let early = first_end(stop, &mut listeners, &mut workers).await;
    tracing::info!("stopping");
    // The streams of followers never end by themselves.
    service.feed.close();
    let _ = stopping.send(true);
    let rest = listeners.join_all().await;
    workers.shutdown().await;
    if let Err(error) = service.auth.write_last_seen().await {
        tracing::warn!(%error, "last-seen notes were not written");
    }
    // The socket's file goes with the server; a stale one would only make the next command look twice.
    let _ = std::fs::remove_file(settings.admin_socket());
    let early = early.map(|ended| ended.unwrap_or_else(|error| Err(io::Error::other(error))));
    Ok(early.into_iter().chain(rest).collect::<io::Result<()>>()?)
}

/// Waits until the service is told to stop, or a part of it ends untold: that takes the others with it, since half a
/// service helps nobody. Without the housekeeping nothing would be swept, and nobody would notice for weeks; without the feed
/// every follower would refuse everyone.
async fn first_end(
    stop: impl Future<Output = ()>,
    listeners: &mut JoinSet<io::Result<()>>,
    workers: &mut JoinSet<Infallible>,
) -> Option<Result<io::Result<()>, JoinError>> {
    tokio::select! {
        () = stop => None,
        ended = listeners.join_next() => ended,
        Some(ended) = workers.join_next() => Some(ended.map(|never| match never {})),
    }
}

/// Connections are files: takes as many of them as the system lets this process have.
fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// The app as the operator sees it, without listening: for a command when no server runs.
pub async fn in_process(
    settings: &Settings,
    world: World,
) -> Result<BoxEndpoint<'static, Response>, OpenError> {
    let service = Service::open(settings, world.clone(), Mode::Existing, "").await?;
    Ok(app::operator(&service, &entrance(settings, &world)))
}

/// What the settings say about the entrance.
pub fn entrance(settings: &Settings, world: &World) -> Entrance {
    Entrance {
        cors_origins: settings.cors_origins.clone(),
        proxies: TrustedProxies::new(settings.trusted_proxies.clone()),
        ids: Arc::new(RequestIds::new(u64::from_le_bytes(world.random()))),
        deadline: settings.request_timeout,
    }
}

fn limits(settings: &Settings) -> Limits {
    Limits {
        // Twice: once for the request to arrive, once for the answer.
        request: settings.request_timeout * 2,
        connections: settings.connections_max,
        ..Limits::default()
    }
}

async fn serve<A: poem::listener::Acceptor + 'static>(
    acceptor: A,
    app: BoxEndpoint<'static, Response>,
    grace: Duration,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let stop = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    Server::new_with_acceptor(acceptor).run_with_graceful_shutdown(app, stop, Some(grace)).await
}

/// Metrics are worth a warning, never the service.
async fn serve_metrics(settings: &Settings, metrics: &Arc<Metrics>, stopped: watch::Receiver<bool>) {
    let Some(address) = settings.metrics_listen else { return };
    let acceptor = match TcpListener::bind(address).await.map(TcpAcceptor::from_tokio) {
        Ok(Ok(acceptor)) => acceptor,
        Ok(Err(error)) | Err(error) => {
            tracing::warn!(%address, why = why(&error), "metrics are off: set metrics_listen to another address, or to off");
            return;
        }
    };
    let app =
        Route::new().at("/metrics", get(metrics_text)).data(Arc::clone(metrics)).map_to_response().boxed();
    let acceptor = Guarded::new(acceptor, Limits { connections: 64, ..limits(settings) });
    tokio::spawn(serve(acceptor, app, Duration::ZERO, stopped));
}

#[handler]
#[allow(clippy::needless_pass_by_value, reason = "the form the framework extracts it in")]
fn metrics_text(metrics: poem::web::Data<&Arc<Metrics>>) -> Response {
    Response::builder()
        .header(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(metrics.encode())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn housekeeping_that_panics_ends_the_service() {
        let mut listeners = JoinSet::from_iter([std::future::pending()]);
        let mut workers = JoinSet::new();
        workers.spawn(async { panic!("in the cellar") });
        let early = first_end(std::future::pending(), &mut listeners, &mut workers).await;
        assert!(early.unwrap().unwrap_err().is_panic());
    }
}
