//! Time, randomness and ids as an argument.
//!
//! Whatever depends on time or randomness takes a [`World`]; only this file reads the real clock and the system's
//! random generator (a lint enforces it). A seeded world is deterministic, for tests; pasetors generates the keys and
//! the mask of the master key itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::model::ids::{DeviceId, FollowerId, ServiceKeyId, StoreId, UserId};
use crate::model::timestamp::Timestamp;

#[cfg(feature = "server")]
pub mod reference;

/// The clock that also counts while the machine is suspended.
#[cfg(all(feature = "verifier", any(target_os = "linux", target_os = "android")))]
const COUNTS_SLEEP: rustix::time::ClockId = rustix::time::ClockId::Boottime;
/// The monotonic clock, which counts suspended time on Apple systems; elsewhere no better one is available.
#[cfg(all(feature = "verifier", not(any(target_os = "linux", target_os = "android"))))]
const COUNTS_SLEEP: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

/// A source of time and randomness, real or manual. Cheap to clone.
#[derive(Clone, Debug)]
pub struct World(WorldSource);

#[derive(Clone, Debug)]
enum WorldSource {
    Real,
    Manual(Arc<Manual>),
}

/// A clock that moves only by calls, and randomness derived from a seed.
#[derive(Debug)]
pub struct Manual {
    millis: AtomicI64,
    uptime_millis: AtomicU64,
    seed: [u8; 32],
    draws: AtomicU64,
}

impl World {
    /// The real clock and the operating system's random generator.
    pub fn real() -> Self {
        Self(WorldSource::Real)
    }

    /// A manual world at `start` with randomness derived from `seed`, and the handle that moves its clock.
    pub fn manual(start: Timestamp, seed: u64) -> (Self, Arc<Manual>) {
        let manual = Arc::new(Manual {
            millis: AtomicI64::new(start.unix().saturating_mul(1000)),
            uptime_millis: AtomicU64::new(1_000_000),
            seed: *blake3::hash(&seed.to_le_bytes()).as_bytes(),
            draws: AtomicU64::new(0),
        });
        (Self(WorldSource::Manual(Arc::clone(&manual))), manual)
    }

    /// The current time in whole seconds.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.unix_millis().div_euclid(1000))
    }

    /// The current time in milliseconds since the Unix epoch.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the real clock")]
    pub fn unix_millis(&self) -> i64 {
        match &self.0 {
            WorldSource::Real => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }
            WorldSource::Manual(manual) => manual.millis.load(Ordering::SeqCst),
        }
    }

    /// The time since the machine started, including suspended time. This clock cannot be set, so durations are
    /// measured with it. (`Instant` stands still while a Linux machine is suspended.)
    #[cfg(feature = "verifier")]
    pub fn uptime(&self) -> Duration {
        match &self.0 {
            WorldSource::Real => {
                let time = rustix::time::clock_gettime(COUNTS_SLEEP);
                Duration::try_from(time).unwrap_or_default()
            }
            WorldSource::Manual(manual) => Duration::from_millis(manual.uptime_millis.load(Ordering::SeqCst)),
        }
    }

    /// Fills `bytes` with random bytes.
    ///
    /// # Panics
    ///
    /// If the operating system provides no randomness: no token could be safe.
    #[allow(
        clippy::disallowed_methods,
        clippy::panic,
        reason = "the one place that draws; no token without chance"
    )]
    pub fn fill(&self, bytes: &mut [u8]) {
        match &self.0 {
            WorldSource::Real => {
                if let Err(error) = getrandom::fill(bytes) {
                    panic!("the operating system gave no randomness: {error}");
                }
            }
            WorldSource::Manual(manual) => {
                let draw = manual.draws.fetch_add(1, Ordering::SeqCst);
                let mut stream = blake3::Hasher::new_keyed(&manual.seed);
                stream.update(&draw.to_le_bytes());
                stream.finalize_xof().fill(bytes);
            }
        }
    }

    /// Returns `N` random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Creates a user id.
    pub fn user_id(&self) -> UserId {
        UserId::new(self.uuid())
    }

    /// Creates a device id.
    pub fn device_id(&self) -> DeviceId {
        DeviceId::new(self.uuid())
    }

    /// Creates a service key id.
    pub fn service_key_id(&self) -> ServiceKeyId {
        ServiceKeyId::new(self.uuid())
    }

    /// Creates a follower id.
    pub fn follower_id(&self) -> FollowerId {
        FollowerId::new(self.uuid())
    }

    /// Creates a store id.
    pub fn store_id(&self) -> StoreId {
        StoreId::new(self.uuid())
    }

    fn uuid(&self) -> Uuid {
        let millis = u64::try_from(self.unix_millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.random()).into_uuid()
    }
}

impl Manual {
    /// Moves the wall clock and the uptime forward.
    pub fn advance(&self, by: Duration) {
        self.millis.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        self.uptime_millis.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Sets the wall clock, perhaps backwards, without moving the uptime.
    pub fn set(&self, now: Timestamp) {
        self.millis.store(now.unix().saturating_mul(1000), Ordering::SeqCst);
    }
}
