//! Rescind: stateless PASETO tokens that can be taken back.
//!
//! Dependencies point one way:
//!
//! * [`model`] — the values and the two decisions; pure.
//! * [`token`] — claims to PASETO text and back.
//! * [`store`] — the contract of a store, and its engines.
//! * [`auth`] — the use cases; they know no HTTP and no storage engine.
//! * [`http`] and [`cli`] — the ways in; [`settings`], [`metrics`] and [`log`] beside them; [`service`] puts
//!   them together.
//!
//! [`world`] is time and randomness as an argument. The cargo feature `verifier` is `model` and `token` alone;
//! `server` is the rest, `sled` the embedded store.

#[cfg(feature = "server")]
pub mod auth;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod http;
#[cfg(feature = "server")]
pub mod log;
#[cfg(feature = "server")]
pub mod metrics;
pub mod model;
#[cfg(feature = "server")]
pub mod service;
#[cfg(feature = "server")]
pub mod settings;
#[cfg(feature = "server")]
pub mod store;
pub mod token;
pub mod world;
