//! A service on a store, as the use cases drive it: a manual clock, the same ids in every run, and the tokens a client
//! holds.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rescind::model::claims::{Presented, RefreshClaims};
use rescind::model::counters::{KeysVersion, Position};
use rescind::model::device::{Cause, DeviceKind, DeviceName, LastSeen};
use rescind::model::ids::{DeviceId, UserId};
use rescind::model::network::Network;
use rescind::model::password::PasswordHash;
use rescind::model::replay::ReplayPolicy;
use rescind::model::revocation::Entry;
use rescind::model::timestamp::Timestamp;
use rescind::model::username::Username;
use rescind::model::verdict::Verdict;
use rescind::store::queries::devices::{ListDevices, ListEndedDevices, Listed};
use rescind::store::queries::log::ReadLog;
use rescind::store::queries::service::ReadCounters;
use rescind::store::queries::standing::CheckStanding;
use rescind::store::queries::users::FindUser;
use rescind::store::retention::LOG_KEPT;
use rescind::store::steps::caller::CallerToken;
use rescind::store::steps::end_device::{DeviceEnded, EndDevice};
use rescind::store::steps::end_devices::{DevicesEnded, EndDevices, EndDevicesBy};
use rescind::store::steps::initialize::Initialize;
use rescind::store::steps::open_device::{OpenDevice, Opened};
use rescind::store::steps::register::{Register, Registered};
use rescind::store::steps::rotate_refresh::{Refreshed, RotateRefresh};
use rescind::store::steps::session::{NewDevice, Session};
use rescind::store::steps::set_disabled::SetDisabled;
use rescind::store::steps::sweep::{Sweep, Swept};
use rescind::store::{Store, StoreIdentity};
use rescind::world::{Manual, World};

use crate::backend::Backend;

pub(crate) const START: Timestamp = Timestamp::from_unix(1_800_000_000);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
pub(crate) const ACCESS: Duration = Duration::from_secs(15 * 60);
pub(crate) const IDLE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
pub(crate) const LIFETIME: Duration = Duration::from_secs(180 * 24 * 60 * 60);

/// The address of owners.
pub(crate) const HOME: &str = "192.0.2.7";
/// An address on another network.
pub(crate) const ELSEWHERE: &str = "198.51.100.9";

/// The version of the key set that a store begins with.
pub(crate) const KEYS: KeysVersion = KeysVersion::new(1);

/// An access token that is authentic by the keys that a store begins with.
pub(crate) const fn by_first_keys(presented: Presented) -> CallerToken {
    CallerToken { presented, keys: KEYS }
}

/// An initialized store with a manual clock and seeded randomness.
pub(crate) struct Service {
    backend: Box<dyn Backend>,
    pub(crate) world: World,
    pub(crate) counters: Arc<Manual>,
    pub(crate) policy: ReplayPolicy,
    /// The most live devices of a user.
    pub(crate) most: u64,
}

/// The tokens a client holds after a sign-in or a refresh.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) access: Presented,
    pub(crate) refresh: RefreshClaims,
}

impl Pair {
    /// The tokens minted from `session` at `now`.
    pub(crate) fn minted(session: &Session, now: Timestamp) -> Self {
        let device = &session.device;
        let stamp = session.user.stamp(session.era);
        let (user, id) = (session.user.id, device.id);
        Self {
            access: Presented { user, device: id, stamp, expires: (now + ACCESS).min(device.end()) },
            refresh: RefreshClaims {
                subject: user,
                device: id,
                stamp,
                sequence: device.refresh.current,
                expires: device.end(),
            },
        }
    }

    pub(crate) fn user(&self) -> UserId {
        self.access.user
    }

    pub(crate) fn device(&self) -> DeviceId {
        self.access.device
    }
}

/// The hash of the `n`th password.
pub(crate) fn password(n: u64) -> PasswordHash {
    let hash = STANDARD_NO_PAD.encode(blake3::hash(&n.to_le_bytes()).as_bytes());
    PasswordHash::parse(&format!("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQxMjM0NTY3OA${hash}")).unwrap()
}

pub(crate) fn username(name: &str) -> Username {
    Username::parse(name).unwrap()
}

pub(crate) fn network(address: &str) -> Network {
    Network::of(address.parse().unwrap())
}

impl Service {
    /// Initializes the store of `backend`.
    pub(crate) async fn found(backend: impl Backend) -> Self {
        let (world, counters) = World::manual(START, 7);
        let identity = StoreIdentity {
            store: world.store_id(),
            issuer: "https://id.example".to_owned(),
            audience: "https://api.example".to_owned(),
            at: START,
            names: Vec::new(),
        };
        backend.store().run(Initialize { identity, keys: Vec::new() }).await.unwrap();
        let (policy, most) = (ReplayPolicy::default(), 100);
        Self { backend: Box::new(backend), world, counters, policy, most }
    }

    pub(crate) fn store(&self) -> Store {
        self.backend.store()
    }

    /// The size of a large test, in devices or rounds.
    pub(crate) fn many(&self) -> u64 {
        self.backend.many()
    }

    pub(crate) async fn reopen(&mut self) {
        self.backend.reopen().await;
    }

    /// The number of records that `step` wrote; `None` if the engine does not count them.
    pub(crate) async fn cost_of<T>(&self, step: impl Future<Output = T>) -> Option<(u64, T)> {
        let before = self.backend.writes();
        let outcome = step.await;
        Some((self.backend.writes()? - before?, outcome))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.world.now()
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.counters.advance(time);
    }

    pub(crate) fn new_device(&self, address: &str) -> NewDevice {
        NewDevice {
            id: self.world.device_id(),
            name: DeviceName::parse("Ada’s phone").unwrap(),
            kind: DeviceKind::parse("mobile").unwrap(),
            network: network(address),
            seen: self.seen(address),
            idle: IDLE,
            lifetime: LIFETIME,
            amr: Vec::new(),
            rotates: true,
        }
    }

    pub(crate) fn seen(&self, address: &str) -> LastSeen {
        LastSeen { at: self.now(), address: address.parse().ok(), user_agent: Some("okhttp/4.12".to_owned()) }
    }

    pub(crate) fn registration(&self, name: &str, device: Option<NewDevice>) -> Register {
        let id = self.world.user_id();
        let (external_id, password) = (None, Some(password(0)));
        Register { id, username: username(name), external_id, password, device, now: self.now() }
    }

    /// Registers a user with password 0, signed in on a first device.
    pub(crate) async fn register(&self, name: &str) -> Pair {
        let request = self.registration(name, Some(self.new_device(HOME)));
        match self.store().run(request).await.unwrap() {
            Registered::Session(session) => Pair::minted(&session, self.now()),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn opening(&self, user: UserId, verified: &PasswordHash) -> OpenDevice {
        let device = self.new_device(HOME);
        OpenDevice { user, verified: Some(verified.clone()), device, most: self.most, now: self.now() }
    }

    /// Signs a user in with password 0.
    pub(crate) async fn sign_in(&self, user: UserId) -> Pair {
        match self.store().run(self.opening(user, &password(0))).await.unwrap() {
            Opened::Opened { session, .. } => Pair::minted(&session, self.now()),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn rotation(&self, claims: &RefreshClaims, address: &str) -> RotateRefresh {
        RotateRefresh {
            claims: claims.clone(),
            keys: Some(KEYS),
            network: network(address),
            origin: Some(format!("{address} okhttp/4.12")),
            policy: self.policy,
            idle: IDLE,
            now: self.now(),
            latest: self.now(),
            steady: self.now(),
        }
    }

    pub(crate) async fn refresh(&self, claims: &RefreshClaims, address: &str) -> Refreshed {
        self.store().run(self.rotation(claims, address)).await.unwrap()
    }

    /// Refreshes with the newest token.
    pub(crate) async fn rotate(&self, pair: &Pair) -> Pair {
        match self.refresh(&pair.refresh, HOME).await {
            Refreshed::Rotated(session) => Pair::minted(&session, self.now()),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn ending(&self, user: UserId, device: DeviceId, caller: Option<Presented>) -> EndDevice {
        EndDevice {
            user,
            device,
            caller: caller.map(by_first_keys),
            named_by: None,
            cause: Cause::SignedOut,
            note: None,
            now: self.now(),
        }
    }

    /// Signs the client's device out.
    pub(crate) async fn sign_out(&self, pair: &Pair) -> DeviceEnded {
        self.store().run(self.ending(pair.user(), pair.device(), None)).await.unwrap()
    }

    pub(crate) fn everywhere(&self, caller: &Pair, keep: bool) -> EndDevices {
        EndDevices { by: EndDevicesBy::Caller { token: by_first_keys(caller.access), keep }, now: self.now() }
    }

    /// Signs out everywhere, or everywhere else if `keep`. Returns how many devices ended and, if `keep`, the claims
    /// of the caller's new access token.
    pub(crate) async fn sign_out_all(&self, caller: &Pair, keep: bool) -> (u64, Option<Presented>) {
        match self.store().run(self.everywhere(caller, keep)).await.unwrap() {
            DevicesEnded::Ended { signed_out, user, kept } => {
                let stamp = user.stamp(caller.access.stamp.era);
                (signed_out, kept.map(|_| Presented { stamp, ..caller.access }))
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn disabling(&self, user: UserId, disabled: bool) -> SetDisabled {
        SetDisabled { user, disabled, note: Some("asked for".to_owned()), now: self.now() }
    }

    /// The verdict on an access token.
    pub(crate) async fn verdict(&self, access: &Presented) -> Verdict {
        self.verdict_of(&self.store(), access).await
    }

    /// The verdict of a node with this store.
    pub(crate) async fn verdict_of(&self, node: &Store, access: &Presented) -> Verdict {
        let (presented, now) = (*access, self.now());
        node.read(CheckStanding { presented, now }).await.unwrap().judge(access, now)
    }

    /// The number of the user's live devices.
    pub(crate) async fn live(&self, user: UserId) -> u64 {
        let era = self.store().read(ReadCounters).await.unwrap().era;
        self.store().read(FindUser { id: user }).await.unwrap().unwrap().live_devices(era)
    }

    /// The ended devices of a user that are still kept, newest end first.
    pub(crate) async fn past_devices(&self, user: UserId) -> Vec<Listed> {
        self.store().read(ListEndedDevices { user, after: None, limit: usize::MAX }).await.unwrap()
    }

    pub(crate) async fn device_ids(&self, user: UserId) -> Vec<DeviceId> {
        let listed = self.store().read(ListDevices { user, after: None, limit: usize::MAX }).await.unwrap();
        listed.into_iter().map(|listed| listed.device.id).collect()
    }

    pub(crate) async fn log(&self) -> Vec<Entry> {
        self.store().read(ReadLog { after: Position::default(), limit: usize::MAX }).await.unwrap()
    }

    /// A sweep at the current time, by a node that saw every entry as soon as it was written.
    pub(crate) async fn sweeping(&self, limit: usize) -> Sweep {
        let kept = |entry: &&Entry| entry.at + LOG_KEPT > self.now();
        let log = self.log().await;
        let outlived = match log.iter().find(kept) {
            Some(entry) => Position::new(entry.position.value() - 1),
            None => self.store().read(ReadCounters).await.unwrap().head,
        };
        Sweep { now: self.now(), outlived, limit }
    }

    /// Sweeps until nothing is left to do; returns the totals.
    pub(crate) async fn sweep(&self) -> Swept {
        let mut sum = Swept::default();
        loop {
            let swept = self.store().run(self.sweeping(16).await).await.unwrap();
            sum.expired += swept.expired;
            sum.forgotten += swept.forgotten;
            sum.entries += swept.entries;
            if !swept.more {
                return sum;
            }
        }
    }
}
