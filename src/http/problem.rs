//! The one error of every operation: RFC 9457's `application/problem+json`.
//!
//! Handlers return it as `Result<_, Problem>` and know nothing of requests; the [`door`](super::door) adds the
//! request id and the headers that depend on the request when it turns the problem into an answer.

use std::{borrow::Cow, fmt};

use poem::{
    Response,
    error::ResponseError,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::{ToJSON, Type},
};

use super::code::{Code, FieldCode};

const MEDIA_TYPE: &str = "application/problem+json";

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

/// One field that must be corrected. The name is a path, `device.name`; a value is never repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field's path in the body, or the name of the parameter.
    pub field: String,
    /// What is wrong with it.
    pub code: FieldCode,
}

/// What only the door knows about the request a problem answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// Repeated in the body, so that a screenshot is enough to find the log line.
    pub request_id: &'a str,
    /// OAuth endpoints: the body also carries `error`.
    pub oauth: bool,
    /// Basic is one of the ways to authenticate, so a 401 has to name it (RFC 9110 §11.6.1).
    pub basic: bool,
}

impl Problem {
    /// A problem whose detail is the code's advice.
    pub fn new(code: Code) -> Self {
        let (status, detail) = (code.status(), Cow::Borrowed(code.advice()));
        Self { code, status, detail, errors: Vec::new(), retry_after: None, cause: None }
    }

    /// The request's fields that must be corrected.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(Code::InvalidRequest) }
    }

    /// One field that must be corrected.
    pub fn field(field: impl Into<String>, code: FieldCode) -> Self {
        Self::fields(vec![FieldError { field: field.into(), code }])
    }

    /// An English sentence about this occurrence. It must not contain anything the caller sent.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// The fields that must be corrected.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// Another status than the code's own: where a password is wrong but the bearer token is not, a 401 would make
    /// clients refresh and in the end sign the user out over a typing error.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// How long to wait before trying again, in seconds; only sent with 429 and 503.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// What happened, for our log only; the caller never sees it.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string().into_boxed_str());
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What happened, for our log only.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The answer to one request.
    pub fn to_response(&self, context: Context<'_>) -> Response {
        let status = self.status;
        let body = self.body(context).to_json_string();
        let mut response = Response::builder().status(status).content_type(MEDIA_TYPE).body(body);
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(self.challenge()));
            if context.basic {
                headers
                    .append(header::WWW_AUTHENTICATE, HeaderValue::from_static(r#"Basic realm="rescind""#));
            }
        }
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(header::RETRY_AFTER, self.retry_after.unwrap_or(1).max(1).into());
        }
        response
    }

    fn challenge(&self) -> &'static str {
        if self.code.is_refused_token() {
            r#"Bearer realm="rescind", error="invalid_token""#
        } else {
            r#"Bearer realm="rescind""#
        }
    }

    fn body(&self, context: Context<'_>) -> ProblemBody {
        let errors = self.errors.iter();
        let errors: Vec<_> = errors
            .map(|error| FieldBody { field: error.field.clone(), code: error.code.as_str().to_owned() })
            .collect();
        ProblemBody {
            r#type: format!("urn:rescind:problem:{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.status.as_u16().into(),
            detail: self.detail.clone().into_owned(),
            code: self.code.as_str().to_owned(),
            request_id: context.request_id.to_owned(),
            errors: (!errors.is_empty()).then_some(errors),
            error: context.oauth.then(|| self.code.oauth_error().to_owned()),
        }
    }
}

/// What went wrong, and what to do about it.
#[derive(Debug, Object)]
#[oai(rename = "Problem", skip_serializing_if_is_none)]
pub struct ProblemBody {
    /// A URN that ends in the code.
    pub r#type: String,
    /// A short summary, the same for each problem of this code.
    pub title: String,
    /// The HTTP status.
    pub status: i32,
    /// An English sentence for developers; apps translate `code`.
    pub detail: String,
    /// A stable code that says what to do.
    pub code: String,
    /// Names the request in the service's log; also in the `X-Request-Id` header.
    pub request_id: String,
    /// The fields to correct; only with `invalid_request`.
    pub errors: Option<Vec<FieldBody>>,
    /// The OAuth 2.0 error code; only under `/oauth`.
    pub error: Option<String>,
}

/// A field to correct.
#[derive(Debug, Object)]
#[oai(rename = "FieldProblem")]
pub struct FieldBody {
    /// The field's path, as in `device.name`.
    pub field: String,
    /// What is wrong with it.
    pub code: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.status
    }

    fn as_response(&self) -> Response {
        self.to_response(Context::default())
    }
}

/// Documented as the `default` answer; the document's own pass puts the statuses an operation can send in its place.
impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        let content = vec![MetaMediaType { content_type: MEDIA_TYPE, schema: ProblemBody::schema_ref() }];
        let response = MetaResponse {
            description: "What went wrong, and what to do about it.",
            status: None,
            status_range: None,
            content,
            headers: Vec::new(),
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        ProblemBody::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use poem::Body;
    use serde_json::{Value, json};

    use super::*;

    async fn json(response: &mut Response) -> Value {
        let body: Body = response.take_body();
        serde_json::from_str(&body.into_string().await.unwrap()).unwrap()
    }

    fn challenges(response: &Response) -> Vec<&str> {
        response.headers().get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_problem_says_everything_once() {
        let problem = Problem::field("device.name", FieldCode::TooLong).because("the secret cause");
        let mut response = problem.to_response(Context { request_id: "r-1", ..Context::default() });
        assert_eq!(response.status(), 400);
        assert_eq!(response.content_type(), Some("application/problem+json"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(
            json(&mut response).await,
            json!({
                "type": "urn:rescind:problem:invalid_request",
                "title": "The request is not valid",
                "status": 400,
                "detail": "Correct the fields named in `errors`.",
                "code": "invalid_request",
                "request_id": "r-1",
                "errors": [{"field": "device.name", "code": "too_long"}],
            })
        );
    }

    #[tokio::test]
    async fn an_oauth_problem_also_carries_its_error() {
        let context = Context { oauth: true, ..Context::default() };
        let mut response = Problem::new(Code::TokenInvalid).to_response(context);
        assert_eq!(challenges(&response).len(), 1);
        assert_eq!(json(&mut response).await["error"], "invalid_client");
    }

    #[test]
    fn basic_is_named_where_it_is_taken() {
        let context = Context { basic: true, ..Context::default() };
        let response = Problem::new(Code::TokenInvalid).to_response(context);
        assert_eq!(
            challenges(&response),
            [r#"Bearer realm="rescind", error="invalid_token""#, r#"Basic realm="rescind""#]
        );
        assert!(challenges(&Problem::new(Code::Forbidden).to_response(context)).is_empty());
    }

    #[test]
    fn every_code_keeps_the_rules_of_its_status() {
        for &code in Code::ALL {
            let response = Problem::new(code).to_response(Context::default());
            let status = response.status().as_u16();
            assert_eq!(challenges(&response).len(), usize::from(status == 401), "{code:?}");
            assert_eq!(response.header("retry-after").is_some(), status == 429 || status == 503, "{code:?}");
        }
    }

    #[test]
    fn a_missing_token_is_not_called_invalid() {
        let response = Problem::new(Code::TokenMissing).as_response();
        assert_eq!(challenges(&response), [r#"Bearer realm="rescind""#]);
    }

    #[test]
    fn the_wait_is_never_zero() {
        let response = Problem::new(Code::RateLimited).retry_after(0).as_response();
        assert_eq!(response.header("retry-after"), Some("1"));
        let response = Problem::new(Code::RateLimited).retry_after(30).as_response();
        assert_eq!(response.header("retry-after"), Some("30"));
    }
}
