//! Requests to the issuer over HTTP, each with a limit in time and size.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT,
};
use hyper::http::request::Builder;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::issuer_error::{IssuerError, innermost};
use super::pings::Asked;
use super::published::PublishedKeys;
use super::stream::Events;
use crate::model::counters::Position;

/// The time limits for connecting and for an answer.
const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(5);

/// The most bytes that are read of an answer.
const LONGEST_KEYS: usize = 256 * 1024;
const LONGEST_ANSWER: usize = 16 * 1024;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A service key, the credential that reads the feed.
#[derive(Clone)]
pub struct ServiceKey(Zeroizing<String>);

/// The issuer's address, the credential and the connection pool.
#[derive(Clone)]
pub(super) struct Link {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    authorization: HeaderValue,
}

#[derive(Serialize)]
struct PingBody<'a> {
    nonce: &'a str,
    applied: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    follower: Option<&'a str>,
}

#[derive(Deserialize)]
struct PongBody {
    pong: String,
}

/// The answer of an introspection, with the fields that are needed.
#[derive(Debug, Deserialize)]
pub(super) struct Introspected {
    pub(super) active: bool,
}

impl ServiceKey {
    /// Parses the text of a service key, `rescind_sk_…`; white space around it is ignored.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let shown = text.bytes().all(|byte| byte.is_ascii_graphic());
        (text.starts_with("rescind_sk_") && shown && text.len() < 256)
            .then(|| Self(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceKey(…)")
    }
}

impl Link {
    /// A client for the issuer at `base`, `http://…` or `https://…` without a path of the API.
    pub(super) fn to(base: &str, key: &ServiceKey) -> Result<Self, IssuerError> {
        let not_a_url = || IssuerError::NotUnderstood("a url: write http://HOST or https://HOST");
        let base = base.trim_end_matches('/').to_owned();
        let uri: Uri = base.parse().map_err(|_| not_a_url())?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(not_a_url()),
        };
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(secure)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {}", *key.0)).map_err(|_| IssuerError::WrongKey)?;
        authorization.set_sensitive(true);
        Ok(Self { client, base, authorization })
    }

    /// The address of the issuer.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Whether the network path can be read and altered: plain HTTP to another machine.
    pub(super) fn is_exposed(&self) -> bool {
        let Ok(uri) = self.base.parse::<Uri>() else { return false };
        uri.scheme_str() == Some("http") && !uri.host().is_some_and(is_loopback)
    }

    /// Fetches the public keys.
    pub(super) async fn keys(&self) -> Result<PublishedKeys, IssuerError> {
        let what = "a list of keys";
        let request = self.request(Method::GET, "/.well-known/paserk").header(CACHE_CONTROL, "no-cache");
        let response = self.send(request, Bytes::new(), "list of keys", "feed").await?;
        json(response, LONGEST_KEYS, what).await
    }

    /// Sends a ping, on behalf of the stream `follower` if known, and returns the text of the answer.
    pub(super) async fn ping(&self, asked: &Asked, follower: Option<&str>) -> Result<String, IssuerError> {
        let applied = asked.applied.unwrap_or_default().value();
        let body = serde_json::to_vec(&PingBody { nonce: asked.nonce.as_str(), applied, follower });
        let request = self
            .request(Method::POST, "/api/v1/revocations/ping")
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, "application/json");
        let response = self.send(request, body.unwrap_or_default().into(), "feed", "feed").await?;
        json(response, LONGEST_ANSWER, "an answer to a ping").await.map(|PongBody { pong }| pong)
    }

    /// Opens the stream after `last`, or with a snapshot.
    pub(super) async fn stream(&self, last: Option<Position>) -> Result<Events, IssuerError> {
        let mut request = self
            .request(Method::GET, "/api/v1/revocations/stream")
            .header(AUTHORIZATION, &self.authorization)
            .header(ACCEPT, "text/event-stream");
        if let Some(last) = last {
            request = request.header(LAST_EVENT_ID, last.value());
        }
        let response = self.send(request, Bytes::new(), "feed", "feed").await?;
        let kind =
            response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("text/event-stream") {
            return Err(IssuerError::NotUnderstood("a stream of events"));
        }
        Ok(Events::of(response.into_body()))
    }

    /// Asks the issuer whether a token is active (RFC 7662).
    pub(super) async fn introspect(&self, token: &str) -> Result<Introspected, IssuerError> {
        // A token has no character that a form would have to escape.
        let sound =
            token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
        if !sound {
            return Ok(Introspected { active: false });
        }
        let request = self
            .request(Method::POST, "/oauth/introspect")
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response =
            self.send(request, format!("token={token}").into(), "introspection", "introspect").await?;
        json(response, LONGEST_ANSWER, "an introspection").await
    }

    fn request(&self, method: Method, path: &str) -> Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(USER_AGENT, concat!("rescind-verifier/", env!("CARGO_PKG_VERSION")))
    }

    /// Sends a request; returns the response if its status is 200.
    async fn send(
        &self,
        request: Builder,
        body: Bytes,
        what: &'static str,
        scope: &'static str,
    ) -> Result<Response<Incoming>, IssuerError> {
        let request = request.body(Full::new(body)).map_err(|_| IssuerError::NotUnderstood("a url"))?;
        let response = tokio::time::timeout(ANSWER, self.client.request(request))
            .await
            .map_err(|_| IssuerError::Slow(ANSWER))?
            .map_err(|error| IssuerError::Unreachable(innermost(&error)))?;
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::UNAUTHORIZED => Err(IssuerError::WrongKey),
            StatusCode::FORBIDDEN => Err(IssuerError::WrongScope(scope)),
            StatusCode::NOT_FOUND => Err(IssuerError::NotThere(what)),
            StatusCode::GONE => Err(IssuerError::Gone),
            status => Err(IssuerError::Status(status.as_u16())),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Whether the host of a url is this machine: a loopback address, or a name under `localhost` (RFC 6761 §6.3).
fn is_loopback(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name == "localhost"
        || name.ends_with(".localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The TLS configuration with the machine's certificates, or those of `SSL_CERT_FILE`. None are loaded for plain HTTP.
fn tls(secure: bool) -> Result<rustls::ClientConfig, IssuerError> {
    let mut roots = rustls::RootCertStore::empty();
    if secure {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(IssuerError::Unreachable(
                "this machine has no certificates to trust: install ca-certificates".to_owned(),
            ));
        }
    }
    // Named, so that it does not depend on what else the program is built with.
    let provider = rustls::crypto::ring::default_provider();
    let config =
        rustls::ClientConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions();
    let config = config.map_err(|error| IssuerError::Unreachable(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Reads the whole body as JSON.
async fn json<T: DeserializeOwned>(
    response: Response<Incoming>,
    longest: usize,
    what: &'static str,
) -> Result<T, IssuerError> {
    let body = Limited::new(response.into_body(), longest).collect();
    let body = tokio::time::timeout(ANSWER, body).await.map_err(|_| IssuerError::Slow(ANSWER))?;
    let body = body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => IssuerError::NotUnderstood(what),
        None => IssuerError::Unreachable(innermost(&*error)),
    })?;
    serde_json::from_slice(&body.to_bytes()).map_err(|_| IssuerError::NotUnderstood(what))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The fields of a ping as `openapi/feed.json` names them: an issuer of any version reads them.
    #[test]
    fn a_ping_has_the_fields_that_the_issuer_reads() {
        let body = |follower| serde_json::to_value(PingBody { nonce: "n", applied: 3, follower }).unwrap();
        assert_eq!(body(Some("f")), json!({"nonce": "n", "applied": 3, "follower": "f"}));
        assert_eq!(body(None), json!({"nonce": "n", "applied": 3}));
        let answer: PongBody = serde_json::from_value(json!({"pong": "v4.public.…"})).unwrap();
        assert_eq!(answer.pong, "v4.public.…");
    }

    #[test]
    fn plain_http_is_exposed_unless_it_stays_on_this_machine() {
        let key = ServiceKey::parse("rescind_sk_x").unwrap();
        let exposed = |url: &str| Link::to(url, &key).unwrap().is_exposed();
        for url in [
            "http://id.example",
            "http://10.0.0.7:8080",
            "http://[fd00::1]:8080",
            "http://0.0.0.0:8080",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://rescind",
            "HTTP://id.example/",
        ] {
            assert!(exposed(url), "{url}");
        }
        for url in [
            "https://id.example",
            "http://127.0.0.1:8080",
            "http://127.9.9.9",
            "http://[::1]:8080/",
            "http://[::ffff:127.0.0.1]",
            "http://localhost:8080",
            "http://LOCALHOST.",
            "http://id.localhost",
        ] {
            assert!(!exposed(url), "{url}");
        }
    }
}
