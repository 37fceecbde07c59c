//! The embedded store: one folder, one process, no set-up.
//!
//! It promises that an acknowledged step survives a power cut, that steps happen one after the other, and that a
//! damaged folder is refused instead of being taken for an empty or an older one. sled alone promises none of the
//! three: its `flush` is no fsync, its transactions cannot scan, and it opens what it can still read.
//!
//! Modules:
//!
//! * `engine` — the engine itself, [`Sled`]
//! * `open` — opening: from a path to an engine that is known to be whole; `open_error` the reasons to refuse
//! * `folder`, `head` — the data folder around it: who may read it, who holds it, whether it was ever initialized, and
//!   the witness of its last commit
//! * `scrub`, `checksum` — the checks that sled lacks: whether some of its log is unreadable, and whether records are
//!   missing
//! * `snapshot` — whether sled's own snapshot, which it needs, is intact
//! * `committer` — the only writer: group commit, and the end of the process when the disk fails
//! * `view`, `writes` — the records that a step reads, and its writes
//! * `layout`, `codec`, `records` — the keys of records, their binary encoding within sled's limits, and the interface to
//!   the steps
//! * `archive` — the store as source or target of a copy, page by page
//! * `reserve` — the free space below which writing stops
//!
//! What a step decides is the business of [`steps`](super::steps), never of these modules.

mod archive;
mod checksum;
mod codec;
pub mod committer;
mod engine;
mod folder;
mod head;
mod layout;
pub mod open;
mod open_error;
mod records;
pub mod reserve;
mod scrub;
mod snapshot;
pub mod view;
pub mod writes;

pub use archive::SledArchive;
pub use engine::{Options, Sled};
pub use folder::OpenMode;
pub use open::{Recovered, recover};
pub use open_error::OpenError;
pub use scrub::SEGMENT;
