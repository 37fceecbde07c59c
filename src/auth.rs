//! The use cases of users, clients, resource servers and administrators. They know no HTTP and no storage engine.
//!
//! Each use case has a file. It takes parsed input, runs one step of the store, and turns the step's outcome into an
//! answer or an [`error::AuthError`]. Whatever acts for a signed-in user goes through [`authenticate`].
//!
//! Modules: [`register`], [`login`], [`refresh`], [`logout`], [`password`], [`account`] and [`devices`] for users;
//! [`introspect`], [`administer`] and [`service_keys`] for resource servers and administrators; [`issue`] mints the
//! tokens of every sign-in; [`signing_keys`] changes the keys; [`last_seen`] and [`housekeeping`] run beside the
//! requests; [`hashing`] and [`limits`] protect against guessing; `events` are the security events in the log.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::issuer::rollback::RollbackDetector;
use crate::issuer::signing_keys::SigningKeys;
use crate::metrics::Metrics;
use crate::model::replay::ReplayPolicy;
use crate::model::timestamp::Timestamp;
use crate::store::Store;
use crate::store::log_age::LogAge;
use crate::world::World;
use crate::world::reference::{ReferenceClock, TOLERATED};

pub mod account;
pub mod administer;
pub mod authenticate;
pub mod devices;
pub mod error;
pub mod events;
pub mod hashing;
pub mod housekeeping;
pub mod introspect;
pub mod issue;
pub mod last_seen;
pub mod limits;
pub mod login;
pub mod logout;
pub mod password;
pub mod refresh;
pub mod register;
pub mod service_keys;
pub mod signing_keys;

/// The settings of sessions.
#[derive(Clone, Debug)]
pub struct SessionPolicy {
    /// The lifetime of an access token, at most an hour.
    pub access_lifetime: Duration,
    /// The time after which a device expires without a refresh.
    pub device_idle: Duration,
    /// The time after which a device expires in any case.
    pub device_lifetime: Duration,
    /// The most live devices of a user.
    pub devices_per_user: u64,
    /// Whether registration is open to everybody.
    pub registration: bool,
    /// The refresh-token replay rule.
    pub replay: ReplayPolicy,
}

/// The client that sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfo {
    /// The client's address, as far as it can be trusted.
    pub address: IpAddr,
    /// The client's `User-Agent`, cut to 256 characters.
    pub user_agent: Option<String>,
}

/// The use cases with everything they need. One per process.
pub struct Auth {
    store: Store,
    world: World,
    clock: Arc<ReferenceClock>,
    log_age: Mutex<LogAge>,
    policy: SessionPolicy,
    keys: Arc<SigningKeys>,
    rollback: Arc<RollbackDetector>,
    hashing: hashing::Hashing,
    limits: limits::RateLimits,
    last_seen: last_seen::LastSeenNotes,
    metrics: Arc<Metrics>,
}

impl Auth {
    /// Assembles the use cases over an initialized store.
    #[allow(clippy::too_many_arguments, reason = "one of each, made at one place")]
    pub fn new(
        store: Store,
        clock: Arc<ReferenceClock>,
        policy: SessionPolicy,
        keys: Arc<SigningKeys>,
        rollback: Arc<RollbackDetector>,
        hashing: hashing::Hashing,
        limits: limits::RateLimits,
        metrics: Arc<Metrics>,
    ) -> Self {
        let last_seen = last_seen::LastSeenNotes::default();
        let (world, log_age) = (clock.world().clone(), Mutex::default());
        Self { store, world, clock, log_age, policy, keys, rollback, hashing, limits, last_seen, metrics }
    }

    /// A lifetime of `time`, longer by what the wall clock is behind the latest known time: it must not be over when
    /// the clock is set right.
    fn lasting(&self, time: Duration) -> Duration {
        time.saturating_add(self.world.now().until(self.clock.latest()))
    }

    /// Whether a lifetime until `end` is over only because the wall clock jumped ahead while this process ran. Nobody
    /// is signed out because of that.
    fn ran_out_by_a_jump(&self, end: Timestamp) -> bool {
        let jumped = u64::try_from(self.clock.ahead()).unwrap_or(0);
        jumped > TOLERATED.as_secs() && self.clock.steady() < end
    }

    /// The node's uptime by the monotonic clock, for the rate limits.
    fn since_start(&self) -> Duration {
        self.world.uptime()
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("policy", &self.policy).finish_non_exhaustive()
    }
}
