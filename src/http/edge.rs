//! The outermost endpoint. Every request and every answer passes through it once.
//!
//! For a request: the request id, a trailing slash removed (deployed clients send it, and a redirect would lose the
//! body), `HEAD` turned into `GET`, the deadline started. For an answer: any failure turned into a [`Problem`], the
//! headers of every answer, one log line, the metrics.

use std::{
    any::Any,
    borrow::Cow,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use http_body_util::combinators::BoxBody;
use hyper::body::{Body as _, Bytes};
use poem::{
    Endpoint, Middleware, Request, Response, Result,
    http::{Method, Uri, header, uri::PathAndQuery},
    middleware::{CatchPanic, CatchPanicEndpoint},
};

use super::{
    client::TrustedProxies,
    code::Code,
    cors::Cors,
    headers::{self, REQUEST_ID},
    listen::RequestFault,
    problem::{Context, Problem},
    routes::{Operation, RouteTable},
    simplejwt::answer::of_problem,
    wanted::{Pending, PresentedCredential, Wanted},
};
use crate::auth::authenticate::Authentication;
use crate::log::request_id::caused_by;
use failure::Outcome;
pub use request_id::{RequestId, RequestIds};

mod failure;
mod request_id;

type PanicResponse = fn(Box<dyn Any + Send>) -> Response;

/// Marks a request whose path ended in a slash, which the edge removed.
#[derive(Clone, Copy, Debug)]
pub struct TrailingSlash;

/// The parts and settings of the edge.
#[derive(Debug)]
pub struct EdgeParts {
    /// The operations behind the edge, by path and method.
    pub routes: RouteTable,
    /// The origins whose pages may read answers.
    pub cors: Cors,
    /// The proxies whose `X-Forwarded-For` is trusted.
    pub proxies: TrustedProxies,
    /// The generator of request ids.
    pub ids: Arc<RequestIds>,
    /// The longest an operation may take before it is answered with 503 `timeout`.
    pub deadline: Duration,
    /// Judges the credential of a request that has another fault; `None` where no operation requires one.
    pub authentication: Option<Arc<Authentication>>,
}

/// The outermost endpoint, around the whole app.
pub struct Edge<E> {
    inner: CatchPanicEndpoint<E, PanicResponse>,
    parts: EdgeParts,
}

impl<E: Endpoint> Edge<E> {
    /// Puts the edge in front of an app.
    pub fn new(inner: E, parts: EdgeParts) -> Self {
        let catch = CatchPanic::new().with_handler(failure::panicked as PanicResponse);
        Self { inner: catch.transform(inner), parts }
    }

    async fn outcome(&self, operation: &Operation, request: Request) -> Outcome {
        if let Some(fault) = request.data::<RequestFault>() {
            return Outcome::Failed((*fault).into());
        }
        let outcome = tokio::time::timeout(self.parts.deadline, self.answer(operation, request));
        outcome.await.unwrap_or_else(|_| Outcome::Failed(Problem::new(Code::Timeout)))
    }

    /// Runs the operation. A fault of the request is told only to a caller whose credential allows the operation.
    async fn answer(&self, operation: &Operation, request: Request) -> Outcome {
        let query = request.uri().query();
        let pending = match (operation.wanted, &self.parts.authentication) {
            (Some(wanted), Some(authentication)) if operation.takes_input(request.method(), query) => {
                Pending::of(wanted, authentication, &request).await
            }
            _ => None,
        };
        let outcome = match operation.query_fault(query) {
            Some(problem) => Outcome::Failed(problem),
            None => failure::judge(self.inner.call(request).await),
        };
        match (outcome, pending) {
            (Outcome::Failed(problem), Some(pending)) if problem.is_about_the_request() => {
                Outcome::Failed(pending.refusal().await.unwrap_or(problem))
            }
            (outcome, _) => outcome,
        }
    }

    /// Adds to a problem the detail that depends on the request's path or credential.
    fn explained(
        &self,
        problem: Problem,
        operation: &Operation,
        path: &str,
        presented: PresentedCredential,
    ) -> Problem {
        let detail = match problem.code() {
            Code::TokenMissing | Code::TokenInvalid => {
                operation.wanted.and_then(|wanted| wanted.explain(presented))
            }
            Code::NotFound if operation.is_none() => {
                let near = self.parts.routes.near(path).map(Cow::Owned);
                Some(near.unwrap_or(Cow::Borrowed(
                    "There is no such path: `/openapi.json` lists those there are.",
                )))
            }
            _ => None,
        };
        match detail {
            Some(detail) => problem.with_detail(detail),
            None => problem,
        }
    }

    fn render(
        &self,
        problem: &Problem,
        operation: &Operation,
        method: &Method,
        path: &str,
        id: &RequestId,
    ) -> Response {
        if operation.django {
            return of_problem(problem, method.as_str());
        }
        let oauth = path.starts_with("/oauth/");
        let basic = operation.wanted.is_some_and(Wanted::takes_basic);
        let context = Context { request_id: id.as_str(), oauth, basic };
        let mut response = problem.to_response(context);
        if problem.code() == Code::MethodNotAllowed
            && let Some(allow) = self.parts.routes.allow(path)
        {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        response
    }
}

impl<E: Endpoint> Endpoint for Edge<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let started = Instant::now();
        let EdgeParts { routes, cors, proxies, ids, .. } = &self.parts;
        let id = ids.of(request.headers());
        let method = request.method().clone();
        let origin = cors.allowed(&request);
        if method == Method::HEAD {
            request.set_method(Method::GET);
        }
        if trim_slash(request.uri_mut()) {
            request.set_data(TrailingSlash);
        }
        let uri = request.uri().clone();
        request.set_data(proxies.clone());
        let presented = PresentedCredential::of(request.headers());

        let (operation, outcome) = if let Some(response) = cors.preflight(&request) {
            (routes.preflight(), Outcome::Answered(response))
        } else {
            let operation = routes.find(request.method(), uri.path());
            (operation, caused_by(id.as_str(), self.outcome(operation, request)).await)
        };
        let (mut response, problem) = match outcome {
            Outcome::Answered(response) => (response, None),
            Outcome::Failed(problem) => {
                let problem = self.explained(problem, operation, uri.path(), presented);
                (self.render(&problem, operation, &method, uri.path(), &id), Some(problem))
            }
        };
        cors.grant(origin, response.headers_mut());
        headers::secure(response.headers_mut());
        response.headers_mut().insert(REQUEST_ID, id.header());
        if method == Method::HEAD {
            response = without_body(response);
        }
        record(operation, &method, &response, problem.as_ref(), &id, started.elapsed());
        Ok(response)
    }
}

/// Removes trailing slashes from a path, but not `/` itself. Returns whether the path ended in a slash.
fn trim_slash(uri: &mut Uri) -> bool {
    let path = uri.path();
    let trimmed = path.trim_end_matches('/');
    if trimmed.len() == path.len() {
        return false;
    }
    let trimmed = if trimmed.is_empty() { "/" } else { trimmed };
    let target: Cow<'_, str> =
        uri.query().map_or(Cow::Borrowed(trimmed), |query| Cow::Owned(format!("{trimmed}?{query}")));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::from_str(&target).ok();
    if let Ok(changed) = Uri::from_parts(parts) {
        *uri = changed;
    }
    true
}

/// The answer to `HEAD`: the answer to `GET` without its body, and with its `Content-Length`.
fn without_body(mut response: Response) -> Response {
    let body: BoxBody<Bytes, std::io::Error> = response.take_body().into();
    if let Some(length) = body.size_hint().exact() {
        response.headers_mut().entry(header::CONTENT_LENGTH).or_insert(length.into());
    }
    response
}

/// Writes one log line and counts the request. The line names the route, never the target: a query may hold anything.
fn record(
    operation: &Operation,
    method: &Method,
    response: &Response,
    problem: Option<&Problem>,
    id: &RequestId,
    duration: Duration,
) {
    let status = response.status().as_u16();
    operation.metrics.answered(status, duration);
    let (method, route, request_id) = (method.as_str(), operation.route.as_str(), id.as_str());
    let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let code = problem.map(|problem| problem.code().as_str());
    match problem.and_then(Problem::cause) {
        // The target says that the line may be dropped when there are too many.
        None if operation.quiet && response.status().is_success() => {
            tracing::debug!(target: "rescind::request", method, route, status, duration_us, code, request_id, "request");
        }
        None => {
            tracing::info!(target: "rescind::request", method, route, status, duration_us, code, request_id, "request");
        }
        Some(cause) => {
            tracing::error!(method, route, status, duration_us, code, request_id, cause, "request failed");
        }
    }
}

#[cfg(test)]
mod tests;
