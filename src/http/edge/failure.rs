//! Failures of handlers and of the framework, turned into problems.

use std::any::Any;
use std::thread;

use poem::{Error, Response, http::StatusCode};
use poem_openapi::error::{ParseParamError, ParsePathError};

use crate::http::{
    code::{Code, FieldCode},
    problem::Problem,
};

/// The result of a request.
pub(super) enum Outcome {
    /// The operation gave an answer of its own.
    Answered(Response),
    /// The request ends as a problem.
    Failed(Problem),
}

/// The outcome of a handler that ended by itself, or by a panic.
pub(super) fn judge(result: thread::Result<poem::Result<Response>>) -> Outcome {
    match result {
        Ok(Ok(response)) => Outcome::Answered(response),
        Ok(Err(error)) if error.is_from_response() => Outcome::Answered(error.into_response()),
        Ok(Err(error)) => {
            Outcome::Failed(error.downcast::<Problem>().unwrap_or_else(|error| from_framework(&error)))
        }
        Err(payload) => {
            let said = format!("panicked: {}", message(payload.as_ref()));
            Outcome::Failed(Problem::new(Code::Internal).because(said))
        }
    }
}

/// The message of a panic.
fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// Translates a framework error by its status. The framework's own texts quote what the caller sent, so none is
/// passed on.
fn from_framework(error: &Error) -> Problem {
    if let Some(error) = error.downcast_ref::<ParseParamError>() {
        return Problem::field(error.name, FieldCode::InvalidFormat);
    }
    // A path parameter that cannot be an id names nothing.
    if error.is::<ParsePathError>() {
        return Problem::new(Code::NotFound);
    }
    let code = match error.status() {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::URI_TOO_LONG => Code::TooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
        StatusCode::UNAUTHORIZED => Code::TokenMissing,
        StatusCode::FORBIDDEN => Code::Forbidden,
        StatusCode::TOO_MANY_REQUESTS => Code::RateLimited,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        status if status.is_client_error() => Code::InvalidRequest,
        _ => return Problem::new(Code::Internal).because(error),
    };
    match code {
        Code::InvalidRequest => Problem::new(code).with_detail("The request could not be read."),
        Code::UnsupportedMediaType => {
            Problem::new(code).with_detail("The operation takes another media type.")
        }
        _ => Problem::new(code),
    }
}
