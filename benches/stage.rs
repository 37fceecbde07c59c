//! The service in this process, with default settings where a group of figures needs no others, on an embedded store in a folder of its own.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use poem::endpoint::BoxEndpoint;
use poem::listener::TcpAcceptor;
use poem::{Response, Server};
use rescind::auth::ClientInfo;
use rescind::auth::administrator::{Administrator, AdministratorOrder};
use rescind::auth::issue::Issued;
use rescind::auth::login::DeviceWish;
use rescind::auth::use_cases::UseCases;
use rescind::http::app::{self, EdgeConfig};
use rescind::http::framework::Framework;
use rescind::http::listen::{self, BoundListener, ConnectionLimits};
use rescind::http::serve;
use rescind::metrics::Metrics;
use rescind::model::device::{Device, DeviceKind, DeviceName, LastSeen};
use rescind::model::ids::UserId;
use rescind::model::network::Network;
use rescind::model::password::PasswordHash;
use rescind::model::timestamp::Timestamp;
use rescind::model::username::Username;
use rescind::service::{Mode, Service};
use rescind::settings::Settings;
use rescind::store::Store;
use rescind::store::steps::open_device::{OpenDevice, Opened};
use rescind::store::steps::register::{Register, Registered};
use rescind::store::steps::session::NewDevice;
use rescind::world::World;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The number of writers that load an embedded store: as many as share a sync.
const AT_ONCE: usize = 500;
/// The number of writers that load a shared store: as many as it has time for.
const AT_ONCE_SHARED: usize = 32;

/// The issuer of the tokens, whatever address the service listens on.
pub(crate) const ISSUER: &str = "http://localhost";

/// The password hash of every user. It is the hash of no password, since no figure measures hashing.
const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g";

/// The service under measurement and its parts.
pub(crate) struct Stage {
    pub(crate) use_cases: Arc<UseCases>,
    service: Service,
    pub(crate) settings: Settings,
    world: World,
    edge_config: EdgeConfig,
    password: PasswordHash,
    runtime: Runtime,
    folder: TempDir,
}

/// The order under which the benchmarks act as the operator.
pub(crate) fn order() -> AdministratorOrder {
    AdministratorOrder { by: Administrator::Operator, reason: None }
}

/// The client of the benchmarks' own sign-ins.
pub(crate) fn client_info() -> ClientInfo {
    ClientInfo { address: IpAddr::V4(Ipv4Addr::LOCALHOST), user_agent: Some("rescind-bench".to_owned()) }
}

/// The default settings with `changes` and the data in `folder`.
fn settings(folder: &TempDir, changes: &[(&str, &str)]) -> Result<Settings> {
    let data = folder.path().join("data");
    let data = data.to_str().ok_or_else(|| anyhow!("the build folder's path is no text"))?;
    let changes: Vec<_> = [("data", data)].into_iter().chain(changes.iter().copied()).collect();
    Settings::with(&changes).map_err(|faults| anyhow!("{faults}"))
}

impl Stage {
    /// Opens a new embedded store with the default settings and `changes`.
    pub(crate) fn open(changes: &[(&str, &str)]) -> Result<Self> {
        Self::open_on(Runtime::new()?, changes)
    }

    /// Opens a new embedded store with the default settings and `changes` on the given runtime.
    pub(crate) fn open_on(runtime: Runtime, changes: &[(&str, &str)]) -> Result<Self> {
        Self::set_up(runtime, changes, None)
    }

    /// Opens the service over `store` with the default settings and `changes`.
    pub(crate) fn over(store: Store, changes: &[(&str, &str)]) -> Result<Self> {
        Self::set_up(Runtime::new()?, changes, Some(store))
    }

    fn set_up(runtime: Runtime, changes: &[(&str, &str)], store: Option<Store>) -> Result<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let settings = settings(&folder, changes)?;
        let world = World::real();
        let service = runtime.block_on(async {
            match store {
                Some(store) => {
                    let metrics = Arc::new(Metrics::new());
                    Service::over(store, &settings, world.clone(), metrics, ISSUER).await
                }
                None => Service::open(&settings, world.clone(), Mode::Initialize, ISSUER).await,
            }
        })?;
        let use_cases = Arc::clone(&service.use_cases);
        let edge_config = serve::edge_config(&settings, &world);
        let password = PasswordHash::parse(HASH).map_err(|_| anyhow!("not a hash"))?;
        runtime.spawn(Arc::clone(&service.housekeeping).run());
        runtime.spawn(Arc::clone(&service.feed).run());
        Ok(Self { use_cases, service, settings, world, edge_config, password, runtime, folder })
    }

    /// Runs a future to its end.
    pub(crate) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Serves the public operations on a free port.
    pub(crate) fn serve_public(&self) -> Result<SocketAddr> {
        self.serve_app(app::public(&self.service, &self.edge_config))
    }

    /// Serves `app` with the service's own server loop.
    pub(crate) fn serve_app(&self, app: BoxEndpoint<'static, Response>) -> Result<SocketAddr> {
        let (listener, address) = self.listen()?;
        // The machine's own clients share an address.
        let limits = ConnectionLimits { per_address: usize::MAX, ..ConnectionLimits::default() };
        let server = listen::Server::new(Framework::new(app), limits);
        self.runtime.spawn(server.run(BoundListener::Tcp(listener), std::future::pending(), Duration::ZERO));
        Ok(address)
    }

    /// Serves `app` with the framework's server loop.
    pub(crate) fn serve_plain(&self, app: BoxEndpoint<'static, Response>) -> Result<SocketAddr> {
        let (listener, address) = self.listen()?;
        let acceptor = TcpAcceptor::from_tokio(listener)?;
        self.runtime.spawn(Server::new_with_acceptor(acceptor).run(app));
        Ok(address)
    }

    fn listen(&self) -> Result<(TcpListener, SocketAddr)> {
        let _within = self.runtime.enter();
        let listener = self.run(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    /// The store of the service.
    pub(crate) fn store(&self) -> &Store {
        &self.service.components.store
    }

    /// The metrics of the service.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.service.components.metrics
    }

    /// The current time of the service's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// The settings of the edge.
    pub(crate) fn edge_config(&self) -> &EdgeConfig {
        &self.edge_config
    }

    /// The folder that holds the data; the service ends.
    pub(crate) fn folder(self) -> TempDir {
        self.folder
    }

    /// Adds a user.
    pub(crate) async fn add_user(&self, name: &str) -> Result<UserId> {
        let username = Username::parse(name).map_err(|error| anyhow!("{error}"))?;
        let (id, external_id, password) = (self.world.user_id(), None, Some(self.password.clone()));
        let request = Register { id, username, external_id, password, device: None, now: self.world.now() };
        match self.store().run(request).await? {
            Registered::User(_) => Ok(id),
            other => bail!("registering came to {other:?}"),
        }
    }

    /// Signs a user in on a new device.
    pub(crate) async fn sign_in(&self, user: UserId) -> Result<Issued> {
        Ok(self
            .use_cases
            .administration
            .open_session(user, DeviceWish::default(), Vec::new(), &client_info(), order())
            .await?)
    }

    /// Opens a device for a user as `sign_in` does, but without making its tokens.
    pub(crate) async fn add_device(&self, user: UserId) -> Result<Device> {
        let now = self.world.now();
        let client = client_info();
        let device = NewDevice {
            id: self.world.device_id(),
            name: DeviceName::unknown(),
            kind: DeviceKind::other(),
            network: Network::of(client.address),
            seen: LastSeen { at: now, address: Some(client.address), user_agent: client.user_agent },
            idle: self.settings.device_idle,
            lifetime: self.settings.device_lifetime,
            amr: Vec::new(),
            rotates: true,
        };
        let most = u64::from(self.settings.devices_per_user);
        let request = OpenDevice { user, verified: None, device, most, now };
        match self.store().run(request).await? {
            Opened::Opened { session, .. } => Ok(session.device),
            other => bail!("opening a device came to {other:?}"),
        }
    }

    /// Runs `work` for every number below `count`, many at once, since only then writes share a sync.
    pub(crate) async fn for_each<F>(
        self: &Arc<Self>,
        count: u64,
        work: impl Fn(Arc<Self>, u64) -> F + Clone + Send + 'static,
    ) -> Result<()>
    where
        F: Future<Output = Result<()>> + Send,
    {
        let next = Arc::new(AtomicU64::new(0));
        let at_once = if self.settings.store.is_some() { AT_ONCE_SHARED } else { AT_ONCE };
        let workers = (0..at_once).map(|_| {
            let (stage, next, work) = (Arc::clone(self), Arc::clone(&next), work.clone());
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return anyhow::Ok(());
                    }
                    work(Arc::clone(&stage), number).await?;
                }
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await??;
        }
        Ok(())
    }
}
