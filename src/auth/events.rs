//! The security events of the log: what happened, to whom, on which device, and from where.
//!
//! Each is one line with the field `event`, and with the `request_id` of the request that caused it, as in that request's own
//! line and in its problem; what the service does on its own has none. Nothing that a client has typed is in it but its user agent: people type
//! passwords where a name belongs.

use std::future::Future;

use super::Origin;
use crate::model::ids::{DeviceId, UserId};

tokio::task_local! {
    static REQUEST_ID: Box<str>;
}

/// Runs `answering`, the work that the request with this id causes: every event that it records names the id.
pub async fn caused_by<F: Future>(request_id: &str, answering: F) -> F::Output {
    REQUEST_ID.scope(request_id.into(), answering).await
}

/// The id of the request that causes what happens now; none of what the service does on its own.
pub(super) fn request_id() -> Option<String> {
    REQUEST_ID.try_with(|id| id.clone().into_string()).ok()
}

/// Notes that `event` happened to a user and perhaps to one device, caused from `origin`. A user whom nobody knows has no
/// id.
pub(super) fn record(event: &'static str, user: Option<UserId>, device: Option<DeviceId>, origin: &Origin) {
    tracing::info!(
        event,
        user = user.map(tracing::field::display),
        device = device.map(tracing::field::display),
        address = %origin.address,
        user_agent = origin.user_agent.as_deref(),
        request_id = request_id(),
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
        request_id = request_id(),
        "security event"
    );
}
