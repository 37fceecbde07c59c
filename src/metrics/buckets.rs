//! The buckets of histograms.

/// Durations of requests in seconds: from a cached check to a queued password hash.
pub(super) const LATENCY: [f64; 13] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// Durations of `fsync` in seconds: from a drive with a write cache to a failing one.
pub(super) const FSYNC: [f64; 12] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0];

/// The number of requests that are done together: acknowledgements that one sync makes durable, reads of one statement.
pub(super) const GROUP: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0];
