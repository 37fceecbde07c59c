//! Users of Django, read from where Django keeps or dumps them, and written in the form of its dumps.
//!
//! A source is read as a stream, and each part of it has a size limit, so the memory taken does not grow with the
//! number of users, except for two hashes of 8 bytes per user, of the name and of the primary key (some 40 bytes with
//! the table's spare room). What is read is judged before anything is stored.
//!
//! Modules: [`rows`] a user as the source has it, [`source`] what a source is and how it is opened, `json` and `csv` the
//! files, [`judge`] which users can be imported, [`export`] the way back.

mod csv;
pub mod export;
mod json;
pub mod judge;
mod limited;
pub mod rows;
pub mod source;
