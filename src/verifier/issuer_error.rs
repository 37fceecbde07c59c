//! The errors of requests to the issuer.

use std::time::Duration;

/// The reason why a request to the issuer failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// No connection, or it broke; with the message of the system or of TLS.
    #[error("{0}")]
    Unreachable(String),
    /// No answer within this time.
    #[error("no answer within {} s", .0.as_secs())]
    Slow(Duration),
    /// Status 401: the service key is unknown.
    #[error(
        "the service key is not one of this issuer, or was removed: make one with `rescind service-key add NAME --scope feed`"
    )]
    WrongKey,
    /// Status 403: the service key lacks this scope.
    #[error(
        "the service key lacks the scope `{0}`: make one with `rescind service-key add NAME --scope {0}`"
    )]
    WrongScope(&'static str),
    /// Status 404: the named resource does not exist at the address.
    #[error("there is no {0} at this address: is it a Rescind service, and is the url right?")]
    NotThere(&'static str),
    /// Status 410: the log no longer reaches back to the position.
    #[error("the issuer's log no longer reaches back to the applied position")]
    Gone,
    /// Any other status than 200.
    #[error("it answered with status {0}")]
    Status(u16),
    /// The answer is not what was expected.
    #[error("it answered something that is not {0}")]
    NotUnderstood(&'static str),
}

impl IssuerError {
    /// Whether the error may be temporary.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Slow(_) | Self::Gone => true,
            Self::Status(status) => *status == 429 || *status >= 500,
            Self::WrongKey | Self::WrongScope(_) | Self::NotThere(_) | Self::NotUnderstood(_) => false,
        }
    }
}

/// The message of the innermost error, such as `Connection refused` or `invalid peer certificate`.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
