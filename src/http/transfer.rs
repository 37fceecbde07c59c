//! `/operator/import-users` and `/operator/export-users`: users with their password hashes, in groups. Served on the
//! administration socket and nowhere else.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::body::batch::BatchBody;
use super::code::FieldCode;
use super::json::Json;
use super::moment::Moment;
use super::operator::BY_OPERATOR;
use super::page::{after_user, page_size, user_cursor};
use super::problem::Problem;
use crate::auth::transfer::{Arrival, ArrivingUser};
use crate::auth::use_cases::UseCases;
use crate::model::external_id::ExternalId;
use crate::model::password::{PasswordHash, WeakHashes};
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::model::username::Username;

/// The most users of one import. With names and hashes of the greatest length they fit into the largest
/// [`BatchBody`].
pub(crate) const MOST_AT_ONCE: usize = 32;

/// The operations that move users with their password hashes.
pub(super) struct UserTransfer;

#[derive(Object)]
struct ImportUsersInput {
    /// Whether to say what would become of the users, and write nothing.
    dry_run: bool,
    /// Whether hashes that are too weak to protect a password are accepted.
    weak: bool,
    users: Vec<ArrivingUserInput>,
}

#[derive(Object)]
struct ArrivingUserInput {
    username: String,
    external_id: String,
    password_hash: Option<String>,
    disabled: bool,
    created_at: Option<String>,
}

/// What became of each user, in their order.
#[derive(Debug, Object, Serialize)]
struct ArrivalsAnswer {
    results: Vec<String>,
}

/// A user with the password hash as Django writes it.
#[derive(Object, Serialize)]
struct LeavingUserAnswer {
    id: String,
    username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_hash: Option<String>,
    disabled: bool,
    created_at: Moment,
}

#[derive(Object, Serialize)]
struct LeavingUserListAnswer {
    results: Vec<LeavingUserAnswer>,
    /// The number of all users, on the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[OpenApi(prefix_path = "/")]
impl UserTransfer {
    #[oai(path = "/import-users", method = "post", operation_id = "importUsers")]
    async fn import(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        body: BatchBody<ImportUsersInput>,
    ) -> Result<Json<ArrivalsAnswer>, Problem> {
        let ImportUsersInput { dry_run, weak, users } = body.0;
        if users.len() > MOST_AT_ONCE {
            return Err(Problem::field("users", FieldCode::TooLong));
        }
        let weak = if weak { WeakHashes::Accept } else { WeakHashes::Refuse };
        let users = users.into_iter().map(|user| user.parse(weak)).collect::<Result<_, _>>()?;
        let arrivals = use_cases.administration.import_users(users, dry_run, BY_OPERATOR).await?;
        let results = arrivals.into_iter().map(|arrival: Arrival| arrival.as_str().to_owned()).collect();
        Ok(Json(ArrivalsAnswer { results }))
    }

    #[oai(path = "/export-users", method = "get", operation_id = "exportUsers")]
    async fn export(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        after: Query<Option<String>>,
        limit: Query<Option<u32>>,
    ) -> Result<Json<LeavingUserListAnswer>, Problem> {
        let (after, limit) = (after_user(after.0.as_deref())?, page_size(limit.0)?);
        let total = match after {
            None => Some(use_cases.administration.user_count().await?),
            Some(_) => None,
        };
        let users = use_cases.administration.export_users(after.as_deref(), limit, BY_OPERATOR).await?;
        let next = users.last().filter(|_| users.len() >= limit).map(|user| user_cursor(user.username.key()));
        let results = users.iter().map(LeavingUserAnswer::of).collect();
        Ok(Json(LeavingUserListAnswer { results, total, next }))
    }
}

impl ArrivingUserInput {
    fn parse(self, weak: WeakHashes) -> Result<ArrivingUser, Problem> {
        let fault = |field: &'static str| Problem::field(field, FieldCode::InvalidFormat);
        let password = self.password_hash.map(|hash| PasswordHash::imported(&hash, weak)).transpose();
        let created = self.created_at.map(|at| Timestamp::parse(&at).ok_or_else(|| fault("created_at")));
        Ok(ArrivingUser {
            username: Username::parse(&self.username).map_err(|_| fault("username"))?,
            external_id: ExternalId::parse(&self.external_id).map_err(|_| fault("external_id"))?,
            password: password.map_err(|_| fault("password_hash"))?,
            created: created.transpose()?,
            disabled: self.disabled,
        })
    }
}

impl LeavingUserAnswer {
    fn of(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            username: user.username.shown().to_owned(),
            external_id: user.external_id.as_ref().map(ToString::to_string),
            password_hash: user.password.as_ref().map(PasswordHash::django),
            disabled: user.disabled.is_some(),
            created_at: Moment(user.created),
        }
    }
}
