//! Why a use case did not answer, in the words of the service; the ways in translate it into theirs.

use super::hashing::HashingError;
use super::limits::RetryAfter;
use crate::model::password::WeakPassword;
use crate::model::verdict::Reason;
use crate::store::StoreError;
use crate::store::steps::Refusal;
use crate::token::MintError;
use crate::token::keyring::KeyringError;

/// Why a use case did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No token was given.
    #[error("no token was given")]
    TokenMissing,
    /// What was given is not an authentic token of ours.
    #[error("not an authentic token")]
    TokenInvalid,
    /// The access token ran out: refresh.
    #[error("the access token ran out")]
    TokenExpired,
    /// The token no longer acts for its user.
    #[error("the token no longer acts for its user: {0:?}")]
    Ended(Reason),
    /// The refresh token was used before; its device is ended now.
    #[error("the refresh token was used before")]
    RefreshReused,
    /// Username and password do not belong together, or the account is disabled.
    #[error("wrong username or password")]
    WrongCredentials,
    /// The caller's password is wrong; the caller's token is not.
    #[error("wrong password")]
    WrongPassword,
    /// The credential does not allow this, or the settings do not: a sentence for the caller.
    #[error("forbidden: {0}")]
    Forbidden(String),
    /// Somebody has that name.
    #[error("the username is taken")]
    UsernameTaken,
    /// The new password is not acceptable.
    #[error("the field {field} is not acceptable: {why}")]
    WeakPassword {
        /// Which field it was in.
        field: &'static str,
        /// Why.
        why: WeakPassword,
    },
    /// A field is not acceptable: its name and the code of what is wrong.
    #[error("the field {0} is not acceptable: {1}")]
    Field(&'static str, &'static str),
    /// There is no such thing, or it is somebody else's.
    #[error("not found")]
    NotFound,
    /// One user has the id that was given, and another one has it for a name.
    #[error("one user has this id, and another one this name")]
    AmbiguousUser,
    /// Too many failed attempts: wait.
    #[error("too many attempts: wait {0} s")]
    RateLimited(u64),
    /// Too much work at once: wait a little.
    #[error("too much work at once")]
    Overloaded,
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store contradicts a token of ours: it was rolled back.
    #[error("the store was rolled back: a token is ahead of it")]
    RolledBack,
    /// A fault of ours.
    #[error("internal: {0}")]
    Internal(String),
}

impl From<Refusal> for AuthError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Ended(Reason::Expired) => Self::TokenExpired,
            Refusal::Ended(reason) => Self::Ended(reason),
            Refusal::Ahead => Self::RolledBack,
        }
    }
}

impl From<HashingError> for AuthError {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Overloaded => Self::Overloaded,
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<RetryAfter> for AuthError {
    fn from(wait: RetryAfter) -> Self {
        Self::RateLimited(wait.seconds())
    }
}

impl From<MintError> for AuthError {
    fn from(error: MintError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<KeyringError> for AuthError {
    fn from(error: KeyringError) -> Self {
        Self::Internal(error.to_string())
    }
}
