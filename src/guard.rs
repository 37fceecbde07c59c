//! The guard: a verifier as a small local process, for resource servers in any language.
//!
//! A reverse proxy asks it about each request before it passes the request on (nginx `auth_request`, `forward_auth`
//! of Caddy, `ForwardAuth` of Traefik, `ext_authz` of Envoy) and gets one of three answers:
//!
//! * **204** (200 for Envoy) with `X-Auth-User`, `X-Auth-Device` and `X-Auth-Generation`: the token acts for that user;
//! * **401** with `WWW-Authenticate`, and the code in `X-Auth-Code` and in the problem: it does not;
//! * **503** with `Retry-After`: it cannot be told, because freshness is not proven.
//!
//! # What a proxy has to do
//!
//! The backend believes `X-Auth-User` because nobody but the proxy can set it. So the proxy
//!
//! * **is the only way to the backend**, and asks about every request but a preflight;
//! * **takes out what the client calls so, however it is spelled.** Web servers that pass headers on as variables (CGI,
//!   `FastCGI`, WSGI, Rack) fold their names: `X_Auth_User`, `X.Auth.User` and `X-Auth.User` arrive as the same
//!   `HTTP_X_AUTH_USER` as ours, some servers fold every mark. A list of spellings is never whole: let headers pass whose names
//!   have letters, digits and hyphens and nothing else, and of these none that begins with `X-Auth-`;
//! * **then puts in the guard's**, those three and no others; what the backend believes besides, say an `X-Auth-Roles`, is
//!   taken out too;
//! * **lets the client take none out**: what a client's `Connection` names concerns that connection alone, and a proxy that
//!   heeds it after the guard's headers are in removes them;
//! * **refuses** when the guard is down, does not answer in time or answers anything else.
//!
//! A **preflight** ([Fetch, "CORS-preflight request"](https://fetch.spec.whatwg.org/#cors-preflight-request)) has no token,
//! since browsers send none with it: asked about, it would get 401, and no page of another origin could call the backend. The
//! proxy lets it pass to the backend, which knows the origins it serves. Only a request that is one, though: `OPTIONS` with
//! `Origin` and `Access-Control-Request-Method`, without `Authorization` and without `Cookie`. Every other `OPTIONS` is asked
//! about. The guard's headers and whatever says another method (`X-HTTP-Method-Override`) are taken out of it, so that it
//! cannot become a request in disguise; and the backend must not act for anybody on `OPTIONS`, nor on any request without
//! `X-Auth-User`.
//!
//! | proxy | asks | a whole configuration, tested with the real server and a backend that folds |
//! |---|---|---|
//! | nginx | `/verify` | `examples/nginx` |
//! | Caddy | `/verify` | `examples/caddy` |
//! | Traefik | `/verify` | `examples/traefik` |
//! | Envoy | `/envoy` | `examples/envoy`: it adds the problem to a 503, of which Envoy itself passes on nothing but the status |
//!
//! It promises what [`crate::verifier`] promises. It looks at the token and at nothing else of a request: which user
//! may do what is the backend's to decide. It keeps nothing on disk.
//!
//! Rooms: [`credential`] finds the token, [`answer`] shapes the answers, [`metrics`] counts them, [`serve`] listens.

use std::sync::{Arc, OnceLock};

use hyper::{HeaderMap, Request};

use crate::verifier::{Doubt, Rejection, Verifier};
use answer::{Answer, Answers};
use credential::Credential;
use metrics::Metrics;

pub mod answer;
pub mod credential;
pub mod metrics;
pub mod serve;

/// What answers a proxy's questions.
#[derive(Debug)]
pub struct Guard {
    /// Set once the issuer has been heard.
    verifier: OnceLock<Verifier>,
    cookie: Option<String>,
    answers: Answers,
    metrics: Metrics,
}

impl Guard {
    /// A guard that refuses everybody until it has a verifier. `cookie` names the one a token may come in.
    pub fn new(cookie: Option<String>) -> Arc<Self> {
        Arc::new(Self { verifier: OnceLock::new(), cookie, answers: Answers::new(), metrics: Metrics::new() })
    }

    /// From now on tokens are judged by `verifier`. A second one changes nothing.
    pub fn judge_by(&self, verifier: Verifier) {
        let _ = self.verifier.set(verifier);
    }

    /// The answer to one request. Its body is never read.
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

/// What is asked, by the path alone: proxies send any method, and some append the client's own path.
enum Question {
    /// May the bearer pass? With the status that says yes.
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
