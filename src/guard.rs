//! The guard: a verifier as a small local process, for resource servers in any language.
//!
//! A reverse proxy asks the guard about each request before it passes the request on (nginx `auth_request`,
//! `forward_auth` of Caddy, `ForwardAuth` of Traefik, `ext_authz` of Envoy) and gets one of three answers:
//!
//! * **204** (200 for Envoy) with `X-Auth-User`, `X-Auth-Device` and `X-Auth-Generation`: the token acts for that
//!   user;
//! * **401** with `WWW-Authenticate`, and the code in `X-Auth-Code` and in the problem document: the token is refused;
//! * **503** with `Retry-After`: the guard cannot decide, because the freshness of its copy is not proven.
//!
//! # Requirements on the proxy
//!
//! The backend trusts `X-Auth-User` because only the proxy can set it. So the proxy
//!
//! * **is the only path to the backend**, and asks about every request but a preflight;
//! * **removes the client's headers of these names, in any spelling.** Web servers that pass headers on as variables
//!   (CGI, `FastCGI`, WSGI, Rack) fold their names: `X_Auth_User`, `X.Auth.User` and `X-Auth.User` arrive as the same
//!   `HTTP_X_AUTH_USER` as the guard's, and some servers fold every punctuation mark. A list of spellings is never
//!   complete: pass only headers whose names consist of letters, digits and hyphens, and of these none that begins
//!   with `X-Auth-`;
//! * **then adds the guard's headers**, these three and no others; whatever else the backend trusts, say
//!   `X-Auth-Roles`, is removed too;
//! * **lets the client remove none**: the names in a client's `Connection` header concern that connection alone, and a
//!   proxy that applies them after the guard's headers are added removes these;
//! * **refuses** if the guard is down, does not answer in time or answers anything else.
//!
//! A **preflight** ([Fetch, "CORS-preflight request"](https://fetch.spec.whatwg.org/#cors-preflight-request)) has no
//! token, since browsers send none with it: the guard would answer 401, and no page of another origin could call the
//! backend. The proxy passes it to the backend, which knows the origins it serves, but only if it really is one:
//! `OPTIONS` with `Origin` and `Access-Control-Request-Method`, without `Authorization` and without `Cookie`. The
//! guard decides about every other `OPTIONS`. The proxy removes the guard's headers and every override of the method
//! (`X-HTTP-Method-Override`) from a preflight, so that it cannot become another request; and the backend must not act
//! for anybody on `OPTIONS`, nor on any request without `X-Auth-User`.
//!
//! | proxy | asks | a complete configuration, tested with the real server and a backend that folds header names |
//! |---|---|---|
//! | nginx | `/verify` | `examples/nginx` |
//! | Caddy | `/verify` | `examples/caddy` |
//! | Traefik | `/verify` | `examples/traefik` |
//! | Envoy | `/envoy` | `examples/envoy`: it adds the problem document to a 503, of which Envoy itself passes on only the status |
//!
//! The guarantees are those of [`crate::verifier`]. The guard examines only the token: which user may do what is for
//! the backend to decide. It stores nothing on disk.
//!
//! Modules: [`credential`] finds the token, [`answer`] builds the answers, [`metrics`] counts them, [`serve`] listens.

use std::sync::{Arc, OnceLock};

use hyper::{HeaderMap, Request};

use crate::verifier::{Doubt, Rejection, Verifier};
use answer::{Answer, Answers};
use credential::Credential;
use metrics::GuardMetrics;

pub mod answer;
pub mod credential;
pub mod metrics;
pub mod serve;

/// The guard: answers a proxy's questions about requests.
#[derive(Debug)]
pub struct Guard {
    /// The verifier; empty until the issuer has answered for the first time.
    verifier: OnceLock<Verifier>,
    cookie: Option<String>,
    answers: Answers,
    metrics: GuardMetrics,
}

impl Guard {
    /// A guard that answers 503 until it has a verifier. `cookie` names the cookie in which a token is accepted.
    pub fn new(cookie: Option<String>) -> Arc<Self> {
        Arc::new(Self {
            verifier: OnceLock::new(),
            cookie,
            answers: Answers::new(),
            metrics: GuardMetrics::new(),
        })
    }

    /// Sets the verifier that judges tokens. Only the first call has an effect.
    pub fn judge_by(&self, verifier: Verifier) {
        let _ = self.verifier.set(verifier);
    }

    /// Answers one request. The request body is never read.
    pub async fn answer<B>(&self, request: &Request<B>) -> Answer {
        match Question::at(request.uri().path()) {
            Question::Check(allowed) => match self.check(request.headers()).await {
                Ok(claims) => {
                    self.metrics.accepted();
                    answer::accepted(allowed, &claims)
                }
                Err(code) => {
                    self.metrics.refused(code);
                    self.answers.refused(code)
                }
            },
            Question::Ready if self.doubt().is_none() => answer::text("ready\n"),
            Question::Ready => self.answers.refused(Rejection::Stale(Doubt::Unproven).code()),
            Question::Live => answer::text("live\n"),
            Question::Metrics => answer::metrics(self.metrics.encode(self.verifier.get())),
            Question::Unknown => answer::not_found(),
        }
    }

    async fn check(&self, headers: &HeaderMap) -> Result<crate::verifier::Claims, &'static str> {
        let token = match Credential::of(headers, self.cookie.as_deref()) {
            Credential::Token(token) => token,
            Credential::Missing => return Err(answer::MISSING),
            Credential::Malformed => return Err(Rejection::Invalid.code()),
        };
        let unproven = Rejection::Stale(Doubt::Unproven).code();
        let verifier = self.verifier.get().ok_or(unproven)?;
        verifier.verify_or_ask(token).await.map_err(Rejection::code)
    }

    fn doubt(&self) -> Option<Doubt> {
        self.verifier.get().map_or(Some(Doubt::Unproven), Verifier::doubt)
    }
}

/// The question in a request, by its path alone: proxies send any method, and some append the client's path.
enum Question {
    /// Whether the bearer may pass; with the status of the positive answer.
    Check(u16),
    Ready,
    Live,
    Metrics,
    Unknown,
}

impl Question {
    fn at(path: &str) -> Self {
        let below = |prefix| {
            path.strip_prefix(prefix).is_some_and(|rest: &str| rest.is_empty() || rest.starts_with('/'))
        };
        match path {
            "/readyz" => Self::Ready,
            "/livez" => Self::Live,
            "/metrics" => Self::Metrics,
            _ if below("/verify") => Self::Check(204),
            // Envoy takes 200 for a yes and nothing else, and appends the client's path.
            _ if below("/envoy") => Self::Check(200),
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests;
