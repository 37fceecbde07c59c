//! The only translation of use cases' errors to problems.

use poem::http::StatusCode;

use super::code::{Code, FieldCode};
use super::listen::RequestFault;
use super::problem::{FieldError, Problem};
use crate::auth::error::{AuthError, FieldFault};
use crate::feed::error::FeedError;
use crate::model::password::WeakPassword;
use crate::model::verdict::Reason;
use crate::store::StoreError;

/// `Retry-After` in seconds when the queue of password hashes is full.
const HASH_WAIT: u32 = 1;

/// `Retry-After` in seconds when no further stream of the feed is accepted.
const STREAM_WAIT: u32 = 5;

/// `Retry-After` in seconds when the store does not answer.
const STORE_WAIT: u32 = 2;

/// `Retry-After` in seconds when an operator has to confirm that the store was restored.
const OPERATOR_WAIT: u32 = 60;

/// `Retry-After` in seconds when disk space has to be freed, which takes an operator.
const SPACE_WAIT: u32 = 60;

/// The detail of a problem whose password is wrong beside a valid bearer token.
pub(super) const WRONG_PASSWORD: &str =
    "Ask the user to type the current password again: it is wrong, the session goes on.";

/// The detail of a problem whose text names more than one user.
const AMBIGUOUS_USER: &str = "This text fits more than one user. Put `id:` in front of it to name the user with this id, `name:` for the \
     username, `external_id:` for the id in another system.";

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::TokenMissing => Self::new(Code::TokenMissing),
            AuthError::TokenInvalid => Self::new(Code::TokenInvalid),
            AuthError::TokenExpired => Self::new(Code::TokenExpired),
            AuthError::Ended(reason) => Self::new(reason.into()),
            AuthError::RefreshReused => Self::new(Code::RefreshReused),
            AuthError::WrongCredentials => Self::new(Code::WrongCredentials),
            AuthError::WrongPassword => Self::new(Code::WrongCredentials)
                .with_status(StatusCode::FORBIDDEN)
                .with_detail(WRONG_PASSWORD),
            AuthError::NoPassword => Self::new(Code::NoPassword),
            AuthError::Forbidden(why) => Self::new(Code::Forbidden).with_detail(why),
            AuthError::UsernameTaken => Self::new(Code::UsernameTaken),
            AuthError::ExternalIdTaken => Self::new(Code::ExternalIdTaken),
            AuthError::WeakPassword { field, why } => Self::new(Code::WeakPassword)
                .with_detail(why.to_string())
                .with_errors(vec![FieldError { field: field.to_owned(), code: why.into() }]),
            AuthError::Field(field, fault) => Self::field(field, fault.into()),
            AuthError::NotFound => Self::new(Code::NotFound),
            AuthError::AmbiguousUser => {
                Self::field("user", FieldCode::Ambiguous).with_detail(AMBIGUOUS_USER)
            }
            AuthError::RateLimited(seconds) => {
                Self::new(Code::RateLimited).retry_after(u32::try_from(seconds).unwrap_or(u32::MAX))
            }
            AuthError::Overloaded => Self::new(Code::Overloaded).retry_after(HASH_WAIT),
            AuthError::Store(StoreError::Full(why)) => Self::new(Code::Unavailable)
                .retry_after(SPACE_WAIT)
                .with_detail("The service is short of disk space and takes no more of this. Sign-outs stop last; checks go on.")
                .because(why),
            AuthError::RolledBack => {
                Self::new(Code::Unavailable).retry_after(OPERATOR_WAIT).because(AuthError::RolledBack)
            }
            error @ AuthError::Store(_) => {
                Self::new(Code::Unavailable).retry_after(STORE_WAIT).because(error)
            }
            AuthError::Internal(why) => Self::new(Code::Internal).because(why),
        }
    }
}

impl From<Reason> for Code {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Reset => Self::Reset,
            Reason::UserDisabled => Self::UserDisabled,
            Reason::SignedOutEverywhere => Self::SignedOutEverywhere,
            Reason::Superseded => Self::Superseded,
            Reason::PasswordChanged => Self::PasswordChanged,
            Reason::SignedOut => Self::SignedOut,
            Reason::Expired => Self::TokenExpired,
        }
    }
}

impl From<FieldFault> for FieldCode {
    fn from(fault: FieldFault) -> Self {
        match fault {
            FieldFault::TooShort => Self::TooShort,
            FieldFault::TooLong => Self::TooLong,
            FieldFault::InvalidCharacters => Self::InvalidCharacters,
            FieldFault::Reserved => Self::Reserved,
            FieldFault::OtherUser => Self::OtherUser,
        }
    }
}

impl From<WeakPassword> for FieldCode {
    fn from(why: WeakPassword) -> Self {
        match why {
            WeakPassword::TooShort => Self::TooShort,
            WeakPassword::TooLong => Self::TooLong,
            WeakPassword::TooCommon => Self::TooCommon,
            WeakPassword::SameAsUsername => Self::SameAsUsername,
        }
    }
}

impl From<RequestFault> for Code {
    fn from(fault: RequestFault) -> Self {
        match fault {
            RequestFault::Malformed | RequestFault::Host | RequestFault::TransferCoding => {
                Self::InvalidRequest
            }
            RequestFault::TargetTooLong | RequestFault::HeadTooLarge => Self::TooLarge,
            RequestFault::TooManyAtOnce => Self::RateLimited,
        }
    }
}

impl From<RequestFault> for Problem {
    fn from(fault: RequestFault) -> Self {
        Self::new(fault.into()).with_status(fault.status()).with_detail(fault.advice())
    }
}

impl From<FeedError> for Problem {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Resnapshot => Self::new(Code::Resnapshot),
            FeedError::TooManyOfKey(most) => Self::new(Code::RateLimited)
                .retry_after(STREAM_WAIT)
                .with_detail(format!("A service key may have {most} streams open at once.")),
            FeedError::TooMany => Self::new(Code::Overloaded).retry_after(STREAM_WAIT),
            FeedError::Closed => Self::new(Code::Unavailable).retry_after(STORE_WAIT),
            FeedError::Issuer(fault) => AuthError::from(fault).into(),
        }
    }
}
