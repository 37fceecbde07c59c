//! Why a command failed, and what to do next.

use std::fmt;
use std::io;

use super::service_refusal::ServiceRefusal;
use crate::advice;

/// The failure of a command, with the next step. Printed to stderr; the exit code is 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommandFailure {
    /// The error.
    pub(super) what: String,
    /// The next step; empty when the error says enough.
    pub(super) help: String,
}

impl CommandFailure {
    /// A failure with its next step.
    pub(super) fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: help.into() }
    }
}

impl fmt::Display for CommandFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, "\nhelp: {}", self.help) }
    }
}

impl std::error::Error for CommandFailure {}

impl From<io::Error> for CommandFailure {
    fn from(error: io::Error) -> Self {
        Self::new(format!("cannot read or write: {error}"), advice::for_file(&error))
    }
}

impl From<ServiceRefusal> for CommandFailure {
    fn from(refusal: ServiceRefusal) -> Self {
        let help = match &refusal {
            ServiceRefusal::Problem { code, .. } => next_step(code),
            ServiceRefusal::Older(_) => {
                "the running server is older than this command: restart it with the version that `rescind --version` names"
            }
            ServiceRefusal::Unreachable(_) => "`rescind doctor` says whether the server runs and answers",
            ServiceRefusal::Unreadable => {
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
        "external_id_taken" => "`rescind user list --json` shows who has it",
        "weak_password" => "choose one of at least 8 characters that is not among the commonest",
        "unavailable" | "overloaded" | "timeout" | "rate_limited" => {
            "try again; if it stays so, ask `rescind doctor`"
        }
        "internal" => "the server's log tells more under the request id",
        _ => "",
    }
}
