//! Answers in the form of Django REST framework.

use std::borrow::Cow;

use poem::Response;
use poem::http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::http::code::Code;
use crate::http::problem::Problem;

/// `Allow` of each of the routes: the framework sends it with every answer.
const ALLOW: HeaderValue = HeaderValue::from_static("POST, OPTIONS");
const VARY: HeaderValue = HeaderValue::from_static("Accept");
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Bearer realm="api""#);

const NO_ACCOUNT: &str = "No active account found with the given credentials";
const BLACKLISTED: &str = "Token is blacklisted";
/// The `code` of every refused token.
const NOT_VALID: &str = "token_not_valid";

/// A refusal that only these routes know.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Fields that are wrong, each with a sentence.
    Fields(Vec<(&'static str, &'static str)>),
    /// The body is a JSON value of this kind, and not an object.
    NotAnObject(&'static str),
    /// The body cannot be read, for this reason.
    Unreadable(String),
    /// The body has this media type.
    MediaType(String),
    /// An access token was presented as a refresh token.
    WrongType,
    /// The device of a refresh token that is to be verified has ended.
    Blacklisted,
}

impl From<Refused> for poem::Error {
    fn from(refused: Refused) -> Self {
        let (status, body) = match refused {
            Refused::Fields(fields) => {
                let fields = fields.into_iter().map(|(field, why)| (field.to_owned(), json!([why])));
                (400, Value::Object(fields.collect::<Map<_, _>>()))
            }
            Refused::NotAnObject(kind) => {
                let why = format!("Invalid data. Expected a dictionary, but got {kind}.");
                (400, json!({"non_field_errors": [why]}))
            }
            Refused::Unreadable(why) => (400, json!({"detail": why})),
            Refused::MediaType(given) => {
                (415, json!({"detail": format!("Unsupported media type \"{given}\" in request.")}))
            }
            Refused::WrongType => (401, json!({"detail": "Token has wrong type", "code": NOT_VALID})),
            Refused::Blacklisted => (400, json!({"non_field_errors": [BLACKLISTED]})),
        };
        Self::from_response(answer(status, &body))
    }
}

/// An answer with a body.
pub(super) fn answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response =
        Response::builder().status(status).content_type("application/json").body(body.to_string());
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, ALLOW);
    headers.insert(header::VARY, VARY);
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, CHALLENGE);
    }
    response
}

/// The answer of a problem to a request with this method.
pub(in crate::http) fn of_problem(problem: &Problem, method: &str) -> Response {
    let refused_token = |detail: &'static str| (Cow::Borrowed(detail), Some(NOT_VALID));
    let (detail, code) = match problem.code() {
        Code::WrongCredentials => (NO_ACCOUNT.into(), None),
        Code::TokenInvalid => refused_token("Token is invalid"),
        Code::TokenExpired => refused_token("Token is expired"),
        Code::SignedOut
        | Code::SignedOutEverywhere
        | Code::Superseded
        | Code::PasswordChanged
        | Code::Reset
        | Code::RefreshReused
        | Code::UserDisabled => refused_token(BLACKLISTED),
        Code::MethodNotAllowed => (format!("Method \"{method}\" not allowed.").into(), None),
        Code::RateLimited => {
            let seconds = problem.wait();
            let plural = if seconds == 1 { "" } else { "s" };
            let wait = format!("Request was throttled. Expected available in {seconds} second{plural}.");
            (wait.into(), None)
        }
        _ => (problem.detail().to_owned().into(), None),
    };
    let mut body = json!({ "detail": detail });
    if let (Some(code), Some(body)) = (code, body.as_object_mut()) {
        body.insert("code".to_owned(), json!(code));
    }
    let mut response = answer(problem.status().as_u16(), &body);
    if matches!(problem.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response.headers_mut().insert(header::RETRY_AFTER, problem.wait().into());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shown(problem: &Problem) -> (u16, String) {
        let response = of_problem(problem, "GET");
        (response.status().as_u16(), response.into_body().into_string().await.unwrap())
    }

    #[tokio::test]
    async fn every_problem_is_a_detail() {
        for &code in Code::ALL {
            let problem = Problem::new(code).retry_after(7);
            let (status, body) = shown(&problem).await;
            assert_eq!(status, problem.status().as_u16());
            let body: Value = serde_json::from_str(&body).unwrap();
            assert!(body["detail"].is_string(), "{code:?}");
            assert!(body.as_object().unwrap().keys().all(|key| key == "detail" || key == "code"));
            let response = of_problem(&problem, "GET");
            assert_eq!(response.header("retry-after").is_some(), status == 429 || status == 503, "{code:?}");
            assert_eq!(response.header("www-authenticate").is_some(), status == 401, "{code:?}");
        }
    }

    #[tokio::test]
    async fn a_limit_is_told_as_the_framework_tells_it() {
        let told =
            |seconds| async move { shown(&Problem::new(Code::RateLimited).retry_after(seconds)).await.1 };
        assert_eq!(
            told(30).await,
            r#"{"detail":"Request was throttled. Expected available in 30 seconds."}"#
        );
        assert!(told(1).await.contains("in 1 second."));
    }
}
