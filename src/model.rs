//! Domain values and pure decisions: users, devices, counters, token claims, [`verdict`] and [`replay`].
//!
//! Nothing in this module does I/O, reads a clock or draws randomness. [`verdict`] decides whether a token acts for
//! its user, [`replay`] how a presented refresh token is answered; the other modules define the values these decisions
//! need.
//!
//! Modules: [`ids`], [`counters`] and [`timestamp`] are the small values; [`username`], [`external_id`], [`password`] and
//! [`user`] an account; `visible` the characters allowed in names; [`device`], [`authentication_method`],
//! [`refresh_state`] and [`network`] a sign-in;
//! [`claims`] the content of tokens and [`names`] their issuer and audience; [`revocation`] the entries of the
//! revocation log; [`key`] and [`service_key`] the credentials of the service itself.

pub mod authentication_method;
pub mod claims;
pub mod counters;
pub mod device;
#[cfg(feature = "server")]
pub mod external_id;
pub mod ids;
pub mod key;
pub mod names;
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
pub mod username;
pub mod verdict;
#[cfg(feature = "server")]
pub(crate) mod visible;
