//! The stored format: how records are written, apart from the types that the code works with.
//!
//! There are two encodings. The embedded engine stores a version byte and the fields in order, without names
//! (`binary`, a record without what its key holds); the shared engine stores JSON documents (`json`), whose version
//! is 1 unless the field `version` says otherwise. No type of the model is stored by itself: each has a stored form here,
//! with the names, the order and the types of its stored fields (`form`).
//!
//! # Raising the format
//!
//! The fixtures in `format/fixtures` hold every form of every record, as each version wrote it; a test per engine
//! compares what is written with them and reads all of them. If a change makes one fail, the stored form has changed,
//! and needs a new version:
//!
//! 1. Keep the form as it is for reading, named after its version; the new one is another type.
//! 2. Write the new form under the next number, and read both, each into the same type of the model. `format/tests.rs`
//!    does this with an invented record, in both encodings.
//! 3. Give the fixtures a line for what is written now. The former line stays, under another name and with the record it
//!    is read as in `earlier` of `format/tests/samples.rs`: it shows that old records are read.
//!
//! A record that the version before the newest can hold as well may still be written in that version, as users and devices
//! are: then an upgrade writes a new version only once somebody uses what is new in it, and the release before can be
//! put back until then.
//!
//! A version that a build does not know is refused, never guessed at. A node that rewrites a JSON document loses a field that
//! it does not know; so where nodes of two versions share a database, every change of what is written is also a version of
//! the tables (`postgres/schema`, with a file that may hold no more than a comment): nodes of the version before do nothing
//! from then on. A test compares the fixtures with the version of the tables.
//!
//! # Modules
//!
//! * `record`: the kinds of records, the one list of what is stored
//! * `binary`, `json`: the two encodings and their versions; `form`: the stored forms of small values
//! * `service`, `user`, `device`, `refresh`, `last_seen`, `expiry_check`, `key`, `entry`: the stored forms of the records

mod device;
mod entry;
mod expiry_check;
mod form;
mod key;
mod last_seen;
mod record;
mod refresh;
mod service;
mod user;

pub(super) mod binary;
pub(super) mod json;
#[cfg(test)]
pub(super) mod tests;

pub(super) use binary::BinaryRecord;
pub(super) use device::EndedDevice;
pub(super) use json::JsonRecord;
pub(super) use last_seen::last_seen_of_row;
pub use record::{Record, RecordKey, RecordKind};

use super::StoreError;

/// Why a record cannot be read or written. No variant quotes the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormatError {
    /// What is stored is not exactly one record of a version that is known.
    #[error("a record cannot be read")]
    Unreadable,
    /// The record has a version that this build does not know.
    #[error("a record is newer than this build of rescind can read")]
    Newer,
    /// The record cannot be encoded.
    #[error("a record cannot be written")]
    Unwritable,
}

impl From<FormatError> for StoreError {
    fn from(error: FormatError) -> Self {
        match error {
            FormatError::Unreadable => Self::Corrupt(error.to_string()),
            FormatError::Newer => Self::Newer(error.to_string()),
            FormatError::Unwritable => Self::Unavailable(error.to_string()),
        }
    }
}
