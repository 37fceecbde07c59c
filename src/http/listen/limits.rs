//! The limits of connections.

use std::time::Duration;

use super::fault::LONGEST_TARGET;

/// The limits of connections: sizes, times and numbers.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// The longest request target in bytes, without scheme and host.
    pub target: usize,
    /// The longest time from a request's first byte to the end of its head.
    pub head: Duration,
    /// The longest time from a request's first byte to the first byte of its answer. Longer than the application's
    /// own deadline, so that a slow operation is answered and only a slow peer is cut.
    pub request: Duration,
    /// The longest time from the first byte of an answer to its last; for one marked `Endless`, from a byte that has to
    /// wait for its peer until no byte waits.
    pub response: Duration,
    /// The longest time without a byte of a request: before the first request, and between two.
    pub idle: Duration,
    /// The most connections at once. Further ones wait in the kernel's queue, unless one that has sent no request is
    /// closed for them.
    pub connections: usize,
    /// The most connections at once of one IPv4 address or /64 network of IPv6 addresses. Never more than half of all.
    pub per_address: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self::for_requests(Duration::from_secs(10))
    }
}

impl ConnectionLimits {
    /// The default limits where a request may take `time` to arrive, and again to be answered.
    pub fn for_requests(time: Duration) -> Self {
        Self {
            target: LONGEST_TARGET,
            head: time,
            request: time * 2,
            response: Duration::from_secs(60),
            idle: Duration::from_secs(75),
            connections: 10_000,
            per_address: 2_000,
        }
    }
}
