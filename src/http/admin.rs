//! `/api/v1/admin`: what administrators' tools do with devices and sessions of users; scope `admin`, for sessions `sessions`.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::admin_answers::{AdminDeviceAnswer, AdminDeviceListAnswer, EraAnswer};
use super::answers::{SessionAnswer, SignedOutAnswer, SignedOutEverywhereAnswer, count};
use super::body::{Body, LenientBody, OptionalBody};
use super::code::FieldCode;
use super::credential::ServiceCredential;
use super::device_input::{DeviceInput, wish};
use super::fence;
use super::json::Json;
use super::page::{cursor, device_id, ended_cursor, ended_cursor_text, page_size};
use super::problem::Problem;
use super::sign_in_elsewhere::{self, ClientInput};
use super::tag::Tag;
use crate::auth::ClientInfo;
use crate::auth::administrator::{Administrator, AdministratorOrder};
use crate::auth::logout::SignedOut;
use crate::auth::use_cases::UseCases;
use crate::feed::Feed;
use crate::model::service_key::Scope;

/// The longest reason, in characters and in bytes: a user's record stores three and has to stay below the store's limit
/// of 4 KiB.
const LONGEST_REASON: (usize, usize) = (200, 600);

/// The operations of administrators' tools.
pub(super) struct Admin;

#[derive(Debug, Object)]
#[oai(rename = "Reason")]
pub(super) struct ReasonInput {
    /// Why, for the record: at most 200 characters.
    pub(super) reason: Option<String>,
}

#[derive(Debug, Object)]
#[oai(rename = "AccountReason")]
pub(super) struct AccountReasonInput {
    /// Why, for the record: at most 200 characters.
    pub(super) reason: Option<String>,
}

#[derive(Debug, Object)]
#[oai(rename = "OpenSession")]
struct OpenSessionInput {
    /// The device.
    device: Option<DeviceInput>,
    /// The end user's client, in place of the caller's.
    client: Option<ClientInput>,
    /// How the user proved who they are, by the names of RFC 8176: `["pwd", "otp"]`. At most 8 names of at most 32 letters,
    /// digits, `-`, `_`, `.` and `:`.
    amr: Option<Vec<String>>,
}

#[derive(ApiResponse)]
enum SessionOpenedResponse {
    /// The user is signed in on a new device.
    #[oai(status = 201)]
    Session(Json<SessionAnswer>),
}

#[OpenApi(prefix_path = "/api/v1/admin", tag = "Tag::Administration")]
impl Admin {
    /// Sign a user out everywhere
    #[oai(path = "/users/:user/logout-all", method = "post", operation_id = "logoutAllOfUser")]
    async fn logout_all(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        feed: Data<&Arc<Feed>>,
        credential: ServiceCredential,
        user: Path<String>,
        /// How long to wait until every follower that is connected to this node has confirmed that it is in force there:
        /// `1s`, `250ms`. More than 8 s, or four fifths of what a request may take, is cut.
        wait: Query<Option<String>>,
        body: LenientBody<ReasonInput>,
    ) -> Result<Json<SignedOutEverywhereAnswer>, Problem> {
        let by = credential.require(&use_cases.authentication, Scope::Admin).await?;
        let wait = fence::wait(wait.0)?;
        let user = use_cases.administration.find_user(&user.0).await?;
        let signed_out = use_cases.administration.logout_all_of(user.id, order(by, body.0.reason)?).await?;
        let waited = fence::wait_for_followers(&feed, wait).await;
        Ok(Json(SignedOutEverywhereAnswer {
            in_force: waited.in_force(),
            followers: waited.followers(),
            confirmed: waited.confirmed(),
            ..SignedOutEverywhereAnswer::of(signed_out)
        }))
    }

    /// Disable a user
    ///
    /// Ends every device. Enabling brings none of them back.
    #[oai(path = "/users/:user/disable", method = "post", operation_id = "disableUser")]
    async fn disable(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        credential: ServiceCredential,
        user: Path<String>,
        body: OptionalBody<AccountReasonInput>,
    ) -> Result<Json<SignedOutEverywhereAnswer>, Problem> {
        set_disabled(&use_cases, &credential, &user.0, true, body.0.reason).await
    }

    /// Enable a user
    #[oai(path = "/users/:user/enable", method = "post", operation_id = "enableUser")]
    async fn enable(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        credential: ServiceCredential,
        user: Path<String>,
        body: OptionalBody<AccountReasonInput>,
    ) -> Result<Json<SignedOutEverywhereAnswer>, Problem> {
        set_disabled(&use_cases, &credential, &user.0, false, body.0.reason).await
    }

    /// List a user's devices
    #[oai(path = "/users/:user/devices", method = "get", operation_id = "listDevicesOfUser")]
    async fn devices(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        credential: ServiceCredential,
        user: Path<String>,
        /// The `next` of the page before.
        after: Query<Option<String>>,
        /// How many results a page has at most: 1 to 1000, normally 100.
        limit: Query<Option<u32>>,
        /// Whether to list the ended ones of the last 28 days instead, the one that ended last first.
        ended: Query<Option<bool>>,
    ) -> Result<Json<AdminDeviceListAnswer>, Problem> {
        credential.require(&use_cases.authentication, Scope::Admin).await?;
        let (after, limit) = (after.0.as_deref(), page_size(limit.0)?);
        let (devices, next) = if ended.0 == Some(true) {
            let after = ended_cursor(after)?;
            let page = use_cases
                .devices
                .ended_of(use_cases.administration.find_user(&user.0).await?.id, after, limit)
                .await?;
            (page.devices, page.next.map(ended_cursor_text))
        } else {
            let after = cursor(after)?;
            let page = use_cases
                .devices
                .list_of(use_cases.administration.find_user(&user.0).await?.id, after, limit)
                .await?;
            (page.devices, page.next.map(|id| id.to_string()))
        };
        Ok(Json(AdminDeviceListAnswer { results: devices.iter().map(AdminDeviceAnswer::of).collect(), next }))
    }

    /// Sign out one of a user's devices
    #[oai(path = "/users/:user/devices/:device", method = "delete", operation_id = "endDeviceOfUser")]
    async fn end_device(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        credential: ServiceCredential,
        user: Path<String>,
        device: Path<String>,
        body: LenientBody<ReasonInput>,
    ) -> Result<Json<SignedOutAnswer>, Problem> {
        let by = credential.require(&use_cases.authentication, Scope::Admin).await?;
        let user = use_cases.administration.find_user(&user.0).await?;
        let signed_out = use_cases
            .administration
            .end_device_of(user.id, device_id(&device.0)?, order(by, body.0.reason)?)
            .await?;
        Ok(Json(SignedOutAnswer { signed_out: count(signed_out) }))
    }

    /// Sign everyone out
    #[oai(path = "/everyone/logout", method = "post", operation_id = "logoutEveryone")]
    async fn logout_everyone(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        feed: Data<&Arc<Feed>>,
        credential: ServiceCredential,
        /// How long to wait until every follower that is connected to this node has confirmed that it is in force there:
        /// `1s`, `250ms`. More than 8 s, or four fifths of what a request may take, is cut.
        wait: Query<Option<String>>,
        body: LenientBody<ReasonInput>,
    ) -> Result<Json<EraAnswer>, Problem> {
        let by = credential.require(&use_cases.authentication, Scope::Admin).await?;
        let wait = fence::wait(wait.0)?;
        let era = use_cases.administration.logout_everyone(order(by, body.0.reason)?).await?;
        let waited = fence::wait_for_followers(&feed, wait).await;
        Ok(Json(EraAnswer {
            era: count(era.value()),
            in_force: waited.in_force(),
            followers: waited.followers(),
            confirmed: waited.confirmed(),
        }))
    }

    /// Open a session for a user signed in elsewhere
    ///
    /// For another system that has made sure who the user is. Needs scope `sessions`. A key with that scope is trusted to say
    /// from where the user signs in (`client`), which lists of devices and security events then show.
    #[oai(path = "/users/:user/sessions", method = "post", operation_id = "openSession")]
    async fn open_session(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        client: ClientInfo,
        credential: ServiceCredential,
        user: Path<String>,
        body: Body<OpenSessionInput>,
    ) -> Result<SessionOpenedResponse, Problem> {
        let by = credential.require(&use_cases.authentication, Scope::Sessions).await?;
        let user = use_cases.administration.find_user(&user.0).await?;
        let OpenSessionInput { device, client: end_user, amr } = body.0;
        let client = end_user.map_or(Ok(client), sign_in_elsewhere::client)?;
        let amr = sign_in_elsewhere::methods(&amr.unwrap_or_default())?;
        let device = wish(device, &client)?;
        let issued = use_cases
            .administration
            .open_session(user.id, device, amr, &client, AdministratorOrder { by, reason: None })
            .await?;
        Ok(SessionOpenedResponse::Session(Json(SessionAnswer::of(issued))))
    }
}

async fn set_disabled(
    use_cases: &UseCases,
    credential: &ServiceCredential,
    user: &str,
    disabled: bool,
    reason: Option<String>,
) -> Result<Json<SignedOutEverywhereAnswer>, Problem> {
    let by = credential.require(&use_cases.authentication, Scope::Admin).await?;
    let user = use_cases.administration.find_user(user).await?;
    let (user, signed_out) =
        use_cases.administration.set_disabled(user.id, disabled, order(by, reason)?).await?;
    Ok(Json(SignedOutEverywhereAnswer::of(SignedOut { signed_out, generation: user.generation })))
}

/// An administrator's order. The reason has at most [`LONGEST_REASON`], none of them a control character.
pub(super) fn order(by: Administrator, reason: Option<String>) -> Result<AdministratorOrder, Problem> {
    let text = reason.as_deref().unwrap_or_default();
    let (characters, bytes) = LONGEST_REASON;
    if text.chars().count() > characters || text.len() > bytes {
        return Err(Problem::field("reason", FieldCode::TooLong));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::field("reason", FieldCode::InvalidCharacters));
    }
    Ok(AdministratorOrder { by, reason })
}
