//! The outside world as an argument: time, randomness and ids.
//!
//! Everything that depends on when or on chance takes a [`World`]; only this file touches the real clock and the
//! real generator (a lint keeps it so). A seeded world repeats, which is what the tests run on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::model::ids::{DeviceId, FollowerId, ServiceKeyId, StoreId, UserId};
use crate::model::timestamp::Timestamp;

#[cfg(feature = "server")]
pub mod reference;

/// The clock that counts while the machine sleeps.
#[cfg(all(feature = "verifier", any(target_os = "linux", target_os = "android")))]
const COUNTS_SLEEP: rustix::time::ClockId = rustix::time::ClockId::Boottime;
/// On Apple's systems the monotonic clock does; elsewhere nothing better is to be had.
#[cfg(all(feature = "verifier", not(any(target_os = "linux", target_os = "android"))))]
const COUNTS_SLEEP: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

/// Time and randomness, real or of a test's making. Cheap to clone.
#[derive(Clone, Debug)]
pub struct World(Source);

#[derive(Clone, Debug)]
enum Source {
    Real,
    Manual(Arc<Manual>),
}

/// A world that stands still until it is moved, and whose randomness repeats from a seed.
#[derive(Debug)]
pub struct Manual {
    millis: AtomicI64,
    uptime_millis: AtomicU64,
    seed: [u8; 32],
    draws: AtomicU64,
}

impl World {
    /// The real clock and the operating system's generator.
    pub fn real() -> Self {
        Self(Source::Real)
    }

    /// A world at `start` whose every draw follows from `seed`, and the handle that moves it.
    pub fn manual(start: Timestamp, seed: u64) -> (Self, Arc<Manual>) {
        let manual = Arc::new(Manual {
            millis: AtomicI64::new(start.unix().saturating_mul(1000)),
            uptime_millis: AtomicU64::new(1_000_000),
            seed: *blake3::hash(&seed.to_le_bytes()).as_bytes(),
            draws: AtomicU64::new(0),
        });
        (Self(Source::Manual(Arc::clone(&manual))), manual)
    }

    /// Now, in whole seconds.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.unix_millis().div_euclid(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the real clock")]
    pub fn unix_millis(&self) -> i64 {
        match &self.0 {
            Source::Real => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }
            Source::Manual(manual) => manual.millis.load(Ordering::SeqCst),
        }
    }

    /// Time since the machine started, the time it slept included: nobody sets this clock, so durations are measured
    /// with it. (`Instant` stands still while a Linux machine is suspended.)
    #[cfg(feature = "verifier")]
    pub fn uptime(&self) -> Duration {
        match &self.0 {
            Source::Real => {
                let time = rustix::time::clock_gettime(COUNTS_SLEEP);
                Duration::try_from(time).unwrap_or_default()
            }
            Source::Manual(manual) => Duration::from_millis(manual.uptime_millis.load(Ordering::SeqCst)),
        }
    }

    /// Fills `bytes` from the generator.
    ///
    /// # Panics
    ///
    /// When the operating system gives no randomness: nothing safe can be done then.
    #[allow(
        clippy::disallowed_methods,
        clippy::panic,
        reason = "the one place that draws; no token without chance"
    )]
    pub fn fill(&self, bytes: &mut [u8]) {
        match &self.0 {
            Source::Real => {
                if let Err(error) = getrandom::fill(bytes) {
                    panic!("the operating system gave no randomness: {error}");
                }
            }
            Source::Manual(manual) => {
                let draw = manual.draws.fetch_add(1, Ordering::SeqCst);
                let mut stream = blake3::Hasher::new_keyed(&manual.seed);
                stream.update(&draw.to_le_bytes());
                stream.finalize_xof().fill(bytes);
            }
        }
    }

    /// `N` random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A new user's id.
    pub fn user_id(&self) -> UserId {
        UserId::new(self.uuid())
    }

    /// A new device's id.
    pub fn device_id(&self) -> DeviceId {
        DeviceId::new(self.uuid())
    }

    /// A new service key's id.
    pub fn service_key_id(&self) -> ServiceKeyId {
        ServiceKeyId::new(self.uuid())
    }

    /// A new follower's id.
    pub fn follower_id(&self) -> FollowerId {
        FollowerId::new(self.uuid())
    }

    /// A new store's id.
    pub fn store_id(&self) -> StoreId {
        StoreId::new(self.uuid())
    }

    fn uuid(&self) -> Uuid {
        let millis = u64::try_from(self.unix_millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.random()).into_uuid()
    }
}

impl Manual {
    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.millis.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        self.uptime_millis.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Sets the wall clock, backwards too; no time passes.
    pub fn set(&self, now: Timestamp) {
        self.millis.store(now.unix().saturating_mul(1000), Ordering::SeqCst);
    }
}
