//! Sessions for apps whose users own several devices: stateless PASETO tokens that can be taken back.
//!
//! Rescind is a service, the program `rescind`: it registers users, signs them in and out, and issues access and refresh
//! tokens. This crate is that program, and the **library for servers that receive the tokens**, [`verifier`]. A verifier
//! checks access tokens in memory, without a request and without a lock, and follows the service's feed of revocations: a
//! sign-out is honoured within milliseconds, and no later than `max_staleness` (10 s unless set) whatever fails in between.
//! If freshness cannot be proven, tokens are refused.
//!
//! ```toml
//! [dependencies]
//! rescind = { version = "0.1", default-features = false, features = ["verifier"] }
//! ```
//!
//! ```no_run
//! use rescind::verifier::{Rejection, ServiceKey, UserId, Verifier};
//!
//! /// Connects once, when the server starts. The key is made with `rescind service-key add shop --scope feed`.
//! async fn connect() -> Result<Verifier, Box<dyn std::error::Error>> {
//!     let key = std::env::var("RESCIND_SERVICE_KEY")?;
//!     let key = ServiceKey::parse(&key).ok_or("RESCIND_SERVICE_KEY is no service key")?;
//!     Ok(Verifier::builder("https://id.example").audience("rescind").service_key(key).connect().await?)
//! }
//!
//! /// The user of a request with this token; else the status and the code to answer.
//! fn user(verifier: &Verifier, token: &str) -> Result<UserId, (u16, &'static str)> {
//!     let claims = verifier.verify(token).map_err(|rejection: Rejection| (rejection.status(), rejection.code()))?;
//!     Ok(claims.user())
//! }
//! ```
//!
//! Complete servers are `examples/resource_server_axum.rs` and `examples/resource_server_poem.rs`. Servers in other languages
//! run the same verifier as a process: `rescind guard`. The `README.md` has a first day with the service, its settings and
//! its guarantees.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `verifier` | [`verifier`]; none of the service's dependencies |
//! | `server` | the service and its command line; includes `verifier` |
//! | `sled` | the embedded store; includes `server` |
//! | `postgres` | the shared store, for several nodes; includes `server` |
//!
//! `server`, `sled` and `postgres` are the default.
//!
//! # Stability
//!
//! In Rust the public interface is [`verifier`] and what it re-exports. Other items are public to the program and to the tests of
//! this package only, are hidden here, and change without notice. What is stable about the service (HTTP, codes, command
//! line, settings, metrics, stored format, feed) is in `CHANGELOG.md`.
//!
//! # For maintainers
//!
//! [`architecture`] is the map: who calls whom, the paths of three requests, and where to add things.
//! [`scale`] says what one log of revocations allows, and how it would be divided.

#[doc = include_str!("docs/architecture.md")]
pub mod architecture {}
#[doc = include_str!("docs/scale.md")]
pub mod scale {}

#[cfg(feature = "server")]
mod advice;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod allocator;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod auth;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "server")]
mod data_folder;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod feed;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod guard;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod http;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod issuer;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod log;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod metrics;
#[doc(hidden)]
pub mod model;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod service;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod settings;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod store;
#[cfg(feature = "server")]
mod time_limit;
#[doc(hidden)]
pub mod token;
#[cfg(feature = "server")]
mod trusted;
#[cfg(feature = "verifier")]
pub mod verifier;
#[doc(hidden)]
pub mod world;
