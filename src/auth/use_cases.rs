//! The use cases, and the components they work with.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::SessionPolicy;
use super::account::Account;
use super::administer::Administration;
use super::authenticate::Authentication;
use super::devices::UserDevices;
use super::former_sessions::{FormerSessionPolicy, FormerSessions};
use super::hashing::Hashing;
use super::introspect::Introspector;
use super::issue::TokenMint;
use super::last_seen::LastSeenNotes;
use super::limits::RateLimits;
use super::login::SignIn;
use super::logout::SignOut;
use super::readiness::Readiness;
use super::refresh::Refresh;
use crate::issuer::rollback::RollbackDetector;
use crate::issuer::signing_keys::SigningKeys;
use crate::metrics::Metrics;
use crate::store::Store;
use crate::world::reference::ReferenceClock;

/// What the use cases work with: one of each per process.
#[derive(Clone, Debug)]
pub struct Components {
    /// The store.
    pub store: Store,
    /// The clock of this node, and its world.
    pub clock: Arc<ReferenceClock>,
    /// The signing keys.
    pub keys: Arc<SigningKeys>,
    /// This node's knowledge of a rollback of the store.
    pub rollback: Arc<RollbackDetector>,
    /// The last-seen records that wait to be written.
    pub last_seen: Arc<LastSeenNotes>,
    /// The password hasher.
    pub hashing: Arc<Hashing>,
    /// The rate limits.
    pub limits: Arc<RateLimits>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

/// The use cases, by what they are about. Each part holds only the components that it uses.
#[derive(Debug)]
pub struct UseCases {
    /// From a credential to its owner.
    pub authentication: Arc<Authentication>,
    /// Sessions that began in another system.
    pub former_sessions: Arc<FormerSessions>,
    /// Registration and sign-in.
    pub sign_in: Arc<SignIn>,
    /// The exchange of refresh tokens.
    pub refresh: Refresh,
    /// Sign-outs of one device, of all, and of all others; revocation of a token.
    pub sign_out: SignOut,
    /// The caller's account and password.
    pub account: Account,
    /// The devices of the caller, and lists of any user's devices.
    pub devices: UserDevices,
    /// Introspection of tokens.
    pub introspection: Introspector,
    /// Administration of users, service keys and signing keys.
    pub administration: Administration,
    /// The health of this node.
    pub readiness: Readiness,
    /// The signing keys, to publish them.
    pub keys: Arc<SigningKeys>,
}

impl UseCases {
    /// Gives each part the components that it uses.
    pub fn new(
        components: Components,
        policy: SessionPolicy,
        former_sessions: Option<FormerSessionPolicy>,
    ) -> Self {
        let Components { store, clock, keys, rollback, last_seen, hashing, limits, metrics } = components;
        let world = clock.world().clone();
        let (device_idle, replay, most) = (policy.device_idle, policy.replay, policy.devices_per_user);
        let authentication = Arc::new(Authentication {
            store: store.clone(),
            world: world.clone(),
            keys: Arc::clone(&keys),
            rollback: Arc::clone(&rollback),
            last_seen: Arc::clone(&last_seen),
        });
        let mint = Arc::new(TokenMint { keys: Arc::clone(&keys), access_lifetime: policy.access_lifetime });
        let former_sessions = Arc::new(FormerSessions {
            policy: former_sessions,
            store: store.clone(),
            clock: Arc::clone(&clock),
            told: AtomicBool::default(),
        });
        let sign_in = Arc::new(SignIn {
            authentication: Arc::clone(&authentication),
            store: store.clone(),
            clock: Arc::clone(&clock),
            rollback: Arc::clone(&rollback),
            mint: Arc::clone(&mint),
            hashing: Arc::clone(&hashing),
            limits: Arc::clone(&limits),
            policy,
            metrics: Arc::clone(&metrics),
        });
        let refresh = Refresh {
            authentication: Arc::clone(&authentication),
            former_sessions: Arc::clone(&former_sessions),
            sign_in: Arc::clone(&sign_in),
            store: store.clone(),
            clock: Arc::clone(&clock),
            rollback: Arc::clone(&rollback),
            mint: Arc::clone(&mint),
            last_seen,
            replay,
            device_idle,
            most,
            metrics: Arc::clone(&metrics),
        };
        let sign_out = SignOut {
            authentication: Arc::clone(&authentication),
            former_sessions: Arc::clone(&former_sessions),
            sign_in: Arc::clone(&sign_in),
            store: store.clone(),
            world: world.clone(),
            rollback: Arc::clone(&rollback),
            mint: Arc::clone(&mint),
            limits: Arc::clone(&limits),
            metrics: Arc::clone(&metrics),
        };
        let account = Account {
            authentication: Arc::clone(&authentication),
            former_sessions: Arc::clone(&former_sessions),
            clock: Arc::clone(&clock),
            mint,
            hashing: Arc::clone(&hashing),
            limits,
            device_idle,
            metrics: Arc::clone(&metrics),
        };
        let devices = UserDevices {
            authentication: Arc::clone(&authentication),
            store: store.clone(),
            world: world.clone(),
            metrics: Arc::clone(&metrics),
        };
        let introspection = Introspector {
            authentication: Arc::clone(&authentication),
            former_sessions: Arc::clone(&former_sessions),
            store: store.clone(),
            clock,
            rollback: Arc::clone(&rollback),
        };
        let administration = Administration {
            store: store.clone(),
            world,
            keys: Arc::clone(&keys),
            hashing,
            sign_in: Arc::clone(&sign_in),
            former_sessions: Arc::clone(&former_sessions),
            metrics,
        };
        let readiness = Readiness { store, rollback };
        Self {
            authentication,
            former_sessions,
            sign_in,
            refresh,
            sign_out,
            account,
            devices,
            introspection,
            administration,
            readiness,
            keys,
        }
    }
}
