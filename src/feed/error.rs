//! The errors of the feed.

use crate::issuer::fault::IssuerFault;
use crate::store::StoreError;
use crate::token::MintError;

/// The reason why the feed did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// The log no longer reaches back to that position, or never had it: the follower has to begin with a snapshot.
    #[error("the log does not continue from that position")]
    Resnapshot,
    /// The service key already has the most open streams allowed per key, given here.
    #[error("a service key may have {0} streams open")]
    TooManyOfKey(usize),
    /// The node already has the most open streams allowed.
    #[error("too many streams are open")]
    TooMany,
    /// The feed is closed because the service stops.
    #[error("the service is stopping")]
    Closed,
    /// The store or the keyring failed, or the store was rolled back.
    #[error(transparent)]
    Issuer(#[from] IssuerFault),
}

impl From<StoreError> for FeedError {
    fn from(error: StoreError) -> Self {
        Self::Issuer(error.into())
    }
}

impl From<MintError> for FeedError {
    fn from(error: MintError) -> Self {
        Self::Issuer(error.into())
    }
}
