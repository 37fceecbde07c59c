//! `/api/v1/devices`: the caller's devices.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::accounts::field_error;
use super::answers::{DeviceAnswer, DeviceListAnswer, SignedOutAnswer, count};
use super::body::Body;
use super::code::{Code, FieldCode};
use super::credential::SignedIn;
use super::document::Tag;
use super::problem::Problem;
use crate::auth::{Auth, Origin};
use crate::model::device::DeviceName;
use crate::model::ids::DeviceId;

/// How many results a page has unless the client asks for another number.
const PAGE: u32 = 100;

/// The operations.
pub(super) struct Devices;

#[derive(Debug, Object)]
#[oai(rename = "RenameDevice")]
struct RenameInput {
    /// What people call it, 1 to 100 characters.
    name: String,
}

#[OpenApi(prefix_path = "/api/v1/devices", tag = "Tag::Devices")]
impl Devices {
    /// List my devices
    #[oai(path = "/", method = "get", operation_id = "listDevices")]
    async fn list(
        &self,
        auth: Data<&Arc<Auth>>,
        origin: Origin,
        bearer: SignedIn,
        /// The `next` of the page before.
        after: Query<Option<String>>,
        /// How many results a page has at most: 1 to 1000, normally 100.
        limit: Query<Option<u32>>,
    ) -> Result<Json<DeviceListAnswer>, Problem> {
        let (after, limit) = (cursor(after.0.as_deref())?, page_size(limit.0)?);
        let (caller, page) = auth.devices(&bearer.0, after, limit, &origin).await?;
        let current = Some(caller.device.id);
        let results = page.devices.iter().map(|listed| DeviceAnswer::listed(listed, current)).collect();
        Ok(Json(DeviceListAnswer { results, next: page.next.map(|id| id.to_string()) }))
    }

    /// One of my devices
    #[oai(path = "/:id", method = "get", operation_id = "getDevice")]
    async fn get(
        &self,
        auth: Data<&Arc<Auth>>,
        origin: Origin,
        bearer: SignedIn,
        id: Path<String>,
    ) -> Result<Json<DeviceAnswer>, Problem> {
        let (caller, listed) = auth.device(&bearer.0, device_id(&id.0)?, &origin).await?;
        Ok(Json(DeviceAnswer::listed(&listed, Some(caller.device.id))))
    }

    /// Rename one of my devices
    #[oai(path = "/:id", method = "patch", operation_id = "renameDevice")]
    async fn rename(
        &self,
        auth: Data<&Arc<Auth>>,
        origin: Origin,
        bearer: SignedIn,
        id: Path<String>,
        body: Body<RenameInput>,
    ) -> Result<Json<DeviceAnswer>, Problem> {
        let name = DeviceName::parse(&body.0.name)
            .map_err(|error| Problem::fields(vec![field_error("name", error)]))?;
        let (caller, listed) = auth.rename_device(&bearer.0, device_id(&id.0)?, name, &origin).await?;
        Ok(Json(DeviceAnswer::listed(&listed, Some(caller.device.id))))
    }

    /// Sign out one of my devices
    #[oai(path = "/:id", method = "delete", operation_id = "endDevice")]
    async fn end(
        &self,
        auth: Data<&Arc<Auth>>,
        origin: Origin,
        bearer: SignedIn,
        id: Path<String>,
    ) -> Result<Json<SignedOutAnswer>, Problem> {
        let signed_out = auth.end_device(&bearer.0, device_id(&id.0)?, &origin).await?;
        Ok(Json(SignedOutAnswer { signed_out: count(signed_out) }))
    }
}

/// A device's id in a path; a text that is none names nothing.
pub(super) fn device_id(text: &str) -> Result<DeviceId, Problem> {
    DeviceId::parse(text).ok_or_else(|| Problem::new(Code::NotFound))
}

/// The place a page begins after.
pub(super) fn cursor(after: Option<&str>) -> Result<Option<DeviceId>, Problem> {
    let wrong = || Problem::field("after", FieldCode::InvalidFormat);
    after.map(|text| DeviceId::parse(text).ok_or_else(wrong)).transpose()
}

/// How many results a page has.
pub(super) fn page_size(limit: Option<u32>) -> Result<usize, Problem> {
    match limit.unwrap_or(PAGE) {
        limit @ 1..=1000 => Ok(limit as usize),
        _ => Err(Problem::field("limit", FieldCode::OutOfRange)),
    }
}
