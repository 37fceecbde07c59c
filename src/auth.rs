//! The use cases, free of HTTP.
pub mod hashing;
pub mod limits;
