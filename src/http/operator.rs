//! `/operator`: what only the operator may do: new passwords for users, signing keys, service keys. Served
//! on the administration socket and nowhere else.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;

use super::admin::{ReasonInput, order};
use super::answers::{SignedOutAnswer, count};
use super::body::{Body, OptionalBody};
use super::code::{Code, FieldCode};
use super::json::Json;
use super::moment::Moment;
use super::problem::Problem;
use crate::auth::administrator::{Administrator, AdministratorOrder};
use crate::auth::use_cases::UseCases;
use crate::model::ids::ServiceKeyId;
use crate::model::key::{KeyRecord, KeyState, Kid};
use crate::model::service_key::{Scope, ServiceKeyRecord};
use crate::store::queries::keys::KeySet;

/// The order of every operation here: the operator's, since only the operator can open the socket.
pub(super) const BY_OPERATOR: AdministratorOrder =
    AdministratorOrder { by: Administrator::Operator, reason: None };

/// The operations of the operator.
pub(super) struct Operator;

#[derive(Object)]
struct PasswordInput {
    password: String,
}

#[derive(Debug, Object)]
struct AddServiceKeyInput {
    name: String,
    scopes: Vec<String>,
}

/// A signing key of the service.
#[derive(Debug, Object, Serialize)]
struct SigningKeyAnswer {
    kid: String,
    purpose: String,
    state: String,
    created_at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<Moment>,
}

#[derive(Debug, Object, Serialize)]
struct SigningKeyListAnswer {
    version: i64,
    results: Vec<SigningKeyAnswer>,
}

#[derive(Debug, Object, Serialize)]
struct ServiceKeyAnswer {
    id: String,
    name: String,
    scopes: Vec<String>,
    created_at: Moment,
}

#[derive(Debug, Object, Serialize)]
struct ServiceKeyListAnswer {
    results: Vec<ServiceKeyAnswer>,
}

/// A service key with its text, which is shown only once.
#[derive(Object, Serialize)]
struct NewServiceKeyAnswer {
    id: String,
    name: String,
    scopes: Vec<String>,
    key: String,
}

#[derive(ApiResponse)]
enum ServiceKeyAdded {
    /// Added.
    #[oai(status = 201)]
    Key(Json<NewServiceKeyAnswer>),
}

#[OpenApi(prefix_path = "/")]
impl Operator {
    #[oai(path = "/users/:user/password", method = "post", operation_id = "replacePassword")]
    async fn password(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        user: Path<String>,
        body: Body<PasswordInput>,
    ) -> Result<Json<SignedOutAnswer>, Problem> {
        let user = use_cases.administration.find_user(&user.0).await?;
        let signed_out =
            use_cases.administration.replace_password(&user, &body.0.password, BY_OPERATOR).await?;
        Ok(Json(SignedOutAnswer { signed_out: count(signed_out) }))
    }

    #[oai(path = "/keys", method = "get", operation_id = "listKeys")]
    async fn keys(&self, use_cases: Data<&Arc<UseCases>>) -> Result<Json<SigningKeyListAnswer>, Problem> {
        Ok(Json(SigningKeyListAnswer::of(&use_cases.administration.list_keys().await?)))
    }

    #[oai(path = "/keys/rotate", method = "post", operation_id = "rotateKeys")]
    async fn rotate(&self, use_cases: Data<&Arc<UseCases>>) -> Result<Json<SigningKeyListAnswer>, Problem> {
        Ok(Json(SigningKeyListAnswer::of(&use_cases.administration.rotate_keys(BY_OPERATOR).await?)))
    }

    #[oai(path = "/keys/:kid/retire", method = "post", operation_id = "retireKey")]
    async fn retire(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        kid: Path<String>,
    ) -> Result<Json<SigningKeyListAnswer>, Problem> {
        let keys = use_cases.administration.retire_key(&parse_kid(&kid.0)?, BY_OPERATOR).await?;
        Ok(Json(SigningKeyListAnswer::of(&keys)))
    }

    #[oai(path = "/keys/:kid/distrust", method = "post", operation_id = "distrustKey")]
    async fn distrust(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        kid: Path<String>,
        body: OptionalBody<ReasonInput>,
    ) -> Result<Json<SigningKeyListAnswer>, Problem> {
        let order = order(Administrator::Operator, body.0.reason)?;
        let keys = use_cases.administration.distrust_key(&parse_kid(&kid.0)?, order).await?;
        Ok(Json(SigningKeyListAnswer::of(&keys)))
    }

    #[oai(path = "/service-keys", method = "get", operation_id = "listServiceKeys")]
    async fn service_keys(
        &self,
        use_cases: Data<&Arc<UseCases>>,
    ) -> Result<Json<ServiceKeyListAnswer>, Problem> {
        let keys = use_cases.administration.list_service_keys().await?;
        Ok(Json(ServiceKeyListAnswer { results: keys.iter().map(ServiceKeyAnswer::of).collect() }))
    }

    #[oai(path = "/service-keys", method = "post", operation_id = "addServiceKey")]
    async fn add_service_key(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        body: Body<AddServiceKeyInput>,
    ) -> Result<ServiceKeyAdded, Problem> {
        let unknown = || Problem::field("scopes", FieldCode::NotAllowed);
        let scopes: Vec<Scope> = body
            .0
            .scopes
            .iter()
            .map(|text| Scope::parse(text).ok_or_else(unknown))
            .collect::<Result<_, _>>()?;
        let new = use_cases.administration.add_service_key(&body.0.name, &scopes, BY_OPERATOR).await?;
        let ServiceKeyAnswer { id, name, scopes, .. } = ServiceKeyAnswer::of(&new.key);
        Ok(ServiceKeyAdded::Key(Json(NewServiceKeyAnswer { id, name, scopes, key: new.text.to_string() })))
    }

    #[oai(path = "/service-keys/:id", method = "delete", operation_id = "removeServiceKey")]
    async fn remove_service_key(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        id: Path<String>,
    ) -> Result<(), Problem> {
        let id = ServiceKeyId::parse(&id.0).ok_or_else(|| Problem::new(Code::NotFound))?;
        Ok(use_cases.administration.remove_service_key(id, BY_OPERATOR).await?)
    }
}

fn parse_kid(text: &str) -> Result<Kid, Problem> {
    Kid::parse(text).ok_or_else(|| Problem::new(Code::NotFound))
}

impl SigningKeyListAnswer {
    fn of(set: &KeySet) -> Self {
        Self {
            version: count(set.version.value()),
            results: set.keys.iter().map(SigningKeyAnswer::of).collect(),
        }
    }
}

impl SigningKeyAnswer {
    fn of(key: &KeyRecord) -> Self {
        Self {
            kid: key.kid.to_string(),
            purpose: key.purpose.as_str().to_owned(),
            state: key.state.as_str().to_owned(),
            created_at: Moment(key.created),
            not_after: match key.state {
                KeyState::Retired { until } => Some(Moment(until)),
                _ => None,
            },
        }
    }
}

impl ServiceKeyAnswer {
    fn of(key: &ServiceKeyRecord) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            scopes: key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            created_at: Moment(key.created),
        }
    }
}
