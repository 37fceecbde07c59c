//! The outermost endpoint. Every request and every answer passes through it once.
//!
//! For a request: the request id, a trailing slash removed (deployed clients send it, and a redirect would lose the
//! body), `HEAD` turned into `GET`, the deadline started. For an answer: any failure turned into a [`Problem`], the
//! headers of every answer, one log line, the metrics.

use std::{
    borrow::Cow,
    panic::AssertUnwindSafe,
    pin::pin,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body as _, Bytes};
use poem::{
    Endpoint, Request, Response, Result,
    endpoint::BoxEndpoint,
    http::{Method, Uri, header, uri::PathAndQuery},
};

use super::{
    body::sign_in::SignInFields,
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
use crate::auth::use_cases::UseCases;
use crate::feed::Feed;
use crate::log::request_id::{RequestId, caused_by};
use crate::time_limit::TimeLimit;
use failure::Outcome;
use record::record;
pub use request_id::RequestIds;

mod failure;
mod record;
mod request_id;

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
    /// What registration and sign-in do with unknown fields.
    pub sign_in_fields: SignInFields,
    /// What handlers take as `Data`; `None` where no handler takes any.
    pub service: Option<EdgeService>,
}

/// The parts of the service that every request carries to its handler.
#[derive(Debug)]
pub struct EdgeService {
    /// The use cases, which also judge the credential of a request that has another fault.
    pub use_cases: Arc<UseCases>,
    /// The feed.
    pub feed: Arc<Feed>,
}

/// The outermost endpoint, around the whole app.
pub struct Edge {
    inner: BoxEndpoint<'static, Response>,
    deadline: TimeLimit,
    parts: EdgeParts,
}

impl Edge {
    /// Puts the edge in front of an app. `inner` gets the requests of operations that the table cannot call directly.
    pub fn new(inner: BoxEndpoint<'static, Response>, parts: EdgeParts) -> Self {
        Self { inner, deadline: TimeLimit::new(parts.deadline), parts }
    }

    /// Runs an operation. A fault of the request is told only to a caller whose credential allows the operation.
    ///
    /// The request is read and handed over before the first wait: it is large, and a future that keeps it copies it.
    fn outcome<'a>(
        &'a self,
        operation: &'a Operation,
        request: Request,
    ) -> impl Future<Output = Outcome> + Send + 'a {
        let mut pending = None;
        let answering = if let Some(fault) = request.data::<RequestFault>() {
            Err((*fault).into())
        } else {
            pending = self.pending(operation, &request);
            match operation.query_fault(request.uri().query()) {
                Some(problem) => Err(problem),
                None => Ok(operation.direct().unwrap_or(&*self.inner).call(request)),
            }
        };
        async move {
            let outcome = async move {
                let outcome = match answering {
                    Ok(answering) => failure::judge(AssertUnwindSafe(answering).catch_unwind().await),
                    Err(problem) => Outcome::Failed(problem),
                };
                match (outcome, pending) {
                    (Outcome::Failed(problem), Some(pending)) if problem.is_about_the_request() => {
                        Outcome::Failed(Box::pin(pending.refusal()).await.unwrap_or(problem))
                    }
                    (outcome, _) => outcome,
                }
            };
            let outcome = self.deadline.wait(pin!(outcome)).await;
            outcome.unwrap_or_else(|| Outcome::Failed(Problem::new(Code::Timeout)))
        }
    }

    /// The credential of a request that can have another fault.
    fn pending(&self, operation: &Operation, request: &Request) -> Option<Pending> {
        let (wanted, service) = (operation.wanted?, self.parts.service.as_ref()?);
        let takes_input = operation.takes_input(request.method(), request.uri().query());
        takes_input.then(|| Pending::of(wanted, &service.use_cases.authentication, request))?
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

impl Endpoint for Edge {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let started = Instant::now();
        let EdgeParts { routes, cors, proxies, ids, sign_in_fields, service, .. } = &self.parts;
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
        if !proxies.is_empty() {
            request.set_data(proxies.clone());
        }
        if let Some(EdgeService { use_cases, feed }) = service {
            request.set_data(Arc::clone(use_cases));
            request.set_data(Arc::clone(feed));
        }
        if *sign_in_fields != SignInFields::default() {
            request.set_data(*sign_in_fields);
        }
        let presented = PresentedCredential::of(request.headers());

        let (operation, outcome) = if let Some(response) = cors.preflight(&request) {
            (routes.preflight(), Outcome::Answered(response))
        } else {
            let operation = routes.find(request.method(), uri.path());
            (operation, caused_by(id, self.outcome(operation, request)).await)
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
        response.headers_mut().insert(REQUEST_ID, request_id::header(&id));
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

#[cfg(test)]
mod tests;
