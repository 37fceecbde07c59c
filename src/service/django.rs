//! Users of Django, read from where Django keeps or dumps them, and written in the form of its dumps.
//!
//! A source is read as a stream, and each part of it has a size limit; what tells duplicates in a large source is in a temporary file. So the
//! memory taken does not grow with the number of users. What is read is judged before anything is stored.
//!
//! Modules: [`rows`] a user as the source has it, [`source`] what a source is and how it is opened, `json` and `csv` the
//! files, [`judge`] which users can be imported, `seen` which names and keys there were before, [`export`] the way back.

mod csv;
pub mod export;
mod json;
pub mod judge;
mod limited;
pub mod rows;
mod seen;
pub mod source;
