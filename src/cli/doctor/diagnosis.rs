//! What `rescind doctor` says about one subject.

use serde::Serialize;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Grade {
    /// Nothing is wrong.
    Good,
    /// Nothing is wrong, but worth knowing.
    Hint,
    /// The service works, but an operator should change this.
    Warning,
    /// The service does not work, or is unsafe.
    Bad,
}

/// One finding, with its severity and remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Diagnosis {
    pub(super) about: &'static str,
    pub(super) grade: Grade,
    pub(super) what: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) help: String,
}

impl Diagnosis {
    pub(super) fn new(
        about: &'static str,
        grade: Grade,
        what: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { about, grade, what: what.into(), help: help.into() }
    }

    pub(super) fn good(about: &'static str, what: impl Into<String>) -> Self {
        Self::new(about, Grade::Good, what, "")
    }
}
