//! The security events of the log: what happened, to whom, on which device, and from where.
//!
//! Each is one line with the field `event`. Nothing that a client has typed is in it but its user agent: people type
//! passwords where a name belongs.

use super::Origin;
use crate::model::ids::{DeviceId, UserId};

/// Notes that `event` happened to a user and perhaps to one device, caused from `origin`. A user whom nobody knows has no
/// id.
pub(super) fn record(event: &'static str, user: Option<UserId>, device: Option<DeviceId>, origin: &Origin) {
    tracing::info!(
        event,
        user = user.map(tracing::field::display),
        device = device.map(tracing::field::display),
        address = %origin.address,
        user_agent = origin.user_agent.as_deref(),
        "security event"
    );
}

/// Notes that something was refused before it cost us anything. The target says that such lines may be dropped when there
/// are too many, since anybody can cause them.
pub(super) fn record_refusal(event: &'static str, origin: &Origin) {
    tracing::info!(
        target: "rescind::request",
        event,
        address = %origin.address,
        user_agent = origin.user_agent.as_deref(),
        "security event"
    );
}
