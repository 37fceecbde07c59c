//! The baseline of checks: routes of the bare framework that give the same answers and check nothing.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use poem::endpoint::BoxEndpoint;
use poem::web::Data;
use poem::{EndpointExt, Response, Route};
use poem_openapi::payload::Json;
use poem_openapi::types::ParseFromJSON;
use poem_openapi::{Object, OpenApi, OpenApiService};
use rescind::http::app::EdgeConfig;
use rescind::http::body::sign_in::SignInFields;
use rescind::http::cors::Cors;
use rescind::http::edge::{Edge, EdgeParts};
use rescind::http::routes::Routes;
use rescind::metrics::Metrics;

/// The answer of `me`.
#[derive(Clone, Object)]
struct Me {
    user: User,
    device: Device,
}

#[derive(Clone, Object)]
struct User {
    id: String,
    username: String,
}

#[derive(Clone, Object)]
#[oai(skip_serializing_if_is_none)]
struct Device {
    id: String,
    name: String,
    kind: String,
    current: bool,
    created_at: String,
    last_seen_at: Option<String>,
    address: Option<String>,
    expires_at: String,
}

/// The answer of introspection.
#[derive(Clone, Object)]
struct Introspection {
    active: bool,
    token_type: String,
    sub: String,
    username: String,
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
    sid: String,
    r#gen: i64,
    era: i64,
    auth_time: i64,
}

/// The request of introspection, as JSON instead of a form.
#[derive(Object)]
struct Question {
    token: String,
}

/// The answers of both operations, as the service gave them.
#[derive(Clone)]
pub(crate) struct Answers(Arc<(Me, Introspection)>);

impl Answers {
    /// Parses the bodies of the service's answers.
    pub(crate) fn read(me: &[u8], introspection: &[u8]) -> Result<Self> {
        Ok(Self(Arc::new((parse(me)?, parse(introspection)?))))
    }
}

fn parse<T: ParseFromJSON>(body: &[u8]) -> Result<T> {
    let value = serde_json::from_slice(body)?;
    T::parse_from_json(Some(value)).map_err(|error| anyhow!("{}", error.into_message()))
}

struct Bare;

#[OpenApi]
#[allow(clippy::unused_async, reason = "the form the framework wants")]
impl Bare {
    #[oai(path = "/bare/me", method = "get", operation_id = "bareMe")]
    async fn me(&self, answers: Data<&Answers>) -> Json<Me> {
        Json(answers.0.0.0.clone())
    }

    #[oai(path = "/bare/introspect", method = "post", operation_id = "bareIntrospect")]
    async fn introspect(&self, answers: Data<&Answers>, question: Json<Question>) -> Json<Introspection> {
        drop(question.0.token);
        Json(answers.0.0.1.clone())
    }
}

/// The routes without any middleware.
pub(crate) fn plain(answers: &Answers) -> BoxEndpoint<'static, Response> {
    let service = OpenApiService::new(Bare, "Bare", "1");
    Route::new().nest("/", service).data(answers.clone()).map_to_response().boxed()
}

/// The routes behind the same edge as the service's own.
pub(crate) fn behind_the_edge(
    answers: &Answers,
    edge_config: &EdgeConfig,
    metrics: &Metrics,
) -> BoxEndpoint<'static, Response> {
    let parts = EdgeParts {
        routes: Routes::new(metrics).api::<Bare>("/").finish(),
        cors: Cors::new(Vec::new(), false),
        proxies: edge_config.proxies.clone(),
        ids: Arc::clone(&edge_config.ids),
        deadline: edge_config.deadline,
        sign_in_fields: SignInFields::default(),
        service: None,
    };
    Edge::new(plain(answers), parts).boxed()
}
