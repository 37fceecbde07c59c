//! What the service is about, as values: users, devices, counters, tokens' claims, and the two decisions.
//!
//! Nothing in here does I/O, reads a clock or draws randomness. The two decisions are [`verdict`] (does this token
//! act for its user?) and [`replay`] (what does this refresh token buy?); everything else is what they need.
//!
//! Rooms: [`ids`], [`counters`] and [`timestamp`] are the small values; [`username`], [`password`] and [`user`] an
//! account; `visible` says which characters of their names are seen; [`device`], [`refresh_state`], [`network`] and
//! [`user_agent`] a sign-in; [`claims`] what a token says; [`revocation`] what
//! the ordered log says; [`key`] and [`service_key`] the credentials of the service itself.

pub mod claims;
pub mod counters;
pub mod device;
pub mod ids;
pub mod key;
pub mod network;
#[cfg(feature = "server")]
pub mod password;
pub mod refresh_state;
pub mod replay;
pub mod revocation;
pub mod service_key;
pub mod timestamp;
#[cfg(feature = "server")]
pub mod user;
#[cfg(feature = "server")]
pub mod user_agent;
#[cfg(feature = "server")]
pub mod username;
pub mod verdict;
#[cfg(feature = "server")]
pub(crate) mod visible;
