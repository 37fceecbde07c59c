//! Administrators and their orders. Every order that is carried out is logged.

use std::fmt;
use std::net::IpAddr;

use crate::log::request_id::request_id;
use crate::model::ids::ServiceKeyId;

/// The administrator who acts on users, devices or keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Administrator {
    /// A person with access to the administration socket.
    Operator,
    /// The bearer of a service key.
    ServiceKey {
        /// The id of the service key.
        id: ServiceKeyId,
        /// The address of the client that presented the key.
        address: IpAddr,
    },
}

impl fmt::Display for Administrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("operator"),
            Self::ServiceKey { id, address } => write!(f, "service key {id} at {address}"),
        }
    }
}

/// The administrator who ordered an action, and the reason.
#[derive(Clone, Debug)]
pub struct AdministratorOrder {
    /// The administrator who ordered it.
    pub by: Administrator,
    /// The reason, if one was given.
    pub reason: Option<String>,
}

impl AdministratorOrder {
    /// Logs an administrative action as a warning, so that it is never silent.
    pub(super) fn record(&self, event: &'static str, on: &dyn fmt::Display) {
        tracing::warn!(event, %on, by = %self.by, reason = self.reason, request_id = request_id(), "done by an administrator");
    }

    /// Logs, at level info and without a reason, that a user, a signing key or a service key was added or changed.
    pub(super) fn note(&self, event: &'static str, on: &dyn fmt::Display) {
        tracing::info!(event, %on, by = %self.by, request_id = request_id(), "done by an administrator");
    }
}
