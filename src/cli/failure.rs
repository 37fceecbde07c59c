//! Why a command failed, and what to do next.

use std::fmt;
use std::io;

use super::reach::Refusal;
use crate::advice;

/// The failure of a command, with the next step. Printed to stderr; the exit code is 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// The error.
    pub(super) what: String,
    /// The next step; empty when the error says enough.
    pub(super) help: String,
}

impl Failure {
    /// A failure with its next step.
    pub(super) fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: help.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, "\nhelp: {}", self.help) }
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(format!("cannot read or write: {error}"), advice::for_file(&error))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let help = match &refusal {
            Refusal::Problem { code, .. } => next_step(code),
            Refusal::Unreachable(_) => "`rescind doctor` says whether the server runs and answers",
            Refusal::Unreadable => {
                "is the server of the same version as this command? Compare `rescind --version`"
            }
        };
        Self::new(refusal.to_string(), help)
    }
}

/// The next step for an operator after a problem with this code; empty where there is none.
fn next_step(code: &str) -> &'static str {
    match code {
        "username_taken" => "choose another name, or set that user's password with `rescind user password`",
        "weak_password" => "choose one of at least 8 characters that is not among the commonest",
        "unavailable" | "overloaded" | "timeout" | "rate_limited" => {
            "try again; if it stays so, ask `rescind doctor`"
        }
        "internal" => "the server's log tells more under the request id",
        _ => "",
    }
}
