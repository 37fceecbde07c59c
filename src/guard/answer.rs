//! The answers to the proxy.

use std::fmt::Write as _;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde_json::json;

use crate::http::code::Code;
use crate::http::listen::RequestFault;
use crate::verifier::{Claims, Rejection};

/// A complete answer with its body.
pub type Answer = Response<Full<Bytes>>;

/// The code for a request without a token.
pub const MISSING: &str = Code::TokenMissing.as_str();

const USER: HeaderName = HeaderName::from_static("x-auth-user");
const DEVICE: HeaderName = HeaderName::from_static("x-auth-device");
const GENERATION: HeaderName = HeaderName::from_static("x-auth-generation");
const CODE: HeaderName = HeaderName::from_static("x-auth-code");

/// The seconds in `Retry-After` while freshness is not proven.
const RETRY: HeaderValue = HeaderValue::from_static("2");

/// All refusals, built once at start.
#[derive(Debug)]
pub struct Answers(Vec<(&'static str, Answer)>);

impl Answers {
    pub(super) fn new() -> Self {
        Self(codes().map(|code| (code, refusal(code))).collect())
    }

    /// The refusal with this code.
    pub(super) fn refused(&self, code: &str) -> Answer {
        let known = self.0.iter().find(|(known, _)| *known == code);
        known.map_or_else(|| plain(StatusCode::SERVICE_UNAVAILABLE, ""), |(_, answer)| answer.clone())
    }
}

/// The codes of all refusals.
pub(super) fn codes() -> impl Iterator<Item = &'static str> {
    Rejection::CODES.iter().copied().chain([MISSING])
}

/// The positive answer, with the user, the device and the generation in headers.
pub(super) fn accepted(status: u16, claims: &Claims) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::NO_CONTENT);
    let headers = answer.headers_mut();
    let mut text = String::with_capacity(36);
    for (name, value) in [(USER, &claims.user() as &dyn std::fmt::Display), (DEVICE, &claims.device())] {
        text.clear();
        let _ = write!(text, "{value}");
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    headers.insert(GENERATION, claims.generation().value().into());
    answer
}

fn refusal(code: &'static str) -> Answer {
    let known = Code::ALL.iter().find(|known| known.as_str() == code);
    let (status, title, detail) = match known {
        Some(known) => (known.status(), known.title(), known.advice()),
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Freshness is not proven",
            "Wait for as many seconds as `Retry-After` says, then try again; the token may be good.",
        ),
    };
    let mut answer = problem(code, status, title, detail);
    let headers = answer.headers_mut();
    match known {
        Some(known) => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(known.challenge()));
        }
        None => {
            headers.insert(RETRY_AFTER, RETRY);
        }
    }
    answer
}

fn problem(code: &'static str, status: StatusCode, title: &str, detail: &str) -> Answer {
    let problem = json!({
        "type": format!("urn:rescind:problem:{code}"),
        "title": title,
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
    });
    let mut answer = Answer::new(problem.to_string().into());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CODE, HeaderValue::from_static(code));
    answer
}

/// An answer with a line of text.
pub(super) fn text(line: &'static str) -> Answer {
    plain(StatusCode::OK, line)
}

/// The metrics in the `OpenMetrics` text format.
pub(super) fn metrics(figures: String) -> Answer {
    let mut answer = Answer::new(figures.into());
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

/// The answer for an unknown path; a proxy that asks there refuses every request.
pub(super) fn not_found() -> Answer {
    plain(StatusCode::NOT_FOUND, "ask /verify, or /envoy from Envoy; also here: /readyz /livez /metrics\n")
}

/// The answer to a request that could not be parsed or exceeds a limit.
pub(super) fn not_understood(fault: RequestFault) -> Answer {
    let code = Code::from(fault);
    problem(code.as_str(), fault.status(), code.title(), fault.advice())
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Answer::new(Bytes::from_static(text.as_bytes()).into());
    *answer.status_mut() = status;
    answer
}
