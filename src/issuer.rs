//! The issuer's state besides the records of its store: its signing keys, and whether the store was rolled back.
//!
//! The use cases and the feed answer from both. They are given the parts they use; this module knows neither of them.
//!
//! Modules: [`signing_keys`] holds the current keyring and publishes its keys; [`key_changes`] rotates, retires and
//! distrusts keys; [`rollback`] detects a store that was rolled back; [`fault`] is the error of all of them.

pub mod fault;
pub mod key_changes;
pub mod rollback;
pub mod signing_keys;
