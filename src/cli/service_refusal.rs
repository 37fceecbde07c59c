//! Why the service refused a request of a command, or did not answer it.

use poem::http::StatusCode;

/// The reason why a request of a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServiceRefusal {
    /// The service answered with a Problem.
    #[error("{text}")]
    Problem {
        /// The HTTP status.
        status: StatusCode,
        /// The Problem's stable code.
        code: String,
        /// The problem's detail or title, and the fields it lists.
        text: String,
    },
    /// The service lacks the operation, or a field that was sent to it: it is older than this command.
    #[error("{0}")]
    Older(String),
    /// The connection to the running server failed.
    #[error("the running server does not answer: {0}")]
    Unreachable(String),
    /// The answer is neither JSON nor a Problem.
    #[error("the answer of the service is not understood")]
    Unreadable,
}

impl ServiceRefusal {
    /// Whether the same request may be answered soon: the service was busy, or its store late or away.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Problem { status, .. } if *status == StatusCode::SERVICE_UNAVAILABLE)
    }
}
