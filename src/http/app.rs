//! The app: every operation behind the edge.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderValue, Method, header};
use poem::{EndpointExt, Response, Route, get, handler};
use poem_openapi::OpenApiService;

use super::body::sign_in::SignInFields;
use super::client::TrustedProxies;
use super::cors::Cors;
use super::credential::LocalOperator;
use super::edge::{Edge, EdgeParts, EdgeService, RequestIds};
use super::operator::Operator;
use super::routes::Routes;
use super::simplejwt::SimpleJwtRoutes;
use super::transfer::UserTransfer;
use super::{docs, document};
use crate::service::Service;

/// The settings of the edge.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// The origins whose pages may read answers.
    pub cors_origins: Vec<String>,
    /// Whether those pages may read answers to requests that carry cookies.
    pub cors_credentials: bool,
    /// Whether `register` and `login` ignore fields that they do not know.
    pub sign_in_fields: SignInFields,
    /// The URL that clients reach the service under, if the settings say.
    pub public_url: Option<String>,
    /// The proxies whose `X-Forwarded-For` is trusted.
    pub proxies: TrustedProxies,
    /// The generator of request ids.
    pub ids: Arc<RequestIds>,
    /// The routes of djangorestframework-simplejwt, if the settings switch them on.
    pub simplejwt: Option<SimpleJwtRoutes>,
    /// The longest an operation may take before it is answered with 503 `timeout`.
    pub deadline: Duration,
}

/// The app on the public listener.
pub fn public(service: &Service, edge_config: &EdgeConfig) -> BoxEndpoint<'static, Response> {
    let server = edge_config.public_url.as_deref();
    let text = |text: String| DocumentText(text.into());
    let route = Route::new()
        .nest("/", document::service())
        .at("/openapi.json", get(openapi_json.data(text(document::text_at(server)))))
        .at("/openapi/feed.json", get(openapi_json.data(text(document::feed_text_at(server)))));
    let routes = docs::name(document::name(Routes::new(&service.components.metrics)));
    let routes =
        routes.at(Method::GET, "/openapi.json", "openapi").at(Method::GET, "/openapi/feed.json", "openapi");
    let (route, routes) = match &edge_config.simplejwt {
        Some(simplejwt) => (simplejwt.mount(route, &service.use_cases), simplejwt.name(routes)),
        None => (route, routes),
    };
    edge(docs::mount(route), routes, edge_config, service).boxed()
}

/// The app on the operator's socket: the public operations, and those of `operator`.
pub fn operator(service: &Service, edge_config: &EdgeConfig) -> BoxEndpoint<'static, Response> {
    let own = OpenApiService::new((Operator, UserTransfer), "Rescind operator", env!("CARGO_PKG_VERSION"));
    let route = Route::new().nest("/operator", own).nest("/", document::service());
    let routes =
        document::name(Routes::new(&service.components.metrics)).api::<(Operator, UserTransfer)>("/operator");
    // Added outside the edge, which judges credentials and needs to know it, too.
    edge(route, routes, edge_config, service).data(LocalOperator).boxed()
}

fn edge(route: Route, routes: Routes<'_>, edge_config: &EdgeConfig, service: &Service) -> Edge {
    let origins = edge_config.cors_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    let parts = EdgeParts {
        routes: routes.finish(),
        cors: Cors::new(origins.collect(), edge_config.cors_credentials),
        proxies: edge_config.proxies.clone(),
        ids: Arc::clone(&edge_config.ids),
        deadline: edge_config.deadline,
        sign_in_fields: edge_config.sign_in_fields,
        service: Some(EdgeService {
            use_cases: Arc::clone(&service.use_cases),
            feed: Arc::clone(&service.feed),
        }),
    };
    Edge::new(route.boxed(), parts)
}

#[derive(Clone)]
struct DocumentText(Bytes);

#[handler]
#[allow(clippy::needless_pass_by_value, reason = "the form the framework extracts it in")]
fn openapi_json(text: poem::web::Data<&DocumentText>) -> Response {
    Response::builder()
        .content_type("application/json")
        .header(header::CACHE_CONTROL, "no-cache")
        // Shared by every reader, copied for none.
        .body(text.0.0.clone())
}
