//! Whether a store is initialized when it is opened.

/// Whether a missing store is initialized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A missing store is initialized, as by `serve`.
    Initialize,
    /// The store has to exist.
    Existing,
}
