//! The running process: listeners are opened, served, and closed in order.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use poem::Response;
use poem::endpoint::BoxEndpoint;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::app::{self, EdgeConfig};
use super::body::sign_in::SignInFields;
use super::client::TrustedProxies;
use super::edge::RequestIds;
use super::figures::Figures;
use super::framework::Framework;
use super::listen::{self, BoundListener, ConnectionLimits, Server, SocketError, bind_socket};
use super::simplejwt::SimpleJwtRoutes;
use crate::metrics::Metrics;
use crate::service::{Mode, OpenError, Service};
use crate::settings::{Settings, has_unspecified_host};
use crate::world::World;

/// Why the service did not start, or why it stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {}", why(.source))]
    Listen {
        /// The address of the listener.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The service could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The administration socket could not be bound.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The system failed while the service ran.
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

/// What is known once the service listens.
#[derive(Clone, Debug)]
pub struct Listening {
    /// The address of the public listener, with the port that the system chose.
    pub address: SocketAddr,
    /// Whether the store was created by this start.
    pub initialized_now: bool,
}

/// Serves until `stop` resolves, then finishes running requests within the settings' grace. `listening` is called
/// once, when connections are accepted.
pub async fn run(
    settings: &Settings,
    world: World,
    listening: impl FnOnce(&Listening),
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let files = raise_file_limit();
    // The address first: a new store is initialized with it, and a port that is taken makes no store.
    let listen = |source| ServeError::Listen { address: settings.listen, source };
    let listener = TcpListener::bind(settings.listen).await.map_err(listen)?;
    let address = listener.local_addr()?;
    let issuer = format!("http://{address}");
    let service = Service::open(settings, world.clone(), Mode::Initialize, &issuer).await?;
    let edge_config = edge_config(settings, &world);
    let limits = ConnectionLimits { connections: connections(settings, files), ..limits(settings) };
    let own = ConnectionLimits { connections: OWN_CONNECTIONS, ..limits };
    let public = Server::new(Framework::new(app::public(&service, &edge_config)), limits)
        .behind(edge_config.proxies.clone());
    let operator = Server::new(Framework::new(app::operator(&service, &edge_config)), own);
    let socket = bind_socket(&settings.admin_socket())?;
    let (stopping, stopped) = watch::channel(false);
    let mut listeners = JoinSet::new();
    let grace = settings.shutdown_grace;
    listeners.spawn(serve(public, BoundListener::Tcp(listener), grace, stopped.clone()));
    listeners.spawn(serve(operator, BoundListener::Unix(socket), grace, stopped.clone()));
    serve_metrics(settings, &service.components.metrics, own, stopped).await;
    let mut workers = JoinSet::new();
    workers.spawn(Arc::clone(&service.housekeeping).run());
    workers.spawn(Arc::clone(&service.feed).run());
    warn_about_issuer(settings, &service);
    listening(&Listening { address, initialized_now: service.initialized_now });
    let early = first_end(stop, &mut listeners, &mut workers).await;
    tracing::info!("stopping");
    // The streams of followers never end by themselves.
    service.feed.close();
    let _ = stopping.send(true);
    let rest = listeners.join_all().await;
    workers.shutdown().await;
    if let Err(error) = service.components.last_seen.write().await {
        tracing::warn!(%error, "last-seen notes were not written");
    }
    // The socket's file is removed with the server, so that the next command need not try a stale one.
    let _ = std::fs::remove_file(settings.admin_socket());
    let early = early.map(|ended| ended.unwrap_or_else(|error| Err(io::Error::other(error))));
    Ok(early.into_iter().chain(rest).collect::<io::Result<()>>()?)
}

/// Warns at every start when the issuer differs from the public URL, or is an address that no client can reach.
fn warn_about_issuer(settings: &Settings, service: &Service) {
    let issuer = service.components.keys.names().issuer.as_str();
    let help = "set `issuer` (or RESCIND_ISSUER); tokens that are out stay good, resource servers have to be told the new issuer";
    if let Some(public_url) = settings.public_url.as_deref().filter(|url| *url != issuer) {
        tracing::warn!(issuer, public_url, help, "tokens name another issuer than the URL that clients use");
    } else if has_unspecified_host(issuer) {
        tracing::warn!(issuer, help, "tokens name an issuer that is no address anybody can reach");
    }
}

/// Waits until `stop` resolves, or until a listener or worker ends unexpectedly, which ends the service: half a
/// service helps nobody. Without housekeeping nothing would be swept, unnoticed for weeks; without the feed every
/// follower would refuse all tokens.
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

/// Raises the soft limit of open files to the hard one, since each connection takes a descriptor. `None` stands for
/// no limit.
fn raise_file_limit() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    getrlimit(Resource::Nofile).current
}

/// The most connections of each of the operator's socket and the metrics' listener.
const OWN_CONNECTIONS: usize = 64;

/// The descriptors of a node besides connections: the store's, logs, listeners.
const OWN_FILES: u64 = 64;

/// The fewest client connections a node allows, however few files it may open.
const FEWEST_CONNECTIONS: u64 = 16;

/// The most file descriptors a node with these settings may need.
pub fn files_needed(settings: &Settings) -> u64 {
    (settings.connections_max as u64).saturating_add(files_beside(settings))
}

/// The most file descriptors a node needs for anything but client connections.
fn files_beside(settings: &Settings) -> u64 {
    let database = if settings.store.is_some() { settings.store_connections + 1 } else { 0 };
    OWN_FILES + (2 * OWN_CONNECTIONS + database) as u64
}

/// The most client connections of a node that may open so many files. More could not be accepted, and would take the
/// descriptors of the operator's connections and the database's.
fn connections(settings: &Settings, files: Option<u64>) -> usize {
    let wanted = settings.connections_max;
    let most =
        files.map_or(u64::MAX, |files| files.saturating_sub(files_beside(settings)).max(FEWEST_CONNECTIONS));
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if most < wanted {
        let needed = files_needed(settings);
        tracing::warn!(
            connections_max = wanted,
            connections = most,
            open_files = files,
            "this process may not open enough files for connections_max: fewer connections are served; raise the limit \
             of open files to {needed} (LimitNOFILE={needed} in a systemd unit), or lower connections_max"
        );
    }
    most.min(wanted)
}

/// The operator's app without a listener: for a command when no server runs.
pub async fn in_process(
    settings: &Settings,
    world: World,
) -> Result<BoxEndpoint<'static, Response>, OpenError> {
    let service = Service::open(settings, world.clone(), Mode::Existing, "").await?;
    Ok(app::operator(&service, &edge_config(settings, &world)))
}

/// The settings of the edge.
pub fn edge_config(settings: &Settings, world: &World) -> EdgeConfig {
    EdgeConfig {
        cors_origins: settings.cors_origins.clone(),
        cors_credentials: settings.cors_credentials,
        sign_in_fields: SignInFields { ignore_unknown: settings.ignore_unknown_fields },
        public_url: settings.public_url.clone(),
        simplejwt: settings
            .simplejwt_prefix
            .clone()
            .map(|prefix| SimpleJwtRoutes { prefix, rotate: settings.simplejwt_rotate }),
        proxies: TrustedProxies::new(settings.trusted_proxies.clone()),
        ids: Arc::new(RequestIds::new(u64::from_le_bytes(world.random()))),
        deadline: settings.request_timeout,
    }
}

fn limits(settings: &Settings) -> ConnectionLimits {
    ConnectionLimits {
        response: settings.response_timeout,
        per_address: settings.connections_per_address,
        ..ConnectionLimits::for_requests(settings.request_timeout)
    }
}

async fn serve<S: listen::HttpService>(
    server: Server<S>,
    listener: BoundListener,
    grace: Duration,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let stop = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    server.run(listener, stop, grace).await;
    Ok(())
}

/// Serves the metrics, if they are on. A failure to listen is a warning and does not stop the service.
async fn serve_metrics(
    settings: &Settings,
    metrics: &Arc<Metrics>,
    limits: ConnectionLimits,
    stopped: watch::Receiver<bool>,
) {
    let Some(address) = settings.metrics_listen else { return };
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(%address, why = why(&error), "metrics are off: set metrics_listen to another address, or to off");
            return;
        }
    };
    let server = Server::new(Figures(Arc::clone(metrics)), limits);
    tokio::spawn(serve(server, BoundListener::Tcp(listener), Duration::ZERO, stopped));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_everything_else() {
        let settings = |changes: &[(&str, &str)]| Settings::with(changes).unwrap();
        let of = |files, changes: &[(&str, &str)]| connections(&settings(changes), files);
        assert_eq!(of(None, &[]), 10_000);
        assert_eq!(of(Some(1_048_576), &[]), 10_000);
        assert_eq!(of(Some(files_needed(&settings(&[]))), &[]), 10_000);
        assert_eq!(of(Some(files_needed(&settings(&[])) - 1), &[]), 9_999);
        assert_eq!(of(Some(1_024), &[]), 832);
        let shared = [("store", "postgres://rescind@127.0.0.1/rescind"), ("store_connections", "16")];
        assert_eq!(of(Some(1_024), &shared), 815, "the database has its own");
        assert_eq!(of(Some(20), &[]), 16, "whatever is left, the service serves");
        assert_eq!(of(Some(20), &[("connections_max", "16")]), 16);
    }

    #[test]
    fn a_request_has_the_time_the_settings_say() {
        let limits =
            limits(&Settings::with(&[("request_timeout", "7s"), ("response_timeout", "40s")]).unwrap());
        assert_eq!(limits.head.as_secs(), 7, "to arrive");
        assert_eq!(limits.request.as_secs(), 14, "and again to be answered");
        assert_eq!(limits.response.as_secs(), 40, "and to be read");
    }

    #[test]
    fn an_address_has_the_connections_the_settings_say() {
        let settings = Settings::with(&[("connections_per_address", "6")]).unwrap();
        assert_eq!(limits(&settings).per_address, 6);
    }

    #[tokio::test]
    async fn housekeeping_that_panics_ends_the_service() {
        let mut listeners = JoinSet::from_iter([std::future::pending()]);
        let mut workers = JoinSet::new();
        workers.spawn(async { panic!("in the cellar") });
        let early = first_end(std::future::pending(), &mut listeners, &mut workers).await;
        assert!(early.unwrap().unwrap_err().is_panic());
    }
}
