//! The one error of every operation: RFC 9457's `application/problem+json`.
//!
//! Handlers return it as `Result<_, Problem>` and know nothing of requests; the [`edge`](super::edge) knows the
//! request id and what else depends on the request when it turns the problem into an `answer`.

use std::{borrow::Cow, fmt};

use poem::http::StatusCode;

pub use self::answer::Context;
use super::code::{Code, FieldCode};

mod answer;

/// Why a request was not answered.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    status: StatusCode,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    retry_after: Option<u32>,
    cause: Option<Box<str>>,
}

/// A field that must be corrected. The name is a path, `device.name`; a value is never repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field's path in the body, or the name of the parameter.
    pub field: String,
    /// The code of what is wrong with the field.
    pub code: FieldCode,
}

impl Problem {
    /// A problem whose detail is the code's advice.
    pub fn new(code: Code) -> Self {
        let (status, detail) = (code.status(), Cow::Borrowed(code.advice()));
        Self { code, status, detail, errors: Vec::new(), retry_after: None, cause: None }
    }

    /// An `invalid_request` that lists the fields that must be corrected.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(Code::InvalidRequest) }
    }

    /// An `invalid_request` about one field.
    pub fn field(field: impl Into<String>, code: FieldCode) -> Self {
        Self::fields(vec![FieldError { field: field.into(), code }])
    }

    /// Sets the detail: an English sentence about this occurrence. It must not contain anything the caller sent.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Sets the fields that must be corrected.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// Sets another status than the code's own: where a password is wrong but the bearer token is not, a 401 would
    /// make clients refresh and in the end sign the user out because of a typing error.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Sets `Retry-After`, in seconds; only sent with 429 and 503.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Sets the cause of the problem, for the log only; the caller never sees it.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string().into_boxed_str());
        self
    }

    /// The code of the problem.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The English sentence about this occurrence.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The seconds after which the request may be sent again, for `Retry-After`: at least one.
    pub fn wait(&self) -> u32 {
        self.retry_after.unwrap_or(1).max(1)
    }

    /// Whether the problem is about the request itself, not about its credential.
    pub fn is_about_the_request(&self) -> bool {
        matches!(self.status.as_u16(), 400 | 404 | 413 | 415)
    }

    /// The fields that must be corrected.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// The cause of the problem, for the log only.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl std::error::Error for Problem {}
