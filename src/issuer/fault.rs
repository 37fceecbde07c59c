//! The error of the issuer's parts.

use crate::store::StoreError;
use crate::token::MintError;
use crate::token::keyring::KeyringError;

/// The reason why the issuer cannot answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerFault {
    /// The store does not answer or refuses to write.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store is known to have been rolled back.
    #[error("the store was rolled back")]
    RolledBack,
    /// The stored key set does not open.
    #[error("internal: {0}")]
    Keyring(#[from] KeyringError),
    /// A key could not be made, or a text not be signed.
    #[error("internal: {0}")]
    Mint(#[from] MintError),
}
