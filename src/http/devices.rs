//! `/api/v1/devices`: the caller's devices.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};

use super::answers::{DeviceAnswer, DeviceListAnswer, SignedOutAnswer, count};
use super::body::Body;
use super::credential::SignedIn;
use super::device_input::field_error;
use super::json::Json;
use super::page::{cursor, device_id, page_size};
use super::problem::Problem;
use super::tag::Tag;
use crate::auth::{Auth, ClientInfo};
use crate::model::device::DeviceName;

/// The operations on the caller's devices.
pub(super) struct Devices;

#[derive(Debug, Object)]
#[oai(rename = "RenameDevice")]
struct RenameInput {
    /// What people call it: at most 100 characters that can be seen are kept, and there must be one.
    name: String,
}

#[OpenApi(prefix_path = "/api/v1/devices", tag = "Tag::Devices")]
impl Devices {
    /// List my devices
    #[oai(path = "/", method = "get", operation_id = "listDevices")]
    async fn list(
        &self,
        auth: Data<&Arc<Auth>>,
        origin: ClientInfo,
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
        origin: ClientInfo,
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
        origin: ClientInfo,
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
        origin: ClientInfo,
        bearer: SignedIn,
        id: Path<String>,
    ) -> Result<Json<SignedOutAnswer>, Problem> {
        let signed_out = auth.end_device(&bearer.0, device_id(&id.0)?, &origin).await?;
        Ok(Json(SignedOutAnswer { signed_out: count(signed_out) }))
    }
}
