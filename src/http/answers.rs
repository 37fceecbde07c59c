//! The shapes of answers. A field that has nothing to say is left out, never `null`.

use poem_openapi::Object;
use serde::Serialize;

use super::moment::Moment;
use crate::auth::authenticate::Caller;
use crate::auth::issue::{Access, Issued};
use crate::auth::logout::SignedOut;
use crate::model::device::Device;
use crate::model::device::LastSeen;
use crate::model::ids::DeviceId;
use crate::model::user::User;
use crate::store::queries::devices::Listed;

/// A sign-in: two tokens for one device.
#[derive(Object, Serialize)]
#[oai(rename = "Session")]
pub(super) struct SessionAnswer {
    /// The access token, PASETO `v4.public`: send it as `Authorization: Bearer …`.
    pub access: String,
    /// The refresh token: keep it safe, send it to `refresh` only. It is used once; the answer brings the next one.
    pub refresh: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Seconds until the access token expires, from now.
    pub expires_in: i64,
    /// Seconds until the refresh token expires, from now.
    pub refresh_expires_in: i64,
    /// The device that is signed in.
    pub device: DeviceAnswer,
    /// The user who is signed in.
    pub user: UserAnswer,
}

/// A user.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "User")]
pub(super) struct UserAnswer {
    /// A UUID.
    pub id: String,
    /// As it was registered.
    pub username: String,
}

/// A device: one sign-in on one app or browser.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Device")]
pub(super) struct DeviceAnswer {
    /// A UUID: the token ID, claim `sid`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// `mobile`, `desktop`, `browser`, `other`, or a word of the app's own.
    pub kind: String,
    /// Whether this is the device that asks.
    pub current: bool,
    /// When it signed in.
    pub created_at: Moment,
    /// When it was last heard of, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Moment>,
    /// The address that the device was last seen from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// When it is signed out unless it refreshes before.
    pub expires_at: Moment,
}

/// The caller.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Me")]
pub(super) struct MeAnswer {
    /// The user.
    pub user: UserAnswer,
    /// The device.
    pub device: DeviceAnswer,
}

/// How many devices a sign-out ended.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "SignedOut")]
pub(super) struct SignedOutAnswer {
    /// 1, or 0 if the device was signed out before.
    pub signed_out: i64,
}

/// What a sign-out of many devices did.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "SignedOutEverywhere")]
pub(super) struct SignedOutEverywhereAnswer {
    /// How many devices were ended.
    pub signed_out: i64,
    /// The user's generation from now on: every token of an earlier one is dead.
    pub generation: i64,
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

/// What a sign-out of every other device did.
#[derive(Object, Serialize)]
#[oai(rename = "SignedOutOthers")]
pub(super) struct SignedOutOthersAnswer {
    /// How many devices were ended.
    pub signed_out: i64,
    /// The user's generation from now on.
    pub generation: i64,
    /// An access token of the new generation for this device. Its refresh token stays good.
    pub access: String,
    /// Seconds until the new access token expires; no later than the one that was presented.
    pub expires_in: i64,
}

/// What a change of password did, with new tokens for this device; its earlier ones are dead.
#[derive(Object, Serialize)]
#[oai(rename = "PasswordChanged")]
pub(super) struct PasswordChangedAnswer {
    /// How many other devices were ended.
    pub signed_out: i64,
    /// New tokens for this device; the earlier ones are dead.
    pub session: SessionAnswer,
}

/// One page of devices.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "DeviceList")]
pub(super) struct DeviceListAnswer {
    /// The devices, in order of sign-in.
    pub results: Vec<DeviceAnswer>,
    /// Give this as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A count as an `i64`, the integer type of all answers; capped at `i64::MAX`.
pub(super) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl SessionAnswer {
    pub(super) fn of(issued: Issued) -> Self {
        let device = DeviceAnswer::of(&issued.device, None, Some(issued.device.id));
        Self {
            access: issued.access,
            refresh: issued.refresh,
            token_type: "Bearer".to_owned(),
            expires_in: count(issued.expires_in.as_secs()),
            refresh_expires_in: count(issued.refresh_expires_in.as_secs()),
            device,
            user: UserAnswer::of(&issued.user),
        }
    }
}

impl UserAnswer {
    pub(super) fn of(user: &User) -> Self {
        Self { id: user.id.to_string(), username: user.username.shown().to_owned() }
    }
}

impl DeviceAnswer {
    pub(super) fn of(device: &Device, seen: Option<&LastSeen>, current: Option<DeviceId>) -> Self {
        Self {
            id: device.id.to_string(),
            name: device.name.as_str().to_owned(),
            kind: device.kind.as_str().to_owned(),
            current: current == Some(device.id),
            created_at: Moment(device.created),
            last_seen_at: seen.map(|seen| Moment(seen.at)),
            address: seen.and_then(|seen| seen.address).map(|address| address.to_string()),
            expires_at: Moment(device.end()),
        }
    }

    pub(super) fn listed(listed: &Listed, current: Option<DeviceId>) -> Self {
        Self::of(&listed.device, listed.last_seen.as_ref(), current)
    }
}

impl MeAnswer {
    pub(super) fn of(caller: &Caller, seen: Option<&LastSeen>) -> Self {
        Self {
            user: UserAnswer::of(&caller.user),
            device: DeviceAnswer::of(&caller.device, seen, Some(caller.device.id)),
        }
    }
}

impl SignedOutEverywhereAnswer {
    pub(super) fn of(signed_out: SignedOut) -> Self {
        Self {
            signed_out: count(signed_out.signed_out),
            generation: count(signed_out.generation.value()),
            in_force: None,
            followers: None,
            confirmed: None,
        }
    }
}

impl SignedOutOthersAnswer {
    pub(super) fn of(signed_out: SignedOut, access: Access) -> Self {
        Self {
            signed_out: count(signed_out.signed_out),
            generation: count(signed_out.generation.value()),
            access: access.token,
            expires_in: count(access.expires_in.as_secs()),
        }
    }
}
