//! A proof that a database is the primary.

use std::time::{Duration, Instant};

use crate::store::postgres::store_and_settings::StoreAndSettings;

/// A proof that a database was the primary at a moment.
#[derive(Clone)]
pub(in crate::store::postgres) struct Proof {
    /// The moment: when what proves it was sent.
    pub(super) sent: Instant,
    /// The database. Connections to a primary that was replaced and to the one that replaced it can stand side by side: a proof
    /// of the one says nothing of the other.
    pub(super) database: StoreAndSettings,
    pub(super) basis: Basis,
}

/// What a proof rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// A commit that the standbys confirmed.
    Commit,
    /// The answers of the standbys that they are still in recovery.
    Recovery,
}

impl Proof {
    /// How long ago the proof was begun.
    pub(in crate::store::postgres) fn age(&self) -> Duration {
        self.sent.elapsed()
    }

    pub(in crate::store::postgres) fn basis(&self) -> Basis {
        self.basis
    }
}
