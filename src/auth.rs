//! The use cases: what people, clients and administrators do. They know no HTTP and no storage engine.
//!
//! One file a use case. Each takes what was parsed, asks the store for one step, and turns the step's outcome into an
//! answer or an [`error::AuthError`]. Whatever acts for a signed-in user goes through [`authenticate`].
//!
//! Rooms: [`register`], [`login`], [`refresh`], [`logout`], [`password`], [`account`] and [`devices`] are the user's;
//! [`introspect`], [`administer`] and [`service_keys`] the resource servers' and administrators'; [`issue`] makes the
//! answer of every sign-in, [`signing_keys`] looks after the keys, [`last_seen`] and [`housekeeping`] work beside the
//! requests; [`hashing`] and [`limits`] keep guessers out, [`rollback`] a store that went back in time; `events` are
//! the lines of the log that tell who did what.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::metrics::Metrics;
use crate::model::replay::ReplayPolicy;
use crate::model::timestamp::Timestamp;
use crate::store::SharedStore;
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
pub mod rollback;
pub mod service_keys;
pub mod signing_keys;

/// What the settings say about sessions.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How long an access token lives, at most an hour.
    pub access_lifetime: Duration,
    /// How long a device lasts without a refresh.
    pub device_idle: Duration,
    /// How long a device lasts in any case.
    pub device_lifetime: Duration,
    /// How many live devices a user may have.
    pub devices_per_user: u64,
    /// Whether anyone may register.
    pub registration: bool,
    /// The refresh rule.
    pub replay: ReplayPolicy,
}

/// Where a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The client's address, as far as it can be believed.
    pub address: IpAddr,
    /// What the client calls itself, at most 256 characters.
    pub user_agent: Option<String>,
}

/// Everything the use cases work with. One per process.
pub struct Auth {
    store: SharedStore,
    world: World,
    clock: Arc<ReferenceClock>,
    log_age: Mutex<LogAge>,
    policy: Policy,
    keys: signing_keys::SigningKeys,
    hashing: hashing::Hashing,
    limits: limits::Limits,
    last_seen: last_seen::LastSeenNotes,
    rollback: rollback::Rollback,
    metrics: Arc<Metrics>,
}

impl Auth {
    /// Puts the parts together over a founded store.
    pub fn new(
        store: SharedStore,
        clock: Arc<ReferenceClock>,
        policy: Policy,
        keys: signing_keys::SigningKeys,
        hashing: hashing::Hashing,
        limits: limits::Limits,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (last_seen, rollback) = (last_seen::LastSeenNotes::default(), rollback::Rollback::default());
        let (world, log_age) = (clock.world().clone(), Mutex::default());
        Self { store, world, clock, log_age, policy, keys, hashing, limits, last_seen, rollback, metrics }
    }

    /// The store, for those who look at it without a use case: health, metrics.
    pub fn store(&self) -> &SharedStore {
        &self.store
    }

    /// The figures.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// `time` from now on, as a clock that is behind has to count it: what is kept for so long must not be over when the
    /// clock is set.
    fn lasting(&self, time: Duration) -> Duration {
        time.saturating_add(self.world.now().until(self.clock.latest()))
    }

    /// Whether what is good until `end` is over only because the wall clock jumped ahead while this process ran. Nobody is
    /// signed out over that.
    fn ran_out_by_a_jump(&self, end: Timestamp) -> bool {
        let jumped = u64::try_from(self.clock.ahead()).unwrap_or(0);
        jumped > TOLERATED.as_secs() && self.clock.steady() < end
    }

    /// The time since a fixed moment by a clock that nobody sets, for the limits.
    fn since_start(&self) -> Duration {
        self.world.uptime()
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("policy", &self.policy).finish_non_exhaustive()
    }
}
