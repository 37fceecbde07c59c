//! Errors of the use cases; HTTP and the command line translate them.

use super::hashing::HashingError;
use super::limits::{LimitRefusal, RetryAfter};
use crate::issuer::fault::IssuerFault;
use crate::model::password::WeakPassword;
use crate::model::username::UsernameError;
use crate::model::verdict::Reason;
use crate::store::StoreError;
use crate::store::steps::caller::Refusal;
use crate::token::MintError;

/// The reason why a use case failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The request has no token.
    #[error("no token was given")]
    TokenMissing,
    /// The text is not an authentic token of this issuer.
    #[error("not an authentic token")]
    TokenInvalid,
    /// The access token has expired; the client should refresh.
    #[error("the access token has expired")]
    TokenExpired,
    /// The token no longer acts for its user.
    #[error("the token no longer acts for its user: {0:?}")]
    Ended(Reason),
    /// The refresh token was used before; its device is ended now.
    #[error("the refresh token was used before")]
    RefreshReused,
    /// Username and password do not match, or the account is disabled.
    #[error("wrong username or password")]
    WrongCredentials,
    /// The caller's password is wrong, while the caller's token is valid.
    #[error("wrong password")]
    WrongPassword,
    /// The operation asks for the caller's password, and the caller has none.
    #[error("the user has no password")]
    NoPassword,
    /// The credential or the settings do not allow the action; with a sentence for the caller.
    #[error("forbidden: {0}")]
    Forbidden(String),
    /// The username belongs to another account.
    #[error("the username is taken")]
    UsernameTaken,
    /// The external id belongs to another account.
    #[error("the external id is taken")]
    ExternalIdTaken,
    /// The new password is not acceptable.
    #[error("the field {field} is not acceptable: {why}")]
    WeakPassword {
        /// The name of the request field.
        field: &'static str,
        /// The rule that the password breaks.
        why: WeakPassword,
    },
    /// A request field is not acceptable: its name and what is wrong with it.
    #[error("the field {0} is not acceptable: {1}")]
    Field(&'static str, FieldFault),
    /// The resource does not exist, or belongs to another user.
    #[error("not found")]
    NotFound,
    /// The text fits more than one user: as an id, a username or an external id.
    #[error("the text fits more than one user")]
    AmbiguousUser,
    /// Too many attempts; with the seconds to wait.
    #[error("too many attempts: wait {0} s")]
    RateLimited(u64),
    /// The service is overloaded; the client should try again a little later.
    #[error("too much work at once")]
    Overloaded,
    /// The store does not answer or refuses to write.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store is known to have been rolled back.
    #[error("the store was rolled back")]
    RolledBack,
    /// An internal error, with a description for the log.
    #[error("internal: {0}")]
    Internal(String),
}

/// What is wrong with a field of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldFault {
    /// The value is too short.
    #[error("it is too short")]
    TooShort,
    /// The value is too long.
    #[error("it is too long")]
    TooLong,
    /// The text has characters that are not allowed in it.
    #[error("it has characters that are not allowed")]
    InvalidCharacters,
    /// The name has another meaning.
    #[error("it has another meaning")]
    Reserved,
    /// The token belongs to another user than the bearer token.
    #[error("it belongs to another user than the bearer token")]
    OtherUser,
}

impl From<UsernameError> for FieldFault {
    fn from(error: UsernameError) -> Self {
        match error {
            UsernameError::TooShort => Self::TooShort,
            UsernameError::TooLong => Self::TooLong,
            UsernameError::InvalidCharacters => Self::InvalidCharacters,
            UsernameError::Reserved => Self::Reserved,
        }
    }
}

impl From<Reason> for AuthError {
    fn from(reason: Reason) -> Self {
        if reason == Reason::Expired { Self::TokenExpired } else { Self::Ended(reason) }
    }
}

/// The error for a refusal by a step. Whoever runs the step finds out first whether [`Refusal::Ahead`] proves a rollback, and
/// runs it again after [`Refusal::OtherKeys`].
impl From<Refusal> for AuthError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Ended(reason) => reason.into(),
            Refusal::Ahead => Self::RolledBack,
            Refusal::OtherKeys => Self::TokenInvalid,
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

impl From<LimitRefusal> for AuthError {
    fn from(refused: LimitRefusal) -> Self {
        match refused {
            LimitRefusal::TooMany(wait) => wait.into(),
            LimitRefusal::Busy => Self::Overloaded,
        }
    }
}

impl From<MintError> for AuthError {
    fn from(error: MintError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<IssuerFault> for AuthError {
    fn from(fault: IssuerFault) -> Self {
        match fault {
            IssuerFault::Store(error) => error.into(),
            IssuerFault::RolledBack => Self::RolledBack,
            IssuerFault::Keyring(error) => Self::Internal(error.to_string()),
            IssuerFault::Mint(error) => error.into(),
        }
    }
}
