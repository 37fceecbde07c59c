//! A resource server in poem that verifies access tokens on its own and refuses them as soon as they are taken back.
//!
//! ```sh
//! export RESCIND_SERVICE_KEY=$(rescind service-key add orders --scope feed)
//! cargo run --example resource_server_poem
//! curl http://127.0.0.1:3000/orders -H "Authorization: Bearer $ACCESS"
//! ```

#![allow(clippy::print_stdout, reason = "its address is all it has to say")]

use anyhow::Context as _;
use poem::http::StatusCode;
use poem::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use poem::listener::{Acceptor as _, Listener as _, TcpListener};
use poem::web::{Data, Json};
use poem::{EndpointExt as _, FromRequest, Request, RequestBody, Response, Route, Server, get, handler};
use rescind::verifier::{Claims, ServiceKey, Verifier};
use serde_json::json;

/// Whoever is signed in. A handler that asks for it runs for nobody else.
struct SignedIn(Claims);

impl<'a> FromRequest<'a> for SignedIn {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let verifier = request.data::<Verifier>().ok_or_else(|| refused(503, "stale"))?;
        let token = bearer(request).ok_or_else(|| refused(401, "token_missing"))?;
        verifier.verify(token).map(Self).map_err(|rejection| refused(rejection.status(), rejection.code()))
    }
}

fn bearer(request: &Request) -> Option<&str> {
    let mut values = request.headers().get_all(AUTHORIZATION).iter();
    // Two of them are none: which one counts would be a guess.
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    value.to_str().ok()?.strip_prefix("Bearer ")
}

fn refused(status: u16, code: &str) -> poem::Error {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED);
    let (name, value) = match status {
        StatusCode::UNAUTHORIZED => (WWW_AUTHENTICATE, r#"Bearer realm="orders""#),
        _ => (RETRY_AFTER, "2"),
    };
    let response = Response::builder().status(status).header(name, value).content_type("application/json");
    poem::Error::from_response(response.body(json!({ "code": code }).to_string()))
}

#[handler]
fn orders(SignedIn(claims): SignedIn) -> Json<serde_json::Value> {
    Json(json!({ "user": claims.user().to_string(), "orders": [] }))
}

#[handler]
fn ready(Data(verifier): Data<&Verifier>) -> StatusCode {
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
    let app = Route::new().at("/orders", get(orders)).at("/readyz", get(ready)).data(verifier);
    let acceptor = TcpListener::bind(setting("LISTEN", "127.0.0.1:3000")).into_acceptor().await?;
    for address in acceptor.local_addr().iter().filter_map(|address| address.as_socket_addr()) {
        println!("listening on http://{address}");
    }
    Server::new_with_acceptor(acceptor).run(app).await?;
    Ok(())
}
