//! Why the feed did not answer.

use crate::auth::error::AuthError;
use crate::store::StoreError;
use crate::token::MintError;

/// Why the feed did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// The log does not reach back to that position, or never had it: begin with a snapshot.
    #[error("the log does not continue from there")]
    Resnapshot,
    /// The service key has as many streams open as it may: so many.
    #[error("a service key may have {0} streams open")]
    TooManyOfKey(usize),
    /// There are as many streams open as there may be.
    #[error("too many streams are open")]
    TooMany,
    /// The service stops.
    #[error("the service stops")]
    Closed,
    /// What the feed stands on failed.
    #[error(transparent)]
    Auth(#[from] AuthError),
}

impl From<StoreError> for FeedError {
    fn from(error: StoreError) -> Self {
        Self::Auth(error.into())
    }
}

impl From<MintError> for FeedError {
    fn from(error: MintError) -> Self {
        Self::Auth(error.into())
    }
}
