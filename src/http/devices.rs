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
use crate::auth::ClientInfo;
use crate::auth::use_cases::UseCases;
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
        use_cases: Data<&Arc<UseCases>>,
        client: ClientInfo,
        bearer: SignedIn,
        /// The `next` of the page before.
        after: Query<Option<String>>,
        /// How many results a page has at most: 1 to 1000, normally 100.
        limit: Query<Option<u32>>,
    ) -> Result<Json<DeviceListAnswer>, Problem> {
        let (after, limit) = (cursor(after.0.as_deref())?, page_size(limit.0)?);
        let (caller, page) = use_cases.devices.list(&bearer.0, after, limit, &client).await?;
        let current = Some(caller.device.id);
        let results = page.devices.iter().map(|listed| DeviceAnswer::listed(listed, current)).collect();
        Ok(Json(DeviceListAnswer { results, next: page.next.map(|id| id.to_string()) }))
    }

    /// One of my devices
    #[oai(path = "/:id", method = "get", operation_id = "getDevice")]
    async fn get(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        client: ClientInfo,
        bearer: SignedIn,
        id: Path<String>,
    ) -> Result<Json<DeviceAnswer>, Problem> {
        let (caller, listed) = use_cases.devices.find(&bearer.0, device_id(&id.0)?, &client).await?;
        Ok(Json(DeviceAnswer::listed(&listed, Some(caller.device.id))))
    }

    /// Rename one of my devices
    #[oai(path = "/:id", method = "patch", operation_id = "renameDevice")]
    async fn rename(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        client: ClientInfo,
        bearer: SignedIn,
        id: Path<String>,
        body: Body<RenameInput>,
    ) -> Result<Json<DeviceAnswer>, Problem> {
        let name = DeviceName::parse(&body.0.name)
            .map_err(|error| Problem::fields(vec![field_error("name", error)]))?;
        let (caller, listed) = use_cases.devices.rename(&bearer.0, device_id(&id.0)?, name, &client).await?;
        Ok(Json(DeviceAnswer::listed(&listed, Some(caller.device.id))))
    }

    /// Sign out one of my devices
    #[oai(path = "/:id", method = "delete", operation_id = "endDevice")]
    async fn end(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        client: ClientInfo,
        bearer: SignedIn,
        id: Path<String>,
    ) -> Result<Json<SignedOutAnswer>, Problem> {
        let signed_out = use_cases.devices.end(&bearer.0, device_id(&id.0)?, &client).await?;
        Ok(Json(SignedOutAnswer { signed_out: count(signed_out) }))
    }
}
