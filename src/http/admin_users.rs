//! `/api/v1/admin/users`: users, listed, added, changed and deleted; scope `admin`.
//!
//! All methods of a path stand in one API object: of two with the same path the framework documents the last one only.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::types::MaybeUndefined;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::admin::{AccountReasonInput, order};
use super::admin_answers::{AdminUserAnswer, AdminUserListAnswer};
use super::answers::SignedOutEverywhereAnswer;
use super::body::{Body, OptionalBody};
use super::code::FieldCode;
use super::credential::ServiceCredential;
use super::json::Json;
use super::page::{after_user, page_size, user_cursor};
use super::problem::Problem;
use super::tag::Tag;
use crate::auth::administrator::AdministratorOrder;
use crate::auth::managed_users::{NewPassword, NewUser, UserChange};
use crate::auth::use_cases::UseCases;
use crate::model::external_id::{ExternalId, ExternalIdError};
use crate::model::password::{PasswordHash, PasswordHashError};
use crate::model::service_key::Scope;
use crate::store::queries::users::ListedUser;

/// The operations on users themselves.
pub(super) struct AdminUsers;

/// A user to add. Without a password the user signs in through another system only.
#[derive(Object)]
#[oai(rename = "CreateUser")]
struct CreateUserInput {
    /// The username: 1 to 150 characters.
    username: String,
    /// The user's id in another system: 1 to 255 bytes of visible characters, kept as given.
    external_id: Option<String>,
    /// The password. Not together with `password_hash`.
    password: Option<String>,
    /// The hash that another system made of the password, in Django's or in PHC form. The next sign-in replaces it by one
    /// of this service.
    password_hash: Option<String>,
}

/// What to change of a user; what is left out stays.
#[derive(Object)]
#[oai(rename = "UpdateUser")]
struct UpdateUserInput {
    /// The new username: 1 to 150 characters.
    username: Option<String>,
    /// The user's id in another system: 1 to 255 bytes of visible characters, kept as given. `null` removes it.
    external_id: MaybeUndefined<String>,
    /// The hash that another system made of the password, in Django's or in PHC form.
    password_hash: Option<String>,
}

#[derive(ApiResponse)]
enum UserCreatedResponse {
    /// The user was added.
    #[oai(status = 201)]
    Added(Json<AdminUserAnswer>),
    /// The very user exists, with this username and this external id; nothing was changed.
    #[oai(status = 200)]
    Exists(Json<AdminUserAnswer>),
}

#[OpenApi(prefix_path = "/api/v1/admin", tag = "Tag::Administration")]
impl AdminUsers {
    /// List users
    #[oai(path = "/users", method = "get", operation_id = "listUsers")]
    async fn users(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        credential: ServiceCredential,
        /// The `next` of the page before.
        after: Query<Option<String>>,
        /// How many results a page has at most: 1 to 1000, normally 100.
        limit: Query<Option<u32>>,
    ) -> Result<Json<AdminUserListAnswer>, Problem> {
        credential.require(&use_cases.authentication, Scope::Admin).await?;
        let (after, limit) = (after_user(after.0.as_deref())?, page_size(limit.0)?);
        let users = use_cases.administration.users(after.as_deref(), limit).await?;
        let next = if users.len() < limit {
            None
        } else {
            users.last().map(|listed| user_cursor(listed.user.username.key()))
        };
        let answer = |listed: &ListedUser| AdminUserAnswer::of(&listed.user, listed.live_devices);
        let results = users.iter().map(answer).collect();
        Ok(Json(AdminUserListAnswer { results, next }))
    }

    /// A user, by id, name or external id
    ///
    /// A text that fits more than one user is refused as `ambiguous`, here and wherever a user is named: put `id:`, `name:` or
    /// `external_id:` in front of it. Programs should always do so, since users may choose names.
    #[oai(path = "/users/:user", method = "get", operation_id = "getUser")]
    async fn user(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        credential: ServiceCredential,
        user: Path<String>,
    ) -> Result<Json<AdminUserAnswer>, Problem> {
        credential.require(&use_cases.authentication, Scope::Admin).await?;
        let user = use_cases.administration.find_user(&user.0).await?;
        let live = use_cases.administration.live_devices(&user).await?;
        Ok(Json(AdminUserAnswer::of(&user, live)))
    }

    /// Add a user
    ///
    /// Repeating the request is safe: if a user has both this external id and this username, the answer is that user, and
    /// nothing is changed, not the password either.
    #[oai(path = "/users", method = "post", operation_id = "createUser")]
    async fn create(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        credential: ServiceCredential,
        body: Body<CreateUserInput>,
    ) -> Result<UserCreatedResponse, Problem> {
        let by = credential.require(&use_cases.authentication, Scope::Admin).await?;
        let CreateUserInput { username, external_id, password, password_hash } = body.0;
        let external_id = external_id.as_deref().map(parse_external_id).transpose()?;
        let password = match (&password, &password_hash) {
            (Some(_), Some(_)) => return Err(Problem::field("password_hash", FieldCode::NotAllowed)),
            (Some(text), None) => NewPassword::Plain(text),
            (None, Some(hash)) => NewPassword::Hash(parse_hash(hash)?),
            (None, None) => NewPassword::None,
        };
        let new = NewUser { username: &username, external_id, password };
        let administration = &use_cases.administration;
        let (user, added) = administration.create_user(new, AdministratorOrder { by, reason: None }).await?;
        let answer = Json(AdminUserAnswer::of(&user, administration.live_devices(&user).await?));
        Ok(if added { UserCreatedResponse::Added(answer) } else { UserCreatedResponse::Exists(answer) })
    }

    /// Change a user
    ///
    /// Renames the user, sets or removes the external id, or sets the password hash: all of it or nothing. The user's id and
    /// devices stay, except that a password hash in place of another one signs the user out everywhere. A first one does not,
    /// and neither does the one that the user has.
    #[oai(path = "/users/:user", method = "patch", operation_id = "updateUser")]
    async fn update(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        credential: ServiceCredential,
        user: Path<String>,
        body: Body<UpdateUserInput>,
    ) -> Result<Json<AdminUserAnswer>, Problem> {
        let by = credential.require(&use_cases.authentication, Scope::Admin).await?;
        let UpdateUserInput { username, external_id, password_hash } = body.0;
        let change = UserChange {
            username: username.as_deref(),
            external_id: match external_id {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(text) => Some(Some(parse_external_id(&text)?)),
            },
            password: password_hash.as_deref().map(parse_hash).transpose()?,
        };
        let administration = &use_cases.administration;
        let user = administration.find_user(&user.0).await?;
        let order = AdministratorOrder { by, reason: None };
        let user = administration.update_user(user.id, change, order).await?;
        Ok(Json(AdminUserAnswer::of(&user, administration.live_devices(&user).await?)))
    }

    /// Delete a user
    ///
    /// Signs the user out everywhere. The username and the external id are free again; records of devices go within weeks.
    #[oai(path = "/users/:user", method = "delete", operation_id = "deleteUser")]
    async fn delete(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        credential: ServiceCredential,
        user: Path<String>,
        body: OptionalBody<AccountReasonInput>,
    ) -> Result<Json<SignedOutEverywhereAnswer>, Problem> {
        let by = credential.require(&use_cases.authentication, Scope::Admin).await?;
        let user = use_cases.administration.find_user(&user.0).await?;
        let order = order(by, body.0.reason)?;
        let signed_out = use_cases.administration.delete_user(user.id, order).await?;
        Ok(Json(SignedOutEverywhereAnswer::of(signed_out)))
    }
}

fn parse_external_id(text: &str) -> Result<ExternalId, Problem> {
    ExternalId::parse(text).map_err(|error| {
        let code = match error {
            ExternalIdError::TooShort => FieldCode::TooShort,
            ExternalIdError::TooLong => FieldCode::TooLong,
            ExternalIdError::InvalidCharacters => FieldCode::InvalidCharacters,
        };
        Problem::field("external_id", code)
    })
}

/// Parses a password hash. The error is not passed on, since it may name a part of the text.
fn parse_hash(text: &str) -> Result<PasswordHash, Problem> {
    PasswordHash::parse(text).map_err(|error| {
        let code = match error {
            PasswordHashError::Weak(_) | PasswordHashError::TooCostly(_) => FieldCode::NotAllowed,
            _ => FieldCode::InvalidFormat,
        };
        Problem::field("password_hash", code)
    })
}
