//! Security events in the log: what happened, to which user and device, and from where.
//!
//! Each is one line with the field `event`, and with the `request_id` of the request that caused it, as in that
//! request's own line and in its problem document; events of the service itself have none. The only client input in it
//! is the user agent, because people type passwords where a username belongs.

use super::ClientInfo;
use crate::log::request_id::request_id;
use crate::model::ids::{DeviceId, UserId};

/// Records that `event` happened to a user and perhaps a device, caused by `client`. An unknown user has no
/// id.
pub(super) fn record(
    event: &'static str,
    user: Option<UserId>,
    device: Option<DeviceId>,
    client: &ClientInfo,
) {
    tracing::info!(
        event,
        user = user.map(tracing::field::display),
        device = device.map(tracing::field::display),
        address = %client.address,
        user_agent = client.user_agent.as_deref(),
        request_id = request_id(),
        "security event"
    );
}

/// Records a refusal that cost no work. The log target marks such lines as droppable when there are too many, since
/// anybody can cause them.
pub(super) fn record_refusal(event: &'static str, client: &ClientInfo) {
    tracing::info!(
        target: "rescind::request",
        event,
        address = %client.address,
        user_agent = client.user_agent.as_deref(),
        request_id = request_id(),
        "security event"
    );
}
