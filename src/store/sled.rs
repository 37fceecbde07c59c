//! The embedded store: one folder, one process, no set-up.
//!
//! It promises that an acknowledged step survives a power cut, that steps happen one after the other, and that a
//! damaged folder is refused instead of being taken for an empty one. sled alone promises none of the three: its
//! `flush` is no fsync, its transactions cannot scan, and it opens what it can still read.
//!
//! * `open` — the way in: from a path to an engine that is known to be whole
//! * `folder` — the data folder around it: who may read it, who holds it, whether it was ever founded
//! * `committer` — the only writer: group commit, and the end of the process when the disk fails
//! * `view`, `writes` — what a step sees, and what it wants written, counted
//! * `reserve` — the free space below which writing stops
//!
//! What the records mean is the business of the steps that run here, never of these rooms.

pub mod committer;
mod folder;
pub mod open;
pub mod reserve;
pub mod view;
pub mod writes;
