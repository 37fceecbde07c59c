//! The shapes administrators see.

use poem_openapi::Object;
use serde::Serialize;

use super::answers::count;
use super::moment::Moment;
use super::sign_in_elsewhere;
use crate::model::user::User;
use crate::store::queries::devices::Listed;

/// A user, as administrators see one.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "AdminUser")]
pub(super) struct AdminUserAnswer {
    /// A UUID.
    pub id: String,
    /// As it was registered.
    pub username: String,
    /// The user's id in another system; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Whether the user has a password here. Without one the user signs in through another system only.
    pub has_password: bool,
    /// When the account was made.
    pub created_at: Moment,
    /// Whether the account is disabled.
    pub disabled: bool,
    /// Why it was disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
    /// How many devices are live; one that merely ran out may count for another minute.
    pub live_devices: i64,
    /// The generation: every token of an earlier one is dead.
    pub generation: i64,
}

/// One page of users.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "AdminUserList")]
pub(super) struct AdminUserListAnswer {
    /// The users, in order of their names.
    pub results: Vec<AdminUserAnswer>,
    /// Give this as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A device, as administrators see one.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "AdminDevice")]
pub(super) struct AdminDeviceAnswer {
    /// A UUID: the token ID, claim `sid`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What sort of device it is.
    pub kind: String,
    /// When it signed in.
    pub created_at: Moment,
    /// How the user proved who they are, as the system said that opened the device: names of RFC 8176.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amr: Option<Vec<String>>,
    /// When it was last heard of, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Moment>,
    /// The address that the device was last seen from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The user agent that the device was last seen with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// When it is signed out unless it refreshes before.
    pub idle_end: Moment,
    /// When it is signed out in any case.
    pub absolute_end: Moment,
    /// When it was ended. The first end counts: no later, wider one changes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Moment>,
    /// Why: `signed_out`, `signed_out_everywhere`, `password_changed`, `refresh_reused`, `evicted`, `expired`,
    /// `administrator`, `disabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_cause: Option<String>,
    /// What an administrator gave as the reason, or who presented the reused token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_note: Option<String>,
}

/// One page of devices.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "AdminDeviceList")]
pub(super) struct AdminDeviceListAnswer {
    /// The devices, in order of sign-in; ended ones in order of their ends, the last one first.
    pub results: Vec<AdminDeviceAnswer>,
    /// Give this as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The era.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Era")]
pub(super) struct EraAnswer {
    /// The era from now on: every token of an earlier one is dead.
    pub era: i64,
    /// To who asked to wait: whether every resource server that follows the feed at this node has said in time that it is in
    /// force there; `true` also when none follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_force: Option<bool>,
    /// To a service key that asked to wait: how many resource servers follow the feed at this node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub followers: Option<i64>,
    /// To a service key that asked to wait: how many of them have said in time that it is in force there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<i64>,
}

impl AdminUserAnswer {
    pub(super) fn of(user: &User, live_devices: u64) -> Self {
        Self {
            id: user.id.to_string(),
            username: user.username.shown().to_owned(),
            external_id: user.external_id.as_ref().map(ToString::to_string),
            has_password: user.password.is_some(),
            created_at: Moment(user.created),
            disabled: user.disabled.is_some(),
            disabled_reason: user.disabled.as_ref().and_then(|disabled| disabled.note.clone()),
            live_devices: count(live_devices),
            generation: count(user.generation.value()),
        }
    }
}

impl AdminDeviceAnswer {
    pub(super) fn of(listed: &Listed) -> Self {
        let Listed { device, last_seen } = listed;
        let seen = last_seen.as_ref();
        let ended = device.ended.as_ref();
        Self {
            id: device.id.to_string(),
            name: device.name.as_str().to_owned(),
            kind: device.kind.as_str().to_owned(),
            created_at: Moment(device.created),
            amr: sign_in_elsewhere::names(&device.amr),
            last_seen_at: seen.map(|seen| Moment(seen.at)),
            address: seen.and_then(|seen| seen.address).map(|address| address.to_string()),
            user_agent: seen.and_then(|seen| seen.user_agent.clone()),
            idle_end: Moment(device.idle_end),
            absolute_end: Moment(device.absolute_end),
            ended_at: ended.map(|ended| Moment(ended.at)),
            ended_cause: ended.map(|ended| ended.cause.as_str().to_owned()),
            ended_note: ended.and_then(|ended| ended.note.clone()),
        }
    }
}
