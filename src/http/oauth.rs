//! `/oauth`: introspection (RFC 7662) and revocation (RFC 7009).

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;

use super::answers::count;
use super::credential::{Beside, ServiceCredential};
use super::form::Form;
use super::json::Json;
use super::problem::Problem;
use super::sign_in_elsewhere::names;
use super::tag::Tag;
use crate::auth::ClientInfo;
use crate::auth::error::AuthError;
use crate::auth::introspect::Introspection;
use crate::auth::use_cases::UseCases;
use crate::model::service_key::Scope;

/// The operations of OAuth.
pub(super) struct OAuth;

#[derive(Object)]
#[oai(rename = "TokenInput")]
struct TokenInput {
    /// An access or a refresh token.
    token: String,
    /// Ignored: a token says what it is.
    token_type_hint: Option<String>,
}

#[derive(Object)]
#[oai(rename = "IntrospectionInput")]
struct IntrospectionInput {
    /// An access or a refresh token.
    token: String,
    /// Ignored: a token says what it is.
    token_type_hint: Option<String>,
    /// Any name; clients that send `client_secret` send it too.
    client_id: Option<String>,
    /// The service key, where it is not sent in the `Authorization` header (`client_secret_post`).
    client_secret: Option<String>,
}

/// What a token is worth now. Of an inactive one nothing more is said.
#[derive(Debug, Default, Object, Serialize)]
#[oai(rename = "Introspection")]
struct IntrospectionAnswer {
    /// Whether it acts for its user now.
    active: bool,
    /// `Bearer` for an access token, `refresh_token` for a refresh token.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<String>,
    /// The user's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    /// The user's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// Who minted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    /// Where it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    /// When it was minted, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    /// When it expires, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    /// The device's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    /// The generation it was minted under.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#gen: Option<i64>,
    /// The era it was minted under.
    #[serde(skip_serializing_if = "Option::is_none")]
    era: Option<i64>,
    /// When a password was last given on the device, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    /// How the user proved who they are, as the system said that opened the device: names of RFC 8176.
    #[serde(skip_serializing_if = "Option::is_none")]
    amr: Option<Vec<String>>,
}

#[derive(ApiResponse)]
enum RevokedResponse {
    /// The token is dead now, or was none of ours.
    #[oai(status = 200)]
    Done,
}

#[OpenApi(prefix_path = "/oauth", tag = "Tag::OAuth")]
impl OAuth {
    /// Ask about a token (RFC 7662)
    ///
    /// For resource servers that do not verify locally. Needs a service key with scope `introspect`: as Bearer, as the password
    /// of Basic (`client_secret_basic`, form-encoded or not), or as `client_secret` in the body (`client_secret_post`).
    #[oai(path = "/introspect", method = "post", operation_id = "introspect")]
    async fn introspect(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        credential: ServiceCredential,
        form: Form<IntrospectionInput>,
    ) -> Result<Json<IntrospectionAnswer>, Problem> {
        let credential = credential.or_secret(form.parameter("client_secret"))?;
        credential.require(&use_cases.authentication, Scope::Introspect).await?;
        Ok(Json(IntrospectionAnswer::of(use_cases.introspection.introspect(&form.read()?.token).await?)))
    }

    /// Revoke a token (RFC 7009)
    ///
    /// Signs out the device that the token belongs to; one from before a password change on it ends nothing. A token that
    /// is none of ours is no error. Beside an authentic access token as bearer, a token that is none or cannot be read
    /// means the device of that one.
    #[oai(path = "/revoke", method = "post", operation_id = "revoke")]
    async fn revoke(
        &self,
        use_cases: Data<&Arc<UseCases>>,
        client: ClientInfo,
        bearer: Beside,
        form: Form<TokenInput>,
    ) -> Result<RevokedResponse, Problem> {
        let form = form.read();
        let token = form.as_ref().ok().map(|form| form.token.as_str());
        match (use_cases.sign_out.revoke(token, &bearer.0, &client).await, form) {
            (Err(AuthError::TokenMissing), Err(unreadable)) => Err(unreadable),
            (revoked, _) => Ok(revoked.map(|()| RevokedResponse::Done)?),
        }
    }
}

impl IntrospectionAnswer {
    fn of(introspection: Introspection) -> Self {
        match introspection {
            Introspection::Inactive => Self::default(),
            Introspection::Access { claims, username, amr } => Self {
                active: true,
                token_type: Some("Bearer".to_owned()),
                sub: Some(claims.subject.to_string()),
                username: Some(username),
                iss: Some(claims.issuer.clone()),
                aud: Some(claims.audience.clone()),
                iat: Some(claims.issued.unix()),
                exp: Some(claims.expires.unix()),
                sid: Some(claims.device.to_string()),
                r#gen: Some(count(claims.stamp.generation.value())),
                era: Some(count(claims.stamp.era.value())),
                auth_time: Some(claims.authenticated.unix()),
                amr: names(&amr),
            },
            Introspection::Refresh { claims, username, amr } => Self {
                active: true,
                token_type: Some("refresh_token".to_owned()),
                sub: Some(claims.subject.to_string()),
                username: Some(username),
                exp: Some(claims.expires.unix()),
                sid: Some(claims.device.to_string()),
                r#gen: Some(count(claims.stamp.generation.value())),
                era: Some(count(claims.stamp.era.value())),
                amr: names(&amr),
                ..Self::default()
            },
        }
    }
}
