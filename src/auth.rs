//! The use cases of users, clients, resource servers and administrators. They know no HTTP and no storage engine.
//!
//! Each use case has a file. It takes parsed input, runs one step of the store, and turns the step's outcome into an
//! answer or an [`error::AuthError`]. Whatever acts for a signed-in user goes through [`authenticate`].
//!
//! The use cases stand in parts, each of which holds the components it uses and reaches nothing else; [`use_cases`]
//! lists the parts and puts them together. The parts are in [`login`] and [`register`], [`refresh`], [`logout`],
//! [`account`] and [`password`], [`devices`], [`introspect`], [`administer`] with [`managed_users`], [`service_keys`],
//! [`signing_keys`] and [`transfer`], and [`readiness`].
//!
//! Other modules: [`authenticate`] finds out who calls; [`issue`] mints the tokens of every sign-in; [`administrator`]
//! is who orders an administrative action; [`last_seen`] and [`housekeeping`] run beside the requests; [`hashing`] and
//! [`limits`] protect against guessing; [`former_sessions`] finds sessions that began in another system; `events` are
//! the security events in the log.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::replay::ReplayPolicy;

pub mod account;
pub mod administer;
pub mod administrator;
pub mod authenticate;
pub mod devices;
pub mod error;
pub mod events;
pub mod former_sessions;
pub mod hashing;
pub mod housekeeping;
pub mod introspect;
pub mod issue;
pub mod last_seen;
pub mod limits;
pub mod login;
pub mod logout;
pub mod managed_users;
pub mod password;
pub mod readiness;
pub mod refresh;
pub mod register;
pub mod service_keys;
pub mod signing_keys;
pub mod transfer;
pub mod use_cases;

/// The settings of sessions.
#[derive(Clone, Debug)]
pub struct SessionPolicy {
    /// The lifetime of an access token, at most an hour.
    pub access_lifetime: Duration,
    /// The time after which a device expires without a refresh.
    pub device_idle: Duration,
    /// The time after which a device expires in any case.
    pub device_lifetime: Duration,
    /// The most live devices of a user.
    pub devices_per_user: u64,
    /// Whether registration is open to everybody.
    pub registration: bool,
    /// The refresh-token replay rule.
    pub replay: ReplayPolicy,
}

/// The client that sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfo {
    /// The client's address, as far as it can be trusted.
    pub address: IpAddr,
    /// The client's `User-Agent`, cut to 256 characters.
    pub user_agent: Option<String>,
}
