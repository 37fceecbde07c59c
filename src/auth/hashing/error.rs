//! The errors of password hashing.

/// The reason why a hash could not be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashingError {
    /// The hash queue did not reach the request within the allowed wait.
    #[error("too many password hashes at once")]
    Overloaded,
    /// The stored hash is damaged, of another algorithm, or asks for an unreasonable amount of work.
    #[error("the stored password hash cannot be used")]
    Unusable,
    /// The configured parameters are outside argon2's or this service's limits.
    #[error("hash parameters out of range: {0}")]
    Parameters(&'static str),
    /// The hashing job panicked, or its computation failed.
    #[error("the hashing job failed")]
    Failed,
}
