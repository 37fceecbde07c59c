//! A resource server in axum that verifies access tokens on its own and refuses them as soon as they are taken back.
//!
//! ```sh
//! export RESCIND_SERVICE_KEY=$(rescind service-key add orders --scope feed)
//! cargo run --example resource_server_axum
//! curl http://127.0.0.1:3000/orders -H "Authorization: Bearer $ACCESS"
//! ```

#![allow(clippy::print_stdout, reason = "its address is all it has to say")]

use anyhow::Context as _;
use axum::extract::{FromRef, FromRequestParts, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, request::Parts};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use rescind::verifier::{Claims, Rejection, ServiceKey, Verifier};
use serde_json::json;

/// Whoever is signed in. A handler that asks for it runs for nobody else.
struct SignedIn(Claims);

/// Why a request was not answered.
enum Refused {
    NoToken,
    Rejected(Rejection),
}

impl<S: Send + Sync> FromRequestParts<S> for SignedIn
where
    Verifier: FromRef<S>,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let token = bearer(&parts.headers).ok_or(Refused::NoToken)?;
        Verifier::from_ref(state).verify(token).map(Self).map_err(Refused::Rejected)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    // Two of them are none: which one counts would be a guess.
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    value.to_str().ok()?.strip_prefix("Bearer ")
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, code) = match self {
            Self::NoToken => (401, "token_missing"),
            Self::Rejected(rejection) => (rejection.status(), rejection.code()),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED);
        let mut response = (status, Json(json!({ "code": code }))).into_response();
        let (name, value) = match status {
            StatusCode::UNAUTHORIZED => (WWW_AUTHENTICATE, r#"Bearer realm="orders""#),
            _ => (RETRY_AFTER, "2"),
        };
        response.headers_mut().insert(name, HeaderValue::from_static(value));
        response
    }
}

async fn orders(SignedIn(claims): SignedIn) -> Json<serde_json::Value> {
    Json(json!({ "user": claims.user().to_string(), "orders": [] }))
}

async fn ready(State(verifier): State<Verifier>) -> StatusCode {
    if verifier.doubt().is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let key = ServiceKey::parse(&setting("RESCIND_SERVICE_KEY", ""))
        .context("RESCIND_SERVICE_KEY is no service key")?;
    let verifier = Verifier::builder(&setting("ISSUER_URL", "http://127.0.0.1:8080"))
        .audience(&setting("AUDIENCE", "rescind"))
        .service_key(key)
        .connect()
        .await?;
    let app = Router::new().route("/orders", get(orders)).route("/readyz", get(ready)).with_state(verifier);
    let listener = tokio::net::TcpListener::bind(setting("LISTEN", "127.0.0.1:3000")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
